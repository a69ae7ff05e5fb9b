"""Catalog entries in MongoDB."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tracker.pb import catalog_pb
from tracker.stores.changes import RecordKind
from tracker.stores.documents import parse
from tracker.stores.mongo.pages import read_page
from tracker.stores.pages import found

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.stores.idempotency import Once
    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.deliveries import Deliveries
    from tracker.stores.mongo.writes import Document
    from tracker.stores.pages import Found, Page

NAME = "catalog"
"""The collection."""

_THERE: Document = {"tombstone": None}


@dataclass(eq=False)
class MongoCatalog:
    """The `CatalogStore` in MongoDB."""

    _database: Database
    _deliveries: Deliveries

    async def upsert(
        self,
        name: str,
        change: Callable[[catalog_pb.Catalog | None], catalog_pb.Catalog],
        once: Once[catalog_pb.Catalog] | None = None,
    ) -> catalog_pb.Catalog:
        def change_stored(stored: Document | None) -> tuple[catalog_pb.Catalog, Document]:
            entry = change(None if stored is None else _entry(stored))
            return entry, _document(name, entry)

        return await self._deliveries.upsert(NAME, RecordKind.CATALOG_ENTRY, name, change_stored, once)

    async def modify(
        self,
        name: str,
        change: Callable[[catalog_pb.Catalog], catalog_pb.Catalog],
        once: Once[catalog_pb.Catalog] | None = None,
    ) -> catalog_pb.Catalog | None:
        def change_stored(stored: Document) -> tuple[catalog_pb.Catalog, Document]:
            entry = change(_entry(stored))
            return entry, _document(name, entry)

        return await self._deliveries.modify(NAME, RecordKind.CATALOG_ENTRY, name, change_stored, once)

    async def get(self, name: str) -> catalog_pb.Catalog | None:
        async with self._database.asking(NAME) as entries:
            stored = await entries.find_one({"_id": name} | _THERE, {"document": 1})
        return None if stored is None else _entry(stored)

    async def delete(
        self,
        name: str,
        once: Once[bool] | None = None,
        check: Callable[[catalog_pb.Catalog], None] | None = None,
    ) -> bool:
        def check_stored(stored: Document) -> None:
            if check is not None:
                check(_entry(stored))

        return await self._deliveries.delete(NAME, RecordKind.CATALOG_ENTRY, name, once, check_stored)

    async def find(self, page: Page) -> Found[catalog_pb.Catalog]:
        async with self._database.asking(NAME) as entries:
            reading, total = await read_page(
                entries, _THERE, {"_id": 1}, page, partial(parse, catalog_pb.Catalog)
            )
        return found(reading, lambda entry: (entry.name,), total)


def _document(name: str, entry: catalog_pb.Catalog) -> Document:
    return {"_id": name, "document": entry.to_json()}


def _entry(stored: Document) -> catalog_pb.Catalog:
    return parse(catalog_pb.Catalog, stored["_id"], stored["document"])
