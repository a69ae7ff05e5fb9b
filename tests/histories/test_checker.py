from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.histories.brute_force import linearizable
from tests.histories.checker import violations
from tests.histories.intervals import disordered_tokens, overlapping_holders
from tests.histories.linearizability import not_linearizable
from tests.histories.operations import NEVER, Answer, Kind, Operation, named, read, write
from tests.histories.sequential import TTL, random_history

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    History = list[Operation]


def an_operation(kind: Kind, claim: str, called: int, returned: int = NEVER, **given: object) -> Operation:
    answer = Answer.UNKNOWN if returned == NEVER else Answer.OK
    values: dict[str, object] = {"answer": answer, "client": claim, "key": "k", "ttl": TTL, **given}
    return Operation(kind=kind, claim=claim, called=called, returned=returned, **values)  # type: ignore[arg-type] # tests give the right ones


def granted(claim: str, token: int, called: int, returned: int) -> Operation:
    return an_operation(Kind.ACQUIRE, claim, called, returned, token=token)


def renewed(claim: str, token: int, called: int, returned: int = NEVER) -> Operation:
    return an_operation(Kind.RENEW, claim, called, returned, token=token)


def released(claim: str, token: int, called: int, returned: int = NEVER, **given: object) -> Operation:
    return an_operation(Kind.RELEASE, claim, called, returned, token=token, **given)


def refused(claim: str, called: int, returned: int, holder: str, holder_token: int) -> Operation:
    return an_operation(
        Kind.ACQUIRE,
        claim,
        called,
        returned,
        answer=Answer.REFUSED,
        holder=holder,
        holder_token=holder_token,
    )


def found_free(called: int, returned: int) -> Operation:
    return an_operation(Kind.CHECK, "", called, returned, answer=Answer.REFUSED)


def ordered(*history: Operation) -> History:
    return sorted(history, key=lambda o: o.called)


RELEASE_LOST = released("ana", 1, 20)
ACQUIRE_LOST = an_operation(Kind.ACQUIRE, "ana", 0)

CORRECT: dict[str, History] = {
    "nothing": [],
    "taken, released, taken": [
        granted("ana", 1, 0, 10),
        released("ana", 1, 20, 30),
        granted("bo", 2, 40, 50),
    ],
    "taken when the lease had run out": [granted("ana", 1, 0, 10), granted("bo", 2, 50, TTL)],
    "taken while the last holder's release was under way": [
        granted("ana", 1, 0, 10),
        released("ana", 1, 20, 60),
        granted("bo", 2, 30, 40),
    ],
    "free because an unanswered release took effect": [
        granted("ana", 1, 0, 10),
        RELEASE_LOST,
        found_free(30, 40),
    ],
    "not free because it has not yet": [
        granted("ana", 1, 0, 10),
        RELEASE_LOST,
        refused("bo", 30, 40, "ana", 1),
        found_free(50, 60),
    ],
    "held by a claim that got no answer": [
        ACQUIRE_LOST,
        refused("bo", 20, 30, "ana", 1),
        granted("ana", 1, 40, 50),
        released("ana", 1, 60, 70),
        granted("bo", 2, 80, 90),
    ],
    "given back because its caller disconnected": [
        ACQUIRE_LOST,
        refused("bo", 20, 30, "ana", 1),
        found_free(40, 50),
        granted("ana", 2, 60, 70),
    ],
    "repeated after a lost answer, which took effect late": [
        ACQUIRE_LOST,
        granted("bo", 1, 20, 30),
        released("bo", 1, 40, 50),
        granted("ana", 2, 60, 70),
        granted("ana", 2, 80, 90),
    ],
    "renewed beyond its first lease": [
        granted("ana", 1, 0, 10),
        renewed("ana", 1, 80, 90),
        refused("bo", 150, 160, "ana", 1),
    ],
    "released twice": [
        granted("ana", 1, 0, 10),
        released("ana", 1, 20, 30),
        released("ana", 1, 40, 50, repeated=True),
    ],
}

