"""Locks in MongoDB."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tracker.stores.mongo import ended_locks, writes
from tracker.stores.mongo.lock_documents import HELD, NAME, created_at, held, key_id, lease_state, lock_of
from tracker.stores.mongo.parts import beyond_cursor, to_read
from tracker.stores.pages import Total, found, known_total

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
_DOCUMENT = {"holder.id": 1, "holder.document": 1}
_LEASE = {f"holder.{name}": 1 for name in ("id", "ttl", "lock_delay", "renewals", "expired")}


@dataclass(eq=False)
class MongoLocks:
    """The `LockStore` in MongoDB."""

    _connections: Connections
    _changes: Changes
    _keys: LockKeys
    _deliveries: Deliveries
    _acquiring: dict[str, asyncio.Future[Acquired]] = field(default_factory=dict, init=False)

    async def acquire(
        self, claim: HeldLock, entry: event_pb.ChangelogEntry | None, once: Once[Acquired] | None = None
    ) -> Acquired:
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
                acquiring.exception()  # those who still wait raise it

        acquiring.add_done_callback(ended)
        return await asyncio.shield(acquiring)

    async def get(self, lock_id: str) -> lock_pb.Lock | None:
        async with self._connections.asking(NAME) as keys:
            stored = await self._keys.of_lock(lock_id, keys)
        return None if stored is None else lock_of(stored["holder"])

    async def holder(self, key: LockKey) -> lock_pb.Lock | None:
        async with self._connections.asking(NAME):
            stored = await self._connections.current(NAME).find_one({"_id": key_id(key)})
        return None if stored is None or "holder" not in stored else lock_of(stored["holder"])

    async def ended(self, lock_id: str) -> EndedLock | None:
        async with self._connections.asking(NAME) as keys:
            end = await ended_locks.of_lock(self._connections.confirmed(ended_locks.NAME), lock_id)
            is_held = end is not None and await self._keys.of_lock(lock_id, keys) is not None
        return None if is_held else end

    async def modify(
        self,
        lock_id: str,
        change: Callable[[HeldLock], lock_pb.Lock | None],
        once: Once[lock_pb.Lock] | None = None,
    ) -> lock_pb.Lock | None:
        async def step() -> lock_pb.Lock | None:
            while (stored := await self._keys.settled(lock_id)) is not None:
                changed = change(held(stored))
                if changed is None:
                    return None
                written = await self._keys.change(stored, changed, once)
                if written is not None:
                    lock, document = written
                    await self._deliveries.try_to_deliver(NAME, document)
                    return lock
            return None

        return await self._changes.run(step)

    async def release(
        self,
        lock_id: str,
        decide: Callable[[HeldLock], Release | None],
        once: Once[lock_pb.Lock] | None = None,
    ) -> lock_pb.Lock | None:
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
        asked = HELD | {
            name: value
            for name in ("service", "environment", "resource")
            if (value := getattr(where, name)) is not None
        }
        fields = [name for name, _ in _NEWEST_FIRST]
        rest = {} if page.after is None else beyond_cursor(fields, page.after, newest_first=True)
        async with self._connections.asking(NAME) as keys:
            cursor = keys.find(asked | rest, _DOCUMENT, sort=_NEWEST_FIRST, skip=page.offset)
            rows = await cursor.limit(to_read(page)).to_list()
            total = known_total(rows, page) or Total(await keys.count_documents(asked))
        locks = [lock_of(row["holder"]) for row in rows]
        return found(locks, page, lambda lock: (created_at(lock), lock.id), total)

    async def leases(self) -> Sequence[LeaseState]:
        async with self._connections.asking(NAME) as keys:
            rows = await keys.find(HELD, _LEASE, sort=[("holder.id", 1)]).to_list()
        return [lease_state(row) for row in rows]

    async def forget_ended(self, before: int) -> None:
        async def step() -> None:
            ends = self._connections.newest(ended_locks.NAME)
            await writes.delete_all(ends, {"at": {"$lt": before}})

        await self._changes.run(step)
