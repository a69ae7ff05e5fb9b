"""Locks in MongoDB."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from tracker.domain.locks import LeaseState, lock_cursor
from tracker.pb import lock_pb
from tracker.stores.documents import parse
from tracker.stores.mongo import lock_keys, writes
from tracker.stores.mongo.lock_documents import ENDED, HELD, NAME, find_end, held, key_id, lock_of
from tracker.stores.mongo.pages import read_page
from tracker.stores.pages import found

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tracker.domain.locks import Acquired, EndedLock, HeldLock, LockFilter, LockKey, Release
    from tracker.pb import event_pb
    from tracker.stores.idempotency import Once
    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.deliveries import Deliveries
    from tracker.stores.mongo.writes import Document
    from tracker.stores.pages import Found, Page

T = TypeVar("T")

_NEWEST_FIRST = {"holder.created_at": -1, "holder.id": -1}
_LOCK = ("holder.id", "holder.document")


def _stored(key: Document) -> tuple[str, str]:
    return key["holder"]["id"], key["holder"]["document"]


_LEASE = ("id", "ttl", "lock_delay", "renewals", "expired")


@dataclass(eq=False)
class MongoLocks:
    """The `LockStore` in MongoDB."""

    _database: Database
    _deliveries: Deliveries
    _acquiring: dict[str, asyncio.Future[Acquired]] = field(default_factory=dict, init=False)
    in_order = False

    async def acquire(
        self, claim: HeldLock, entry: event_pb.ChangelogEntry | None, once: Once[Acquired] | None = None
    ) -> Acquired:
        lock_id = claim.lock.id

        async def step() -> Acquired:
            acquired, stored = await lock_keys.take(self._database, claim, entry, once)
            if stored is not None:
                await self._deliveries.try_to_deliver(NAME, stored)
            return acquired

        acquiring = asyncio.ensure_future(self._database.run(step))
        self._acquiring[lock_id] = acquiring

        def ended(_: object) -> None:
            del self._acquiring[lock_id]
            if not acquiring.cancelled():
                acquiring.exception()  # those who still wait raise it

        acquiring.add_done_callback(ended)
        return await asyncio.shield(acquiring)

    async def get(self, lock_id: str) -> lock_pb.Lock | None:
        async with self._database.asking(NAME) as keys:
            stored = await lock_keys.of_lock(self._database, lock_id, keys)
        return None if stored is None else lock_of(stored["holder"])

    async def holder(self, key: LockKey, token_hash: bytes = b"") -> lock_pb.Lock | None:
        taken = {"holder.token_hash": token_hash} if token_hash else {}
        async with self._database.asking(NAME):
            stored = await self._database.current(NAME).find_one({"_id": key_id(key), **taken})
        return None if stored is None or "holder" not in stored else lock_of(stored["holder"])

    async def ended(self, lock_id: str) -> EndedLock | None:
        async with self._database.asking(NAME) as keys:
            end = await find_end(self._database.confirmed(ENDED), _id=lock_id)
            is_held = end is not None and await lock_keys.of_lock(self._database, lock_id, keys) is not None
        return None if is_held else end

    async def modify(
        self,
        lock_id: str,
        change: Callable[[HeldLock], lock_pb.Lock | None],
        once: Once[lock_pb.Lock] | None = None,
    ) -> lock_pb.Lock | None:
        return await self._change(lock_id, change, partial(lock_keys.update, self._database, once=once))

    async def release(
        self,
        lock_id: str,
        decide: Callable[[HeldLock], Release | None],
        once: Once[lock_pb.Lock] | None = None,
    ) -> lock_pb.Lock | None:
        if lock_id in self._acquiring:
            await asyncio.wait((self._acquiring[lock_id],))

        return await self._change(lock_id, decide, partial(lock_keys.end, self._database, once=once))

    async def find(self, where: LockFilter, page: Page) -> Found[lock_pb.Lock]:
        asked = HELD | {name: value for name, value in where._asdict().items() if value is not None}
        async with self._database.asking(NAME) as keys:
            reading, total = await read_page(
                keys, asked, _NEWEST_FIRST, page, partial(parse, lock_pb.Lock), _stored, _LOCK
            )
        return found(reading, lock_cursor, total)

    async def leases(self) -> Sequence[LeaseState]:
        async with self._database.asking(NAME) as keys:
            wanted = [f"holder.{name}" for name in _LEASE]
            rows = await keys.find(HELD, wanted, sort=[("holder.id", 1)]).to_list()
        return [LeaseState(*(row["holder"][name] for name in _LEASE)) for row in rows]

    async def forget_ended(self, before: int) -> None:
        old = {"at": {"$lt": before}}
        await self._database.run(lambda: writes.delete_all(self._database.newest(ENDED), old))

    async def _change(
        self,
        lock_id: str,
        decide: Callable[[HeldLock], T | None],
        write: Callable[[Document, T], Awaitable[tuple[lock_pb.Lock, Document] | None]],
    ) -> lock_pb.Lock | None:
        """Change a lock as `decide` says; repeat that while `write` returns None."""

        async def step() -> lock_pb.Lock | None:
            while (stored := await lock_keys.settled(self._database, lock_id)) is not None:
                decision = decide(held(stored))
                if decision is None:
                    return None
                if (written := await write(stored, decision)) is not None:
                    lock, document = written
                    await self._deliveries.try_to_deliver(NAME, document)
                    return lock
            return None

        return await self._database.run(step)
