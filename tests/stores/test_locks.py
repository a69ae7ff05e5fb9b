from __future__ import annotations

import asyncio
from copy import copy, deepcopy
from typing import TYPE_CHECKING

import pytest
from tests.stores.samples import (
    NOW,
    a_lock,
    an_end,
    an_entry,
    an_event,
    comments,
    new_id,
    taken,
    without_fence,
)

from tracker.domain.events import EventId
from tracker.domain.locks import (
    Acquired,
    EndedLock,
    Ending,
    HeldLock,
    LeaseState,
    LockFilter,
    LockHeldError,
    LockKey,
    LockTokenUsedError,
    hash_token,
    lock_filter,
    renew_lease,
)
from tracker.domain.times import duration, timestamp
from tracker.stores.pages import Page
from tracker.stores.sqlite import locks as sqlite_locks
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.pb import lock_pb
    from tracker.stores.base import Store

ALL = LockFilter()
TOKEN = hash_token("a token of the client's")


def owned_by(who: str, *, service: str = "") -> Callable[[HeldLock], lock_pb.Lock]:
    def change(held: HeldLock) -> lock_pb.Lock:
        changed = deepcopy(held.lock)
        changed.who = who
        changed.service = service or held.lock.service
        return changed

    return change


async def test_a_lock_taken_is_answered_and_found_by_its_id_and_its_key(store: Store) -> None:
    lock = a_lock("payments", "PROD", "")
    acquired = await store.locks.acquire(HeldLock(lock), None)
    assert without_fence(acquired.lock) == lock
    assert not acquired.replayed
    assert await store.locks.get(lock.id) == acquired.lock
    assert await store.locks.holder(LockKey("payments", "production", "deployment")) == acquired.lock
    assert await store.locks.holder(LockKey("payments", "production", "operation")) is None


async def test_the_holder_of_a_key_is_found_by_its_token_too(store: Store) -> None:
    token_hash, key = hash_token("token"), LockKey("payments", "production", "deployment")
    lock = (await store.locks.acquire(HeldLock(a_lock(*key), token_hash), None)).lock
    assert await store.locks.holder(key, token_hash) == lock
    assert await store.locks.holder(key, hash_token("another")) is None


async def test_a_held_key_names_its_holder(store: Store) -> None:
    lock = await taken(store, a_lock("payments", "production", "deployment"))
    for environment, resource in (("PROD", "deployment"), ("production", ""), (" Prod ", "Deployment")):
        with pytest.raises(LockHeldError) as refused:
            await taken(store, a_lock("payments", environment, resource))
        assert refused.value.holder == lock


async def test_locks_of_other_keys_do_not_exclude_each_other(store: Store) -> None:
    for service, environment, resource in (("a", "x", ""), ("b", "x", ""), ("a", "y", ""), ("a", "x", "z")):
        await taken(store, a_lock(service, environment, resource))
    assert (await store.locks.find(ALL, Page())).total == 4


async def test_one_of_hundreds_of_simultaneous_attempts_wins(store: Store) -> None:
    attempts = [a_lock(who=str(number)) for number in range(400)]
    results = await asyncio.gather(*(taken(store, lock) for lock in attempts), return_exceptions=True)
    refused = [result for result in results if isinstance(result, LockHeldError)]
    assert len(refused) == 399
    (winner,) = [result for result in results if not isinstance(result, BaseException)]
    assert {error.holder.id for error in refused} == {winner.id}
    assert (await store.locks.find(ALL, Page())).records == [winner]


async def test_a_lock_let_go_can_be_taken_at_once(store: Store) -> None:
    first = await taken(store, a_lock())
    assert await store.locks.release(first.id, lambda _: an_end()) == first
    second = await taken(store, a_lock())
    assert (await store.locks.find(ALL, Page())).records == [second]


async def test_fencing_tokens_of_a_key_rise_however_its_locks_end(store: Store) -> None:
    tokens = []
    for ending in [*Ending] * 3:
        lock = await taken(store, a_lock(ttl=MICROS))
        tokens.append(lock.fencing_token)
        await store.locks.release(lock.id, lambda _, ending=ending: an_end(ending=ending))  # type: ignore[misc] # binds the loop's value
    event = an_event()
    assert event.metadata is not None
    await store.events.create(event, a_lock(event_id=event.metadata.id))
    (lock,) = (await store.locks.find(ALL, Page())).records
    tokens.append(lock.fencing_token)
    assert tokens == sorted(set(tokens))


