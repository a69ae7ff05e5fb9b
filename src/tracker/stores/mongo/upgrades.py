"""Upgrades of databases that earlier versions have used.

Events may lack the columns and terms of fields that the protos declare since. Events of version 1 lack
`related_id`, those of version 4 `elapsed`.

Documents of version 2 had marks of unfinished changes, but no outboxes. The mark of a change that was made
becomes an outbox entry. A change that was only begun is undone, and can no longer be made. This happens when
a database is opened, and again while it is served, since servers of the earlier version may still run for a
while. The indexes of the marks are sparse, so these queries are cheap.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import pymongo
from bson import ObjectId
from pymongo import UpdateOne

from tracker.domain.events import FINISHED
from tracker.domain.lifecycle import with_elapsed
from tracker.domain.query.fields import FIELDS
from tracker.errors import TrackerError
from tracker.stores.changes import ChangeKind, RecordKind
from tracker.stores.mongo import catalog, event_records, idempotency, lock_documents, records, writes
from tracker.stores.mongo.database import CHANGE_SECONDS, META
from tracker.stores.mongo.outbox import carried
from tracker.stores.mongo.search.index_scans import BY_TERM, EARLIEST
from tracker.stores.mongo.writes import without
from tracker.time_text import MICROS, MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Collection as Names

    from tracker.domain.query.fields import Field
    from tracker.pb import event_pb
    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.writes import Collection, Document

VERSION: Final = 5
"""The current version of the schema."""

SCHEMA: Final = {"_id": "schema"}
"""The document that has the version; with `had_marks`, servers of version 2 may still leave marks."""

FIRST: Final = (
    *("service", "source", "type", "priority", "status", "environment", "impact", "related", "slack"),
    *("external_id", "duration", "owner", "version", "pull_request", "ticket", "stakeholder", "notified"),
)
"""Fields of the databases that don't say which fields they have."""

STORED: Final = tuple(field for field in FIELDS if field.path and (field.column or field.term))
"""Fields that are stored with events, as columns or among the terms."""

_NAMES: Final = frozenset(field.name for field in STORED)

_FIELDS: Final = {"_id": "fields"}
"""The document that names the fields whose columns and terms are stored with events."""

_WITH_RELATED_IDS, _WITH_OUTBOXES, _WITH_ELAPSED = 2, 3, 5
"""The versions from which on events have `related_id`, documents outboxes, and events `elapsed`."""

BY_DURATION: Final = "events_by_duration"
"""The index of the events that an earlier version stored, with `duration`."""

_AT_A_TIME = 1_000
"""Events that are read and changed together."""

_NOTED_MICROS = MINUTE
"""How long a changed document keeps the note of an idempotency key after its use."""


async def upgrade(database: Database) -> None:
    """Upgrade documents to the current version; several servers may do so at once."""
    meta = database.newest(META)
    fields = await meta.find_one(_FIELDS)
    known = set(FIRST if fields is None else fields["names"])
    version = (await meta.find_one(SCHEMA) or {"version": VERSION})["version"]
    if version < _WITH_RELATED_IDS:
        known.discard("related")
    if not known.issuperset(_NAMES):
        await _fill_in(database.newest(event_records.NAME), known)
        await note_fields(meta, known)
    if version < _WITH_OUTBOXES:
        await replace_marks(database)
    if version < VERSION:
        marks = {"had_marks": True} if version < _WITH_OUTBOXES else {}
        await writes.update(meta, SCHEMA | {"version": version}, {"$set": {"version": VERSION, **marks}})


async def note_fields(meta: Collection, known: Names[str] = ()) -> None:
    """Note that all events are stored with the columns and terms of the fields of now, and of those known."""
    await writes.update(meta, dict(_FIELDS), {"$set": {"names": sorted({*known, *_NAMES})}}, upsert=True)


async def fill_in_terms(events: Collection) -> None:
    """Store the terms of some events that an earlier version stored without them.

    An event that has changed since it was read stays as it is. An unreadable event stays a candidate:
    searches report it.
    """
    lacking = {"terms": None, "time": {"$gte": EARLIEST}}
    with pymongo.timeout(CHANGE_SECONDS):
        rows = await events.find(lacking, hint=BY_TERM, limit=_AT_A_TIME).to_list()
    for stored in rows:
        try:
            found = event_records.search_fields(event_records.event_of(stored))
        except TrackerError:
            found = {"terms": [event_records.TOO_MANY]}
        same: Document = {"_id": stored["_id"], "rev": stored["rev"]}
        with pymongo.timeout(CHANGE_SECONDS):
            await writes.update(events, same, {"$set": found})


