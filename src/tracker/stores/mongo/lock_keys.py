"""Keys of locks in the database, each changed by an atomic change of one document with an outbox."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from tracker.domain.locks import (
    HeldLock,
    decide_claim,
    decide_end,
    decide_move,
    event_entry,
    is_renewal,
    lock_key,
    moves,
    require_room,
)
from tracker.stores.changes import ChangeKind, RecordKind
from tracker.stores.mongo import event_records, idempotency, outbox, writes
from tracker.stores.mongo.lock_documents import (
    ENDED,
    HELD,
    NAME,
    correct,
    find_end,
    held,
    holder_fields,
    key_id,
    key_state,
    lock_of,
    new_key,
    remember,
)
from tracker.stores.mongo.outbox import carried, logged, new_entry, note, undecided_of, waiting
from tracker.stores.mongo.writes import without

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from bson import ObjectId

    from tracker.domain.locks import Acquired, LockKey, Release
    from tracker.pb import event_pb, lock_pb
    from tracker.stores.idempotency import Once
    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.writes import Document

_OWNERS = "lock owners"
"""The name of the turns to take locks for one owner: it is the last that a change waits for."""


async def of_lock(database: Database, lock_id: str, keys: writes.Collection | None = None) -> Document | None:
    """Return the document of the key that a lock has, or None; `keys` is how the collection is read.

    A lock on its way to another key has both until the first is free: the first counts. If that was
    freed by other means, the move was not made.
    """
    keys = database.newest(NAME) if keys is None else keys
    while True:
        found = await keys.find({"holder.id": lock_id}).to_list()
        for stored in found:
            if not any(entry["undecided"].get("arriving") for entry in undecided_of(stored)):
                return stored
        for stored in found:
            if any([await outbox.is_made(database, entry) for entry in undecided_of(stored)]):
                return stored
        if not found or await keys.find_one(HELD | {"holder.id": lock_id}, {"_id": 1}) is None:
            return None


async def of_event(database: Database, event_id: str, made: Collection[ObjectId]) -> Sequence[Document]:
    """Return the documents of the keys whose locks carry an event's id, oldest lock first.

    The changes in `made` are known to be made. What else is undecided belongs to changes of the event
    that are not made, or not yet.
    """
    if not event_id:
        return []
    while True:
        found = await database.newest(NAME).find(HELD | {"holder.event_id": event_id}).to_list()
        open_ = [stored for stored in found if _is_open(stored, made)]
        if not any([await outbox.confirm_made(database, NAME, stored) for stored in open_]):
            break
    return sorted(found, key=lambda stored: (stored["holder"]["created_at"], stored["holder"]["id"]))


async def settled(database: Database, lock_id: str, made: Collection[ObjectId] = ()) -> Document | None:
    """Return the document of the key that a lock has, once nothing but `made` is undecided, or None."""
    while (stored := await of_lock(database, lock_id)) is not None and _is_open(stored, made):
        await outbox.settle(database, NAME, stored)
    return stored


async def take(
    database: Database,
    claim: HeldLock,
    entry: event_pb.ChangelogEntry | None = None,
    once: Once[Acquired] | None = None,
) -> tuple[Acquired, Document | None]:
    """Take a key for a new lock; return the lock, and the document of the key if it has changed.

    `entry` is appended to the event that the lock names.

    Raises:
        LockHeldError: The key is held.
        LockTokenUsedError: The claim's token has taken this key before.
    """
    key = lock_key(claim.lock)
    async with database.turn(NAME, key_id(key)), _turn_of_owner(database, claim):
        while True:
            before, acquired = await _decide(database, claim, {})
            if acquired.replayed:
                if await writes.replace(database.newest(NAME), before, before):  # proves that it is held, now
                    return acquired, None
                continue
            await _require_room(database, claim, {})
            held_lock = HeldLock(acquired.lock, claim.token_hash)
            noted = note(event_entry(claim.lock, entry))
            change = new_entry(database.now(), log=[_created(acquired.lock)], note=noted)
            taken = _taken(before, held_lock)
            after = await idempotency.put(database, once, acquired, NAME, before, taken, change)
            if after is not None:
                return acquired, after


async def take_for_event(
    database: Database, claim: HeldLock, event_id: str, change: Document, freed: Mapping[str, Release]
) -> None:
    """Take a key for a lock of an event, which is changed with the outbox entry `change`.

    Until then, the lock is undecided. `freed` are the ends of other locks, by id, one of
    which may have the key.

    Raises:
        LockHeldError: The key is held.
    """
    async with database.turn(NAME, key_id(lock_key(claim.lock))), _turn_of_owner(database, claim):
        while True:
            before, acquired = await _decide(database, claim, freed)
            await _require_room(database, claim, freed)
            undo: Document = {"lock": acquired.lock.id}
            log = [_created(acquired.lock)]
            if await outbox.confirm_made(database, NAME, before):
                continue
            if "holder" in before:
                previous = held(before)
                release = freed[previous.lock.id]
                await remember(database, before["_id"], decide_end(previous, release).remembered)
                undo["previous"] = before["holder"]
                log.insert(0, _deleted(before["holder"], release))
            entry = waiting(change, event_records.NAME, event_id, **undo) | {"log": log}
            after = _taken(before, HeldLock(acquired.lock, claim.token_hash)) | carried(before, entry)
            if await writes.put(database.newest(NAME), before, after):
                outbox.confirming(change, NAME, before["_id"])
                return


async def update(
    database: Database, stored: Document, lock: lock_pb.Lock, once: Once[lock_pb.Lock] | None = None
) -> tuple[lock_pb.Lock, Document] | None:
    """Replace the lock that has a key; return it and the document to deliver, or None if it has changed.

    Raises:
        LockHeldError: The lock moves to a key that another one has.
    """
    before = held(stored)
    if moves(before.lock, lock):
        return await _move(database, stored, HeldLock(lock, before.token_hash), once)
    holder = holder_fields(HeldLock(lock, before.token_hash))
    log = [] if is_renewal(before.lock, lock) else [_updated(stored["holder"], holder)]
    change, new = new_entry(database.now(), log=log), stored | {"holder": holder}
    after = await idempotency.put(database, once, lock, NAME, stored, new, change)
    return None if after is None else (lock, after)


async def end(
    database: Database, stored: Document, release: Release, once: Once[lock_pb.Lock] | None = None
) -> tuple[lock_pb.Lock, Document] | None:
    """End the lock that has a key; return it and the document to deliver, or None if it has changed."""
    decided = decide_end(held(stored), release)
    remembered = await remember(database, stored["_id"], decided.remembered)
    log = [_deleted(stored["holder"], release)]
    change = new_entry(database.now(), log=log, note=note(decided.entry))
    lock, new = lock_of(stored["holder"]), without(stored, "holder")
    after = await idempotency.put(database, once, lock, NAME, stored, new, change)
    if after is None:
        return None
    await correct(database, remembered)
    return lock, after


async def _read(database: Database, key: LockKey) -> Document:
    return await database.newest(NAME).find_one({"_id": key_id(key)}) or new_key(key)


async def _decide(
    database: Database, claim: HeldLock, freed: Mapping[str, Release]
) -> tuple[Document, Acquired]:
    """Return the document of a claim's key, and the lock that the claim acquires."""
    before = await _read(database, lock_key(claim.lock))
    state, used = key_state(before), None
    if state.holder is None and claim.token_hash:
        used = await find_end(database.newest(ENDED), token_hash=claim.token_hash, key=before["_id"])
    return before, decide_claim(state, claim, database.now(), used=used, freed=freed)


