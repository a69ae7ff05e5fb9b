"""Records of which there are few, a table for each kind, in SQLite."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from protobuf import Message

from tracker.domain.freezes import first_start
from tracker.pb import freeze_pb, link_pb, retention_pb
from tracker.stores.changes import RecordKind
from tracker.stores.documents import parse, read_list
from tracker.stores.pages import Reading, Total, found, known_total
from tracker.stores.records import R
from tracker.stores.sqlite.change_log import log_created, log_deleted, log_updated
from tracker.stores.sqlite.idempotency import once_only

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import apsw

    from tracker.stores.contents import StoredDocument
    from tracker.stores.idempotency import Once
    from tracker.stores.pages import Found, Page
    from tracker.stores.sqlite.reader import Reader
    from tracker.stores.sqlite.writer import Writer

M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class Table(Generic[R]):
    """A table of records of one kind; `columns` returns what it is ordered by besides the id, by column."""

    name: str
    kind: RecordKind
    message: type[R]
    columns: Callable[[R], Mapping[str, Any]]

    def write(self, db: apsw.Connection, record_id: str, columns: Mapping[str, Any], document: str) -> None:
        """Store a record, in place of what is stored."""
        names, marks = ", ".join(columns), "?, " * len(columns)
        db.execute(
            f"INSERT OR REPLACE INTO {self.name} (id, {names}, document) VALUES (?, {marks}?)",
            (record_id, *columns.values(), document),
        )

    def add(self, db: apsw.Connection, stored: StoredDocument) -> None:
        """Add a record as a migration has it, unless it is there."""
        if not self.has(db, stored.id):
            self.write(db, stored.id, self.columns(parse(self.message, *stored)), stored.document)

    def has(self, db: apsw.Connection, record_id: str) -> bool:
        """Return whether a record is stored."""
        query = f"SELECT EXISTS (SELECT 1 FROM {self.name} WHERE id = ?)"
        return bool(db.execute(query, (record_id,)).get)

    @property
    def select(self) -> str:
        """The query for the ids and the documents."""
        return f"SELECT id, CAST(document AS BLOB) FROM {self.name}"


LINKS = Table("links", RecordKind.LINK, link_pb.Link, lambda link: {'"group"': link.group, "name": link.name})
FREEZES = Table(
    "freezes", RecordKind.FREEZE, freeze_pb.FreezeWindow, lambda window: {"starts_at": first_start(window)}
)
POLICIES = Table(
    "retention_policies",
    RecordKind.RETENTION_POLICY,
    retention_pb.RetentionPolicy,
    lambda policy: {"name": policy.name},
)
HOLDS = Table("legal_holds", RecordKind.LEGAL_HOLD, retention_pb.LegalHold, lambda hold: {"name": hold.name})


@dataclass(eq=False)
class SqliteRecords(Generic[R]):
    """A `RecordStore` in SQLite."""

    _writer: Writer
    _reader: Reader
    _table: Table[R]

    async def create(self, record: R, once: Once[R] | None = None) -> None:
        table = self._table

        def step(db: apsw.Connection) -> R:
            document = record.to_json()
            log_created(db, table.kind, record.id, document)
            table.write(db, record.id, table.columns(record), document)
            return record

        await self._writer.change(once_only(step, once))

    async def modify(self, record_id: str, change: Callable[[R], R], once: Once[R] | None = None) -> R | None:
        table = self._table

        def step(db: apsw.Connection) -> R | None:
            stored = self._select(db, record_id)
            if stored is None:
                return None
            record = change(stored)
            document = record.to_json()
            log_updated(db, table.kind, record_id, document)
            table.write(db, record_id, table.columns(record), document)
            return record

        return await self._writer.change(once_only(step, once))

    async def delete(
        self, record_id: str, once: Once[bool] | None = None, check: Callable[[R], None] | None = None
    ) -> bool:
        table = self._table

        def step(db: apsw.Connection) -> bool:
            if not table.has(db, record_id):
                return False
            if check is not None and (stored := self._select(db, record_id)) is not None:
                check(stored)
            log_deleted(db, table.kind, record_id)
            db.execute(f"DELETE FROM {table.name} WHERE id = ?", (record_id,))
            return True

        return await self._writer.change(once_only(step, once, bool))

    async def get(self, record_id: str) -> R | None:
        return await self._reader.read(lambda db: self._select(db, record_id))

    async def find(self) -> Sequence[R]:
        def query(db: apsw.Connection) -> Sequence[R]:
            order = ", ".join([*self._table.columns(self._table.message()), "id"])
            rows = db.execute(f"{self._table.select} ORDER BY {order}")
            return read_list(partial(parse, self._table.message), rows)

        return await self._reader.read(query)

    def _select(self, db: apsw.Connection, record_id: str) -> R | None:
        row = db.execute(f"{self._table.select} WHERE id = ?", (record_id,)).fetchone()
        return None if row is None else parse(self._table.message, *row)


def page_of(db: apsw.Connection, message: type[M], table: str, key: str, page: Page) -> Found[M]:
    """Return a page of the documents of a table, in the order of a column that is a field of each."""
    where, after = ("", ()) if page.after is None else (f"WHERE {key} > ?", page.after)
    rows = db.execute(
        f"SELECT {key}, CAST(document AS BLOB) FROM {table} {where} ORDER BY {key} LIMIT ? OFFSET ?",
        (*after, page.rows(-1), page.offset),
    )
    reading = Reading[M](page)
    reading.records += read_list(partial(parse, message), reading.within(rows))
    total = known_total(reading) or Total(db.execute(f"SELECT count(*) FROM {table}").get)
    return found(reading, lambda record: (getattr(record, key),), total)
