"""The documents of locks: one for each key that was ever locked, and one for each end that is remembered.

The document of a key is never deleted: `token` is the last fencing token that the key gave. `holder` is the
lock that has the key, and missing while the key is free. A lock that is taken for an event has the key as
soon as that is written. If the event is not written, the `lock` of the undecided entry is removed, and the
`previous` holder restored. A lock that moves has two keys until the first is free; at the second it is
`arriving`.

An end is written before the key becomes free, so that it is known to all who find the key free. The end of
a lock that is still held does not count: its writer may have died, or another end may come first.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bson import ObjectId

from tracker.domain.locks import EndedLock, Ending, HeldLock, KeyState, LockKey, created_at, lease_state
from tracker.pb import lock_pb
from tracker.stores.contents import StoredEnd
from tracker.stores.documents import parse
from tracker.stores.mongo import writes
from tracker.stores.mongo.writes import without

if TYPE_CHECKING:
    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.writes import Collection, Document

NAME = "locks"
"""The collection of keys."""

ENDED = "ended_locks"
"""The collection of ends."""

HELD: Document = {"holder.id": {"$exists": True}, "outbox.undecided.arriving": {"$ne": True}}
"""The condition for a key whose lock is not on its way there from another key."""


def key_id(key: LockKey) -> str:
    """Return the id of a key's document."""
    return json.dumps(key, ensure_ascii=False, separators=(",", ":"))


def key_of(key_id: str) -> LockKey:
    """Return the key whose document has an id."""
    return LockKey(*json.loads(key_id))


def new_key(key: LockKey) -> Document:
    """Return the document of a key that was never locked."""
    return {"_id": key_id(key), **key._asdict(), "token": 0}


def holder_fields(held: HeldLock) -> Document:
    """Return the field `holder` for the lock that has a key."""
    lock = held.lock
    return {
        "id": lock.id,
        **({"event_id": lock.event_id} if lock.event_id else {}),
        **({"owner": lock.owner} if lock.owner else {}),
        **({"token_hash": held.token_hash} if held.token_hash else {}),
        "created_at": created_at(lock),
        **without(lease_state(lock)._asdict(), "lock_id"),
        "document": lock.to_json(),
    }


def held(stored: Document) -> HeldLock:
    """Return the lock that has a key, with the hash of its token."""
    holder = stored["holder"]
    return HeldLock(lock_of(holder), holder.get("token_hash", b""))


def key_state(stored: Document) -> KeyState:
    """Return what decides who gets a key."""
    return KeyState(stored["token"], held(stored) if "holder" in stored else None)


def lock_of(holder: Document) -> lock_pb.Lock:
    """Return the lock of a holder."""
    return parse(lock_pb.Lock, holder["id"], holder["document"])


async def remember(database: Database, key: str, ended: EndedLock | None) -> Document | None:
    """Write how the lock that has a key will end; return what was written, if anything."""
    if ended is None:
        return None
    token_hash, ending, document = ended.token_hash, ended.ending.value, ended.lock.to_json()
    end = end_document(
        StoredEnd(ended.lock.id, key_of(key), token_hash, ending, ended.at, ended.reason, document)
    )
    change = {"$set": without(end, "_id")}
    await writes.update(database.newest(ENDED), {"_id": end["_id"]}, change, upsert=True)
    return end


def end_document(end: StoredEnd) -> Document:
    """Return the document of an end; `writer` identifies who has written it."""
    return {
        "_id": end.id,
        "key": key_id(end.key),
        **({"token_hash": end.token_hash} if end.token_hash else {}),
        "ending": end.ending,
        "at": end.at,
        "reason": end.reason,
        "document": end.document,
        "writer": ObjectId(),
    }


async def correct(database: Database, end: Document | None) -> None:
    """Make sure that the end of a lock that has ended is the one remembered."""
    if end is not None:
        where = {"_id": end["_id"], "writer": {"$ne": end["writer"]}}
        await writes.update(database.newest(ENDED), where, {"$set": without(end, "_id")})


async def find_end(ends: Collection, **where: object) -> EndedLock | None:
    """Return the end written of a lock, or None."""
    stored = await ends.find_one(where)
    if stored is None:
        return None
    lock = lock_of({"id": stored["_id"], "document": stored["document"]})
    ending = Ending(stored["ending"])
    return EndedLock(lock, stored.get("token_hash", b""), ending, stored["at"], stored["reason"])
