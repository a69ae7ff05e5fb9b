"""Links of the start page in MongoDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.pb import link_pb
from tracker.stores.documents import parse
from tracker.stores.mongo import writes
from tracker.stores.mongo.parts import select

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.stores.mongo.changes import Changes
    from tracker.stores.mongo.connections import Connections
    from tracker.stores.mongo.writes import Document

NAME = "links"
"""The collection."""


class MongoLinks:
    """The `LinkStore` in MongoDB."""

    def __init__(self, connections: Connections, changes: Changes) -> None:
        self._connections = connections
        self._changes = changes

    async def create(self, link: link_pb.Link) -> None:
        """Store a new link."""

        async def step() -> None:
            await writes.insert(self._connections.newest(NAME), {"_id": link.id, **fields(link)})

        await self._changes.run(step)

    async def modify(
        self, link_id: str, change: Callable[[link_pb.Link], link_pb.Link]
    ) -> link_pb.Link | None:
        """Replace one link."""

        async def step() -> link_pb.Link | None:
            links = self._connections.newest(NAME)
            async with self._changes.turn(f"link {link_id}"):
                while (stored := await links.find_one({"_id": link_id})) is not None:
                    link = change(_link(stored))
                    if await writes.replace(links, stored, fields(link)):
                        return link
            return None

        return await self._changes.run(step)

    async def delete(self, link_id: str) -> bool:
        """Delete one link."""

        async def step() -> bool:
            return await writes.delete(self._connections.newest(NAME), {"_id": link_id})

        return await self._changes.run(step)

    async def find(self) -> Sequence[link_pb.Link]:
        """Return all links, by group, name and id."""
        async with self._connections.asking():
            order = [("group", 1), ("name", 1), ("_id", 1)]
            rows = await select(self._connections.confirmed(NAME), {}, order, ["document"], limit=0)
        return [_link(row) for row in rows]


def fields(link: link_pb.Link) -> Document:
    """Return what a document holds of a link."""
    return {"group": link.group, "name": link.name, "document": link.to_json()}


def _link(stored: Document) -> link_pb.Link:
    return parse(link_pb.Link, stored["_id"], stored["document"])