async def _fill_in(events: Collection, known: Names[str]) -> None:
    """Fill in the columns of fields that are not known yet, and drop terms that lack their values.

    An event is changed only if it is as it was read: several servers may do this at once, and what others
    change meanwhile stays. What has been filled in when this is interrupted isn't read again.
    """
    new = [field for field in STORED if field.name not in known]
    for field in event_records.COLUMNS:
        if field in new:
            await _fill_in_column(events, field)
    names = "|".join(field.path[-1] for field in new if field.term)
    if names:
        have: Document = {"document": {"$regex": f'"({names})"'}, "terms": {"$ne": None}}
        await writes.update_all(events, have, {"$unset": {"terms": 1}})


async def _fill_in_column(events: Collection, field: Field) -> None:
    lacking: Document = {field.column: None, "document": {"$regex": f'"{field.path[-1]}"'}}

    def fill(event: event_pb.Event) -> Document:
        values = event_records.columns(event, [field])
        return {"$set": values} if values else {}

    await _change_each(events, lacking, fill)


async def fill_in_elapsed(database: Database) -> None:
    """Store how long events took with those that an earlier version stored, with `duration` as a rule.

    Servers of that version may still store some until this runs again, when the next server starts.
    """
    with pymongo.timeout(CHANGE_SECONDS):
        schema = await database.newest(META).find_one(SCHEMA) or {"version": VERSION}
    stored: Document = {"duration": {"$exists": True}}
    anywhere = schema["version"] < _WITH_ELAPSED
    if anywhere:
        ended = [{"status": {"$in": sorted(FINISHED)}}, {"end_time": {"$ne": None}}]
        stored = {"$or": [stored, *ended], "document": {"$exists": True}}

    def fill(event: event_pb.Event) -> Document:
        event = with_elapsed(event)
        new = {**event_records.durations(event), "document": event.to_json()}
        return {"$set": new, "$unset": {"duration": ""}}

    events = database.newest(event_records.NAME)
    await _change_each(events, stored, fill, hint=None if anywhere else BY_DURATION)


async def _change_each(
    events: Collection,
    where: Document,
    change: Callable[[event_pb.Event], Document],
    hint: str | None = None,
) -> None:
    """Change the documents of events as `change` says of each; one that can't be read stays as it is."""
    after: Document = {}
    wanted, order = {"document": 1, "rev": 1}, [("_id", 1)]
    while True:
        with pymongo.timeout(CHANGE_SECONDS):
            found = events.find(where | after, wanted, sort=order, limit=_AT_A_TIME, hint=hint)
            rows = await found.to_list()
            if not rows:
                return
            changes: list[UpdateOne] = []
            for row in rows:
                with suppress(TrackerError):
                    if changed := change(event_records.whole_event_of(row)):
                        changed["$set"]["op"], changed["$inc"] = ObjectId(), {"rev": 1}
                        changes.append(UpdateOne({"_id": row["_id"], "rev": row["rev"]}, changed))
            if changes:
                await events.bulk_write(changes, ordered=False)
            after = {"_id": {"$gt": rows[-1]["_id"]}}


async def replace_marks(database: Database, late_seconds: float = 0, lost_seconds: float = 0) -> None:
    """Replace the marks of version 2 by outbox entries, or undo their changes.

    Changes made `late_seconds` ago are delivered, those begun `lost_seconds` ago undone.
    """
    late, lost = (database.now() - int(seconds * MICROS) for seconds in (late_seconds, lost_seconds))
    await _decide_claims(database, late, lost)
    await _decide_moves(database.newest(lock_documents.NAME), late, lost)
    await _decide_provisional(database, lost)
    for name in (event_records.NAME, lock_documents.NAME, catalog.NAME, records.LINKS.name):
        await _replace(database, database.newest(name), late)
        noted = {"keys.at": {"$lt": late - _NOTED_MICROS}}
        await writes.update_all(database.newest(name), noted, {"$unset": {"keys": ""}})


