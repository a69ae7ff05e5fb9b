"""Catalog entries in MongoDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.pb import catalog_pb
from tracker.stores.changes import ChangeKind, RecordKind
from tracker.stores.documents import parse
from tracker.stores.mongo import writes
from tracker.stores.mongo.change_log import logged
from tracker.stores.mongo.changes import turn_of
from tracker.stores.mongo.outbox import carried, new_entry
from tracker.stores.mongo.parts import behind, select, to_read
from tracker.stores.pages import Total
from tracker.stores.parts import found, known_total

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.stores.idempotency import Once
    from tracker.stores.mongo.changes import Changes
    from tracker.stores.mongo.connections import Connections
    from tracker.stores.mongo.courier import Courier
    from tracker.stores.mongo.idempotency import MongoIdempotency
    from tracker.stores.mongo.writes import Collection, Document
    from tracker.stores.pages import Found, Page

NAME = "catalog"
"""The collection."""

_THERE: Document = {"tombstone": None}


class MongoCatalog:
    """The `CatalogStore` in MongoDB."""

    def __init__(
        self,
        connections: Connections,
        changes: Changes,
        keys: MongoIdempotency,
        courier: Courier,
        now: Callable[[], int],
    ) -> None:
        self._connections = connections
        self._changes = changes
        self._keys = keys
        self._courier = courier
        self._now = now

    async def upsert(
        self,
        name: str,
        change: Callable[[catalog_pb.Catalog | None], catalog_pb.Catalog],
        once: Once[catalog_pb.Catalog] | None = None,
    ) -> catalog_pb.Catalog:
        """Store an entry, new or changed."""

        async def step() -> catalog_pb.Catalog:
            entries = self._connections.newest(NAME)
            async with self._changes.turn(turn_of(NAME, name)):
                while True:
                    stored = await entries.find_one({"_id": name})
                    entry = change(None if stored is None or "tombstone" in stored else _entry(stored))
                    if await self._put(entries, name, stored, entry, once):
                        return entry

        return await self._changes.run(step)

    async def modify(
        self,
        name: str,
        change: Callable[[catalog_pb.Catalog], catalog_pb.Catalog],
        once: Once[catalog_pb.Catalog] | None = None,
    ) -> catalog_pb.Catalog | None:
        """Replace an entry."""

        async def step() -> catalog_pb.Catalog | None:
            entries = self._connections.newest(NAME)
            async with self._changes.turn(turn_of(NAME, name)):
                while (stored := await entries.find_one({"_id": name} | _THERE)) is not None:
                    entry = change(_entry(stored))
                    if await self._put(entries, name, stored, entry, once):
                        return entry
            return None

        return await self._changes.run(step)

    async def get(self, name: str) -> catalog_pb.Catalog | None:
        """Return one entry."""
        async with self._connections.asking():
            entries = self._connections.confirmed(NAME)
            stored = await entries.find_one({"_id": name} | _THERE, {"document": 1})
        return None if stored is None else _entry(stored)

    async def delete(self, name: str, once: Once[bool] | None = None) -> bool:
        """Delete one entry."""

        async def step() -> bool:
            tombstone = await self._keys.delete(once, self._connections.newest(NAME), name, _deleted)
            if tombstone is not None:
                self._courier.add(NAME, tombstone)
            return tombstone is not None

        return await self._changes.run(step)

    async def find(self, page: Page) -> Found[catalog_pb.Catalog]:
        """Return a page of the entries, by name."""
        rest = {} if page.after is None else behind(["_id"], page.after, newest_first=False)
        async with self._connections.asking():
            entries = self._connections.confirmed(NAME)
            rows = await select(
                entries, _THERE | rest, [("_id", 1)], ["document"], limit=to_read(page), offset=page.offset
            )
            total = known_total(rows, page) or Total(await entries.count_documents(_THERE))
        return found([_entry(row) for row in rows], page, lambda entry: (entry.name,), total)

    async def _put(
        self,
        entries: Collection,
        name: str,
        stored: Document | None,
        entry: catalog_pb.Catalog,
        once: Once[catalog_pb.Catalog] | None,
    ) -> bool:
        """Put an entry in the place of a document, or of none; return False if another one has come there."""
        before = "" if stored is None else stored.get("document", "")
        kind = ChangeKind.UPDATED if before else ChangeKind.CREATED
        log = [logged(RecordKind.CATALOG_ENTRY, kind, name, before=before)]
        change = new_entry(self._now(), log=log)
        new = {"_id": name, "document": entry.to_json()}
        async with self._keys.claimed(once, entry, (NAME, name), change) as claim:
            new |= carried(stored, change)
            if stored is not None:
                claim.made = await writes.replace(entries, stored, new)
            else:
                claim.made = await writes.insert_unless_there(entries, new)
        if claim.made:
            self._courier.add(NAME, new)
        return claim.made


def _deleted(stored: Document) -> list[Document]:
    kind, before = ChangeKind.DELETED, stored["document"]
    return [logged(RecordKind.CATALOG_ENTRY, kind, stored["_id"], before=before)]


def _entry(stored: Document) -> catalog_pb.Catalog:
    return parse(catalog_pb.Catalog, stored["_id"], stored["document"])
