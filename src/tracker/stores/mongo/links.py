"""Links of the start page in MongoDB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.pb import link_pb
from tracker.stores.documents import parse
from tracker.stores.mongo import writes
from tracker.stores.mongo.changes import turn_of
from tracker.stores.mongo.outbox import carried, new_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.stores.idempotency import Once
    from tracker.stores.mongo.changes import Changes
    from tracker.stores.mongo.connections import Connections
    from tracker.stores.mongo.courier import Courier
    from tracker.stores.mongo.idempotency import MongoIdempotency
    from tracker.stores.mongo.writes import Document

NAME = "links"
"""The collection."""


@dataclass(eq=False)
class MongoLinks:
    """The `LinkStore` in MongoDB."""

    _connections: Connections
    _changes: Changes
    _keys: MongoIdempotency
    _courier: Courier
    _now: Callable[[], int]

    async def create(self, link: link_pb.Link, once: Once[link_pb.Link] | None = None) -> None:
        async def step() -> None:
            change = new_entry(self._now())
            async with self._keys.claimed(once, link, (NAME, link.id), change):
                new = {"_id": link.id, **fields(link), **carried(None, change)}
                await writes.insert(self._connections.newest(NAME), new)
            self._courier.add(NAME, new)

        await self._changes.run(step)

    async def modify(
        self,
        link_id: str,
        change: Callable[[link_pb.Link], link_pb.Link],
        once: Once[link_pb.Link] | None = None,
    ) -> link_pb.Link | None:
        async def step() -> link_pb.Link | None:
            links = self._connections.newest(NAME)
            async with self._changes.turn(turn_of(NAME, link_id)):
                while (stored := await links.find_one({"_id": link_id, "tombstone": None})) is not None:
                    link, entry = change(_link(stored)), new_entry(self._now())
                    document = {"_id": link_id, **fields(link)}
                    new = await self._keys.put(once, link, links, stored, document, entry)
                    if new is not None:
                        self._courier.add(NAME, new)
                        return link
            return None

        return await self._changes.run(step)

    async def delete(self, link_id: str, once: Once[bool] | None = None) -> bool:
        return await self._changes.run(lambda: self._keys.delete(once, NAME, link_id, self._courier.add))

    async def find(self) -> Sequence[link_pb.Link]:
        order = [("group", 1), ("name", 1), ("_id", 1)]
        async with self._connections.asking(NAME) as links:
            rows = await links.find({"tombstone": None}, {"document": 1}, sort=order).to_list()
        return [_link(row) for row in rows]


def fields(link: link_pb.Link) -> Document:
    """Return what a document holds of a link."""
    return {"group": link.group, "name": link.name, "document": link.to_json()}


def _link(stored: Document) -> link_pb.Link:
    return parse(link_pb.Link, stored["_id"], stored["document"])
