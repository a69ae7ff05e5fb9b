"""Locks in MongoDB."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tracker.stores.mongo import ended_locks, writes
from tracker.stores.mongo.lock_documents import HELD, NAME, created_at, held, key_id, lease_state, lock_of
from tracker.stores.mongo.parts import behind, select, to_read
from tracker.stores.pages import Total
from tracker.stores.parts import found, known_total

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.domain.locks import Acquired, EndedLock, HeldLock, LeaseState, LockFilter, LockKey, Release
    from tracker.pb import event_pb, lock_pb
    from tracker.stores.idempotency import Once
    from tracker.stores.mongo.changes import Changes
    from tracker.stores.mongo.connections import Connections
    from tracker.stores.mongo.deliveries import Deliveries
    from tracker.stores.mongo.lock_keys import LockKeys
    from tracker.stores.pages import Found, Page

_NEWEST_FIRST = [("holder.created_at", -1), ("holder.id", -1)]
_LEASE = ["holder.id", "holder.ttl", "holder.lock_delay", "holder.renewals", "holder.expired"]


class MongoLocks:
    """The `LockStore` in MongoDB."""

    def __init__(
        self, connections: Connections, changes: Changes, keys: LockKeys, deliveries: Deliveries
    ) -> None:
        self._connections = connections
        self._changes = changes
        self._keys = keys
        self._deliveries = deliveries
        self._acquiring: dict[str, asyncio.Future[Acquired]] = {}

    async def acquire(
        self, claim: HeldLock, entry: event_pb.ChangelogEntry | None, once: Once[Acquired] | None = None
    ) -> Acquired:
        """Take a lock and note it in its event; that goes on to its end even if the call is cancelled."""
        lock_id = claim.lock.id

        async def step() -> Acquired:
            acquired, stored = await self._keys.take(claim, entry, once)
            if stored is not None:
                await self._deliveries.try_to_deliver(NAME, stored)
            return acquired

        acquiring = asyncio.ensure_future(self._changes.run(step))
        self._acquiring[lock_id] = acquiring

        def ended(_: object) -> None:
            del self._acquiring[lock_id]
            if not acquiring.cancelled():
                acquiring.exception()  # whoever still waits is told, and nobody else

        acquiring.add_done_callback(ended)
        return await asyncio.shield(acquiring)

    async def get(self, lock_id: str) -> lock_pb.Lock | None:
        """Return one lock."""
        async with self._connections.asking():
            stored = await self._keys.of_lock(lock_id, self._connections.confirmed(NAME))
        return None if stored is None else lock_of(stored["holder"])

    async def holder(self, key: LockKey) -> lock_pb.Lock | None:
        """Return the lock of a key, as it certainly is."""
        async with self._connections.asking():
            stored = await self._connections.current(NAME).find_one({"_id": key_id(key)})
        return None if stored is None or "holder" not in stored else lock_of(stored["holder"])

    async def ended(self, lock_id: str) -> EndedLock | None:
        """Return how a lock ended, if it has."""
        async with self._connections.asking():
            end = await ended_locks.of_lock(self._connections.confirmed(ended_locks.NAME), lock_id)
            if (
                end is None
                or await self._keys.of_lock(lock_id, self._connections.confirmed(NAME)) is not None
            ):
                return None
        return end

    async def modify(
        self,
        lock_id: str,
        change: Callable[[HeldLock], lock_pb.Lock | None],
        once: Once[lock_pb.Lock] | None = None,
    ) -> lock_pb.Lock | None:
        """Replace one lock."""

        async def step() -> lock_pb.Lock | None:
            while (stored := await self._keys.settled(lock_id)) is not None:
                changed = change(held(stored))
                if changed is None:
                    return None
                written = await self._keys.change(stored, changed, once)
                if written is not None:
                    await self._deliveries.try_to_deliver(NAME, written.stored)
                    return written.lock
            return None

        return await self._changes.run(step)

    async def release(
        self,
        lock_id: str,
        decide: Callable[[HeldLock], Release | None],
        once: Once[lock_pb.Lock] | None = None,
    ) -> lock_pb.Lock | None:
        """End one lock and note it in its event."""
        if lock_id in self._acquiring:
            await asyncio.wait((self._acquiring[lock_id],))

        async def step() -> lock_pb.Lock | None:
            while (stored := await self._keys.settled(lock_id)) is not None:
                release = decide(held(stored))
                if release is None:
                    return None
                ended = await self._keys.end(stored, release, once)
                if ended is not None:
                    await self._deliveries.try_to_deliver(NAME, ended)
                    return lock_of(stored["holder"])
            return None

        return await self._changes.run(step)

    async def find(self, where: LockFilter, page: Page) -> Found[lock_pb.Lock]:
        """Return a page of the matching locks, newest first."""
        asked = HELD | {
            name: value
            for name in ("service", "environment", "resource")
            if (value := getattr(where, name)) is not None
        }
        fields = [name for name, _ in _NEWEST_FIRST]
        rest = {} if page.after is None else behind(fields, page.after, newest_first=True)
        async with self._connections.asking():
            keys = self._connections.confirmed(NAME)
            rows = await select(
                keys,
                asked | rest,
                _NEWEST_FIRST,
                ["holder.id", "holder.document"],
                limit=to_read(page),
                offset=page.offset,
            )
            total = known_total(rows, page) or Total(await keys.count_documents(asked))
        locks = [lock_of(row["holder"]) for row in rows]
        return found(locks, page, lambda lock: (created_at(lock), lock.id), total)

    async def leases(self) -> Sequence[LeaseState]:
        """Return the state of every lock."""
        async with self._connections.asking():
            rows = await select(self._connections.confirmed(NAME), HELD, [("holder.id", 1)], _LEASE, limit=0)
        return [lease_state(row) for row in rows]

    async def forget_ended(self, before: int) -> None:
        """Forget the ends of locks that ended before a moment."""

        async def step() -> None:
            ends = self._connections.newest(ended_locks.NAME)
            await writes.delete_all(ends, {"at": {"$lt": before}})

        await self._changes.run(step)
