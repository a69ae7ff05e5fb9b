"""Runs queries: short ones at once on the event loop, long ones in a few threads."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from math import inf
from time import perf_counter, thread_time
from typing import TYPE_CHECKING, TypeVar

import apsw

from tracker.errors import Reason, TrackerError
from tracker.stores.base import overloaded, unavailable
from tracker.stores.events import MAX_SEARCH_SECONDS, searched_too_long
from tracker.stores.sqlite.failures import store_error

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

THREADS = 2
"""The maximum number of long queries that run at the same time."""

MAX_WAITING = 1_000
"""The maximum number of long queries that run or wait."""

MAX_SECONDS = 30.0
"""The maximum duration of a long query, including its wait for a thread."""

_INLINE_SECONDS = 0.010
_INLINE_TICKS = 200
_CROWDED = 5
"""By what the time and the steps of queries on the event loop are divided after one took all of its own.

A page of 100 events takes 1.1 ms: with 10, it would be read a second time, in a thread.
"""
_CROWDED_SECONDS = 1.0
_HELD_SECONDS = 1.0
_STEPS_PER_TICK = 100
_STOP_AGAIN_SECONDS = 0.05


class Reader:
    """Runs queries on its own connections, each query on one snapshot: the state after the last commit.

    A query first runs on the event loop: a point get or the search for one event takes less time than handing
    it to a thread and back. A query that takes more than 20,000 steps of SQLite's virtual machine, some
    milliseconds of work, or 10 ms of waiting for a disk, is stopped and runs again in a thread. For a second,
    other queries that may be long then get a fifth of that, one in each turn of the event loop.

    While no change is in progress, queries on the event loop share one read transaction: SQLite locks and
    unlocks the file for each transaction, four system calls that cost as much as a point get. `let_go` ends
    it. A transaction held during commits would prevent the write-ahead log from being reset.
    """

    def __init__(self, connect: Callable[[], apsw.Connection], writing: Callable[[], bool]) -> None:
        self._connect = connect
        self._writing = writing
        self._held_until = 0.0
        self._inline: apsw.Connection
        self._idle: deque[apsw.Connection] = deque()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="tracker-store-read")
        self._budget_ends = 0.0
        self._ticks_left = 0.0
        self._jobs: set[_Job] = set()
        self._crowded_until = 0.0
        self._line = asyncio.Lock()
        self._closed = True

    def start(self) -> None:
        """Open the connections."""
        self._open_inline()
        self._idle.extend(self._connect() for _ in range(THREADS))
        self._closed = False

    async def read(
        self,
        query: Callable[[apsw.Connection], T],
        *,
        inline: bool = True,
        may_be_long: bool = False,
        searches: bool = False,
    ) -> T:
        """Run a query, a function that reads and may run twice, and return what it returns.

        A query that is not `inline` runs in a thread at once: the index of words works in long steps that
        can't be stopped. A query that `may_be_long` waits in line while others were. A query that
        `searches` documents may take `MAX_SEARCH_SECONDS` of a thread.
        """
        share = 1
        if inline and may_be_long and perf_counter() < self._crowded_until:
            share = _CROWDED
            async with self._line:  # where it is cancelled if its caller goes away
                await asyncio.sleep(0)
        if self._closed:
            raise unavailable("the database is closed")
        if not inline:
            return await self._read_in_thread(query, searches=searches)
        now = perf_counter()
        began = thread_time() if may_be_long and share == 1 else inf  # a page may take more than a fifth
        self._budget_ends = now + _INLINE_SECONDS / share
        self._ticks_left = _INLINE_TICKS // share
        hold = not self._writing()
        if now > self._held_until:
            self.let_go()
            self._held_until = now + _HELD_SECONDS
        done = False
        try:
            if not self._inline.in_transaction:
                self._inline.execute("BEGIN")
            answer = query(self._inline)
            done = True
        except apsw.InterruptError:
            self._note_long(began)
        except (apsw.Error, UnicodeDecodeError) as failure:
            raise store_error(failure, self._inline.system_errno) from failure
        else:
            return answer
        finally:
            self._budget_ends = self._ticks_left = inf
            if not (hold and done):
                self.let_go()
        return await self._read_in_thread(query, searches=searches)

    def let_go(self) -> None:
        """End the shared read transaction, before a change is made."""
        if not self._closed and not _ended(self._inline):
            self._inline.close(force=True)
            self._open_inline()

    def _open_inline(self) -> None:
        self._inline = self._connect()
        self._inline.set_progress_handler(self._over_budget, _STEPS_PER_TICK)

    async def close(self) -> None:
        """Stop the queries in progress and close the connections."""
        if self._closed:
            return
        self._closed = True
        for job in self._jobs:
            self._stop(job)
        await asyncio.to_thread(self._threads.shutdown)
        for connection in (self._inline, *self._idle):
            connection.close()

    def _note_long(self, began: float) -> None:
        """Note that a query took more than it may, unless the processor was busy with other programs."""
        if began < inf and (self._ticks_left < 0 or thread_time() - began > _INLINE_SECONDS / 2):
            self._crowded_until = perf_counter() + _CROWDED_SECONDS

    def _over_budget(self) -> bool:
        self._ticks_left -= 1
        return self._ticks_left < 0 or perf_counter() > self._budget_ends

    async def _read_in_thread(self, query: Callable[[apsw.Connection], T], *, searches: bool) -> T:
        if len(self._jobs) >= MAX_WAITING:
            raise overloaded()
        loop, job = asyncio.get_running_loop(), _Job()
        self._jobs.add(job)
        try:
            async with asyncio.timeout(MAX_SECONDS) as timeout:

                def begun() -> None:
                    if searches and job in self._jobs:
                        timeout.reschedule(loop.time() + MAX_SEARCH_SECONDS)

                def run() -> T:
                    loop.call_soon_threadsafe(begun)
                    return self._run_in_thread(query, job)

                return await loop.run_in_executor(self._threads, copy_context().run, run)
        except TimeoutError:
            if searches:
                raise searched_too_long() from None
            message = f"the query took longer than {MAX_SECONDS:g} s"
            raise TrackerError(Reason.QUERY_TOO_LONG, message) from None
        finally:
            self._jobs.discard(job)
            self._stop(job)

    def _stop(self, job: _Job) -> None:
        """Stop a job; again and again, since between two statements there is nothing to interrupt."""
        if job.stop():
            asyncio.get_running_loop().call_later(_STOP_AGAIN_SECONDS, self._stop, job)

    def _run_in_thread(self, query: Callable[[apsw.Connection], T], job: _Job) -> T:
        connection = self._idle.pop()
        try:
            job.begin(connection)
            connection.execute("BEGIN")
            return query(connection)
        except apsw.InterruptError:
            raise unavailable("the query was stopped") from None
        except (apsw.Error, UnicodeDecodeError) as failure:
            raise store_error(failure, connection.system_errno) from failure
        finally:
            job.end()
            if not _ended(connection):
                connection.close(force=True)
                connection = self._connect()
            self._idle.append(connection)


class _Job:
    """A query that runs in a thread, or waits for one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: apsw.Connection | None = None
        self._stopped = False

    def begin(self, connection: apsw.Connection) -> None:
        """Note what the query runs on.

        Raises:
            apsw.InterruptError: It was stopped before.
        """
        with self._lock:
            if self._stopped:
                raise apsw.InterruptError
            self._connection = connection

    def end(self) -> None:
        """Note that the query has ended: what runs on its connection next is another's."""
        with self._lock:
            self._connection = None

    def stop(self) -> bool:
        """Interrupt the query, at the next step of SQLite's machine; return whether it runs."""
        with self._lock:
            self._stopped = True
            if self._connection is None:
                return False
            self._connection.interrupt()
            return True


def _ended(connection: apsw.Connection) -> bool:
    """End a read transaction; return False if it goes on: no progress handler may interrupt this statement.

    It does as long as a cursor is open, which the traceback of a query's error may hold: what is read would
    be what was there when the query began, and an interruption would last.
    """
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    except apsw.InterruptError:
        return False
    return connection.txn_state("main") == apsw.SQLITE_TXN_NONE
