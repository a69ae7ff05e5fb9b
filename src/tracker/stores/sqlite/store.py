"""The store in one SQLite file."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.stores.base import Store
from tracker.stores.changes import CHANGES_KEPT
from tracker.stores.sqlite import clock
from tracker.stores.sqlite.access import SqliteAccess
from tracker.stores.sqlite.audit import SqliteAudit
from tracker.stores.sqlite.catalog import SqliteCatalog
from tracker.stores.sqlite.change_log import SqliteChangeLog, SqliteConsumers
from tracker.stores.sqlite.commits import SqliteCommits
from tracker.stores.sqlite.events import SqliteEvents
from tracker.stores.sqlite.idempotency import SqliteIdempotency
from tracker.stores.sqlite.intakes import SqliteIntakes
from tracker.stores.sqlite.locks import SqliteLocks
from tracker.stores.sqlite.opening import FileLock, open_database, open_for_reading, open_for_writing
from tracker.stores.sqlite.reader import Reader
from tracker.stores.sqlite.records import FREEZES, HOLDS, LINKS, POLICIES, SqliteRecords
from tracker.stores.sqlite.search.word_index import WordIndexer
from tracker.stores.sqlite.space import FreeSpace
from tracker.stores.sqlite.terraform import SqliteTerraform
from tracker.stores.sqlite.webhooks import SqliteWebhooks
from tracker.stores.sqlite.writer import Writer
from tracker.supervision import Supervisor

if TYPE_CHECKING:
    from tracker.stores.base import StoreObserver


class SqliteStore(Store):
    """The `Store` in one SQLite file, for one process at a time.

    Background work runs under `tasks`. The log keeps the last `changes_kept` changes. A
    principal may hold `locks_per_owner` locks.
    """

    def __init__(
        self,
        path: Path | str,
        observer: StoreObserver,
        tasks: Supervisor | None = None,
        *,
        changes_kept: int = CHANGES_KEPT,
        locks_per_owner: int | None = None,
    ) -> None:
        # The file has one lock, by whichever name it is opened.
        self._path = Path(path).resolve()
        self._lock = FileLock(self._path)
        self._reader = Reader(partial(open_for_reading, self._path), lambda: self._writer.busy)
        self._writer = Writer(partial(open_for_writing, self._path), observer, before=self._reader.let_go)
        tasks = tasks or Supervisor()
        self._words = WordIndexer(self._writer, tasks)
        self._space = FreeSpace(self._writer, tasks)
        self.events = SqliteEvents(self._writer, self._reader, self._words, locks_per_owner)
        self.changes = self._log = SqliteChangeLog(self._writer, self._reader, changes_kept)
        self.consumers = SqliteConsumers(self._writer, self._reader)
        self.catalog = SqliteCatalog(self._writer, self._reader)
        self.locks = SqliteLocks(self._writer, self._reader, locks_per_owner)
        self.links = SqliteRecords(self._writer, self._reader, LINKS)
        self.freezes = SqliteRecords(self._writer, self._reader, FREEZES)
        self.policies = SqliteRecords(self._writer, self._reader, POLICIES)
        self.holds = SqliteRecords(self._writer, self._reader, HOLDS)
        self.access = SqliteAccess(self._writer, self._reader)
        self.audit = SqliteAudit(self._writer, self._reader)
        self.webhooks = SqliteWebhooks(self._writer, self._reader)
        self.terraform = SqliteTerraform(self._writer, self._reader)
        self.intakes = SqliteIntakes(self._writer, self._reader)
        self.commits = SqliteCommits(self._writer, self._reader)
        self.idempotency = SqliteIdempotency(self._writer, self._reader)

    def now(self) -> int:
        return clock.now()

    async def open(self) -> None:
        self._writer.start(await asyncio.to_thread(open_database, self._path, self._lock))
        self._reader.start()
        await self._log.open()
        await self.consumers.open()
        self._words.start()
        self._space.start()

    async def check(self) -> None:
        await self._writer.change(lambda db: db.execute("UPDATE health SET checked_at = ?", (clock.now(),)))

    async def close(self) -> None:
        await self._space.close()
        await self._words.close()
        await self._reader.close()
        await self._writer.close()
        self._lock.release()
