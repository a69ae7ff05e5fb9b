"""The consumers of the change log, in MongoDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymongo.errors import DuplicateKeyError

from tracker.stores.changes import ConsumerState, Position
from tracker.stores.mongo import writes

if TYPE_CHECKING:
    from tracker.stores.mongo.changes import Changes
    from tracker.stores.mongo.connections import Connections
    from tracker.stores.mongo.writes import Document

NAME = "consumers"
"""The collection."""


class MongoConsumers:
    """The `ConsumerStore` in MongoDB."""

    def __init__(self, connections: Connections, changes: Changes) -> None:
        self._connections = connections
        self._changes = changes

    async def get(self, name: str) -> ConsumerState | None:
        """Return the state of a consumer."""
        async with self._connections.asking():
            return _state(await self._connections.confirmed(NAME).find_one({"_id": name}))

    async def put(self, name: str, state: ConsumerState, instead_of: ConsumerState | None) -> bool:
        """Replace the state of a consumer."""
        new: Document = {
            "position": [*state.position],
            "server": state.server,
            "beats": state.beats,
        }

        async def step() -> bool:
            consumers = self._connections.newest(NAME)
            stored = await consumers.find_one({"_id": name})
            if _state(stored) != instead_of:
                return False
            if stored is not None:
                return await writes.replace(consumers, stored, new)
            try:
                await writes.insert(consumers, {"_id": name, **new})
            except DuplicateKeyError:
                return False
            return True

        return await self._changes.run(step)


def _state(stored: Document | None) -> ConsumerState | None:
    if stored is None:
        return None
    return ConsumerState(Position(*stored["position"]), stored["server"], stored["beats"])
