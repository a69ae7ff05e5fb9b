"""The decision of changes of several documents, by the rule of `outbox.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.stores.mongo import lock_documents, writes
from tracker.stores.mongo.outbox import UNDECIDED, decided, entries_of, undecided_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from bson import ObjectId

    from tracker.stores.mongo.connections import Connections
    from tracker.stores.mongo.writes import Document

IDEMPOTENCY_KEYS = "idempotency_keys"
"""The collection whose documents are deleted when they are undone."""


@dataclass(eq=False)
class Decisions:
    """Finds out whether a change was made, and confirms or undoes it in the documents written before it."""

    _connections: Connections
    _now: Callable[[], int]

    async def is_made(self, entry: Document) -> bool:
        """Return whether the change of an undecided entry has been made, as far as is known now."""
        by = entry["undecided"]
        where = {"_id": by["id"], "outbox.op": entry["op"]}
        return await self._connections.newest(by["in"]).find_one(where, {"_id": 1}) is not None

    async def settle(self, name: str, stored: Document) -> None:
        """Decide the undecided entries of a document; some may remain if others change it meanwhile."""
        if not await self.confirm_made(name, stored):
            for entry in undecided_of(stored):
                if await self._prevent(entry):
                    await self.undo(name, stored["_id"], entry["op"])

    async def confirm_made(self, name: str, stored: Document) -> bool:
        """Confirm the undecided changes of a document that were made; return whether there was one."""
        made = [entry["op"] for entry in undecided_of(stored) if await self.is_made(entry)]
        for op in made:
            await self.confirm(name, stored["_id"], op)
        return bool(made)

    async def confirm(self, name: str, record_id: str, op: ObjectId) -> Document | None:
        """Confirm an undecided change; return the document if its entry has parts to deliver."""
        collection = self._connections.newest(name)
        if name == IDEMPOTENCY_KEYS:
            change = {"$unset": {"outbox": ""}, "$inc": {"rev": 1}}
            await writes.update(collection, {"_id": record_id, "outbox.op": op}, change)
            return None
        while (stored := await collection.find_one({"_id": record_id, "outbox.op": op})) is not None:
            if all(entry["op"] != op for entry in undecided_of(stored)):
                return stored
            after = decided(stored, op)
            if await writes.replace(collection, stored, after):
                return after
        return None

    async def undo(self, name: str, record_id: str, op: ObjectId) -> None:
        """Undo an undecided change, which was not made."""
        collection = self._connections.newest(name)
        if name == IDEMPOTENCY_KEYS:
            await writes.delete(collection, {"_id": record_id, "outbox.op": op})
            return
        where = {"_id": record_id, "outbox": {"$elemMatch": {"op": op, **UNDECIDED}}}
        while (stored := await collection.find_one(where)) is not None:
            if await writes.replace(collection, stored, lock_documents.undone(stored, op)):
                return

    async def _prevent(self, entry: Document) -> bool:
        """Prevent the change of an undecided entry from being made later by a slow server.

        Returns False if the deciding document has changed meanwhile: then look at it again.
        """
        by = entry["undecided"]
        collection = self._connections.newest(by["in"])
        stored = await collection.find_one({"_id": by["id"]})
        if stored is not None:
            made = any(each["op"] == entry["op"] for each in entries_of(stored))
            return not made and await writes.replace(collection, stored, stored)
        if by["in"] == lock_documents.NAME:
            place = lock_documents.new_key(lock_documents.key_of(by["id"]))
        else:
            place = {"_id": by["id"], "tombstone": self._now()}
        return await writes.insert_unless_there(collection, place)
