"""What servers deliver for one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.stores.mongo import opened
from tests.stores.samples import a_lock, an_end, an_entry, an_event, id_number, taken

from tracker.domain.event_locks import EventChange
from tracker.domain.events import EventId
from tracker.domain.locks import HeldLock
from tracker.stores.changes import PRINCIPAL, ChangeKind, RecordKind
from tracker.stores.mongo import deliveries

if TYPE_CHECKING:
    import pytest
    from tests.mongo_servers import MongoServers

EVENT = EventId(id_number(1))


async def nothing(*_: object) -> None:
    pass


async def test_a_lock_that_another_server_ends_is_logged_with_the_caller_who_asked_for_it(
    mongo: MongoServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = mongo.emptied_database()
    async with opened(uri) as store:
        start = await store.changes.end()
        lock = await taken(store, a_lock(event_id=EVENT.value))
        await store.events.create(an_event(event_id=EVENT.value), None)
        before = PRINCIPAL.set("alice")
        with monkeypatch.context() as patch:
            patch.setattr(deliveries.Deliveries, "try_to_deliver", nothing)
            await store.events.modify(EVENT, lambda event, _: EventChange(event, release={lock.id: an_end()}))
        PRINCIPAL.reset(before)
        async with opened(uri) as other:
            await other.reconciler.look(early=True)
            changes = (await other.changes.read(start, 10, [RecordKind.LOCK])).changes
    assert [(each.kind, each.principal) for each in changes] == [
        (ChangeKind.CREATED, ""),
        (ChangeKind.DELETED, "alice"),
    ]


async def test_an_entry_for_an_event_that_nobody_can_read_is_dropped(mongo: MongoServers) -> None:
    async with opened(mongo.emptied_database()) as store:
        await store.events.create(an_event(event_id=EVENT.value), None)
        events = mongo.members[0].client.get_database("emptied")["events"]
        events.update_one({"_id": EVENT.value}, {"$set": {"document": "{"}})
        lock = a_lock(event_id=EVENT.value)
        await store.locks.acquire(HeldLock(lock), an_entry("locked"))
        await store.reconciler.look(early=True)
    assert [each for each in mongo.documents() if each.get("outbox")] == []
