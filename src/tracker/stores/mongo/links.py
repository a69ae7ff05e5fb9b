"""Links of the start page in MongoDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.pb import link_pb
from tracker.stores.documents import parse
from tracker.stores.mongo import writes
from tracker.stores.mongo.parts import select

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.stores.idempotency import Once
    from tracker.stores.mongo.changes import Changes
    from tracker.stores.mongo.connections import Connections
    from tracker.stores.mongo.idempotency import MongoIdempotency
    from tracker.stores.mongo.writes import Document

NAME = "links"
"""The collection."""


class MongoLinks:
    """The `LinkStore` in MongoDB."""

    def __init__(self, connections: Connections, changes: Changes, keys: MongoIdempotency) -> None:
        self._connections = connections
        self._changes = changes
        self._keys = keys

    async def create(self, link: link_pb.Link, once: Once[link_pb.Link] | None = None) -> None:
        """Store a new link."""

        async def step() -> None:
            async with self._keys.claimed(once, link, NAME) as claim:
                new = {"_id": link.id, **fields(link), **claim.notes}
                await writes.insert(self._connections.newest(NAME), new)

        await self._changes.run(step)

    async def modify(
        self,
        link_id: str,
        change: Callable[[link_pb.Link], link_pb.Link],
        once: Once[link_pb.Link] | None = None,
    ) -> link_pb.Link | None:
        """Replace one link."""

        async def step() -> link_pb.Link | None:
            links = self._connections.newest(NAME)
            async with self._changes.turn(f"link {link_id}"):
                while (stored := await links.find_one({"_id": link_id, "gone": None})) is not None:
                    link = change(_link(stored))
                    async with self._keys.claimed(once, link, NAME, stored) as claim:
                        claim.made = await writes.replace(links, stored, fields(link) | claim.notes)
                    if claim.made:
                        return link
            return None

        return await self._changes.run(step)

    async def delete(self, link_id: str, once: Once[bool] | None = None) -> bool:
        """Delete one link."""

        async def step() -> bool:
            return await self._keys.delete(once, self._connections.newest(NAME), link_id)

        return await self._changes.run(step)

    async def find(self) -> Sequence[link_pb.Link]:
        """Return all links, by group, name and id."""
        async with self._connections.asking():
            order = [("group", 1), ("name", 1), ("_id", 1)]
            links = self._connections.confirmed(NAME)
            rows = await select(links, {"gone": None}, order, ["document"], limit=0)
        return [_link(row) for row in rows]


def fields(link: link_pb.Link) -> Document:
    """Return what a document holds of a link."""
    return {"group": link.group, "name": link.name, "document": link.to_json()}


def _link(stored: Document) -> link_pb.Link:
    return parse(link_pb.Link, stored["_id"], stored["document"])
