"""The ends of locks in the database.

An end is written before the key is free, so that nobody who finds it free can miss it. While a lock is held,
what is written of its end is of no account: its holder may have died on the way, or lost to another end.
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
    """Write how the lock that has a key ends, before it does; return what was written, if it is to be."""
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
    """Make sure that an end is the one that is remembered: the lock has ended this way."""
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
