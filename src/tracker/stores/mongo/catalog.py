"""Catalog entries in MongoDB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tracker.pb import catalog_pb
from tracker.stores.changes import ChangeKind, RecordKind
from tracker.stores.documents import parse
from tracker.stores.mongo.change_log import logged
from tracker.stores.mongo.changes import turn_of
from tracker.stores.mongo.outbox import new_entry
from tracker.stores.mongo.parts import beyond_cursor, to_read
from tracker.stores.pages import Total, found, known_total

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.stores.idempotency import Once
    from tracker.stores.mongo.changes import Changes
    from tracker.stores.mongo.connections import Connections
    from tracker.stores.mongo.courier import Courier
    from tracker.stores.mongo.idempotency import MongoIdempotency
    from tracker.stores.mongo.writes import Document
    from tracker.stores.pages import Found, Page

NAME = "catalog"
"""The collection."""

E = TypeVar("E", bound="catalog_pb.Catalog | None")

_THERE: Document = {"tombstone": None}


@dataclass(eq=False)
class MongoCatalog:
    """The `CatalogStore` in MongoDB."""

    _connections: Connections
    _changes: Changes
    _keys: MongoIdempotency
    _courier: Courier
    _now: Callable[[], int]

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
        async with self._connections.asking(NAME) as entries:
            stored = await entries.find_one({"_id": name} | _THERE, {"document": 1})
        return None if stored is None else _entry(stored)

    async def delete(self, name: str, once: Once[bool] | None = None) -> bool:
        return await self._changes.run(
            lambda: self._keys.delete(once, NAME, name, self._courier.add, _deleted)
        )

    async def find(self, page: Page) -> Found[catalog_pb.Catalog]:
        rest = {} if page.after is None else beyond_cursor(["_id"], page.after, newest_first=False)
        async with self._connections.asking(NAME) as entries:
            cursor = entries.find(_THERE | rest, {"document": 1}, sort=[("_id", 1)], skip=page.offset)
            rows = await cursor.limit(to_read(page)).to_list()
            total = known_total(rows, page) or Total(await entries.count_documents(_THERE))
        return found([_entry(row) for row in rows], page, lambda entry: (entry.name,), total)

    async def _change(
        self,
        name: str,
        change: Callable[[catalog_pb.Catalog | None], E],
        once: Once[catalog_pb.Catalog] | None,
    ) -> E:
        """Store the entry that `change` returns, if any, and return it."""

        async def step() -> E:
            entries = self._connections.newest(NAME)
            async with self._changes.turn(turn_of(NAME, name)):
                while True:
                    stored = await entries.find_one({"_id": name})
                    entry = change(None if stored is None or "tombstone" in stored else _entry(stored))
                    if entry is None or await self._put(name, stored, entry, once):
                        return entry

        return await self._changes.run(step)

    async def _put(
        self,
        name: str,
        stored: Document | None,
        entry: catalog_pb.Catalog,
        once: Once[catalog_pb.Catalog] | None,
    ) -> bool:
        """Replace the document of an entry, or insert it; return False if it has changed meanwhile."""
        before = "" if stored is None else stored.get("document", "")
        kind = ChangeKind.UPDATED if before else ChangeKind.CREATED
        log = [logged(RecordKind.CATALOG_ENTRY, kind, name, before=before)]
        change = new_entry(self._now(), log=log)
        document = {"_id": name, "document": entry.to_json()}
        entries = self._connections.newest(NAME)
        new = await self._keys.put(once, entry, entries, stored, document, change)
        if new is not None:
            self._courier.add(NAME, new)
        return new is not None


def _deleted(stored: Document) -> list[Document]:
    kind, before = ChangeKind.DELETED, stored["document"]
    return [logged(RecordKind.CATALOG_ENTRY, kind, stored["_id"], before=before)]


def _entry(stored: Document) -> catalog_pb.Catalog:
    return parse(catalog_pb.Catalog, stored["_id"], stored["document"])
