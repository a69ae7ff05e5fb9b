"""The audit log in MongoDB.

The number of an entry is the id of its document: of several servers that append at once one succeeds, and the
others try again after its last entry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pymongo.errors import BulkWriteError

from tracker.audit.chain import Entry
from tracker.stores.audit import AuditPage
from tracker.stores.mongo import writes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.stores.audit import AuditFilter, Contents
    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.writes import Document

NAME = "audit"
"""The collection."""

_FIELDS = Entry._fields[1:]
_DUPLICATE_KEY = 11000


@dataclass(eq=False)
class MongoAudit:
    """The `AuditStore` in MongoDB."""

    _database: Database

    async def append(self, make: Callable[[Entry | None], Sequence[Entry]]) -> Sequence[Entry]:
        async def attempt(_: int) -> Sequence[Entry]:
            audit = self._database.newest(NAME)
            while True:
                row = await audit.find_one({}, sort=[("_id", -1)])
                entries = make(None if row is None else entry(row))
                if not entries:
                    return entries
                try:
                    await audit.insert_many([document(each) for each in entries])
                except BulkWriteError as error:
                    _require_duplicate(error)
                else:
                    return entries

        return await self._database.run(lambda: writes.until_certain(attempt))

    async def last(self, record: str = "") -> Entry | None:
        async with self._database.asking(NAME) as audit:
            row = await audit.find_one({"record": record} if record else {}, sort=[("_id", -1)])
        return None if row is None else entry(row)

    async def read(self, wanted: AuditFilter, most: int, *, newest_first: bool = False) -> AuditPage:
        page = AuditPage(most)
        sort = [("_id", -1 if newest_first else 1)]
        async with (
            self._database.asking(NAME) as audit,
            audit.find(_condition(wanted), sort=sort, limit=most + 1) as rows,
        ):
            async for row in rows:
                if not page.take(entry(row)):
                    break
        return page

    async def replace(self, contents: Sequence[Contents]) -> None:
        async def step() -> None:
            audit = self._database.newest(NAME)
            for number, content, salt in contents:
                await writes.update(audit, {"_id": number}, {"$set": {"content": content, "salt": salt}})

        await self._database.run(step)

    async def forget(self, before: int) -> None:
        async def step() -> None:
            await writes.delete_all(self._database.newest(NAME), {"_id": {"$lt": before}})

        await self._database.run(step)


def entry(row: Document) -> Entry:
    """Return the entry in a document."""
    return Entry(row["_id"], *(row[name] for name in _FIELDS))


def document(stored: Entry) -> Document:
    """Return the document of an entry."""
    return {"_id": stored.number, **dict(zip(_FIELDS, stored[1:], strict=True))}


def _require_duplicate(error: BulkWriteError) -> None:
    """Raise the error unless another server has appended an entry of the same number."""
    details = error.details
    if details.get("writeConcernErrors") or any(
        each["code"] != _DUPLICATE_KEY for each in details["writeErrors"]
    ):
        raise error


def _condition(wanted: AuditFilter) -> Document:
    every = type(wanted)()
    where: Document = {"_id": {"$gt": wanted.after, "$lt": wanted.before}}
    if wanted.record:
        where["record"] = wanted.record
    if wanted.record_id:
        where["record_id"] = wanted.record_id
    times: dict[str, Any] = {}
    if wanted.since:
        times["$gte"] = wanted.since
    if wanted.until < every.until:
        times["$lt"] = wanted.until
    if times:
        where["at"] = times
    if wanted.mentions:
        where["content"] = {"$regex": "|".join(map(re.escape, wanted.mentions))}
    return where
