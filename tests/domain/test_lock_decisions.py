"""Who gets a lock, what a repeated claim finds, and what the end of a lock leads to."""

from __future__ import annotations

from copy import copy

import pytest

from tracker.domain.access import ANONYMOUS, Principal, PrincipalKind
from tracker.domain.event_locks import EventChange, decide_event_change
from tracker.domain.locks import (
    Acquired,
    EndedLock,
    Ending,
    EventEntry,
    HeldLock,
    KeyState,
    LockEnd,
    LockHeldError,
    LockTokenUsedError,
    Release,
    begin_lease,
    decide_claim,
    decide_end,
    decide_move,
    event_entry,
    hash_token,
    is_of,
    moves,
    taken_by,
)
from tracker.domain.times import duration, timestamp
from tracker.pb import event_pb, lock_pb
from tracker.stores.idempotency import KEPT_MICROS, forgotten_until, is_over
from tracker.time_text import MICROS

NOW = 5_000_000
TOKEN, OTHER = hash_token("token"), hash_token("another token")
LOCK = lock_pb.Lock(id="held", service="payments", environment="production", event_id="event")
NEW = lock_pb.Lock(id="new", service="payments", environment="production")
ENTRY = event_pb.ChangelogEntry(comment="unlocked")
USED = EndedLock(LOCK, TOKEN, Ending.RELEASED, 1)


def expired(lock: lock_pb.Lock) -> lock_pb.Lock:
    lock = copy(lock)
    lock.expired_at = timestamp(1)
    return lock


def fenced(lock: lock_pb.Lock, token: int) -> lock_pb.Lock:
    lock = copy(lock)
    lock.fencing_token = token
    return lock


@pytest.mark.parametrize(("last", "token"), [(0, 5_000), (4_999, 5_000), (5_000, 5_001), (9_000, 9_001)])
def test_a_free_key_is_granted_with_its_next_fencing_token(last: int, token: int) -> None:
    assert decide_claim(KeyState(last), HeldLock(NEW, TOKEN), NOW) == Acquired(fenced(NEW, token))
    assert NEW.fencing_token == 0


def test_a_claim_with_the_token_of_the_holder_is_a_replay() -> None:
    key = KeyState(7, HeldLock(LOCK, TOKEN))
    assert decide_claim(key, HeldLock(NEW, TOKEN), NOW) == Acquired(LOCK, replayed=True)


@pytest.mark.parametrize(
    ("holder", "token"),
    [
        (HeldLock(LOCK, TOKEN), OTHER),
        (HeldLock(LOCK, TOKEN), b""),
        (HeldLock(LOCK), TOKEN),
        (HeldLock(LOCK), b""),
        (HeldLock(expired(LOCK), TOKEN), TOKEN),
    ],
)
def test_any_other_claim_of_a_held_key_is_refused(holder: HeldLock, token: bytes) -> None:
    with pytest.raises(LockHeldError) as refused:
        decide_claim(KeyState(7, holder), HeldLock(NEW, token), NOW)
    assert refused.value.holder == holder.lock


def test_a_token_that_has_had_the_key_before_is_refused() -> None:
    with pytest.raises(LockTokenUsedError) as refused:
        decide_claim(KeyState(7), HeldLock(NEW, TOKEN), NOW, used=USED)
    assert refused.value.ended == USED


def test_a_key_is_granted_whose_holder_ends_in_the_same_step() -> None:
    key = KeyState(7, HeldLock(LOCK))
    assert decide_claim(key, HeldLock(NEW), NOW, freed={"held"}) == Acquired(fenced(NEW, 5_000))
    with pytest.raises(LockHeldError) as refused:
        decide_claim(key, HeldLock(NEW), NOW, freed={"other"})
    assert refused.value.holder == LOCK


def test_a_lock_moves_to_a_free_key_and_not_to_a_held_one_even_with_its_own_token() -> None:
    assert decide_move(KeyState(9_000), LOCK, NOW) == fenced(LOCK, 9_001)
    with pytest.raises(LockHeldError) as refused:
        decide_move(KeyState(7, HeldLock(NEW, TOKEN)), LOCK, NOW)
    assert refused.value.holder == NEW


