"""Changes of several documents without transactions, each completed or undone wherever it is interrupted.

MongoDB changes one document atomically. So one document *decides* a change of several: the change is made
once that document is written. The same write puts what follows for other documents into its `outbox`. The
server that made the change delivers that right away; if it dies, the reconciler of any server does. The
outbox has one entry for each change:

    op          the id of the change
    at          when it was made, in microseconds since the epoch
    principal   for whom it was made
    log         entries for the change log (`change_log.py`)
    note        an entry for the changelog of an event: `event`, `entry`
    changelog   entries of a long changelog (`changelogs.py`); `forgets`: a history of such entries that ends
    ends        locks that end: `lock`, `ending`, `at`, `reason`; `ends_all`: all those of a deleted event
    confirms    documents that were changed before the deciding one: `[collection, id]` of each
    undecided   see below

A document that has to be changed before the deciding one (a lock that a new event takes, the key that a
lock moves to, the idempotency key of a call) is written with an entry that has the same `op`, and
`undecided`: the collection (`in`) and `id` of the document that decides, and what undoes the change. The
other parts of that entry wait for the decision. One rule decides at any time: if the outbox of the deciding
document has an entry with this `op`, the change is made, and `undecided` is removed. Otherwise the
change must first be prevented: the deciding document gets another revision, or a tombstone if it does not
exist, so that the command of a slow writer fails. Then the change is undone.

This holds because:

- Each change of a document replaces the revision it read, and carries the outbox along. So an entry leaves
  an outbox only by being removed after its delivery, and its `confirms` are delivered before that.
- Deciding an entry raises the revision. So no concurrent change can restore `undecided`.
- An entry whose change is known to be made may stay undecided while its document changes: it is never undone.
- Removing a delivered entry does not raise the revision: a concurrent change may restore it. So deliveries
  may be repeated: a log entry and a changelog entry are recognised by their ids, a lock ends once, and
  confirming a decided entry changes nothing.

One state of a record is not an entry: `tombstone`, the time from which on a deleted record is invisible. Its
document has to outlast the record, since it carries the outbox of the deletion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bson import ObjectId

from tracker.stores.base import overloaded
from tracker.stores.changes import LARGEST_LOGGED, ORIGIN, PRINCIPAL, ChangeKind
from tracker.stores.mongo import lock_documents, writes
from tracker.stores.mongo.writes import without

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from tracker.domain.locks import Ending, EventEntry
    from tracker.stores.changes import RecordKind
    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.writes import Document

IDEMPOTENCY_KEYS = "idempotency_keys"
"""The collection whose documents are deleted when they are undone."""

_LARGEST_DELETED = 8 * 2**20
"""Characters of the longest deleted document that the log keeps."""

_FULL = 2**20
"""Length of the entries of a full outbox, whose next entries wait for their delivery."""

_OWN_FIELDS = frozenset({"op", "at", "principal"})
"""Fields of an entry that are not delivered."""


def new_entry(at: int, **parts: object) -> Document:
    """Return an entry with those parts that are not empty."""
    own = {"op": ObjectId(), "at": at, "principal": PRINCIPAL.get()}
    return own | {name: part for name, part in parts.items() if part}


def waiting(change: Document, collection: str, record_id: str, **undo: object) -> Document:
    """Return the entry of a document that is written before the one that decides a change."""
    own = {name: change[name] for name in _OWN_FIELDS}
    return own | {"undecided": {"in": collection, "id": record_id, **undo}}


def confirming(entry: Document, collection: str, record_id: str) -> None:
    """Add to an entry that it confirms the undecided entry of another document."""
    entry.setdefault("confirms", []).append([collection, record_id])


def note(noted: EventEntry | None) -> Document | None:
    """Return the part of an outbox entry that appends an entry to an event's changelog."""
    return None if noted is None else {"event": noted.event_id, "entry": noted.entry.to_json()}


def logged(  # noqa: PLR0913 - each is a field of the entry
    record: RecordKind,
    kind: ChangeKind,
    record_id: str,
    *,
    before: str = "",
    after: str = "",
    ending: Ending | None = None,
    reason: str = "",
) -> Document:
    """Return an entry of the log for an outbox; without `after`, it gets the record of its document."""
    entry: Document = {"op": ObjectId(), "record": int(record), "kind": int(kind), "id": record_id}
    if origin := ORIGIN.get():
        entry["origin"] = origin
    if before and len(before) <= (_LARGEST_DELETED if kind is ChangeKind.DELETED else LARGEST_LOGGED):
        entry["before"] = before
    if after and len(after) <= LARGEST_LOGGED:
        entry["after"] = after
    return entry | ({} if ending is None else {"ending": ending.value, "reason": reason})


def entries_of(stored: Document) -> Sequence[Document]:
    """Return the entries in a document's outbox."""
    entries: Sequence[Document] = stored.get("outbox", ())
    return entries


def made_by(stored: Document) -> Collection[ObjectId]:
    """Return the ids of changes that a document proves to be made: those in its own outbox."""
    return {entry["op"] for entry in entries_of(stored)}


