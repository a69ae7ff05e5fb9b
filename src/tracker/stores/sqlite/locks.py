"""Locks in SQLite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.domain.locks import event_entry, lock_cursor
from tracker.stores.pages import Total, found, known_total
from tracker.stores.sqlite import event_records, lock_records
from tracker.stores.sqlite.idempotency import once_only

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import apsw

    from tracker.domain.locks import Acquired, EndedLock, HeldLock, LeaseState, LockFilter, LockKey, Release
    from tracker.pb import event_pb, lock_pb
    from tracker.stores.idempotency import Once
    from tracker.stores.pages import Found, Page
    from tracker.stores.sqlite.reader import Reader
    from tracker.stores.sqlite.writer import Writer

_FORGOTTEN_AT_ONCE = 1_000


@dataclass(eq=False)
class SqliteLocks:
    """The `LockStore` in SQLite."""

    _writer: Writer
    _reader: Reader
    _most_held: int | None = None
    in_order = True

    async def acquire(
        self, claim: HeldLock, entry: event_pb.ChangelogEntry | None, once: Once[Acquired] | None = None
    ) -> Acquired:
        def step(db: apsw.Connection) -> Acquired:
            acquired = lock_records.acquire(db, claim, self._most_held)
            noted = None if acquired.replayed else event_entry(claim.lock, entry)
            if noted is not None:
                event_records.append_entry(db, *noted)
            return acquired

        keyed = once_only(step, once, lambda acquired: not acquired.replayed)
        return await self._writer.change(keyed)

    async def get(self, lock_id: str) -> lock_pb.Lock | None:
        held = await self._reader.read(lambda db: lock_records.select(db, lock_id))
        return None if held is None else held.lock

    async def holder(self, key: LockKey, token_hash: bytes = b"") -> lock_pb.Lock | None:
        held = (await self._reader.read(lambda db: lock_records.select_key(db, key))).holder
        return None if held is None or token_hash not in {b"", held.token_hash} else held.lock

    async def ended(self, lock_id: str) -> EndedLock | None:
        return await self._reader.read(lambda db: lock_records.select_ended(db, lock_id))

    async def modify(
        self,
        lock_id: str,
        change: Callable[[HeldLock], lock_pb.Lock | None],
        once: Once[lock_pb.Lock] | None = None,
    ) -> lock_pb.Lock | None:
        def step(db: apsw.Connection) -> lock_pb.Lock | None:
            held = lock_records.select(db, lock_id)
            changed = None if held is None else change(held)
            if held is None or changed is None:
                return None
            return lock_records.update(db, held.lock, changed)

        return await self._writer.change(once_only(step, once))

    async def release(
        self,
        lock_id: str,
        decide: Callable[[HeldLock], Release | None],
        once: Once[lock_pb.Lock] | None = None,
    ) -> lock_pb.Lock | None:
        def step(db: apsw.Connection) -> lock_pb.Lock | None:
            held = lock_records.select(db, lock_id)
            release = None if held is None else decide(held)
            if held is None or release is None:
                return None
            lock_records.end(db, held, release)
            return held.lock

        return await self._writer.change(once_only(step, once))

    async def find(self, where: LockFilter, page: Page) -> Found[lock_pb.Lock]:
        def query(db: apsw.Connection) -> Found[lock_pb.Lock]:
            reading = lock_records.select_page(db, where, page)
            total = known_total(reading) or Total(lock_records.count(db, where))
            return found(reading, lock_cursor, total)

        return await self._reader.read(query)

    async def leases(self) -> Sequence[LeaseState]:
        return await self._reader.read(lock_records.select_leases)

    async def forget_ended(self, before: int) -> None:
        await self._writer.change_in_steps(lock_records.FORGET_ENDED, (before, _FORGOTTEN_AT_ONCE))