WRONG: dict[str, History] = {
    "taken while held": [granted("ana", 1, 0, 10), granted("bo", 2, 50, TTL - 1)],
    "a falling token": [
        granted("ana", 2, 0, 10),
        released("ana", 2, 20, 30),
        granted("bo", 1, 40, 50),
    ],
    "one token for two": [
        granted("ana", 1, 0, 10),
        released("ana", 1, 20, 30),
        granted("bo", 1, 40, 50),
    ],
    "a lost release": [
        granted("ana", 1, 0, 10),
        released("ana", 1, 20, 30),
        refused("bo", 40, 50, "ana", 1),
    ],
    "a lease that ends early": [granted("ana", 1, 0, 10), found_free(20, TTL - 1)],
    "a lease that ends early although renewed": [
        granted("ana", 1, 0, 10),
        renewed("ana", 1, 80, 90),
        found_free(150, 170),
    ],
    "freed before the release was asked for": [
        granted("ana", 1, 0, 10),
        found_free(15, 19),
        RELEASE_LOST,
    ],
    "taken again by a late repetition": [
        granted("ana", 1, 0, 10),
        released("ana", 1, 20, 30),
        an_operation(Kind.ACQUIRE, "ana", 40),
        refused("bo", 50, 60, "ana", 1),
    ],
    "renewed after it was seen free": [
        granted("ana", 1, 0, 10),
        found_free(TTL, TTL + 10),
        renewed("ana", 1, TTL + 20, TTL + 30),
    ],
    "a late release that frees the next holder": [
        granted("ana", 1, 0, 10),
        granted("bo", 2, TTL, TTL + 10),
        released("ana", 1, TTL + 20, TTL + 30),
        found_free(TTL + 40, TTL + 50),
    ],
    "given back although its caller was told": [
        ACQUIRE_LOST,
        refused("bo", 20, 30, "ana", 1),
        found_free(40, 50),
        granted("ana", 1, 60, 70),
    ],
    "given twice to one claim": [
        granted("ana", 1, 0, 10),
        released("ana", 1, 20, 30),
        granted("ana", 2, 40, 50),
    ],
    "held before it was asked for": [refused("bo", 0, 10, "ana", 1), granted("ana", 1, 20, 30)],
}


@pytest.mark.parametrize("case", CORRECT)
def test_a_correct_history_is_accepted(case: str) -> None:
    assert list(violations(CORRECT[case])) == []


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_history_is_not(case: str) -> None:
    assert list(violations(WRONG[case]))


@given(st.randoms(), st.integers(1, 300))
def test_whatever_a_lock_answers_that_does_one_thing_at_a_time_is_accepted(
    chance: Random, calls: int
) -> None:
    assert list(violations(random_history(chance, calls))) == []


def certain_holding(history: History, chance: Random) -> tuple[Operation, int] | None:
    """Return a grant and until when nobody else can have had the lock, or None."""
    grants = [o for o in history if o.kind is Kind.ACQUIRE and o.answer is Answer.OK]
    chance.shuffle(grants)
    for grant in grants:
        releases = [o.called for o in history if o.kind is Kind.RELEASE and o.token == grant.token]
        end = min([grant.lease_end(), *releases])
        if end > grant.returned + 10:
            return grant, end
    return None


def plant_double_grant(history: History, chance: Random) -> History:
    if (holding := certain_holding(history, chance)) is None:
        return []
    grant, end = holding
    called = chance.randrange(grant.returned + 1, end - 5)
    return ordered(*history, granted("intruder", 10**6, called, chance.randrange(called + 1, end - 1)))


def plant_early_end(history: History, chance: Random) -> History:
    if (holding := certain_holding(history, chance)) is None:
        return []
    return ordered(*history, found_free(holding[0].returned + 1, holding[1] - 1))


