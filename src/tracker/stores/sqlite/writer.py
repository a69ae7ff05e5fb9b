"""Writes all changes, many to a commit (group commit), each durable before it is answered.

Changes that arrive during a commit form the next transaction. Their statements, a few dozen microseconds
each, run on the event loop. Only COMMIT, which waits for the disk without the interpreter lock, runs in a
thread. If whole transactions ran in a thread, it would need the interpreter lock again after each statement:
with a busy loop, 16 callers get 2,700 changes a second that way and 7,500 this way, 64 callers 3,900 and
18,000; with an idle loop, 20,000 either way.

Large statements are different: they run in the thread while the loop reads the next request, so an import
uses two cores.

On a fast disk, the changes of one or two callers are committed on the loop: handing over to the thread and
back takes 70 us, and a commit hardly more. A lock that passes from caller to caller, with a release and an
acquisition in each transaction, takes 20 % less of the processor that way. With more callers, the loop has
other work meanwhile. The thread also prepares the log, between transactions.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import deque
from queue import SimpleQueue
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar, cast

import apsw

from tracker.stores.base import overloaded, unavailable
from tracker.stores.sqlite import transaction
from tracker.stores.sqlite.failures import store_error
from tracker.stores.sqlite.transaction import Change, PartlyMadeError
from tracker.stores.sqlite.write_ahead_log import WriteAheadLog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.stores.base import StoreObserver
    from tracker.stores.sqlite.transaction import Bulk

T = TypeVar("T")

MAX_BATCH = 512
"""The maximum number of changes in a transaction."""

MAX_WAITING = 4_096
"""The maximum number of changes that wait for a transaction."""

LOCKED_OUT_SECONDS = 2.0
"""How long another program may lock the file before changes fail."""

QUICK_SECONDS = 0.001
"""The average duration of commits up to which the event loop waits for one."""

_WEIGHT = 0.125
"""Weight of the last commit in the average: after one of 20 ms, the loop waits for none of the next ten."""

_FEW = 2
"""The maximum number of changes in a transaction that the event loop may commit."""

_IN_A_ROW = 8
"""Successive transactions of few changes, after which the next one is committed on the loop."""

_BATCH_SECONDS = 0.005
_LOCKED_OUT_RETRY_SECONDS = 0.005
_SWITCH_SECONDS = 0.0001


class Writer:
    """Makes changes in sequence, many to a commit, for one event loop; calls `before` each transaction."""

    def __init__(
        self, connect: Callable[[], apsw.Connection], observer: StoreObserver, *, before: Callable[[], None]
    ) -> None:
        self._connect = connect
        self._observer = observer
        self._before = before
        self._notified: list[Callable[[], None]] = []
        self._waiting: deque[Change] = deque()
        self._handed: SimpleQueue[Sequence[Change] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._commit_all, name="tracker-store-commit", daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._connection: apsw.Connection | None = None
        self._log: WriteAheadLog
        self.busy = False
        """Whether a change waits or is being committed."""
        self._commit_seconds = QUICK_SECONDS
        self._small = 0
        self._locked_out_since: float | None = None
        self._closing: asyncio.Future[None] | None = None

    def start(self, connection: apsw.Connection) -> None:
        """Start with a connection that no one else uses.

        By default, the interpreter hands its lock to a waiting thread every 5 ms, and hardly at all while
        uvloop is busy: the end of a commit would be noticed up to half a second late. The shorter interval
        applies to the whole process; it costs nothing while no thread waits.
        """
        sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_SECONDS))
        self._loop = asyncio.get_running_loop()
        self._use(connection)
        self._thread.start()

    def notify(self, committed: Callable[[], None]) -> None:
        """Call `committed` after each commit from now on."""
        self._notified.append(committed)

    async def change(self, step: Callable[[apsw.Connection], T | Bulk[T]]) -> T:
        """Run `step` inside a transaction and return what it returns once that is on disk.

        What it raises undoes its own statements and nothing else. `step` must not wait for anything. Once the
        call is cancelled, the step has either been run or never will be. Where it returns a `Bulk`, that is
        run too, even if the call is cancelled meanwhile.

        Raises:
            TrackerError: Nothing can be changed now.
        """
        if self._closing is not None or not self._thread.is_alive():
            raise unavailable("the database is closed")
        if len(self._waiting) >= MAX_WAITING:
            raise overloaded()
        change = Change(step, self._loop.create_future())
        self._waiting.append(change)
        if not self.busy:
            self.busy = True
            self._loop.call_soon(self._next)
        return cast("T", await change.done)

    async def change_in_steps(self, sql: str, values: tuple[int, ...]) -> None:
        """Execute a statement until it changes no row, each time as a change of its own.

        Raises:
            TrackerError: Nothing can be changed now.
        """

        def step(db: apsw.Connection) -> int:
            db.execute(sql, values)
            return db.changes()

        while await self.change(step):
            pass

    def checkpoint_soon(self) -> None:
        """Have the write-ahead log checkpointed after the current transaction; called in a change."""
        self._log.end_soon()

    async def close(self) -> None:
        """Commit the waiting changes, end the thread and close the connection."""
        if self._closing is not None or not self._thread.is_alive():
            return
        self._closing = self._loop.create_future()
        if self.busy:
            await self._closing
        self._handed.put(None)
        await asyncio.to_thread(self._thread.join)
        if self._connection is not None:
            await asyncio.to_thread(self._connection.close)

    def _use(self, connection: apsw.Connection) -> apsw.Connection:
        self._connection, self._log = connection, WriteAheadLog(connection)
        return connection

    def _next(self) -> None:
        """Run the waiting changes in one transaction, and hand it over for the commit."""
        self._observer.queued(len(self._waiting))
        if self._connection is not None and self._log.is_due():
            self._handed.put([])
        elif self._waiting:
            goes_on = False
            try:
                goes_on = self._run_batch()
            finally:
                if not goes_on:
                    self._loop.call_soon(self._next)
        else:
            self.busy = False
            if self._closing is not None and not self._closing.done():
                self._closing.set_result(None)

    def _run_batch(self, *, savepoints: bool = False) -> bool:
        """Run a transaction; return whether `_next` will be called after its commit, or for a retry.

        With `savepoints`, a change can fail halfway. SQLite copies each page that a change touches for its
        savepoint, which takes a fifth of the time of a lock, so transactions are tried without.
        """
        batch: list[Change] = []
        try:
            self._before()
            connection = self._connection or self._use(self._connect())
            connection.execute("BEGIN IMMEDIATE")
            self._locked_out_since = None
            before = connection.total_changes()
            deadline = perf_counter() + _BATCH_SECONDS
            in_bulk = False
            while self._waiting and not in_bulk and len(batch) < MAX_BATCH and perf_counter() < deadline:
                change = self._waiting.popleft()
                if not change.done.done():
                    batch.append(change)
                    change.run(connection, savepoint=savepoints)
                    in_bulk = change.in_bulk
            if in_bulk or connection.total_changes() != before:
                self._small = 0 if len(batch) > _FEW or self._waiting else self._small + 1
                if in_bulk or not self._commits_on_loop():
                    self._handed.put(batch)
                    return True
                self._committed(batch, *transaction.commit(connection))
            else:
                connection.execute("COMMIT")
                for change in batch:
                    change.answer()
        except PartlyMadeError:
            self._roll_back()
            self._waiting.extendleft(reversed(batch))
            return self._run_batch(savepoints=True)
        except Exception as failure:
            if isinstance(failure, apsw.BusyError) and not batch and self._may_retry():
                self._loop.call_later(_LOCKED_OUT_RETRY_SECONDS, self._next)
                return True
            self._fail(batch or self._take(), failure)
            if not isinstance(failure, apsw.Error):
                raise
        return False

    def _may_retry(self) -> bool:
        """Return whether to wait longer for another program, such as a backup tool, that has locked the file.

        Waiting inside SQLite would block the event loop.
        """
        self._locked_out_since = self._locked_out_since or perf_counter()
        return perf_counter() - self._locked_out_since < LOCKED_OUT_SECONDS

    def _commits_on_loop(self) -> bool:
        """Return whether the loop may wait for the disk: there are few callers, and commits are quick."""
        return self._small > _IN_A_ROW and self._commit_seconds < QUICK_SECONDS

    def _commit_all(self) -> None:
        """Do the work of the thread: commit what is handed over, or prepare the log, until None comes."""
        while (batch := self._handed.get()) is not None:
            if batch:
                done = transaction.finish(cast("apsw.Connection", self._connection), batch)
                self._loop.call_soon_threadsafe(self._committed_in_thread, batch, *done)
            else:
                self._log.prepare()
                self._loop.call_soon_threadsafe(self._next)

    def _committed(self, batch: Sequence[Change], failure: apsw.Error | None, seconds: float) -> None:
        if failure is None:
            self._commit_seconds += _WEIGHT * (seconds - self._commit_seconds)
            for change in batch:
                change.answer()
            self._observer.committed(seconds, len(batch))
            for notify in self._notified:
                notify()
        else:
            self._fail(batch, failure)

    def _committed_in_thread(
        self, batch: Sequence[Change], failure: apsw.Error | None, seconds: float
    ) -> None:
        try:
            self._committed(batch, failure, seconds)
        finally:
            self._next()

    def _fail(self, batch: Sequence[Change], failure: Exception) -> None:
        """Undo a whole transaction: none of its changes has had an effect."""
        connection = self._connection
        system_errno = connection.system_errno if connection is not None else 0
        for change in batch:
            change.answer(store_error(failure, system_errno))
        self._roll_back()

    def _roll_back(self) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except apsw.Error:
            self._connection = None  # the next change opens the file again
            connection.close(force=True)

    def _take(self) -> Sequence[Change]:
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_BATCH))]
