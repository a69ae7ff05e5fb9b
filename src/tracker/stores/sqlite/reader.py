"""Queries: short ones at once on the event loop, long ones in a few threads."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

import apsw

from tracker.errors import Reason, TrackerError
from tracker.stores.sqlite.failures import overloaded, store_error, unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

THREADS = 2
"""How many long queries run at a time."""

MAX_WAITING = 1_000
"""How many may run or wait."""

MAX_SECONDS = 30.0
"""How long one may take, waiting included."""

_INLINE_SECONDS = 0.010
_INLINE_TICKS = 20
_HELD_SECONDS = 1.0
_STEPS_PER_TICK = 1_000
_THREAD_STEPS = 200_000


@dataclass(slots=True, eq=False)
class _Job:
    stopped: bool = False


@dataclass(slots=True)
class _Lane:
    """A connection of a thread, and what it works for."""

    connection: apsw.Connection
    job: _Job = field(default_factory=_Job)

    def __post_init__(self) -> None:
        self.connection.set_progress_handler(lambda: self.job.stopped, _THREAD_STEPS)


class Reader:
    """Runs queries on connections of its own, each on the state after the last commit.

    A query first runs on the event loop, where a point get or the search for one event takes less than
    the way to a thread and back. One that isn't done after 20,000 steps of SQLite's machine, some
    milliseconds of work, or 10 ms of waiting for a disk, is stopped and runs again in a thread.

    While no change is under way, queries on the event loop share one read transaction: SQLite locks and
    unlocks the file for each, four system calls that cost as much as a point get itself. `let_go` ends it.
    A transaction held while changes are committed would keep the write-ahead log from ever being reset.
    """

    def __init__(self, connect: Callable[[], apsw.Connection], writing: Callable[[], bool]) -> None:
        self._connect = connect
        self._writing = writing
        self._held_until = 0.0
        self._inline: apsw.Connection
        self._lanes: deque[_Lane] = deque()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="tracker-store-read")
        self._budget_ends = 0.0
        self._ticks_left = 0.0
        self._jobs: set[_Job] = set()
        self._closed = True

    def start(self) -> None:
        """Open the connections."""
        self._inline = self._connect()
        self._inline.set_progress_handler(self._over_budget, _STEPS_PER_TICK)
        self._lanes.extend(_Lane(self._connect()) for _ in range(THREADS))
        self._closed = False

    async def read(
        self, query: Callable[[apsw.Connection], T], *, consistent: bool = False, inline: bool = True
    ) -> T:
        """Run a query, a function that reads and may run twice, and return what it returns.

        With `consistent`, all its statements see the same state of the database. One that is not `inline`
        runs in a thread at once: the index of words works in long steps, which nothing stops.
        """
        if self._closed:
            raise unavailable("the database is closed")
        if not inline:
            return await self._read_in_thread(query, consistent=consistent)
        now = perf_counter()
        self._budget_ends = now + _INLINE_SECONDS
        self._ticks_left = _INLINE_TICKS
        hold = not self._writing()
        if now > self._held_until:
            self.let_go()
            self._held_until = now + _HELD_SECONDS
        done = False
        try:
            answer = _run(self._inline, query, consistent=consistent or hold)
            done = True
        except apsw.InterruptError:
            pass
        except (apsw.Error, UnicodeDecodeError) as failure:
            raise store_error(failure, self._inline.system_errno) from failure
        else:
            return answer
        finally:
            self._budget_ends = self._ticks_left = inf
            if not (hold and done):
                self.let_go()
        return await self._read_in_thread(query, consistent=consistent)

    def let_go(self) -> None:
        """End the read transaction that queries share, before a change is made."""
        if not self._closed:
            _end(self._inline)

    async def close(self) -> None:
        """Stop the queries under way and close the connections."""
        if self._closed:
            return
        self._closed = True
        for job in self._jobs:
            job.stopped = True
        await asyncio.to_thread(self._threads.shutdown)
        for connection in (self._inline, *(lane.connection for lane in self._lanes)):
            connection.close()

    def _over_budget(self) -> bool:
        self._ticks_left -= 1
        return self._ticks_left < 0 or perf_counter() > self._budget_ends

    async def _read_in_thread(self, query: Callable[[apsw.Connection], T], *, consistent: bool) -> T:
        if len(self._jobs) >= MAX_WAITING:
            raise overloaded()
        job = _Job()
        self._jobs.add(job)
        try:
            async with asyncio.timeout(MAX_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(
                    self._threads, partial(self._run_in_thread, query, job, consistent=consistent)
                )
        except TimeoutError:
            raise TrackerError(
                Reason.QUERY_TOO_LONG, f"the query took longer than {MAX_SECONDS:g} s"
            ) from None
        finally:
            job.stopped = True
            self._jobs.discard(job)

    def _run_in_thread(self, query: Callable[[apsw.Connection], T], job: _Job, *, consistent: bool) -> T:
        lane = self._lanes.pop()
        lane.job = job
        try:
            return _run(lane.connection, query, consistent=consistent)
        except apsw.InterruptError:
            raise unavailable("the query was stopped") from None
        except (apsw.Error, UnicodeDecodeError) as failure:
            raise store_error(failure, lane.connection.system_errno) from failure
        finally:
            lane.job = _Job()
            _end(lane.connection)
            self._lanes.append(lane)


def _run(connection: apsw.Connection, query: Callable[[apsw.Connection], T], *, consistent: bool) -> T:
    if consistent and not connection.in_transaction:
        connection.execute("BEGIN")
    return query(connection)


def _end(connection: apsw.Connection) -> None:
    """End a read transaction, at a time when nothing interrupts the statement that does."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")
