"""The ends of locks in the database.

An end is written before the key becomes free, so that it is known to all who find the key free. The end of
a lock that is still held does not count: its writer may have died, or another end may come first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bson import ObjectId

from tracker.domain.locks import EndedLock, Ending
from tracker.stores.mongo import writes
from tracker.stores.mongo.lock_documents import lock_of

if TYPE_CHECKING:
    from tracker.stores.mongo.writes import Collection, Document

NAME = "ended_locks"
"""The collection."""


async def remember(ends: Collection, key: str, ended: EndedLock | None) -> Document | None:
    """Write how the lock that has a key will end; return what was written, if anything."""
    if ended is None:
        return None
    end = {
        "key": key,
        **({"token_hash": ended.token_hash} if ended.token_hash else {}),
        "ending": ended.ending.value,
        "at": ended.at,
        "reason": ended.reason,
        "document": ended.lock.to_json(),
        "writer": ObjectId(),
    }
    await writes.update(ends, {"_id": ended.lock.id}, {"$set": end}, upsert=True)
    return end | {"_id": ended.lock.id}


async def settle(ends: Collection, end: Document | None) -> None:
    """Make sure that the end of a lock that has ended is the one remembered."""
    if end is not None:
        where = {"_id": end["_id"], "writer": {"$ne": end["writer"]}}
        await writes.update(ends, where, {"$set": {k: v for k, v in end.items() if k != "_id"}})


async def of_lock(ends: Collection, lock_id: str) -> EndedLock | None:
    """Return the end written of a lock, or None."""
    stored = await ends.find_one({"_id": lock_id})
    return None if stored is None else _ended(stored)


async def of_token(ends: Collection, key: str, token_hash: bytes) -> EndedLock | None:
    """Return the end written of a lock that a token had taken a key with, or None."""
    stored = await ends.find_one({"token_hash": token_hash, "key": key}) if token_hash else None
    return None if stored is None else _ended(stored)


def _ended(stored: Document) -> EndedLock:
    lock = lock_of({"id": stored["_id"], "document": stored["document"]})
    return EndedLock(
        lock, stored.get("token_hash", b""), Ending(stored["ending"]), stored["at"], stored["reason"]
    )
