"""Several servers on one MongoDB database: what one does, all see, and no two get the same."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from typing import TYPE_CHECKING

import pytest
from tests.patience import PATIENCE
from tests.stores.observations import Observations
from tests.stores.samples import (
    a_catalog_entry,
    a_lock,
    an_end,
    an_entry,
    an_event,
    new_id,
    noting,
    whole_changelog,
)

from tracker.domain.event_locks import EventChange
from tracker.domain.events import EventId, event_id
from tracker.domain.locks import HeldLock, LockFilter, LockHeldError, hash_token, lock_key
from tracker.pb import catalog_pb
from tracker.stores.mongo import MongoStore
from tracker.stores.mongo.deliveries import Deliveries
from tracker.stores.pages import Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.mongo_servers import MongoServers

    from tracker.domain.locks import Acquired
    from tracker.pb import lock_pb


@pytest.fixture(params=["mongo", "mongo_replica_set"])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[list[MongoStore]]:
    servers: MongoServers = request.getfixturevalue(request.param)
    uri = servers.emptied_database()
    stores = [MongoStore(uri, Observations()) for _ in range(3)]
    await asyncio.gather(*(store.open() for store in stores))
    yield stores
    await asyncio.gather(*(store.close() for store in stores))


async def test_one_of_many_attempts_at_all_servers_gets_the_lock(stores: list[MongoStore]) -> None:
    attempts = [HeldLock(a_lock(who=str(number))) for number in range(60)]
    results = await asyncio.gather(
        *(stores[number % 3].locks.acquire(claim, None) for number, claim in enumerate(attempts)),
        return_exceptions=True,
    )
    won = [result for result in results if not isinstance(result, BaseException)]
    lost = [result for result in results if isinstance(result, LockHeldError)]
    assert (len(won), len(lost)) == (1, 59)
    assert {error.holder.id for error in lost} == {won[0].lock.id}


async def test_fencing_tokens_rise_whichever_server_gives_them(stores: list[MongoStore]) -> None:
    given: list[int] = []

    async def work(store: MongoStore) -> None:
        while len(given) < 60:
            try:
                lock = (await store.locks.acquire(HeldLock(a_lock()), None)).lock
            except LockHeldError:
                continue
            given.append(lock.fencing_token)  # before the release: nobody else has taken it since
            holder = await store.locks.holder(lock_key(lock))
            assert holder == lock
            await store.locks.release(lock.id, lambda _: an_end())

    await asyncio.gather(*(work(store) for store in stores))
    assert given == sorted(set(given))


async def test_claims_with_one_token_at_all_servers_lead_to_one_lock(stores: list[MongoStore]) -> None:
    hashed = hash_token("token")

    async def claim(store: MongoStore) -> Acquired:
        return await store.locks.acquire(HeldLock(a_lock(), hashed), None)

    acquired = await asyncio.gather(*(claim(store) for store in stores * 10))
    assert len({each.lock.id for each in acquired}) == 1
    assert sum(not each.replayed for each in acquired) == 1


async def test_changes_of_one_record_at_all_servers_are_all_kept(stores: list[MongoStore]) -> None:
    event = an_event(event_id=new_id())
    assert event.metadata is not None
    key = EventId(event.metadata.id)
    await stores[0].events.create(event, None)

    def use(stored: catalog_pb.Catalog | None, name: str) -> catalog_pb.Catalog:
        entry = deepcopy(stored) if stored is not None else a_catalog_entry("payments")
        entry.used_deliverables.append(catalog_pb.UsedDeliverable(name=name))
        return entry

    names = [str(number) for number in range(60)]
    await asyncio.gather(
        *(stores[int(n) % 3].events.modify(key, noting(n)) for n in names),
        *(stores[int(n) % 3].catalog.upsert("payments", lambda stored, n=n: use(stored, n)) for n in names),  # type: ignore[misc] # the default binds the loop's value
    )
    entries = await whole_changelog(stores[1], key)
    assert sorted(entry.comment for entry in entries) == sorted(names)
    entry = await stores[2].catalog.get("payments")
    assert entry is not None
    assert sorted(used.name for used in entry.used_deliverables) == sorted(names)


async def test_two_moves_and_a_claim_meet_on_one_key_and_one_of_them_gets_it(
    stores: list[MongoStore],
) -> None:
    def to_c(held: HeldLock) -> lock_pb.Lock:
        lock = deepcopy(held.lock)
        lock.service = "c"
        return lock

    for _ in range(10):
        a, b = [(await stores[0].locks.acquire(HeldLock(a_lock(name)), None)).lock for name in "ab"]
        claim = HeldLock(a_lock("c"))
        results = await asyncio.gather(
            stores[0].locks.modify(a.id, to_c),
            stores[1].locks.modify(b.id, to_c),
            stores[2].locks.acquire(claim, None),
            return_exceptions=True,
        )
        assert sum(isinstance(result, LockHeldError) for result in results) == 2
        held = (await stores[1].locks.find(LockFilter(), Page())).records
        assert [lock.service for lock in held].count("c") == 1
        assert {a.id, b.id} <= {lock.id for lock in held}
        assert len(held) == (3 if claim.lock.id in {lock.id for lock in held} else 2)
        for lock in held:
            await stores[1].locks.release(lock.id, lambda _: an_end())
    assert (await stores[0].locks.find(LockFilter(), Page())).total == 0


async def test_an_event_ends_a_lock_that_has_yet_to_note_in_it_that_it_was_taken(
    stores: list[MongoStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def later(*_: object) -> None:
        pass

    async def held() -> tuple[EventId, str]:
        event = an_event(event_id=new_id())
        await stores[0].events.create(event, None)
        lock = a_lock(event_id=event_id(event))
        with monkeypatch.context() as patch:
            patch.setattr(Deliveries, "try_to_deliver", later)
            await stores[0].locks.acquire(HeldLock(lock), an_entry("taken"))
        return EventId(event_id(event)), lock.id

    async with asyncio.timeout(PATIENCE):
        key, lock_id = await held()
        await stores[1].events.modify(
            key, lambda event, _: EventChange(deepcopy(event), release={lock_id: an_end("released")})
        )
        assert {"taken", "released"} <= {entry.comment for entry in await whole_changelog(stores[1], key)}
        key, _ = await held()
        deleted = await stores[1].events.delete(key, an_end())
        assert deleted is not None
        assert len(deleted.locks) == 1


async def test_servers_tell_the_same_time_and_their_clocks_go_on(stores: list[MongoStore]) -> None:
    told = [store.now() for store in stores * 1_000]
    assert max(told) - min(told) < 1_000_000
    one = [stores[0].now() for _ in range(1_000)]
    assert one == sorted(one)
