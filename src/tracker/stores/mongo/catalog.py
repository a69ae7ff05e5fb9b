"""Catalog entries in MongoDB."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from tracker.pb import catalog_pb
from tracker.stores.changes import ChangeKind, RecordKind
from tracker.stores.documents import parse
from tracker.stores.mongo.outbox import logged
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

E = TypeVar("E", catalog_pb.Catalog, "catalog_pb.Catalog | None")

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
        return await self._change(name, change, once)

    async def modify(
        self,
        name: str,
        change: Callable[[catalog_pb.Catalog], catalog_pb.Catalog],
        once: Once[catalog_pb.Catalog] | None = None,
    ) -> catalog_pb.Catalog | None:
        return await self._change(name, lambda entry: None if entry is None else change(entry), once)

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

        return await self._deliveries.delete(NAME, name, once, RecordKind.CATALOG_ENTRY, check_stored)

    async def find(self, page: Page) -> Found[catalog_pb.Catalog]:
        async with self._database.asking(NAME) as entries:
            reading, total = await read_page(
                entries, _THERE, {"_id": 1}, page, partial(parse, catalog_pb.Catalog)
            )
        return found(reading, lambda entry: (entry.name,), total)

    async def _change(
        self,
        name: str,
        change: Callable[[catalog_pb.Catalog | None], E],
        once: Once[catalog_pb.Catalog] | None,
    ) -> E:
        """Store the entry that `change` returns, if any, and return it."""

        async def step() -> E:
            entries = self._database.newest(NAME)
            async with self._database.turn(NAME, name):
                while True:
                    stored = await entries.find_one({"_id": name})
                    before = (stored or {}).get("document", "")
                    entry = change(_entry(stored) if stored is not None and before else None)
                    if entry is None:
                        return entry
                    kind = ChangeKind.UPDATED if before else ChangeKind.CREATED
                    log = [logged(RecordKind.CATALOG_ENTRY, kind, name, before=before)]
                    new = {"_id": name, "document": entry.to_json()}
                    if await self._deliveries.put(once, entry, NAME, stored, new, log=log):
                        return entry

        return await self._database.run(step)


def _entry(stored: Document) -> catalog_pb.Catalog:
    return parse(catalog_pb.Catalog, stored["_id"], stored["document"])
