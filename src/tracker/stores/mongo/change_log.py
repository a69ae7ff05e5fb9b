"""The change log in MongoDB, which all servers on the database write and read.

The log entry of a change is in the outbox of the changed document. The courier copies it here, many to a
document. The id of a document is the number of its first entry; the id of the next one is the number after
its last entry. So of several servers that append at once one succeeds, and the others try again: there is
one order, without gaps. The ids of entries are unique: no entry is logged twice.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from tracker.domain.locks import Ending
from tracker.stores.changes import (
    LARGEST_LOGGED,
    MESSAGES,
    Batch,
    Change,
    ChangeKind,
    ChangesForgottenError,
    ConsumerState,
    Position,
    RecordKind,
)
from tracker.stores.documents import parse
from tracker.stores.mongo import writes
from tracker.stores.mongo.database import META
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from tracker.stores.changes import Record
    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.writes import Collection, Document

NAME = "changes"
"""The collection."""

CONSUMERS = "consumers"
"""The collection of its consumers."""

LOG = {"_id": "change_log"}
"""The document with the name of the log."""

POLL_SECONDS = 0.25
"""Time between two reads for the changes of other servers."""

MOST_AT_ONCE = 256
"""How many entries a document of the log has at most."""

_COLLECTIONS = {RecordKind.EVENT: "events", RecordKind.CATALOG_ENTRY: "catalog"}
"""The collections of records whose documents may be too long for the log."""

_LARGEST_DELETED = 8 * 2**20
_REMEMBERED = 10_000
_SETTLED_SECONDS = 1.0
"""How long `end` waits until the changes of this server are logged."""
_KEPT_SECONDS = 600
"""How long a document of the log is kept at least: longer than any command takes."""


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
    if before and len(before) <= (_LARGEST_DELETED if kind is ChangeKind.DELETED else LARGEST_LOGGED):
        entry["before"] = before
    if after and len(after) <= LARGEST_LOGGED:
        entry["after"] = after
    return entry | ({} if ending is None else {"ending": ending.value, "reason": reason})


class LogWriter:
    """Appends to the log, which keeps the last `kept` changes at least."""

    def __init__(self, database: Database, kept: int) -> None:
        self._database = database
        self._kept = kept
        self._logged: dict[ObjectId, None] = {}
        self._grown: list[Callable[[], None]] = []

    def notify(self, grown: Callable[[], None]) -> None:
        """Call `grown` whenever this server has written into the log."""
        self._grown.append(grown)

    async def append(self, entries: Sequence[Document]) -> None:
        """Write entries after the last document of the log, except those that are in it."""
        log = self._database.newest(NAME)
        new = {each["op"]: each for each in entries if each["op"] not in self._logged}
        while new:
            number = _end(await log.find_one({}, {"size": 1}, sort=[("_id", -1)])) + 1
            row = {"_id": number, "size": len(new), "at": self._database.now(), "changes": [*new.values()]}
            try:
                await log.insert_one(row)
            except DuplicateKeyError:
                there = await self._there([*new])
                new = {op: each for op, each in new.items() if op not in there}
            else:
                break
        self._logged |= dict.fromkeys(each["op"] for each in entries)
        while len(self._logged) > _REMEMBERED:
            del self._logged[next(iter(self._logged))]
        for grown in self._grown if entries else ():
            grown()

    async def forget(self) -> None:
        """Delete the entries that need not be kept."""
        log = self._database.newest(NAME)
        last = await log.find_one({}, {"_id": 1}, sort=[("_id", -1)])
        if last is not None:
            before = {"$lt": self._database.now() - _KEPT_SECONDS * MICROS}
            await writes.delete_all(log, {"_id": {"$lt": last["_id"] - self._kept}, "at": before})

    async def _there(self, ops: list[ObjectId]) -> set[ObjectId]:
        """Return which entries are in the log."""
        log = self._database.newest(NAME)
        rows = await log.find({"changes.op": {"$in": ops}}, {"changes.op": 1}).to_list()
        return {each["op"] for row in rows for each in row["changes"]}


@dataclass(eq=False)
class MongoChangeLog:
    """The `ChangeLog` in MongoDB; `_settled` waits until what this server has changed is in it."""

    _database: Database
    _writer: LogWriter
    _settled: Callable[[], Awaitable[None]]
    _name: str = ""
    poll_seconds: float | None = POLL_SECONDS

    async def open(self) -> None:
        """Read the name of the log."""
        stored = await self._database.newest(META).find_one(LOG)
        self._name = stored["name"] if stored is not None else ""

    def notify(self, grown: Callable[[], None]) -> None:
        self._writer.notify(grown)

    async def end(self) -> Position:
        with suppress(TimeoutError):
            async with asyncio.timeout(_SETTLED_SECONDS):
                await self._settled()
        async with self._database.asking(NAME):
            row = await self._row({})
        return Position(self._name) if row is None else self._position(row, _end(row))

    async def oldest(self) -> Position:
        async with self._database.asking(NAME) as log:
            row = await log.find_one({}, {"changes.at": 1}, sort=[("_id", 1)])
        return Position(self._name) if row is None or row["_id"] == 1 else self._position(row, row["_id"])

    async def read(
        self, after: Position, most: int, kinds: Sequence[RecordKind] = tuple(RecordKind)
    ) -> Batch:
        async with self._database.asking(NAME):
            before = await self._row({"_id": {"$lte": after.number}})
            start = after.number if before is None or _end(before) <= after.number else before["_id"] - 1
            rows = await self._log.find({"_id": {"$gt": start}}, sort=[("_id", 1)], limit=most).to_list()
            self._require_kept(after, before, rows)
            current = await self._current([each for row in rows for each in row["changes"] if _is_long(each)])
        changes = [
            self._change(row, number, current)
            for row in rows
            for number in range(max(row["_id"], after.number + 1), min(_end(row), after.number + most) + 1)
        ]
        end = changes[-1].position if changes else after
        return Batch([change for change in changes if change.record in kinds], end)

    @property
    def _log(self) -> Collection:
        return self._database.confirmed(NAME)

    async def _row(self, where: Document) -> Document | None:
        """Return the numbers and moments of the last document of the log that a condition matches."""
        return await self._log.find_one(where, {"size": 1, "changes.at": 1}, sort=[("_id", -1)])

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

    def _change(self, row: Document, number: int, current: Mapping[tuple[int, str], str]) -> Change:
        entry = row["changes"][number - row["_id"]]
        record, record_id = RecordKind(entry["record"]), entry["id"]

        def read(document: str | None) -> Record | None:
            return None if document is None else parse(MESSAGES[record], record_id, document)

        ending = Ending(entry["ending"]) if "ending" in entry else None
        return Change(
            self._position(row, number),
            record,
            ChangeKind(entry["kind"]),
            record_id,
            entry["principal"],
            read(entry.get("before")),
            read(entry.get("after", current.get((record, record_id)) if _is_long(entry) else None)),
            ending,
            entry.get("reason", ""),
        )

    async def _current(self, entries: Sequence[Document]) -> Mapping[tuple[int, str], str]:
        """Return the documents of records as they are now, by kind and id."""
        ids: defaultdict[RecordKind, list[str]] = defaultdict(list)
        for entry in entries:
            ids[RecordKind(entry["record"])].append(entry["id"])
        found: dict[tuple[int, str], str] = {}
        for record, of_kind in ids.items():
            where = {"_id": {"$in": of_kind}, "tombstone": None}
            rows = self._database.confirmed(_COLLECTIONS[record]).find(where, {"document": 1})
            found |= {(record, row["_id"]): row["document"] async for row in rows}
        return found


@dataclass(eq=False)
class MongoConsumers:
    """The `ConsumerStore` in MongoDB."""

    _database: Database

    async def get(self, name: str) -> ConsumerState | None:
        async with self._database.asking(CONSUMERS) as consumers:
            return _state(await consumers.find_one({"_id": name}))

    async def put(self, name: str, state: ConsumerState, instead_of: ConsumerState | None) -> bool:
        new: Document = {"position": [*state.position], "server": state.server, "beats": state.beats}

        async def step() -> bool:
            consumers = self._database.newest(CONSUMERS)
            stored = await consumers.find_one({"_id": name})
            if _state(stored) != instead_of:
                return False
            return await writes.put(consumers, stored, {"_id": name, **new})

        return await self._database.run(step)


def _state(stored: Document | None) -> ConsumerState | None:
    if stored is None:
        return None
    return ConsumerState(Position(*stored["position"]), stored["server"], stored["beats"])


def _end(row: Document | None) -> int:
    """Return the number of the last entry in a document of the log."""
    return 0 if row is None else int(row["_id"] + row["size"] - 1)


def _is_long(entry: Document) -> bool:
    """Return whether the record after a change was too long for the log."""
    return "after" not in entry and entry["kind"] != ChangeKind.DELETED