@pytest.mark.parametrize(
    ("field", "value", "moved"),
    [
        ("service", "billing", True),
        ("environment", "staging", True),
        ("resource", "operation", True),
        ("environment", "PROD", False),
        ("resource", "deployment", False),
        ("who", "carol", False),
    ],
)
def test_a_lock_moves_when_its_key_changes(field: str, value: str, moved: bool) -> None:
    changed = copy(LOCK)
    setattr(changed, field, value)
    assert moves(LOCK, changed) == moved


@pytest.mark.parametrize("ending", Ending)
def test_an_end_is_remembered_where_somebody_may_ask_for_it(ending: Ending) -> None:
    leased = begin_lease(LOCK, 0, duration(MICROS))
    release = Release(ending, NOW, "why")
    for held in (HeldLock(LOCK, TOKEN), HeldLock(leased)):
        ended = EndedLock(held.lock, held.token_hash, ending, NOW, "why")
        assert decide_end(held, release) == LockEnd(None if ending is Ending.ABANDONED else ended, None)
    assert decide_end(HeldLock(LOCK), release) == LockEnd(None, None)


def test_a_changelog_entry_goes_to_the_event_that_the_lock_names() -> None:
    end = decide_end(HeldLock(LOCK), Release(Ending.RELEASED, NOW, entry=ENTRY))
    assert end.entry == EventEntry("event", ENTRY)
    assert event_entry(NEW, ENTRY) is None
    assert event_entry(LOCK, None) is None


def test_the_change_of_an_event_ends_and_renews_those_of_its_locks_that_are_still_held() -> None:
    event = event_pb.Event(title="after")
    renewed = fenced(NEW, 1)
    release = Release(Ending.EVENT_ENDED, NOW, entry=ENTRY)
    change = EventChange(event, {"held": release, "gone": release}, [renewed, lock_pb.Lock(id="gone")], NEW)
    outcome = decide_event_change(change, [HeldLock(LOCK, TOKEN), HeldLock(NEW)])
    assert outcome.ends == [(HeldLock(LOCK, TOKEN), Release(Ending.EVENT_ENDED, NOW))]
    assert outcome.renewed == [(HeldLock(NEW), renewed)]
    assert outcome.claim == HeldLock(NEW)
    assert (outcome.event.changelog, event.changelog) == ([ENTRY], [])


def test_a_key_of_a_request_is_known_for_a_day() -> None:
    assert not is_over(NOW, NOW + KEPT_MICROS - 1)
    assert is_over(NOW, NOW + KEPT_MICROS)
    assert forgotten_until(NOW + KEPT_MICROS) == NOW


ANA, BEN = (Principal(f"user:{name}", PrincipalKind.USER, name, ()) for name in ("ana", "ben"))


@pytest.mark.parametrize(
    ("owner", "token", "given", "caller", "expected"),
    [
        (None, "", "", ANONYMOUS, True),
        (None, "", "t", ANONYMOUS, True),
        (None, "t", "", ANONYMOUS, False),
        (None, "t", "other", ANONYMOUS, False),
        (None, "t", "t", ANONYMOUS, True),
        (None, "", "", ANA, False),
        (None, "t", "", ANA, False),
        (None, "t", "t", ANA, True),
        (ANA, "", "", ANA, True),
        (ANA, "", "", BEN, False),
        (ANA, "", "t", BEN, False),
        (ANA, "", "", ANONYMOUS, False),
        (ANA, "t", "", ANA, True),
        (ANA, "t", "other", ANA, False),
        (ANA, "t", "", BEN, False),
        (ANA, "t", "t", BEN, True),
        (ANA, "t", "", ANONYMOUS, False),
        (ANA, "t", "t", ANONYMOUS, True),
    ],
)
def test_a_lock_is_of_the_principal_that_took_it_and_of_whoever_has_its_token(
    owner: Principal | None, token: str, given: str, caller: Principal, *, expected: bool
) -> None:
    lock = taken_by(owner or ANONYMOUS, lock_pb.Lock(id="1", who="root"))
    assert is_of(HeldLock(lock, hash_token(token)), given, caller) is expected
