"""What happened to events, in MongoDB: one log, which all servers on the database write and read.

The change of an event and its place in the log are two documents. So a change is first noted in the event's
own document, under `unlogged`, in the change itself. Right after, the server that made it puts it into the
log, many changes to a document, and takes the note away; the janitor finds the notes that stayed.

A document of the log has the number of its first change as its id, and the next document's is the number
behind its last change. So of several servers that go on behind the same document one succeeds, the others
look again: there is one order, without gaps. In the log, the ids of changes are unique: none comes twice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

import pymongo
from bson import ObjectId
from pymongo.errors import DuplicateKeyError, PyMongoError

from tracker.domain.times import MICROS
from tracker.errors import TrackerError
from tracker.pb import event_pb
from tracker.stores.changes import (
    CHANGES_KEPT,
    LARGEST_LOGGED,
    PRINCIPAL,
    Batch,
    Change,
    ChangeKind,
    ChangesForgottenError,
    Position,
    RecordKind,
)
from tracker.stores.documents import parse
from tracker.stores.mongo import event_records, writes
from tracker.stores.mongo.changes import CHANGE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.stores.mongo.connections import Connections
    from tracker.stores.mongo.writes import Collection, Document

NAME = "event_log"
"""The collection."""

META = {"_id": "event_log"}
"""The document that has the log's name."""

POLL_SECONDS = 0.25
"""After how long a server looks for changes that others have made."""

MOST_AT_ONCE = 256
"""How many changes a document of the log has at most."""

_GATHER_SECONDS = 0.02
"""How long a change waits for others that go into the log with it: what comes often costs little then."""

_ALL: Document = {}
_BATCH_BYTES = 4 * 2**20
_LARGEST_DELETED = 8 * 2**20
_MOST_WAITING = 10_000
_REMEMBERED = 10_000
_PAUSE_SECONDS = 0.5
_SETTLED_SECONDS = 1.0
"""How long whoever asks for the end of the log waits for the changes that go into it."""
_KEPT_SECONDS = 600
"""How long a document of the log is kept at least: longer than any command may be under way."""


def note(stored: Document | None, kind: ChangeKind, at: int) -> list[Document]:
    """Return what a changed event has to note: what was not yet logged of it, and the change itself.

    A note without a document means the one that the event has.
    """
    notes = list(stored.get("unlogged", ())) if stored is not None else []
    if stored is not None and notes and "document" not in notes[-1] and _may_be_copied(stored["document"]):
        notes[-1] = notes[-1] | {"document": stored["document"]}
    new: Document = {"op": ObjectId(), "kind": int(kind), "at": at, "principal": PRINCIPAL.get()}
    if kind is ChangeKind.DELETED and stored is not None and len(stored["document"]) <= _LARGEST_DELETED:
        new["document"] = stored["document"]
    return [*notes, new]


def _may_be_copied(document: str) -> bool:
    return len(document) <= LARGEST_LOGGED


