"""How many locks a principal may hold."""

from __future__ import annotations

import asyncio
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.stores.samples import NOW, a_lock, an_event

from tracker.domain.event_locks import EventChange
from tracker.domain.events import EventId
from tracker.domain.locks import Ending, HeldLock, LockFilter, LockKey, Release, hash_token
from tracker.domain.times import timestamp
from tracker.errors import Reason, TrackerError
from tracker.stores.mongo import MongoStore
from tracker.stores.pages import Page

if TYPE_CHECKING:
    from tests.mongo_servers import MongoServers
    from tests.stores.observations import Observations

    from tracker.pb import lock_pb
    from tracker.stores.base import Store

MOST = 3
RELEASE = Release(Ending.RELEASED, NOW)


@pytest.fixture
def locks_per_owner() -> int:
    return MOST


def owned(service: str, owner: str = "apikey:1", event_id: str = "") -> lock_pb.Lock:
    lock = a_lock(service, event_id=event_id)
    if owner:
        lock.owner = owner
    return lock


async def take(store: Store, lock: lock_pb.Lock, token: str = "") -> lock_pb.Lock:
    return (await store.locks.acquire(HeldLock(lock, hash_token(token)), None)).lock


async def test_a_principal_that_holds_as_many_locks_as_it_may_gets_no_more(store: Store) -> None:
    first, *_ = [await take(store, owned(f"s{number}"), f"token {number}") for number in range(MOST)]
    with pytest.raises(TrackerError) as refused:
        await take(store, owned("another"))
    assert refused.value.reason is Reason.TOO_MANY_LOCKS
    assert await store.locks.holder(LockKey("another", "production", "deployment")) is None
    assert (await store.locks.acquire(HeldLock(owned("s0"), hash_token("token 0")), None)).replayed
    await take(store, owned("of another", "apikey:2"))
    for number in range(MOST + 1):
        await take(store, owned(f"anonymous {number}", ""))
    await store.locks.release(first.id, lambda _: RELEASE)
    await take(store, owned("another"))


async def test_an_expired_lock_is_not_held(store: Store) -> None:
    locks = [await take(store, owned(f"s{number}")) for number in range(MOST)]

    def expire(held: HeldLock) -> lock_pb.Lock:
        lock = copy(held.lock)
        lock.expired_at = timestamp(NOW)
        return lock

    await store.locks.modify(locks[0].id, expire)
    await take(store, owned("another"))


async def test_concurrent_calls_get_exactly_as_many_locks(store: Store) -> None:
    calls = (take(store, owned(f"s{number}")) for number in range(5 * MOST))
    results = await asyncio.gather(*calls, return_exceptions=True)
    refused = [result for result in results if isinstance(result, TrackerError)]
    assert {error.reason for error in refused} == {Reason.TOO_MANY_LOCKS}
    assert len(results) - len(refused) == MOST
    assert (await store.locks.find(LockFilter(), Page())).total == MOST


async def test_the_locks_of_events_count(store: Store) -> None:
    events = [an_event() for _ in range(MOST + 1)]
    ids = [event.metadata.id for event in events if event.metadata is not None]
    locks = [owned(f"s{number}", event_id=event_id) for number, event_id in enumerate(ids)]
    for event, lock in zip(events[:MOST], locks[:MOST], strict=True):
        await store.events.create(event, lock)
    with pytest.raises(TrackerError) as refused:
        await store.events.create(events[MOST], locks[MOST])
    assert refused.value.reason is Reason.TOO_MANY_LOCKS
    assert await store.events.get(EventId(ids[MOST])) is None

    other = replace(RELEASE, ending=Ending.EVENT_ENDED)
    moved = await store.events.modify(
        EventId(ids[0]),
        lambda event, held: EventChange(
            event, release={each.id: other for each in held}, acquire=owned("moved", event_id=ids[0])
        ),
    )
    assert moved is not None
    assert (await store.locks.find(LockFilter(), Page())).total == MOST


async def test_servers_of_a_database_exceed_the_limit_by_one_lock_for_each_further_server(
    mongo: MongoServers, observations: Observations
) -> None:
    uri = mongo.new_database()
    stores = [MongoStore(uri, observations, locks_per_owner=MOST) for _ in range(3)]
    for store in stores:
        await store.open()
    calls = (
        take(store, owned(f"{place}-{number}"))
        for number in range(MOST)
        for place, store in enumerate(stores)
    )
    results = await asyncio.gather(*calls, return_exceptions=True)
    refused = [result for result in results if isinstance(result, TrackerError)]
    assert {error.reason for error in refused} == {Reason.TOO_MANY_LOCKS}
    assert MOST <= len(results) - len(refused) <= MOST + len(stores) - 1
    with pytest.raises(TrackerError):
        await take(stores[0], owned("another"))
    for store in stores:
        await store.close()