def _turn_of_owner(database: Database, claim: HeldLock) -> AbstractAsyncContextManager[None]:
    """Return the turn to take a lock for its owner, whose locks are counted before.

    Of N servers, each may count the locks before the others have written theirs: N - 1 more may be taken.
    """
    if not claim.lock.owner or database.locks_per_owner is None:
        return nullcontext()
    return database.turn(_OWNERS, claim.lock.owner)


async def _require_room(database: Database, claim: HeldLock, freed: Collection[str]) -> None:
    """Check that the owner of a new lock may hold one more, beside the locks that end in the same step.

    Raises:
        TrackerError: RESOURCE_EXHAUSTED.
    """
    owner, most = claim.lock.owner, database.locks_per_owner
    if not owner or most is None:
        return
    where: Document = {"holder.owner": owner, "holder.expired": False}
    if freed:
        where["holder.id"] = {"$nin": list(freed)}
    require_room(owner, await database.newest(NAME).count_documents(where, limit=most), most)


async def _move(
    database: Database, stored: Document, to: HeldLock, once: Once[lock_pb.Lock] | None
) -> tuple[lock_pb.Lock, Document] | None:
    """Take the new key, then free the old one, which decides that the lock has moved."""
    keys, key, change = database.newest(NAME), lock_key(to.lock), new_entry(database.now())
    async with database.turn(NAME, key_id(key)):
        while True:
            target = await _read(database, key)
            moved = HeldLock(decide_move(key_state(target), to.lock, database.now()), to.token_hash)
            # The lock is undecided at its new key until the old one is free.
            entry = waiting(change, NAME, stored["_id"], lock=moved.lock.id, arriving=True)
            if await writes.put(keys, target, _taken(target, moved) | carried(target, entry)):
                break
    change["log"] = [_updated(stored["holder"], holder_fields(moved))]
    outbox.confirming(change, NAME, target["_id"])
    after = await idempotency.put(database, once, moved.lock, NAME, stored, without(stored, "holder"), change)
    if after is None:
        return None
    await outbox.confirm(database, NAME, target["_id"], change["op"])
    return moved.lock, after


def _is_open(stored: Document, made: Collection[ObjectId]) -> bool:
    """Return whether a document has an undecided change that is not known to be made."""
    return any(entry["op"] not in made for entry in undecided_of(stored))


def _taken(before: Document, to: HeldLock) -> Document:
    """Return the document of a key after a lock has taken it."""
    return before | {"token": to.lock.fencing_token, "holder": holder_fields(to)}


def _created(lock: lock_pb.Lock) -> Document:
    return logged(RecordKind.LOCK, ChangeKind.CREATED, lock.id, after=lock.to_json())


def _updated(before: Document, after: Document) -> Document:
    kind, lock_id = ChangeKind.UPDATED, before["id"]
    return logged(RecordKind.LOCK, kind, lock_id, before=before["document"], after=after["document"])


def _deleted(holder: Document, release: Release) -> Document:
    before, ending, reason = holder["document"], release.ending, release.reason
    kind = ChangeKind.DELETED
    return logged(RecordKind.LOCK, kind, holder["id"], before=before, ending=ending, reason=reason)