class MongoEventLog:
    """The `ChangeLog` in MongoDB, and what puts changes into it."""

    poll_seconds: float | None = POLL_SECONDS

    def __init__(self, connections: Connections, now: Callable[[], int], kept: int = CHANGES_KEPT) -> None:
        self._connections = connections
        self._now = now
        self._kept = kept
        self._grown: list[Callable[[], None]] = []
        self._waiting: deque[Document] = deque()
        self._logged: dict[ObjectId, None] = {}
        self._came = asyncio.Event()
        self._went = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None
        self._closing = False
        self._name = ""

    async def open(self) -> None:
        """Learn which log this is, and begin to write it."""
        stored = await self._connections.newest("tracker").find_one(META)
        self._name = stored["name"] if stored is not None else ""
        self._writing = asyncio.create_task(self._write())

    async def close(self) -> None:
        """Log what waits, if that can be done soon; else another server will."""
        if self._writing is None:
            return
        self._closing = True
        self._came.set()
        self._went.set()
        await asyncio.wait([self._writing])

    def notify(self, grown: Callable[[], None]) -> None:
        """Call `grown` whenever this server has written into the log."""
        self._grown.append(grown)

    async def await_room(self) -> None:
        """Wait while so many changes wait that further ones would delay what others do."""
        while len(self._waiting) > _MOST_WAITING // 2 and not self._closing:
            self._went.clear()
            await self._went.wait()

    def add(self, stored: Document) -> None:
        """Log what an event's document notes, soon."""
        if len(self._waiting) >= _MOST_WAITING:
            return  # the notes stay, and the janitor finds them
        for each in stored.get("unlogged", ()):
            entry = each | {"event": stored["_id"]}
            document = stored.get("document")
            if "document" not in entry and document is not None and _may_be_copied(document):
                entry["document"] = document
            self._waiting.append(entry)
        self._came.set()

    async def finish(self, stored: Document) -> None:
        """Log what an event's document notes, for the janitor."""
        self.add(stored)
        while self._waiting and self._writing is None:
            await self._log_next()

    async def forget(self) -> None:
        """Take away what nobody needs to be told any more."""
        log = self._connections.newest(NAME)
        last = await _last(log)
        if last is not None:
            before = {"$lt": self._now() - _KEPT_SECONDS * MICROS}
            await writes.delete_all(log, {"_id": {"$lt": last["_id"] - self._kept}, "at": before})

    async def end(self) -> Position:
        """Return the position after the last change; those that this server has made are logged first."""
        last = self._waiting[-1]["op"] if self._waiting else None
        with suppress(TimeoutError):
            async with asyncio.timeout(_SETTLED_SECONDS):
                while last is not None and last not in self._logged and not self._closing:
                    self._went.clear()
                    await self._went.wait()
        async with self._connections.asking():
            row = await self._row(_ALL)
        return Position(self._name) if row is None else self._position(row, _end(row))

    async def oldest(self) -> Position:
        """Return the oldest position that can be read from."""
        async with self._connections.asking():
            row = await self._connections.confirmed(NAME).find_one({}, {"changes.at": 1}, sort=[("_id", 1)])
        return Position(self._name) if row is None or row["_id"] == 1 else self._position(row, row["_id"])

    async def read(
        self, after: Position, most: int, kinds: Sequence[RecordKind] = tuple(RecordKind)
    ) -> Batch:
        """Return the changes that follow a position."""
        async with self._connections.asking():
            log = self._connections.confirmed(NAME)
            before = await self._row({"_id": {"$lte": after.number}})
            start = after.number if before is None or _end(before) <= after.number else before["_id"] - 1
            rows = await log.find({"_id": {"$gt": start}}, sort=[("_id", 1)], limit=most).to_list()
            self._require_kept(after, before, rows)
            large = [each["event"] for row in rows for each in row["changes"] if "document" not in each]
            events = await self._events(large) if large else {}
        changes = [
            self._change(row, number, events)
            for row in rows
            for number in range(max(row["_id"], after.number + 1), min(_end(row), after.number + most) + 1)
        ]
        end = changes[-1].position if changes else after
        return Batch([change for change in changes if change.record in kinds], end)

    async def _row(self, where: Document) -> Document | None:
        """Return the numbers and moments of the last document of the log that a condition matches."""
        log = self._connections.confirmed(NAME)
        return await log.find_one(where, {"size": 1, "changes.at": 1}, sort=[("_id", -1)])

    def _require_kept(self, after: Position, before: Document | None, rows: list[Document]) -> None:
        """Raise `ChangesForgottenError` for a position that the log does not have."""
        if after.number:
            known = before is not None and _end(before) >= after.number
            kept = known and before is not None and self._position(before, after.number) == after
        else:
            kept = after == Position(self._name) and (not rows or rows[0]["_id"] == 1)
        if not kept:
            raise ChangesForgottenError

    def _position(self, row: Document, number: int) -> Position:
        return Position(self._name, number, row["changes"][number - row["_id"]]["at"])

    def _change(self, row: Document, number: int, events: dict[str, event_pb.Event]) -> Change:
        entry = row["changes"][number - row["_id"]]
        kind, event = ChangeKind(entry["kind"]), _event(entry, events)
        deleted = kind is ChangeKind.DELETED
        return Change(
            self._position(row, number),
            RecordKind.EVENT,
            kind,
            entry["event"],
            entry.get("principal", ""),
            event if deleted else None,
            None if deleted else event,
        )

    async def _events(self, event_ids: list[str]) -> dict[str, event_pb.Event]:
        """Return events as they are now, by id."""
        events = self._connections.confirmed(event_records.NAME)
        rows = await events.find({"_id": {"$in": event_ids}, "gone": None}, {"document": 1}).to_list()
        return {row["_id"]: event_records.event_of(row) for row in rows}

    async def _write(self) -> None:
        """Log what comes, until the store is closed; what fails is tried again until then."""
        while self._waiting or not self._closing:
            if not self._waiting:
                await self._came.wait()
                self._came.clear()
                continue
            try:
                if len(self._waiting) < MOST_AT_ONCE and not self._closing:
                    await asyncio.sleep(_GATHER_SECONDS)
                await self._log_next()
            except (TrackerError, PyMongoError):
                if self._closing:
                    return
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _log_next(self) -> None:
        """Put the next changes that wait into the log, and take their notes away."""
        batch = self._next_batch()
        await self._connections.reach()
        with pymongo.timeout(CHANGE_SECONDS):
            await self._append([each for each in batch if each["op"] not in self._logged])
            for each in batch:
                self._logged[each["op"]] = None
                if self._waiting and self._waiting[0] is each:
                    self._waiting.popleft()
            self._went.set()
            while len(self._logged) > _REMEMBERED:
                del self._logged[next(iter(self._logged))]
            for grown in self._grown:
                grown()
            await self._take_notes_away(batch)

    def _next_batch(self) -> list[Document]:
        batch: list[Document] = []
        size = 0
        for each in self._waiting:
            size += len(each.get("document", ""))
            if batch and (len(batch) == MOST_AT_ONCE or size > _BATCH_BYTES):
                break
            batch.append(each)
        return batch

    async def _append(self, entries: list[Document]) -> None:
        """Write changes behind the last document of the log, but for those that are in it."""
        log = self._connections.newest(NAME)
        entries = list({each["op"]: each for each in entries}.values())
        while entries:
            number = _end(await _last(log)) + 1
            row = {"_id": number, "size": len(entries), "at": self._now(), "changes": entries}
            try:
                await log.insert_one(row)
            except DuplicateKeyError:
                there = await self._there([each["op"] for each in entries])
                entries = [each for each in entries if each["op"] not in there]
            else:
                return

    async def _there(self, ops: list[ObjectId]) -> set[ObjectId]:
        """Return which changes are in the log."""
        log = self._connections.newest(NAME)
        rows = await log.find({"changes.op": {"$in": ops}}, {"changes.op": 1}).to_list()
        return {each["op"] for row in rows for each in row["changes"]}

    async def _take_notes_away(self, batch: list[Document]) -> None:
        events = self._connections.newest(event_records.NAME)
        ids = list({each["event"] for each in batch})
        ops = {"$in": [each["op"] for each in batch]}
        only = {"_id": {"$in": ids}, "unlogged": {"$size": 1}, "unlogged.op": ops}
        taken = await events.update_many(only, {"$unset": {"unlogged": ""}})
        if taken.matched_count < len(ids):
            where = {"_id": {"$in": ids}, "unlogged.op": ops}
            await events.update_many(where, {"$pull": {"unlogged": {"op": ops}}})


async def _last(log: Collection) -> Document | None:
    return await log.find_one({}, {"size": 1}, sort=[("_id", -1)])


def _end(row: Document | None) -> int:
    """Return the number of the last change in a document of the log."""
    return 0 if row is None else int(row["_id"] + row["size"] - 1)


def _event(entry: Document, events: dict[str, event_pb.Event]) -> event_pb.Event | None:
    if "document" in entry:
        return parse(event_pb.Event, entry["event"], entry["document"])
    return events.get(entry["event"])
