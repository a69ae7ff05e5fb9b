"""The ends of locks in the database.

An end is written before the key is free, so that nobody who finds it free can miss it. While a lock is held,
what is written of its end is of no account: its holder may have died on the way, or lost to another end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bson import ObjectId

from tracker.domain.locks import Ending, is_remembered
from tracker.stores.locks import EndedLock
from tracker.stores.mongo import writes
from tracker.stores.mongo.lock_documents import held, lock_of

if TYPE_CHECKING:
    from tracker.stores.locks import Release
    from tracker.stores.mongo.writes import Collection, Document

NAME = "ended_locks"
"""The collection."""


async def remember(ends: Collection, stored: Document, release: Release) -> Document | None:
    """Write how the lock that has a key ends, before it does; return what was written, if it is to be."""
    lock, holder = held(stored), stored["holder"]
    if not is_remembered(lock.lock, lock.token_hash, release.ending):
        return None
    end = {
        "key": stored["_id"],
        **({"token_hash": lock.token_hash} if lock.token_hash else {}),
        "ending": release.ending.value,
        "at": release.at,
        "reason": release.reason,
        "document": holder["document"],
        "writer": ObjectId(),
    }
    await writes.update(ends, {"_id": holder["id"]}, {"$set": end}, upsert=True)
    return end | {"_id": holder["id"]}


async def settle(ends: Collection, end: Document | None) -> None:
    """Make sure that an end is the one that is remembered: the lock has ended this way."""
    if end is not None:
        where = {"_id": end["_id"], "writer": {"$ne": end["writer"]}}
        await writes.update(ends, where, {"$set": {k: v for k, v in end.items() if k != "_id"}})


async def retract(ends: Collection, end: Document | None) -> None:
    """Take back what was written: the lock did not end this way."""
    if end is not None:
        await writes.delete(ends, {"_id": end["_id"], "writer": end["writer"]})


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
