"""Locks in SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.stores.sqlite import event_records, lock_records
from tracker.stores.sqlite.parts import found

if TYPE_CHECKING:
    from collections.abc import Callable

    import apsw

    from tracker.pb import event_pb, lock_pb
    from tracker.stores.base import Found, Slice
    from tracker.stores.sqlite.reader import Reader
    from tracker.stores.sqlite.writer import Writer


class SqliteLocks:
    """The `LockStore` in SQLite."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    async def acquire(self, lock: lock_pb.Lock, entry: event_pb.ChangelogEntry | None) -> None:
        """Take a lock and note it in its event."""

        def step(db: apsw.Connection) -> None:
            lock_records.insert(db, lock)
            if entry is not None:
                event_records.append_entry(db, lock.event_id, entry)

        await self._writer.change(step)

    async def get(self, lock_id: str) -> lock_pb.Lock | None:
        """Return one lock."""
        return await self._reader.read(lambda db: lock_records.select(db, lock_id))

    async def modify(
        self, lock_id: str, change: Callable[[lock_pb.Lock], lock_pb.Lock]
    ) -> lock_pb.Lock | None:
        """Replace one lock."""

        def step(db: apsw.Connection) -> lock_pb.Lock | None:
            stored = lock_records.select(db, lock_id)
            if stored is None:
                return None
            changed = change(stored)
            lock_records.update(db, lock_id, changed)
            return changed

        return await self._writer.change(step)

    async def release(
        self, lock_id: str, entry: Callable[[lock_pb.Lock], event_pb.ChangelogEntry]
    ) -> lock_pb.Lock | None:
        """Let a lock go and note it in its event."""

        def step(db: apsw.Connection) -> lock_pb.Lock | None:
            stored = lock_records.select(db, lock_id)
            if stored is not None:
                lock_records.delete(db, lock_id)
                event_records.append_entry(db, stored.event_id, entry(stored))
            return stored

        return await self._writer.change(step)

    async def find(self, part: Slice) -> Found[lock_pb.Lock]:
        """Return a part of the locks, newest first."""

        def query(db: apsw.Connection) -> Found[lock_pb.Lock]:
            locks = lock_records.select_part(db, part)
            return found(locks, part, lock_records.cursor, lambda: lock_records.count(db))

        return await self._reader.read(query, consistent=True)
