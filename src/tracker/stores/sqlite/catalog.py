"""Catalog entries in SQLite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.pb import catalog_pb
from tracker.stores.changes import RecordKind
from tracker.stores.documents import parse
from tracker.stores.sqlite.change_log import log_created, log_deleted, log_updated
from tracker.stores.sqlite.idempotency import once_only
from tracker.stores.sqlite.records import page_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import apsw

    from tracker.stores.idempotency import Once
    from tracker.stores.pages import Found, Page
    from tracker.stores.sqlite.reader import Reader
    from tracker.stores.sqlite.writer import Writer

_SELECT = "SELECT name, CAST(document AS BLOB) FROM catalog"


@dataclass(eq=False)
class SqliteCatalog:
    """The `CatalogStore` in SQLite."""

    _writer: Writer
    _reader: Reader

    async def upsert(
        self,
        name: str,
        change: Callable[[catalog_pb.Catalog | None], catalog_pb.Catalog],
        once: Once[catalog_pb.Catalog] | None = None,
    ) -> catalog_pb.Catalog:
        def step(db: apsw.Connection) -> catalog_pb.Catalog:
            stored = _select(db, name)
            entry = change(stored)
            if stored is not None:
                _update(db, name, entry)
            else:
                document = entry.to_json()
                db.execute("INSERT INTO catalog (name, document) VALUES (?, ?)", (name, document))
                log_created(db, RecordKind.CATALOG_ENTRY, name, document)
            return entry

        return await self._writer.change(once_only(step, once))

    async def modify(
        self,
        name: str,
        change: Callable[[catalog_pb.Catalog], catalog_pb.Catalog],
        once: Once[catalog_pb.Catalog] | None = None,
    ) -> catalog_pb.Catalog | None:
        def step(db: apsw.Connection) -> catalog_pb.Catalog | None:
            stored = _select(db, name)
            if stored is None:
                return None
            entry = change(stored)
            _update(db, name, entry)
            return entry

        return await self._writer.change(once_only(step, once))

    async def get(self, name: str) -> catalog_pb.Catalog | None:
        return await self._reader.read(lambda db: _select(db, name))

    async def delete(
        self,
        name: str,
        once: Once[bool] | None = None,
        check: Callable[[catalog_pb.Catalog], None] | None = None,
    ) -> bool:
        def step(db: apsw.Connection) -> bool:
            if not db.execute("SELECT EXISTS (SELECT 1 FROM catalog WHERE name = ?)", (name,)).get:
                return False
            if check is not None and (entry := _select(db, name)) is not None:
                check(entry)
            log_deleted(db, RecordKind.CATALOG_ENTRY, name)
            db.execute("DELETE FROM catalog WHERE name = ?", (name,))
            return True

        return await self._writer.change(once_only(step, once, bool))

    async def find(self, page: Page) -> Found[catalog_pb.Catalog]:
        return await self._reader.read(lambda db: page_of(db, catalog_pb.Catalog, "catalog", "name", page))


def _select(db: apsw.Connection, name: str) -> catalog_pb.Catalog | None:
    row = db.execute(f"{_SELECT} WHERE name = ?", (name,)).fetchone()
    return None if row is None else parse(catalog_pb.Catalog, *row)


def _update(db: apsw.Connection, name: str, entry: catalog_pb.Catalog) -> None:
    document = entry.to_json()
    log_updated(db, RecordKind.CATALOG_ENTRY, name, document)
    db.execute("UPDATE catalog SET document = ? WHERE name = ?", (document, name))
