from __future__ import annotations

import asyncio
from copy import deepcopy
from typing import TYPE_CHECKING

import pytest
from tests.stores.samples import NOW, a_lock, an_entry, an_event, comments, new_id

from tracker.domain.events import EventId
from tracker.stores.base import LockHeldError, Slice

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.pb import lock_pb
    from tracker.stores.base import Store


def owned_by(who: str, *, service: str = "") -> Callable[[lock_pb.Lock], lock_pb.Lock]:
    def change(lock: lock_pb.Lock) -> lock_pb.Lock:
        changed = deepcopy(lock)
        changed.who = who
        changed.service = service or lock.service
        return changed

    return change


async def test_a_lock_taken_is_found_by_its_id(store: Store) -> None:
    lock = a_lock()
    await store.locks.acquire(lock, None)
    assert await store.locks.get(lock.id) == lock


async def test_a_held_key_names_its_holder(store: Store) -> None:
    lock = a_lock("payments", "production", "deployment")
    await store.locks.acquire(lock, None)
    for environment, resource in (("PROD", "deployment"), ("production", ""), (" Prod ", "Deployment")):
        with pytest.raises(LockHeldError) as refused:
            await store.locks.acquire(a_lock("payments", environment, resource), None)
        assert refused.value.holder == lock


async def test_locks_of_other_keys_do_not_exclude_each_other(store: Store) -> None:
    for service, environment, resource in (("a", "x", ""), ("b", "x", ""), ("a", "y", ""), ("a", "x", "z")):
        await store.locks.acquire(a_lock(service, environment, resource), None)
    assert (await store.locks.find(Slice())).total == 4


async def test_one_of_hundreds_of_simultaneous_attempts_wins(store: Store) -> None:
    attempts = [a_lock(who=str(number)) for number in range(400)]
    results = await asyncio.gather(
        *(store.locks.acquire(lock, None) for lock in attempts), return_exceptions=True
    )
    winners = [lock for lock, result in zip(attempts, results, strict=True) if result is None]
    assert len(winners) == 1
    refused = [result for result in results if isinstance(result, LockHeldError)]
    assert len(refused) == 399
    assert {error.holder.id for error in refused} == {winners[0].id}
    assert (await store.locks.find(Slice())).records == winners


async def test_a_lock_let_go_can_be_taken_at_once(store: Store) -> None:
    first, second = a_lock(), a_lock()
    await store.locks.acquire(first, None)
    await asyncio.gather(
        store.locks.release(first.id, lambda _: an_entry("unlocked")), store.locks.acquire(second, None)
    )
    assert (await store.locks.find(Slice())).records == [second]


async def test_taking_and_letting_go_are_noted_in_the_event(store: Store) -> None:
    event = an_event()
    assert event.metadata is not None
    await store.events.create(event, None)
    lock = a_lock(event_id=event.metadata.id)
    await store.locks.acquire(lock, an_entry("locked"))
    assert comments(await store.events.get(EventId(event.metadata.id))) == ["locked"]
    assert await store.locks.release(lock.id, lambda gone: an_entry(f"unlocked {gone.id}")) == lock
    assert comments(await store.events.get(EventId(event.metadata.id))) == ["locked", f"unlocked {lock.id}"]


async def test_a_refused_lock_leaves_no_note(store: Store) -> None:
    event = an_event()
    assert event.metadata is not None
    await store.events.create(event, a_lock())
    with pytest.raises(LockHeldError):
        await store.locks.acquire(a_lock(event_id=event.metadata.id), an_entry("locked"))
    assert comments(await store.events.get(EventId(event.metadata.id))) == []


async def test_a_lock_may_name_an_event_that_does_not_exist(store: Store) -> None:
    lock = a_lock(event_id=new_id())
    await store.locks.acquire(lock, an_entry("locked"))
    assert await store.locks.release(lock.id, lambda _: an_entry("unlocked")) == lock
    assert await store.locks.get(lock.id) is None


async def test_a_release_that_raises_keeps_the_lock(store: Store) -> None:
    lock = a_lock()
    await store.locks.acquire(lock, None)
    with pytest.raises(ZeroDivisionError):
        await store.locks.release(lock.id, lambda _: an_entry(str(1 // 0)))
    assert await store.locks.get(lock.id) == lock


async def test_an_unknown_lock_is_neither_found_changed_nor_released(store: Store) -> None:
    assert await store.locks.get(new_id()) is None
    assert await store.locks.modify(new_id(), owned_by("carol")) is None
    assert await store.locks.release(new_id(), lambda _: an_entry("never")) is None


async def test_a_modified_lock_is_answered_and_stored(store: Store) -> None:
    lock = a_lock()
    await store.locks.acquire(lock, None)
    changed = await store.locks.modify(lock.id, owned_by("carol", service="billing"))
    assert changed is not None
    assert (changed.who, changed.service) == ("carol", "billing")
    assert await store.locks.get(lock.id) == changed
    await store.locks.acquire(a_lock(), None)
    with pytest.raises(LockHeldError):
        await store.locks.acquire(a_lock("billing"), None)


async def test_a_lock_cannot_move_onto_a_held_key(store: Store) -> None:
    lock, held = a_lock("payments"), a_lock("billing")
    await store.locks.acquire(lock, None)
    await store.locks.acquire(held, None)
    with pytest.raises(LockHeldError) as refused:
        await store.locks.modify(lock.id, owned_by("carol", service="billing"))
    assert refused.value.holder == held
    assert await store.locks.get(lock.id) == lock


async def test_locks_are_listed_newest_first(store: Store) -> None:
    locks = [a_lock(str(number), created=NOW + number // 2) for number in range(5)]
    for lock in locks:
        await store.locks.acquire(lock, None)
    expected = sorted(locks, key=lambda lock: (int(lock.service) // 2, lock.id), reverse=True)
    assert (await store.locks.find(Slice())).records == expected
    first = await store.locks.find(Slice(limit=2))
    assert (list(first.records), first.total) == (expected[:2], 5)
    assert first.next is not None
    rest = await store.locks.find(Slice(limit=3, after=first.next))
    assert (list(rest.records), rest.total, rest.next) == (expected[2:], 5, None)
    assert (await store.locks.find(Slice(limit=2, offset=4))).records == expected[4:]
    assert (await store.locks.find(Slice(limit=2, offset=9))).total == 5
