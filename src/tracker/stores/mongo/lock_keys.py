"""Keys of locks in the database: what the stores do with them, one atomic change of one document each."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from bson import ObjectId
from pymongo.errors import DuplicateKeyError, PyMongoError

from tracker.domain.locks import (
    Acquired,
    HeldLock,
    KeyHeld,
    TokenUsed,
    decide_claim,
    decide_end,
    decide_move,
    event_entry,
    lock_key,
    moves,
)
from tracker.errors import TrackerError
from tracker.stores.locks import LockHeldError, LockTokenUsedError
from tracker.stores.mongo import ended_locks, writes
from tracker.stores.mongo.lock_documents import (
    MARKS,
    NAME,
    held,
    holder_fields,
    key_id,
    key_state,
    lock_of,
    new_key,
    without_holder,
)
from tracker.stores.mongo.notes import Notes, note

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracker.domain.locks import Release
    from tracker.pb import event_pb, lock_pb
    from tracker.stores.idempotency import Once
    from tracker.stores.mongo.changes import Changes
    from tracker.stores.mongo.connections import Connections
    from tracker.stores.mongo.event_log import MongoEventLog
    from tracker.stores.mongo.idempotency import MongoIdempotency
    from tracker.stores.mongo.writes import Collection, Document


class LockKeys:
    """Takes keys for locks, changes the locks that have them, and frees them."""

    def __init__(
        self,
        connections: Connections,
        changes: Changes,
        once: MongoIdempotency,
        log: MongoEventLog,
        now: Callable[[], int],
    ) -> None:
        self._connections = connections
        self._changes = changes
        self._once = once
        self._now = now
        self._notes = Notes(connections, changes, log)

    async def of_lock(self, lock_id: str, keys: Collection | None = None) -> Document | None:
        """Return the document of the key that a lock has, or None; `keys` is how the collection is read.

        A lock on its way to another key has both until the first is free: the first counts. If that was
        freed by other means, the move never came to its end.
        """
        keys = self._keys if keys is None else keys
        found = await keys.find({"holder.id": lock_id}).to_list()
        for stored in found:
            if "moving" not in stored["holder"]:
                return stored
        for stored in found:
            moving = stored["holder"]["moving"]
            if await keys.find_one({"_id": moving["from"], "moved": moving["op"]}, {"_id": 1}) is not None:
                return stored
        return None

    async def of_event(self, event_id: str) -> Sequence[Document]:
        """Return the documents of the keys whose locks carry an event's id, oldest lock first."""
        if not event_id:
            return []
        found = await self._keys.find({"holder.event_id": event_id, "holder.moving": None}).to_list()
        return sorted(found, key=lambda stored: (stored["holder"]["created_at"], stored["holder"]["id"]))

    async def take(
        self,
        claim: HeldLock,
        *,
        entry: event_pb.ChangelogEntry | None = None,
        instead_of: Mapping[str, Release] | None = None,
        marks: Document | None = None,
        once: Once[Acquired] | None = None,
    ) -> Acquired:
        """Take a key for a new lock, with the key's next fencing token.

        `instead_of` says of other locks, by id, how they end if one of them has the key. `marks` are put
        beside the lock. `entry` is appended to the event that the lock names.

        Raises:
            LockHeldError: The key is held.
            LockTokenUsedError: The claim's token has taken this key before.
        """
        key = lock_key(claim.lock)
        outbox = note(event_entry(claim.lock, entry), self._now())
        async with self._changes.turn(f"lock {key_id(key)}"):
            acquired = await self._take(claim, outbox, instead_of or {}, marks or {}, once)
        if not acquired.replayed:
            await self._deliver(key_id(key), outbox)
        return acquired

    async def change(
        self, stored: Document, lock: lock_pb.Lock, once: Once[lock_pb.Lock] | None = None
    ) -> lock_pb.Lock | None:
        """Replace the lock that has a key; return the new one, or None if it changed meanwhile.

        Raises:
            LockHeldError: The lock moves to a key that another one has.
        """
        before = held(stored)
        if moves(before.lock, lock):
            return await self._move(stored, HeldLock(lock, before.token_hash), once)
        kept = {mark: stored["holder"][mark] for mark in MARKS if mark in stored["holder"]}
        after = stored | {"holder": holder_fields(HeldLock(lock, before.token_hash)) | kept}
        async with self._once.claimed(once, lock, NAME, stored) as claim:
            claim.made = await writes.replace(self._keys, stored, after | claim.notes)
        return lock if claim.made else None

    async def end(
        self,
        stored: Document,
        release: Release,
        once: Once[lock_pb.Lock] | None = None,
    ) -> bool:
        """End the lock that has a key; return False if it changed meanwhile."""
        decided = decide_end(held(stored), release)
        end = await ended_locks.remember(self._ends, stored["_id"], decided.remembered)
        outbox = note(decided.entry, self._now())
        async with self._once.claimed(once, lock_of(stored["holder"]), NAME, stored) as claim:
            claim.made = await self._put(stored, without_holder(stored) | claim.notes, outbox)
        if not claim.made:
            return False
        await ended_locks.settle(self._ends, end)
        await self._deliver(stored["_id"], outbox)
        return True

    async def end_unless_gone(self, lock_id: str, release: Release) -> None:
        """End a lock, whatever it has become meanwhile."""
        while (stored := await self.of_lock(lock_id)) is not None:
            if await self.end(stored, release):
                return

    async def confirm(self, lock_id: str, op: ObjectId) -> None:
        """Make a lock certain that was taken provisionally, by the change `op` of its event."""
        while (stored := await self._provisional(lock_id, op)) is not None:
            holder = {name: value for name, value in stored["holder"].items() if name != "provisional"}
            if await writes.replace(self._keys, stored, stored | {"holder": holder}):
                return

    async def give_back(self, lock_id: str, op: ObjectId) -> None:
        """Undo the taking of a provisional lock: the key goes back to the lock that was put out for it."""
        while (stored := await self._provisional(lock_id, op)) is not None:
            previous = stored["holder"]["provisional"].get("previous")
            after = without_holder(stored) | ({} if previous is None else {"holder": previous})
            if await writes.replace(self._keys, stored, after):
                return

    async def deliver(self, stored: Document) -> None:
        """Append the entries in a key's outbox to their events."""
        await self._notes.deliver(stored["_id"], stored.get("outbox", []))

    async def finish_move(self, stored: Document) -> None:
        """Bring a lock's move to a key to its end, one that was left halfway: there, or back."""
        moving = stored["holder"]["moving"]
        origin = await self._keys.find_one({"_id": moving["from"]})
        if origin is not None and origin.get("moved") != moving["op"]:
            # Whoever moves it, and was only slow, must find that the first key has changed.
            if not await writes.replace(self._keys, origin, origin):
                return
            await writes.replace(self._keys, stored, without_holder(stored))
            return
        holder = {name: value for name, value in stored["holder"].items() if name != "moving"}
        await writes.replace(self._keys, stored, stored | {"holder": holder})

    @property
    def _keys(self) -> Collection:
        return self._connections.newest(NAME)

    @property
    def _ends(self) -> Collection:
        return self._connections.newest(ended_locks.NAME)

    async def _take(
        self,
        claim: HeldLock,
        outbox: list[Document],
        freed: Mapping[str, Release],
        marks: Document,
        once: Once[Acquired] | None,
    ) -> Acquired:
        key = lock_key(claim.lock)
        while True:
            before = await self._keys.find_one({"_id": key_id(key)}) or new_key(key)
            state = key_state(before)
            used = None
            if state.holder is None:
                used = await ended_locks.of_token(self._ends, before["_id"], claim.token_hash)
            decision = decide_claim(state, claim, self._now(), used=used, freed=freed)
            match decision:
                case KeyHeld(holder):
                    raise LockHeldError(holder)
                case TokenUsed(ended):
                    raise LockTokenUsedError(ended)
                case Acquired(replayed=True):
                    if await writes.replace(self._keys, before, before):  # proves that it is held, now
                        return decision
                    continue
            if state.holder is not None:
                end = decide_end(state.holder, freed[state.holder.lock.id])
                await ended_locks.remember(self._ends, before["_id"], end.remembered)
            after = _held_by(before, HeldLock(decision.lock, claim.token_hash), marks)
            async with self._once.claimed(once, decision, NAME, before) as use:
                use.made = await self._put(before, after | use.notes, outbox)
            if use.made:
                return decision

    async def _take_for_move(self, to: HeldLock, marks: Document) -> lock_pb.Lock:
        """Take another key for a lock that is held.

        Raises:
            LockHeldError: Another lock has the key.
        """
        key = lock_key(to.lock)
        async with self._changes.turn(f"lock {key_id(key)}"):
            while True:
                before = await self._keys.find_one({"_id": key_id(key)}) or new_key(key)
                moved = decide_move(key_state(before), to.lock, self._now())
                if isinstance(moved, KeyHeld):
                    raise LockHeldError(moved.holder)
                after = _held_by(before, HeldLock(moved, to.token_hash), marks)
                if await self._put(before, after, []):
                    return moved

    async def _put(self, before: Document, after: Document, outbox: list[Document]) -> bool:
        """Put a key's document in the place of another, or of none, with what is to follow for events."""
        if outbox:
            after = after | {"outbox": [*before.get("outbox", []), *outbox]}
        if "rev" in before:
            return await writes.replace(self._keys, before, after)
        try:
            await writes.insert(self._keys, after)
        except DuplicateKeyError:
            return False
        return True

    async def _deliver(self, key: str, outbox: list[Document]) -> None:
        """Let happen what follows for events; what fails stays in the outbox, for the janitor."""
        with suppress(TrackerError, PyMongoError):
            await self._notes.deliver(key, outbox)

    async def _provisional(self, lock_id: str, op: ObjectId) -> Document | None:
        return await self._keys.find_one({"holder.id": lock_id, "holder.provisional.op": op})

    async def _move(
        self, stored: Document, to: HeldLock, once: Once[lock_pb.Lock] | None
    ) -> lock_pb.Lock | None:
        """Take the new key, then free the old one, which makes the move happen."""
        op = ObjectId()
        moving = {"from": stored["_id"], "op": op, "at": self._now()}
        moved = await self._take_for_move(to, {"moving": moving})
        async with self._once.claimed(once, moved, NAME, stored) as claim:
            after = without_holder(stored) | {"moved": op} | claim.notes
            claim.made = happened = await writes.replace(self._keys, stored, after)
        while (taken := await self._keys.find_one({"holder.moving.op": op})) is not None:
            kept = {name: value for name, value in taken["holder"].items() if name != "moving"}
            after = without_holder(taken) | ({"holder": kept} if happened else {})
            if await writes.replace(self._keys, taken, after):
                break
        return moved if happened else None


def _held_by(before: Document, to: HeldLock, marks: Document) -> Document:
    """Return the document of a key after a lock has taken it; a provisional one can be undone."""
    holder = holder_fields(to) | marks
    if "holder" in before and "provisional" in marks:
        holder["provisional"] = marks["provisional"] | {"previous": before["holder"]}
    return before | {"token": to.lock.fencing_token, "holder": holder}