def plant_lost_release(history: History, chance: Random) -> History:
    releases = [o for o in history if o.kind is Kind.RELEASE and o.answer is Answer.OK]
    if not releases:
        return []
    release = chance.choice(releases)
    called = release.returned + chance.randrange(1, 50)
    return ordered(*history, renewed(release.claim, release.token, called, called + 5))


def plant_falling_token(history: History, chance: Random) -> History:
    grants = [o for o in history if o.kind is Kind.ACQUIRE and o.answer is Answer.OK]
    pairs = [(a, b) for a in grants for b in grants if a.returned < b.called and a.token < b.token]
    if not pairs:
        return []
    earlier, later = chance.choice(pairs)
    falling = {later.token: earlier.token - 1}
    return [
        replace(
            o,
            token=falling.get(o.token, o.token),
            holder_token=falling.get(o.holder_token, o.holder_token),
        )
        for o in history
    ]


PLANTS: list[Callable[[History, Random], History]] = [
    plant_double_grant,
    plant_early_end,
    plant_falling_token,
    plant_lost_release,
]


@pytest.mark.parametrize("plant", PLANTS)
def test_a_fault_planted_in_a_correct_history_is_found(plant: Callable[[History, Random], History]) -> None:
    planted = 0
    for seed in range(200):
        chance = Random(seed)
        if history := plant(random_history(chance, 100), chance):
            planted += 1
            assert not_linearizable(history), seed
    assert planted > 100


def test_double_grants_and_falling_tokens_are_found_without_a_search_too() -> None:
    chance = Random(0)
    history = random_history(chance, 1000)
    assert not list(overlapping_holders(history))
    assert not list(disordered_tokens(history))
    assert list(overlapping_holders(plant_double_grant(history, chance)))
    assert list(disordered_tokens(plant_falling_token(history, chance)))


def disturbed(history: History, chance: Random) -> History:
    """Return a history of which some answer may not be true."""
    at = chance.randrange(len(history))
    operation = history[at]
    claims = sorted({named(o) for o in history} - {("", 0)})
    later = chance.randrange(-150, 150)
    changes: list[dict[str, object]] = [{"called": operation.called - 40}]
    if operation.answer is not Answer.UNKNOWN:
        changes += [{"called": operation.called + later, "returned": operation.returned + later}] * 3
        changes += [{"returned": operation.called + 3}, {"returned": operation.returned + 60}]
    if operation.answer is Answer.REFUSED and claims and operation.kind in (Kind.ACQUIRE, Kind.CHECK):
        holder, token = chance.choice(claims)
        changes += [{"holder": holder, "holder_token": token}] * 2
    if operation.kind in (Kind.RENEW, Kind.RELEASE) and operation.answer is not Answer.UNKNOWN:
        flipped = Answer.OK if operation.answer is Answer.REFUSED else Answer.REFUSED
        changes += [{"answer": flipped}] * 2
    changed = replace(operation, **chance.choice(changes))  # type: ignore[arg-type] # each names fields of it
    return ordered(*history[:at], changed, *history[at + 1 :])


def test_the_search_agrees_with_trying_every_order() -> None:
    verdicts = {True: 0, False: 0}
    for seed in range(1000):
        chance = Random(seed)
        history = random_history(chance, 12)
        for _ in range(4 if history else 0):
            history = disturbed(history, chance)
        expected = linearizable(history)
        assert (not_linearizable(history) is None) == expected, seed
        verdicts[expected] += 1
    assert min(verdicts.values()) > 100, verdicts


def test_each_lock_is_checked_by_itself() -> None:
    other = [replace(o, key="another") for o in WRONG["taken while held"]]
    found = list(violations([*CORRECT["taken, released, taken"], *other]))
    assert {violation.key for violation in found} == {"another"}
    assert "two holders at once" in str(found[0])
    assert "bo acquire bo: ok (token 2" in str(found[0])


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    history = random_history(Random(1), 200)
    write(tmp_path / "history.jsonl", history)
    assert read(tmp_path / "history.jsonl") == history
