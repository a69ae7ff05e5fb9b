"""The document of a key of locks.

There is one document for each key that was ever locked, and it is never deleted: `token` is the last fencing
token that the key gave. `holder` is the lock that has the key, and missing while the key is free.

A lock that is taken for an event has the key as soon as that is written. If the event is not written, the
`lock` of the undecided entry is removed, and the `previous` holder restored. A lock that moves has two keys
until the first is free; at the second it is `arriving`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tracker.domain.locks import HeldLock, KeyState, LeaseState, LockKey
from tracker.domain.times import duration_micros, micros
from tracker.pb import lock_pb
from tracker.stores.documents import parse
from tracker.stores.mongo.outbox import undecided_of, without

if TYPE_CHECKING:
    from bson import ObjectId

    from tracker.stores.mongo.writes import Document

NAME = "locks"
"""The collection."""

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
        **({"token_hash": held.token_hash} if held.token_hash else {}),
        "created_at": created_at(lock),
        "ttl": duration_micros(lock.ttl) if lock.ttl is not None else 0,
        "lock_delay": duration_micros(lock.lock_delay) if lock.lock_delay is not None else 0,
        "renewals": lock.renewals,
        "expired": lock.expired_at is not None,
        "document": lock.to_json(),
    }


def created_at(lock: lock_pb.Lock) -> int:
    """Return when a lock was taken, in microseconds since the epoch."""
    return micros(lock.created_at) if lock.created_at is not None else 0


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


def lease_state(stored: Document) -> LeaseState:
    """Return what decides when the lock that has a key ends."""
    holder = stored["holder"]
    return LeaseState(
        holder["id"], holder["ttl"], holder["lock_delay"], holder["renewals"], expired=holder["expired"]
    )


def is_arriving(stored: Document) -> bool:
    """Return whether the lock that has a key is on its way there from another key."""
    return any(entry["undecided"].get("arriving") for entry in undecided_of(stored))


def undone(stored: Document, op: ObjectId) -> Document:
    """Return the document of a key as it is when an undecided change of it was not made."""
    (undecided,) = [entry["undecided"] for entry in undecided_of(stored) if entry["op"] == op]
    after = without(stored, op)
    if after.get("holder", {}).get("id") == undecided["lock"]:
        after = without_holder(after) | ({"holder": undecided["previous"]} if "previous" in undecided else {})
    return after


def without_holder(stored: Document) -> Document:
    """Return the document of a key as it is once the key is free."""
    return {name: value for name, value in stored.items() if name != "holder"}
