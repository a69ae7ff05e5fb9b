"""The upgrade of databases of version 2, whose documents had marks of unfinished changes, but no outboxes.

The mark of a change that was made becomes an outbox entry. A change that was only begun is undone, and can no
longer be made. This happens when a database is opened, and again while it is served, since servers of the
earlier version may still run for a while. The indexes of the marks are sparse, so these queries are cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bson import ObjectId

from tracker.domain.times import MICROS
from tracker.stores.changes import ChangeKind, RecordKind
from tracker.stores.mongo import catalog, event_records, idempotency, links, lock_documents, writes
from tracker.stores.mongo.outbox import carried

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.stores.mongo.connections import Connections
    from tracker.stores.mongo.writes import Collection, Document

_NOTED_MICROS = 60 * MICROS
"""How long a changed document keeps the note of an idempotency key after its use."""


class Ages(NamedTuple):
    """Moments in microseconds: changes made before `late` are delivered, those begun before `lost` undone."""

    now: int
    late: int
    lost: int


async def replace_marks(connections: Connections, ages: Ages) -> None:
    """Replace marks by outbox entries, or undo their changes."""
    await _decide_claims(connections, ages)
    await _decide_moves(connections.newest(lock_documents.NAME), ages)
    await _decide_provisional(connections, ages)
    for name in (event_records.NAME, lock_documents.NAME, catalog.NAME, links.NAME):
        collection = connections.newest(name)
        await _replace(connections, collection, ages)
        noted = {"keys.at": {"$lt": ages.late - _NOTED_MICROS}}
        await writes.update_all(collection, noted, {"$unset": {"keys": ""}})


async def _decide_claims(connections: Connections, ages: Ages) -> None:
    """Confirm the idempotency keys whose changes were made, as a document notes; forget the others."""
    keys = connections.newest(idempotency.NAME)
    for stored in await keys.find({"claim.at": {"$lt": ages.late}}).to_list():
        claim, rest = stored["claim"], _without(stored, "claim")
        note = {"keys": {"$elemMatch": {"key": stored["_id"], "op": claim["op"]}}}
        if await connections.newest(claim["in"]).find_one(note, {"_id": 1}) is not None:
            await writes.replace(keys, stored, rest | {"answer": claim["answer"]})
        elif claim["at"] < ages.lost:
            await writes.delete(keys, {"_id": stored["_id"], "rev": stored["rev"]})


async def _decide_moves(keys: Collection, ages: Ages) -> None:
    """Let a lock that was moving have one key: the second if the first was freed for the move."""
    for stored in await keys.find({"holder.moving.at": {"$lt": ages.late}}).to_list():
        moving = stored["holder"]["moving"]
        free = lock_documents.without_holder(stored)
        origin = await keys.find_one({"_id": moving["from"]}) or {}
        if origin.get("moved") == moving["op"]:
            await writes.replace(keys, stored, free | {"holder": _without(stored["holder"], "moving")})
        elif moving["at"] < ages.lost and await writes.replace(keys, origin, origin):
            await writes.replace(keys, stored, free)


async def _decide_provisional(connections: Connections, ages: Ages) -> None:
    """Keep the locks whose events were created or changed; undo the others."""
    keys, events = connections.newest(lock_documents.NAME), connections.newest(event_records.NAME)
    where = {"holder.provisional.at": {"$lt": ages.lost}}
    while found := await keys.find(where).to_list():  # the previous holder may be provisional, too
        for stored in found:
            provisional = stored["holder"]["provisional"]
            event_id, previous = provisional["event"], provisional.get("previous")
            event = await events.find_one({"_id": event_id}) or {}
            new = "document" in event and provisional["new"]
            if new or (event and _old_outbox(event).get("op") == provisional["op"]):
                holder = _without(stored["holder"], "provisional")
            elif await _prevent(events, event or {"_id": event_id, "tombstone": ages.now}):
                holder = previous
            else:
                continue
            free = lock_documents.without_holder(stored)
            await writes.replace(keys, stored, free | {"holder": holder} if holder else free)


async def _prevent(events: Collection, event: Document) -> bool:
    """Prevent a change of an event from being made; return False if the event has changed meanwhile."""
    if "rev" in event:
        return await writes.replace(events, event, event)
    return await writes.insert_unless_there(events, event)


async def _replace(connections: Connections, collection: Collection, ages: Ages) -> None:
    """Replace the marks of the documents of a collection by outbox entries."""
    old = [{f"outbox.{name}": {"$exists": True}, "outbox.at": {"$lt": ages.late}} for name in _OLD_PARTS]
    where = {"$or": [{"unlogged.at": {"$lt": ages.late}}, {"gone": {"$lt": ages.late}}, *old]}
    for stored in await collection.find(where).to_list():
        await _confirm_taken(connections, _old_outbox(stored))
        rest = _without(stored, "outbox", "unlogged", "gone")
        if "gone" in stored:
            rest["tombstone"] = stored["gone"]
        await writes.replace(collection, stored, rest | carried(None, *_entries(stored)))


_OLD_PARTS = ("taken", "release_all", "entry")


async def _confirm_taken(connections: Connections, outbox: Document) -> None:
    """Confirm the lock that an event has taken."""
    where = {"holder.id": outbox.get("taken"), "holder.provisional.op": outbox.get("op")}
    change = {"$unset": {"holder.provisional": ""}, "$inc": {"rev": 1}}
    if outbox.get("taken") is not None:
        await writes.update(connections.newest(lock_documents.NAME), where, change)


def _entries(stored: Document) -> Iterator[Document]:
    """Yield the outbox entries for the marks of a document, in order."""
    for each in stored.get("unlogged", ()):
        log = {"op": each["op"], "record": int(RecordKind.EVENT), "kind": each["kind"], "id": stored["_id"]}
        log["principal"] = each.get("principal", "")
        if "document" in each:
            log["before" if each["kind"] == ChangeKind.DELETED else "after"] = each["document"]
        yield {"op": ObjectId(), "at": each["at"], "log": [log]}
    old = _old_outbox(stored)
    if old.get("release"):
        yield {"op": old["op"], "at": old["at"], "ends": old["release"]}
    if "release_all" in old:
        yield {"op": old["op"], "at": old["at"], "ends_all": old["release_all"]}
    for each in stored["outbox"] if isinstance(stored.get("outbox"), list) else ():
        if "entry" in each:
            note = {"event": each["event"], "entry": each["entry"]}
            yield {"op": each["op"], "at": each["at"], "note": note}
        else:
            yield each


def _old_outbox(event: Document) -> Document:
    outbox = event.get("outbox")
    return outbox if isinstance(outbox, dict) else {}


def _without(document: Document, *names: str) -> Document:
    return {name: value for name, value in document.items() if name not in names}
