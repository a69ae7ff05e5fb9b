"""Records of access control in MongoDB."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pymongo.errors import DuplicateKeyError

from tracker.errors import TrackerError
from tracker.pb import access_pb
from tracker.stores.access import NameTakenError, StoredAccess
from tracker.stores.changes import ChangeKind, RecordKind
from tracker.stores.documents import parse
from tracker.stores.mongo import writes
from tracker.stores.mongo.outbox import logged as log_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.deliveries import Deliveries
    from tracker.stores.mongo.writes import Collection, Document

NAME = "access"
"""The collection."""

POLL_SECONDS = 2.0
"""Time between two reads for the changes of other servers."""


@dataclass(eq=False)
class MongoAccess:
    """The `AccessStore` in MongoDB."""

    _database: Database
    _deliveries: Deliveries
    poll_seconds: float | None = POLL_SECONDS

    async def modify(
        self,
        record_id: str,
        change: Callable[[StoredAccess | None], StoredAccess],
        *,
        logged: bool = True,
    ) -> StoredAccess:
        async def step() -> StoredAccess:
            records = self._database.newest(NAME)
            async with self._database.turn(NAME, record_id):
                while True:
                    stored = await records.find_one({"_id": record_id})
                    new = change(None if stored is None else _stored(stored))
                    name = await _name(records, stored, new.unique_name)
                    row = document(record_id, new, self._database.now()) | name
                    kind = ChangeKind.CREATED if stored is None else ChangeKind.UPDATED
                    before = "" if stored is None else stored["document"]
                    log = [log_entry(RecordKind.ACCESS, kind, record_id, before=before)] if logged else ()
                    if await self._deliveries.put(None, new, NAME, stored, row, log=log):
                        return new

        return await self._database.run(step)

    async def find(self, since: int = 0) -> Sequence[StoredAccess]:
        async with self._database.asking(NAME) as records:
            rows = records.find({"changed_at": {"$gte": since}}, sort=[("_id", 1)])
            return [_stored(row) async for row in rows]


async def fill_in_names(records: Collection) -> None:
    """Store the unique names of records that an earlier version, or a migration, stored without.

    Of records that share one, the first keeps it.
    """
    lacking = {"name": None, "_id": {"$regex": "^(user|team):"}}
    for row in await records.find(lacking, sort=[("_id", 1)]).to_list():
        with suppress(TrackerError, DuplicateKeyError):
            if name := _stored(row).unique_name:
                await writes.update(records, {"_id": row["_id"], "rev": row["rev"]}, {"$set": {"name": name}})


async def _name(records: Collection, stored: Document | None, name: str | None) -> Document:
    """Return the field for the unique name of a record that replaces the stored one.

    Raises:
        NameTakenError: It is new, and another record has it.
    """
    if stored is not None and name == _stored(stored).unique_name:
        return {"name": stored["name"]} if "name" in stored else {}
    if name is not None and await records.find_one({"name": name}, {"_id": 1}) is not None:
        raise NameTakenError(name)
    return {} if name is None else {"name": name}


def document(record_id: str, access: StoredAccess, changed_at: int) -> Document:
    """Return the document of a record."""
    return {
        "_id": record_id,
        "changed_at": changed_at,
        "secret_hash": access.secret_hash,
        "document": access.record.to_json(),
    }


def _stored(row: Document) -> StoredAccess:
    return StoredAccess(parse(access_pb.Access, row["_id"], row["document"]), row["secret_hash"])