async def test_a_fencing_token_is_no_less_than_the_milliseconds_since_the_epoch(store: Store) -> None:
    before = store.now() // 1000
    first = await taken(store, a_lock("a"))
    moved = await store.locks.modify(first.id, owned_by("carol", service="b"))
    assert moved is not None
    assert before <= first.fencing_token <= moved.fencing_token <= store.now() // 1000 + 1


async def test_repeating_a_claim_answers_the_lock_that_its_token_holds(store: Store) -> None:
    first = await store.locks.acquire(HeldLock(a_lock(), TOKEN), None)
    again = await store.locks.acquire(HeldLock(a_lock(who="a retry"), TOKEN), None)
    assert again == Acquired(first.lock, replayed=True)
    for other in (b"", hash_token("another token")):
        with pytest.raises(LockHeldError):
            await store.locks.acquire(HeldLock(a_lock(), other), None)


async def test_claims_at_once_with_one_token_lead_to_one_lock(store: Store) -> None:
    answers = await asyncio.gather(*(store.locks.acquire(HeldLock(a_lock(), TOKEN), None) for _ in range(50)))
    assert len({answer.lock.id for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1


async def test_a_replayed_claim_leaves_no_note(store: Store) -> None:
    event = an_event()
    assert event.metadata is not None
    await store.events.create(event, None)
    for _ in range(2):
        await store.locks.acquire(HeldLock(a_lock(event_id=event.metadata.id), TOKEN), an_entry("locked"))
    assert comments(await store.events.get(EventId(event.metadata.id))) == ["locked"]


@pytest.mark.parametrize("ending", [Ending.RELEASED, Ending.EXPIRED, Ending.FORCED, Ending.EVENT_ENDED])
async def test_a_token_whose_lock_has_ended_takes_its_key_no_more(store: Store, ending: Ending) -> None:
    lock = await taken(store, a_lock(), "token")
    await store.locks.release(lock.id, lambda _: an_end(ending=ending, at=NOW + 1, reason="why"))
    ended = EndedLock(lock, hash_token("token"), ending, NOW + 1, "why")
    with pytest.raises(LockTokenUsedError) as refused:
        await taken(store, a_lock(), "token")
    assert refused.value.ended == ended
    assert await store.locks.ended(lock.id) == ended
    assert (await store.locks.find(ALL, Page())).total == 0
    await taken(store, a_lock(), "another")
    await taken(store, a_lock("another key"), "token")


async def test_the_token_of_an_abandoned_lock_may_take_its_key_again(store: Store) -> None:
    lock = await taken(store, a_lock(ttl=MICROS), "token")
    await store.locks.release(lock.id, lambda _: an_end(ending=Ending.ABANDONED))
    assert await store.locks.ended(lock.id) is None
    assert (await taken(store, a_lock(), "token")).fencing_token > lock.fencing_token


async def test_the_end_of_a_lock_is_remembered_if_it_had_a_token_or_a_lease(store: Store) -> None:
    for lock, token, remembered in (
        (a_lock("a"), "", False),
        (a_lock("b"), "token", True),
        (a_lock("c", ttl=MICROS), "", True),
    ):
        await taken(store, lock, token)
        await store.locks.release(lock.id, lambda _: an_end())
        assert (await store.locks.ended(lock.id) is not None) == remembered


async def test_a_lock_that_is_held_has_not_ended(store: Store) -> None:
    lock = await taken(store, a_lock(ttl=MICROS), "token")
    assert await store.locks.ended(lock.id) is None


async def test_old_ends_are_forgotten_and_their_tokens_free(store: Store) -> None:
    locks = [await taken(store, a_lock(str(number)), "token") for number in range(3)]
    for number, lock in enumerate(locks):
        await store.locks.release(lock.id, lambda _, at=NOW + number: an_end(at=at))  # type: ignore[misc] # binds the loop's value
    await store.locks.forget_ended(NOW + 2)
    assert [await store.locks.ended(lock.id) is None for lock in locks] == [True, True, False]
    await taken(store, a_lock("0"), "token")
    with pytest.raises(LockTokenUsedError):
        await taken(store, a_lock("2"), "token")


async def test_an_expired_lock_keeps_its_key_closed_until_it_is_released(store: Store) -> None:
    lock = await taken(store, a_lock(ttl=MICROS, lock_delay=MICROS), "token")

    def expire(held: HeldLock) -> lock_pb.Lock:
        expired = copy(held.lock)
        expired.expired_at = timestamp(NOW + MICROS)
        return expired

    expired = await store.locks.modify(lock.id, expire)
    for token in ("token", "another"):
        with pytest.raises(LockHeldError) as refused:
            await taken(store, a_lock(), token)
        assert refused.value.holder == expired
    await store.locks.release(lock.id, lambda _: an_end(ending=Ending.EXPIRED))
    await taken(store, a_lock(), "another")


async def test_the_leases_tell_the_state_of_every_lock(store: Store) -> None:
    held = await taken(store, a_lock("held until released"))
    leased = await taken(store, a_lock("leased", ttl=10 * MICROS, lock_delay=3 * MICROS))
    longer = duration(20 * MICROS)
    await store.locks.modify(leased.id, lambda held: renew_lease(held.lock, NOW, longer))
    states = sorted(await store.locks.leases(), key=lambda state: state.ttl)
    assert states == [
        LeaseState(held.id, ttl=0, lock_delay=0, renewals=0, expired=False),
        LeaseState(leased.id, ttl=20 * MICROS, lock_delay=3 * MICROS, renewals=1, expired=False),
    ]

    def expire(held: HeldLock) -> lock_pb.Lock:
        expired = copy(held.lock)
        expired.expired_at = timestamp(NOW)
        return expired

    await store.locks.modify(leased.id, expire)
    assert [state.lock_id for state in await store.locks.leases() if state.expired] == [leased.id]


async def test_taking_and_letting_go_are_noted_in_the_event(store: Store) -> None:
    event = an_event()
    assert event.metadata is not None
    await store.events.create(event, None)
    lock = a_lock(event_id=event.metadata.id)
    await store.locks.acquire(HeldLock(lock), an_entry("locked"))
    assert comments(await store.events.get(EventId(event.metadata.id))) == ["locked"]
    released = await store.locks.release(lock.id, lambda held: an_end(f"unlocked {held.lock.id}"))
    assert without_fence(released) == lock
    assert comments(await store.events.get(EventId(event.metadata.id))) == ["locked", f"unlocked {lock.id}"]


async def test_a_refused_lock_leaves_no_note(store: Store) -> None:
    event = an_event()
    assert event.metadata is not None
    await store.events.create(event, a_lock())
    with pytest.raises(LockHeldError):
        await store.locks.acquire(HeldLock(a_lock(event_id=event.metadata.id)), an_entry("locked"))
    assert comments(await store.events.get(EventId(event.metadata.id))) == []


async def test_a_lock_may_name_an_event_that_does_not_exist(store: Store) -> None:
    lock = a_lock(event_id=new_id())
    await store.locks.acquire(HeldLock(lock), an_entry("locked"))
    assert without_fence(await store.locks.release(lock.id, lambda _: an_end("unlocked"))) == lock
    assert await store.locks.get(lock.id) is None


async def test_a_release_that_raises_keeps_the_lock(store: Store) -> None:
    lock = await taken(store, a_lock())
    with pytest.raises(ZeroDivisionError):
        await store.locks.release(lock.id, lambda _: an_end(str(1 // 0)))
    assert await store.locks.get(lock.id) == lock


async def test_a_decision_against_a_release_or_a_change_leaves_the_lock(store: Store) -> None:
    lock = await taken(store, a_lock(), "token")
    seen: list[HeldLock] = []
    assert await store.locks.release(lock.id, seen.append) is None
    assert await store.locks.modify(lock.id, seen.append) is None
    assert {each.token_hash for each in seen} == {hash_token("token")}
    assert await store.locks.get(lock.id) == lock


async def test_an_unknown_lock_is_neither_found_changed_nor_released(store: Store) -> None:
    assert await store.locks.get(new_id()) is None
    assert await store.locks.ended(new_id()) is None
    assert await store.locks.modify(new_id(), owned_by("carol")) is None
    assert await store.locks.release(new_id(), lambda _: an_end("never")) is None


async def test_a_lock_that_moves_frees_its_key_and_gets_the_next_fencing_token_of_the_other(
    store: Store,
) -> None:
    before = await taken(store, a_lock("billing"))
    await store.locks.release(before.id, lambda _: an_end())
    lock = await taken(store, a_lock())
    changed = await store.locks.modify(lock.id, owned_by("carol", service="billing"))
    assert changed is not None
    assert (changed.who, changed.service) == ("carol", "billing")
    assert changed.fencing_token > before.fencing_token
    assert await store.locks.get(lock.id) == changed
    assert await store.locks.holder(LockKey("billing", "production", "deployment")) == changed
    await taken(store, a_lock())
    with pytest.raises(LockHeldError):
        await taken(store, a_lock("billing"))


async def test_a_lock_that_stays_where_it_is_keeps_its_fencing_token(store: Store) -> None:
    lock = await taken(store, a_lock("payments", "PROD"))
    changed = await store.locks.modify(lock.id, owned_by("carol"))
    assert changed is not None
    assert changed.fencing_token == lock.fencing_token


async def test_a_lock_cannot_move_onto_a_held_key(store: Store) -> None:
    lock, held = await taken(store, a_lock("payments")), await taken(store, a_lock("billing"))
    with pytest.raises(LockHeldError) as refused:
        await store.locks.modify(lock.id, owned_by("carol", service="billing"))
    assert refused.value.holder == held
    assert await store.locks.get(lock.id) == lock
    assert (await store.locks.find(ALL, Page())).total == 2


async def test_a_lock_cannot_move_onto_a_key_that_its_own_token_holds(store: Store) -> None:
    lock, held = [await taken(store, a_lock(name), "token") for name in ("payments", "billing")]
    with pytest.raises(LockHeldError) as refused:
        await store.locks.modify(lock.id, owned_by("carol", service="billing"))
    assert refused.value.holder == held
    assert await store.locks.get(lock.id) == lock
    assert await store.locks.get(held.id) == held


async def test_a_late_release_never_frees_a_newer_holder(store: Store) -> None:
    first = await taken(store, a_lock())
    await store.locks.release(first.id, lambda _: an_end(ending=Ending.FORCED))
    second = await taken(store, a_lock())
    assert await store.locks.release(first.id, lambda _: an_end()) is None
    assert await store.locks.holder(LockKey("payments", "production", "deployment")) == second


async def test_locks_are_listed_newest_first(store: Store) -> None:
    locks = [await taken(store, a_lock(str(n), created=NOW + n // 2)) for n in range(5)]
    expected = sorted(locks, key=lambda lock: (int(lock.service) // 2, lock.id), reverse=True)
    assert (await store.locks.find(ALL, Page())).records == expected
    first = await store.locks.find(ALL, Page(limit=2))
    assert (list(first.records), first.total) == (expected[:2], 5)
    assert first.next is not None
    rest = await store.locks.find(ALL, Page(limit=3, after=first.next))
    assert (list(rest.records), rest.total, rest.next) == (expected[2:], 5, None)
    assert (await store.locks.find(ALL, Page(limit=2, offset=4))).records == expected[4:]
    assert (await store.locks.find(ALL, Page(limit=2, offset=9))).total == 5


async def test_locks_are_found_by_the_parts_of_their_keys(store: Store) -> None:
    for service, environment, resource in (("a", "PROD", ""), ("a", "dev", "Database"), ("b", "prod", "")):
        await taken(store, a_lock(service, environment, resource))
    for where, found in (
        (lock_filter("a", "", ""), 2),
        (lock_filter("", "production", ""), 2),
        (lock_filter("", "", "DATABASE"), 1),
        (lock_filter("a", " Prod", "deployment"), 1),
        (lock_filter("b", "development", ""), 0),
    ):
        assert (await store.locks.find(where, Page(limit=1))).total == found


async def test_hundreds_of_ends_are_forgotten_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_locks, "_FORGOTTEN_AT_ONCE", 100)

    async def take_and_release(number: int) -> None:
        lock = await taken(store, a_lock(str(number)), "token")
        await store.locks.release(lock.id, lambda _: an_end())

    await asyncio.gather(*(take_and_release(number) for number in range(250)))
    last = await taken(store, a_lock("last"), "token")
    await store.locks.release(last.id, lambda _: an_end(at=NOW + 1))
    await store.locks.forget_ended(NOW + 1)
    for number in (0, 249):
        await taken(store, a_lock(str(number)), "token")
    assert await store.locks.ended(last.id) is not None
