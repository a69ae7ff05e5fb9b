"""Half-done changes of servers from before documents had outboxes are completed or undone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bson import ObjectId
from tests.stores.observations import Observations
from tests.stores.samples import NOW, a_lock, an_end, an_entry, an_event, comments, id_number, taken

from tracker.domain.events import EventId
from tracker.domain.locks import LockFilter
from tracker.stores.idempotency import Answered
from tracker.stores.mongo import MongoStore, reconciler
from tracker.stores.pages import Page

if TYPE_CHECKING:
    from pymongo.synchronous.database import Database
    from tests.mongo_servers import MongoServers

    from tracker.pb import lock_pb
    from tracker.stores.base import Store

EVENT, OTHER, NEVER = (EventId(id_number(number)) for number in (1, 2, 3))
OP = ObjectId()


@pytest.fixture
def database(mongo: MongoServers) -> Database[dict[str, Any]]:
    mongo.emptied_database()
    return mongo.members[0].client.get_database("emptied")


async def opened(mongo: MongoServers) -> MongoStore:
    store = MongoStore(mongo.members[0].address.join(("mongodb://", "/emptied")), Observations())
    await store.open()
    return store


async def before(mongo: MongoServers) -> dict[str, lock_pb.Lock]:
    """Fill the database with two events, the first of which has locks, and nothing half done."""
    store = await opened(mongo)
    for key in (EVENT, OTHER):
        await store.events.create(an_event("before", event_id=key.value), None)
    locks = {name: await taken(store, a_lock(name, event_id=EVENT.value)) for name in "abc"}
    await store.close()
    return locks


def of_key(service: str) -> dict[str, str]:
    return {"_id": f'["{service}","production","deployment"]'}


async def held(store: Store) -> dict[str, str]:
    found = await store.locks.find(LockFilter(), Page())
    return {lock.service: lock.id for lock in found.records}


def as_version_2(database: Database[dict[str, Any]]) -> None:
    assert not [each for name in ("events", "locks") for each in database[name].find() if each.get("outbox")]
    database["tracker"].replace_one({"_id": "schema"}, {"_id": "schema", "version": 2}, upsert=True)


async def test_what_follows_from_a_change_that_was_made_is_delivered(
    mongo: MongoServers, database: Database[dict[str, Any]]
) -> None:
    locks = await before(mongo)
    as_version_2(database)
    ending = {"lock": locks["a"].id, "ending": "event_ended", "at": NOW, "reason": ""}
    outbox = {"op": OP, "at": NOW, "release": [ending], "taken": locks["b"].id}
    log = [
        {"op": ObjectId(), "kind": 2, "at": NOW, "document": "{}"},
        {"op": ObjectId(), "kind": 2, "at": NOW},
    ]
    database["events"].update_one({"_id": EVENT.value}, {"$set": {"outbox": outbox, "unlogged": log}})
    provisional = {"event": EVENT.value, "op": OP, "at": NOW, "new": False}
    database["locks"].update_one(of_key("b"), {"$set": {"holder.provisional": provisional}})
    entry = {"op": ObjectId(), "event": OTHER.value, "entry": an_entry("noted").to_json(), "at": NOW}
    database["locks"].update_one(of_key("c"), {"$set": {"outbox": [entry]}})
    claim = {"op": OP, "at": NOW, "in": "events", "answer": b"answer"}
    key = {"request": b"request", "at": NOW * 2, "rev": 1, "op": OP}
    database["idempotency_keys"].insert_one({"_id": "used", "claim": claim, **key})
    noted = [{"key": "used", "op": OP, "at": NOW}]
    database["events"].update_one({"_id": OTHER.value}, {"$set": {"keys": noted}})
    store = await opened(mongo)
    end = await store.changes.end()
    await store.reconciler.look()
    assert await held(store) == {name: locks[name].id for name in "bc"}
    assert comments(await store.events.get(OTHER)) == ["noted"]
    assert await store.idempotency.find("used", NOW * 2) == Answered(b"request", b"answer")
    changes = await store.changes.read(end, 10)
    assert [change.id for change in changes.changes].count(EVENT.value) == len(log)
    assert [each for each in mongo.documents() if each.get("outbox")] == []
    await store.close()


async def test_a_change_that_was_only_begun_is_undone_and_can_no_longer_be_made(
    mongo: MongoServers, database: Database[dict[str, Any]]
) -> None:
    locks = await before(mongo)
    as_version_2(database)
    (stored,) = database["locks"].find(of_key("a"))
    first = {"event": EVENT.value, "op": ObjectId(), "at": NOW, "new": True}
    second = {"event": NEVER.value, "op": OP, "at": NOW, "new": True}
    previous = stored["holder"] | {"provisional": first}
    holder = stored["holder"] | {"id": id_number(9), "provisional": second | {"previous": previous}}
    database["locks"].update_one(of_key("a"), {"$set": {"holder": holder}})
    claim = {"op": OP, "at": NOW, "in": "events", "answer": b"answer"}
    key = {"request": b"request", "at": NOW * 2, "rev": 1, "op": OP}
    database["idempotency_keys"].insert_one({"_id": "unused", "claim": claim, **key})
    store = await opened(mongo)
    assert await held(store) == {name: locks[name].id for name in "abc"}
    assert await store.idempotency.find("unused", NOW * 2) is None
    assert await store.events.get(NEVER) is None
    assert database["events"].count_documents({"_id": NEVER.value}) == 1
    await store.close()


@pytest.mark.parametrize("moved", [True, False])
async def test_a_lock_on_its_way_has_one_of_its_keys(
    mongo: MongoServers,
    database: Database[dict[str, Any]],
    moved: bool,
) -> None:
    locks = await before(mongo)
    as_version_2(database)
    (stored,) = database["locks"].find(of_key("a"))
    moving = {"from": stored["_id"], "op": OP, "at": NOW}
    document = stored["holder"]["document"].replace('"service":"a"', '"service":"d"')
    holder = stored["holder"] | {"document": document, "moving": moving}
    target = of_key("d") | {"service": "d", "environment": "production", "resource": "deployment"}
    database["locks"].insert_one(stored | target | {"holder": holder})
    if moved:
        database["locks"].update_one(of_key("a"), {"$unset": {"holder": ""}, "$set": {"moved": OP}})
    store = await opened(mongo)
    there, free = ("d", "a") if moved else ("a", "d")
    assert await held(store) == {there: locks["a"].id, "b": locks["b"].id, "c": locks["c"].id}
    await taken(store, a_lock(free))
    assert await store.locks.release(locks["a"].id, lambda _: an_end()) is not None
    await store.close()


async def test_what_an_old_server_leaves_beside_new_ones_is_completed_when_it_is_late(
    mongo: MongoServers, database: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = await before(mongo)
    as_version_2(database)
    store = await opened(mongo)
    outbox = {"op": OP, "at": NOW, "release_all": {"ending": "event_ended", "at": NOW, "reason": ""}}
    database["events"].replace_one({"_id": EVENT.value}, {"gone": NOW, "outbox": outbox, "rev": 9, "op": OP})
    monkeypatch.setattr(reconciler, "LATE_SECONDS", 60)
    await store.reconciler.look()
    assert await held(store) == {}
    assert await store.events.get(EVENT) is None
    assert [await store.locks.get(lock.id) for lock in locks.values()] == [None] * 3
    await store.close()
