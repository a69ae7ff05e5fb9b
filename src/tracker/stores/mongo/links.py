"""Links of the start page in MongoDB."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tracker.pb import link_pb
from tracker.stores.base import unavailable
from tracker.stores.changes import ChangeKind, RecordKind
from tracker.stores.documents import parse
from tracker.stores.mongo.outbox import logged
from tracker.stores.mongo.pages import read_rows
from tracker.stores.pages import Page, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.stores.idempotency import Once
    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.deliveries import Deliveries
    from tracker.stores.mongo.writes import Document

NAME = "links"
"""The collection."""


@dataclass(eq=False)
class MongoLinks:
    """The `LinkStore` in MongoDB."""

    _database: Database
    _deliveries: Deliveries

    async def create(self, link: link_pb.Link, once: Once[link_pb.Link] | None = None) -> None:
        async def step() -> None:
            new = {"_id": link.id, **fields(link)}
            log = [logged(RecordKind.LINK, ChangeKind.CREATED, link.id)]
            if not await self._deliveries.put(once, link, NAME, None, new, log=log):
                raise unavailable("the change took so long that it was given up")

        await self._database.run(step)

    async def modify(
        self,
        link_id: str,
        change: Callable[[link_pb.Link], link_pb.Link],
        once: Once[link_pb.Link] | None = None,
    ) -> link_pb.Link | None:
        async def step() -> link_pb.Link | None:
            links = self._database.newest(NAME)
            async with self._database.turn(NAME, link_id):
                while (stored := await links.find_one({"_id": link_id, "tombstone": None})) is not None:
                    link = change(_link(stored))
                    new = {"_id": link_id, **fields(link)}
                    log = [logged(RecordKind.LINK, ChangeKind.UPDATED, link_id, before=stored["document"])]
                    if await self._deliveries.put(once, link, NAME, stored, new, log=log):
                        return link
            return None

        return await self._database.run(step)

    async def delete(self, link_id: str, once: Once[bool] | None = None) -> bool:
        return await self._deliveries.delete(NAME, link_id, once, RecordKind.LINK)

    async def find(self) -> Sequence[link_pb.Link]:
        order = [("group", 1), ("name", 1), ("_id", 1)]
        async with self._database.asking(NAME) as links:
            rows = links.find({"tombstone": None}, {"document": 1}, sort=order)
            reading: Reading[link_pb.Link] = Reading(Page())
            await read_rows(reading, rows, partial(parse, link_pb.Link))
            return reading.records


def fields(link: link_pb.Link) -> Document:
    """Return the fields of the document of a link."""
    return {"group": link.group, "name": link.name, "document": link.to_json()}


def _link(stored: Document) -> link_pb.Link:
    return parse(link_pb.Link, stored["_id"], stored["document"])