async def _decide_claims(database: Database, late: int, lost: int) -> None:
    """Confirm the idempotency keys whose changes were made, as a document notes; forget the others."""
    keys = database.newest(idempotency.NAME)
    for stored in await keys.find({"claim.at": {"$lt": late}}).to_list():
        claim = stored["claim"]
        note = {"keys": {"$elemMatch": {"key": stored["_id"], "op": claim["op"]}}}
        if await database.newest(claim["in"]).find_one(note, {"_id": 1}) is not None:
            await writes.replace(keys, stored, without(stored, "claim") | {"answer": claim["answer"]})
        elif claim["at"] < lost:
            await writes.delete(keys, {"_id": stored["_id"], "rev": stored["rev"]})


async def _decide_moves(keys: Collection, late: int, lost: int) -> None:
    """Let a lock that was moving have one key: the second if the first was freed for the move."""
    for stored in await keys.find({"holder.moving.at": {"$lt": late}}).to_list():
        moving, free = stored["holder"]["moving"], without(stored, "holder")
        origin = await keys.find_one({"_id": moving["from"]}) or {}
        if origin.get("moved") == moving["op"]:
            await writes.replace(keys, stored, free | {"holder": without(stored["holder"], "moving")})
        elif moving["at"] < lost and await writes.replace(keys, origin, origin):
            await writes.replace(keys, stored, free)


async def _decide_provisional(database: Database, lost: int) -> None:
    """Keep the locks whose events were created or changed; undo the others."""
    keys, events = database.newest(lock_documents.NAME), database.newest(event_records.NAME)
    where = {"holder.provisional.at": {"$lt": lost}}
    while found := await keys.find(where).to_list():  # the previous holder may be provisional, too
        for stored in found:
            provisional = stored["holder"]["provisional"]
            event = await events.find_one({"_id": provisional["event"]})
            event = event or {"_id": provisional["event"], "tombstone": database.now()}
            created = provisional["new"] and "document" in event
            if created or _old_outbox(event).get("op") == provisional["op"]:
                holder = without(stored["holder"], "provisional")
            elif await writes.put(events, event, event):
                holder = provisional.get("previous")
            else:
                continue
            free = without(stored, "holder")
            await writes.replace(keys, stored, free | {"holder": holder} if holder else free)


async def _replace(database: Database, collection: Collection, late: int) -> None:
    """Replace the marks of the documents of a collection by outbox entries."""
    before = {"$lt": late}
    old = [
        {f"outbox.{part}": {"$exists": True}, "outbox.at": before}
        for part in ("taken", "release_all", "entry")
    ]
    where = {"$or": [{"unlogged.at": before}, {"gone": before}, *old]}
    for stored in await collection.find(where).to_list():
        outbox = _old_outbox(stored)
        if outbox.get("taken") is not None:
            taken = {"holder.id": outbox["taken"], "holder.provisional.op": outbox["op"]}
            confirmed = {"$unset": {"holder.provisional": ""}, "$inc": {"rev": 1}}
            await writes.update(database.newest(lock_documents.NAME), taken, confirmed)
        rest = without(stored, "outbox", "unlogged", "gone")
        if "gone" in stored:
            rest["tombstone"] = stored["gone"]
        await writes.replace(collection, stored, rest | carried(None, *_entries(stored)))


def _entries(stored: Document) -> Iterator[Document]:
    """Yield the outbox entries for the marks of a document, in order."""
    for each in stored.get("unlogged", ()):
        log = {"op": each["op"], "record": int(RecordKind.EVENT), "kind": each["kind"], "id": stored["_id"]}
        log["principal"] = each.get("principal", "")
        if "document" in each:
            log["before" if each["kind"] == ChangeKind.DELETED else "after"] = each["document"]
        yield {"op": ObjectId(), "at": each["at"], "log": [log]}
    old = _old_outbox(stored)
    for before, part in (("release", "ends"), ("release_all", "ends_all")):
        if old.get(before):
            yield {"op": old["op"], "at": old["at"], part: old[before]}
    for each in stored["outbox"] if isinstance(stored.get("outbox"), list) else ():
        if "entry" in each:
            note = {"event": each["event"], "entry": each["entry"]}
            yield {"op": each["op"], "at": each["at"], "note": note}
        else:
            yield each


def _old_outbox(event: Document) -> Document:
    outbox = event.get("outbox")
    return outbox if isinstance(outbox, dict) else {}
