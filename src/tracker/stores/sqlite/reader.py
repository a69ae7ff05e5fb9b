"""Queries: short ones at once on the event loop, long ones in a few threads."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

import apsw

from tracker.errors import Code, TrackerError
from tracker.stores.sqlite.failures import overloaded, store_error, unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

THREADS = 2
"""How many long queries run at a time."""

_INLINE_SECONDS = 0.002
_INLINE_STEPS = 1_000
_THREAD_STEPS = 200_000
_MAX_SECONDS = 30
_MAX_WAITING = 1_000


@dataclass(slots=True)
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
    the way to a thread and back. One that isn't done in 2 ms is stopped and runs again in a thread.
    """

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        self._connect = connect
        self._inline: apsw.Connection
        self._lanes: deque[_Lane] = deque()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="tracker-store-read")
        self._budget_ends = 0.0
        self._pending = 0
        self._closed = True

    def start(self) -> None:
        """Open the connections."""
        self._inline = self._connect()
        self._inline.set_progress_handler(self._over_budget, _INLINE_STEPS)
        self._lanes.extend(_Lane(self._connect()) for _ in range(THREADS))
        self._closed = False

    async def read(self, query: Callable[[apsw.Connection], T]) -> T:
        """Run a query, a function that reads and may run twice, and return what it returns."""
        if self._closed:
            raise unavailable("the database is closed")
        self._budget_ends = perf_counter() + _INLINE_SECONDS
        try:
            return query(self._inline)
        except apsw.InterruptError:
            return await self._read_in_thread(query)
        except apsw.Error as failure:
            raise store_error(failure, self._inline.system_errno) from failure

    async def close(self) -> None:
        """Finish the queries under way and close the connections."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._threads.shutdown)
        for connection in (self._inline, *(lane.connection for lane in self._lanes)):
            connection.close()

    def _over_budget(self) -> bool:
        return perf_counter() > self._budget_ends

    async def _read_in_thread(self, query: Callable[[apsw.Connection], T]) -> T:
        if self._pending >= _MAX_WAITING:
            raise overloaded()
        job = _Job()
        self._pending += 1
        try:
            async with asyncio.timeout(_MAX_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._run_in_thread, query, job
                )
        except TimeoutError:
            raise TrackerError(
                Code.DEADLINE_EXCEEDED, f"the query took longer than {_MAX_SECONDS} s", "QUERY_TOO_LONG"
            ) from None
        finally:
            job.stopped = True
            self._pending -= 1

    def _run_in_thread(self, query: Callable[[apsw.Connection], T], job: _Job) -> T:
        lane = self._lanes.pop()
        lane.job = job
        try:
            return query(lane.connection)
        except apsw.Error as failure:
            raise store_error(failure, lane.connection.system_errno) from failure
        finally:
            self._lanes.append(lane)
