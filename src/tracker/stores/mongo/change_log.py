"""The change log in MongoDB, which all servers on the database write and read.

The log entry of a change is in the outbox of the changed document. The courier copies it here, many to a
document. The id of a document is the number of its first entry; the id of the next one is the number after
its last entry. So of several servers that append at once one succeeds, and the others try again: there is
one order, without gaps. The ids of entries are unique: no entry is logged twice.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.stores.changes import (
    Batch,
    ChangeKind,
    ChangesForgottenError,
    ConsumerState,
    Position,
    RecordKind,
    read_change,
)
from tracker.stores.mongo import writes
from tracker.stores.mongo.courier import NAME, last_number
from tracker.stores.mongo.database import META
from tracker.stores.mongo.failures import store_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracker.stores.changes import Change, Rewrite
    from tracker.stores.mongo.courier import Courier
    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.writes import Collection, Document

CONSUMERS = "consumers"
"""The collection of its consumers."""

LOG = {"_id": "change_log"}
"""The document with the name of the log."""

POLL_SECONDS = 0.25
"""Time between two reads for the changes of other servers."""

_COLLECTIONS: Final[Mapping[int, str]] = {
    RecordKind.EVENT: "events",
    RecordKind.CATALOG_ENTRY: "catalog",
    RecordKind.ACCESS: "access",
    RecordKind.LINK: "links",
    RecordKind.WEBHOOK: "webhooks",
    RecordKind.STATE: "terraform_states",
    RecordKind.FREEZE: "freezes",
    RecordKind.RETENTION_POLICY: "retention_policies",
    RecordKind.LEGAL_HOLD: "legal_holds",
}
"""The collections of records whose documents may be too long for the log."""

_SETTLED_SECONDS = 1.0
"""How long `end` waits until the changes of this server are logged."""


@dataclass(eq=False)
class MongoChangeLog:
    """The `ChangeLog` in MongoDB."""

    _database: Database
    _courier: Courier
    _name: str = ""
    poll_seconds: float | None = POLL_SECONDS

    async def open(self) -> None:
        """Read the name of the log."""
        stored = await self._database.newest(META).find_one(LOG)
        self._name = stored["name"] if stored is not None else ""

    def notify(self, grown: Callable[[], None]) -> None:
        self._courier.notify(grown)

    async def end(self) -> Position:
        with suppress(TimeoutError):
            async with asyncio.timeout(_SETTLED_SECONDS):
                await self._courier.drained()
        async with self._database.asking(NAME):
            row = await self._row({})
        return Position(self._name) if row is None else self._position(row, last_number(row))

    async def oldest(self) -> Position:
        async with self._database.asking(NAME) as log:
            row = await log.find_one({}, {"changes.at": 1}, sort=[("_id", 1)])
        return Position(self._name) if row is None or row["_id"] == 1 else self._position(row, row["_id"])

    async def read(self, after: Position, most: int, kinds: Sequence[RecordKind] | None = None) -> Batch:
        async with self._database.asking(NAME):
            before = await self._row({"_id": {"$lte": after.number}})
            has_more = before is not None and last_number(before) > after.number
            start = before["_id"] if before is not None and has_more else after.number + 1
            rows = await self._log.find({"_id": {"$gte": start}}, sort=[("_id", 1)], limit=most).to_list()
            self._require_kept(after, before, rows)
            current = await self._current(
                [
                    each
                    for row in rows
                    for each in row["changes"]
                    if (kinds is None or each["record"] in kinds) and _is_long(each)
                ]
            )
        first, last = after.number + 1, after.number + most
        entries = [
            (row, number)
            for row in rows
            for number in range(max(row["_id"], first), min(last_number(row), last) + 1)
        ]
        end = self._position(*entries[-1]) if entries else after
        wanted = [
            (row, number)
            for row, number in entries
            if kinds is None or row["changes"][number - row["_id"]]["record"] in kinds
        ]
        return Batch([self._change(row, number, current) for row, number in wanted], end)

    async def rewrite(self, texts: Sequence[str], rewrite: Rewrite) -> int:
        await self._courier.drained()
        pattern = {"$regex": "|".join(map(re.escape, texts))}
        where = {"changes": {"$elemMatch": {"$or": [{"before": pattern}, {"after": pattern}]}}}
        changed = 0
        with store_errors():
            rows = await self._log.find(where).to_list()
            for row in rows:
                new = {}
                for place, entry in enumerate(row["changes"]):
                    for part in ("before", "after"):
                        if part not in entry:
                            continue
                        document = rewrite(entry["record"], entry["id"], entry[part])
                        if document != entry[part]:
                            new[f"changes.{place}.{part}"] = document
                if new:
                    await writes.update(self._database.newest(NAME), {"_id": row["_id"]}, {"$set": new})
                changed += len({each.split(".")[1] for each in new})
        return changed

    @property
    def _log(self) -> Collection:
        return self._database.confirmed(NAME)

    async def _row(self, where: Document) -> Document | None:
        """Return the numbers and moments of the last document of the log that a condition matches."""
        return await self._log.find_one(where, {"size": 1, "changes.at": 1}, sort=[("_id", -1)])

    def _require_kept(self, after: Position, before: Document | None, rows: list[Document]) -> None:
        """Raise `ChangesForgottenError` for a position that the log does not have."""
        if after.number:
            known = before is not None and last_number(before) >= after.number
            kept = known and before is not None and self._position(before, after.number) == after
        else:
            kept = after == Position(self._name) and (not rows or rows[0]["_id"] == 1)
        if not kept:
            raise ChangesForgottenError

    def _position(self, row: Document, number: int) -> Position:
        return Position(self._name, number, row["changes"][number - row["_id"]]["at"])

    def _change(self, row: Document, number: int, current: Mapping[tuple[int, str], str]) -> Change:
        entry = row["changes"][number - row["_id"]]
        record, record_id = entry["record"], entry["id"]
        after = entry.get("after", current.get((record, record_id)) if _is_long(entry) else None)
        position, principal = self._position(row, number), entry["principal"]
        ending = (entry.get("ending"), entry.get("reason"))
        rest = (entry.get("before"), after, *ending, entry.get("origin", ""))
        return read_change(position, record, entry["kind"], record_id, principal, *rest)

    async def _current(self, entries: Sequence[Document]) -> Mapping[tuple[int, str], str]:
        """Return the documents of records as they are now, by kind and id."""
        ids: defaultdict[int, list[str]] = defaultdict(list)
        for entry in entries:
            if entry["record"] in _COLLECTIONS:
                ids[entry["record"]].append(entry["id"])
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
        new = {"_id": name, "position": [*state.position], "server": state.server, "beats": state.beats}

        async def step() -> bool:
            consumers = self._database.newest(CONSUMERS)
            stored = await consumers.find_one({"_id": name})
            return _state(stored) == instead_of and await writes.put(consumers, stored, new)

        return await self._database.run(step)


def _state(stored: Document | None) -> ConsumerState | None:
    if stored is None:
        return None
    return ConsumerState(Position(*stored["position"]), stored["server"], stored["beats"])


def _is_long(entry: Document) -> bool:
    """Return whether the record after a change was too long for the log."""
    return "after" not in entry and entry["kind"] != ChangeKind.DELETED