def is_full(stored: Document) -> bool:
    """Return whether the outbox of a document is too long for another entry: a document has up to 16 MiB."""
    size = 0
    for entry in entries_of(stored):
        size += sum(map(len, entry.get("changelog", {"entries": ()})["entries"]))
        size += sum(len(each.get("before", "")) + len(each.get("after", "")) for each in entry.get("log", ()))
    return size > _FULL


def undecided_of(stored: Document) -> Sequence[Document]:
    """Return the entries of a document that wait for a decision."""
    return [entry for entry in entries_of(stored) if "undecided" in entry]


def carried(stored: Document | None, *new: Document) -> Document:
    """Return the field `outbox` after a change: its entries before, and the new ones.

    A log entry without the record as it became means the record that the document has: once that changes, the
    entry gets a copy.
    """
    if stored is not None and is_full(stored):
        raise overloaded()
    entries = list(entries_of(stored)) if stored is not None else []
    if entries and stored is not None and "document" in stored:
        entries[-1] = with_document(entries[-1], stored["document"])
    return _outbox([*entries, *new])


def with_document(entry: Document, document: str) -> Document:
    """Return an entry whose log entries have the record as the document has it, if that is not too long."""
    if "log" not in entry or len(document) > LARGEST_LOGGED:
        return entry
    log = [
        each if "after" in each or each["kind"] == ChangeKind.DELETED else each | {"after": document}
        for each in entry["log"]
    ]
    return entry | {"log": log}


async def is_made(database: Database, entry: Document) -> bool:
    """Return whether the change of an undecided entry has been made, as far as is known now."""
    by = entry["undecided"]
    where = {"_id": by["id"], "outbox.op": entry["op"]}
    return await database.newest(by["in"]).find_one(where, {"_id": 1}) is not None


async def settle(database: Database, name: str, stored: Document) -> None:
    """Decide the undecided entries of a document; some may remain if others change it meanwhile."""
    if not await confirm_made(database, name, stored):
        for entry in undecided_of(stored):
            if await _prevent(database, entry):
                await undo(database, name, stored["_id"], entry["op"])


async def confirm_made(database: Database, name: str, stored: Document) -> bool:
    """Confirm the undecided changes of a document that were made; return whether there was one."""
    made = [entry["op"] for entry in undecided_of(stored) if await is_made(database, entry)]
    for op in made:
        await confirm(database, name, stored["_id"], op)
    return bool(made)


async def confirm(database: Database, name: str, record_id: str, op: ObjectId) -> Document | None:
    """Confirm an undecided change; return the document if its entry has parts to deliver."""
    collection = database.newest(name)
    if name == IDEMPOTENCY_KEYS:
        change = {"$unset": {"outbox": ""}, "$inc": {"rev": 1}}
        await writes.update(collection, {"_id": record_id, "outbox.op": op}, change)
        return None
    while (stored := await collection.find_one({"_id": record_id, "outbox.op": op})) is not None:
        if all(entry["op"] != op for entry in undecided_of(stored)):
            return stored
        entries = [without(each, "undecided") if each["op"] == op else each for each in entries_of(stored)]
        after = without(stored, "outbox") | _outbox(entries)
        if await writes.replace(collection, stored, after):
            return after
    return None


async def undo(database: Database, name: str, record_id: str, op: ObjectId) -> None:
    """Undo an undecided change, which was not made."""
    collection = database.newest(name)
    if name == IDEMPOTENCY_KEYS:
        await writes.delete(collection, {"_id": record_id, "outbox.op": op})
        return
    where = {"_id": record_id, "outbox": {"$elemMatch": {"op": op, "undecided": {"$exists": True}}}}
    while (stored := await collection.find_one(where)) is not None:
        (undecided,) = [entry["undecided"] for entry in undecided_of(stored) if entry["op"] == op]
        after = without(stored, "outbox") | _outbox(each for each in entries_of(stored) if each["op"] != op)
        if after.get("holder", {}).get("id") == undecided["lock"]:
            previous = {"holder": undecided["previous"]} if "previous" in undecided else {}
            after = without(after, "holder") | previous
        if await writes.replace(collection, stored, after):
            return


async def undo_all(database: Database, change: Document) -> None:
    """Undo what was written before the document that would have decided a change."""
    for collection, record_id in reversed(change.get("confirms", ())):
        await undo(database, collection, record_id, change["op"])


async def _prevent(database: Database, entry: Document) -> bool:
    """Prevent the change of an undecided entry from being made later by a slow server.

    Returns False if the deciding document has changed meanwhile: then the entry has to be decided again.
    """
    by = entry["undecided"]
    collection = database.newest(by["in"])
    stored = await collection.find_one({"_id": by["id"]})
    if stored is not None:
        return entry["op"] not in made_by(stored) and await writes.replace(collection, stored, stored)
    if by["in"] == lock_documents.NAME:
        place = lock_documents.new_key(lock_documents.key_of(by["id"]))
    else:
        place = {"_id": by["id"], "tombstone": database.now()}
    return await writes.put(collection, None, place)


def _outbox(entries: Iterable[Document]) -> Document:
    """Return the field `outbox` of a document with those entries that have anything to deliver."""
    kept = [entry for entry in entries if entry.keys() - _OWN_FIELDS]
    return {"outbox": kept} if kept else {}
