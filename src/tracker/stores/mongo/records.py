"""Records of which there are few, a collection for each kind, in MongoDB."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic

from tracker.domain.freezes import first_start
from tracker.pb import freeze_pb, link_pb, retention_pb
from tracker.stores.changes import RecordKind
from tracker.stores.documents import parse
from tracker.stores.mongo.pages import read_rows
from tracker.stores.pages import Page, Reading
from tracker.stores.records import R

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracker.stores.contents import StoredDocument
    from tracker.stores.idempotency import Once
    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.deliveries import Deliveries
    from tracker.stores.mongo.writes import Document


@dataclass(frozen=True)
class RecordCollection(Generic[R]):
    """A collection of records of one kind; `columns` returns what it is ordered by besides the id."""

    name: str
    kind: RecordKind
    message: type[R]
    columns: Callable[[R], Mapping[str, Any]]

    def document(self, record: R) -> Document:
        """Return the document of a record."""
        return {"_id": record.id, **self.columns(record), "document": record.to_json()}

    def stored(self, stored: StoredDocument) -> Document:
        """Return the document of a record as a migration has it."""
        columns = self.columns(parse(self.message, *stored))
        return {"_id": stored.id, **columns, "document": stored.document}

    def record(self, row: Document) -> R:
        """Return the record in a document."""
        return parse(self.message, row["_id"], row["document"])


LINKS = RecordCollection(
    "links", RecordKind.LINK, link_pb.Link, lambda link: {"group": link.group, "name": link.name}
)
FREEZES = RecordCollection(
    "freezes", RecordKind.FREEZE, freeze_pb.FreezeWindow, lambda window: {"starts_at": first_start(window)}
)
POLICIES = RecordCollection(
    "retention_policies",
    RecordKind.RETENTION_POLICY,
    retention_pb.RetentionPolicy,
    lambda policy: {"name": policy.name},
)
HOLDS = RecordCollection(
    "legal_holds", RecordKind.LEGAL_HOLD, retention_pb.LegalHold, lambda hold: {"name": hold.name}
)


@dataclass(eq=False)
class MongoRecords(Generic[R]):
    """A `RecordStore` in MongoDB."""

    _database: Database
    _deliveries: Deliveries
    _collection: RecordCollection[R]

    async def create(self, record: R, once: Once[R] | None = None) -> None:
        kept = self._collection
        await self._deliveries.create(kept.name, kept.kind, record, kept.document(record), once)

    async def modify(self, record_id: str, change: Callable[[R], R], once: Once[R] | None = None) -> R | None:
        kept = self._collection

        def change_stored(stored: Document) -> tuple[R, Document]:
            record = change(kept.record(stored))
            return record, kept.document(record)

        return await self._deliveries.modify(kept.name, kept.kind, record_id, change_stored, once)

    async def delete(
        self, record_id: str, once: Once[bool] | None = None, check: Callable[[R], None] | None = None
    ) -> bool:
        def check_stored(stored: Document) -> None:
            if check is not None:
                check(self._collection.record(stored))

        kept = self._collection
        return await self._deliveries.delete(kept.name, kept.kind, record_id, once, check_stored)

    async def get(self, record_id: str) -> R | None:
        where = {"_id": record_id, "tombstone": None}
        async with self._database.asking(self._collection.name) as rows:
            stored = await rows.find_one(where, {"document": 1})
        return None if stored is None else self._collection.record(stored)

    async def find(self) -> Sequence[R]:
        kept: RecordCollection[R] = self._collection
        order = [(column, 1) for column in (*kept.columns(kept.message()), "_id")]
        async with self._database.asking(kept.name) as stored:
            rows = stored.find({"tombstone": None}, {"document": 1}, sort=order)
            reading: Reading[R] = Reading(Page())
            await read_rows(reading, rows, partial(parse, kept.message))
            return reading.records
