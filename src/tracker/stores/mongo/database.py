"""The database: its connections, how changes run, and the clock that all servers on it share."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import UTC
from typing import TYPE_CHECKING, TypeVar, cast

import pymongo
from pymongo.errors import PyMongoError

from tracker.stores.mongo.connections import Connections
from tracker.stores.mongo.failures import overloaded, store_error, unavailable
from tracker.time_text import MICROS, micros_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tracker.stores.base import StoreObserver

T = TypeVar("T")

META = "tracker"
"""The collection of metadata."""

CHANGE_SECONDS = 10.0
"""How long a change may take, waiting for a server included."""

AT_ONCE = 16
"""How many changes run at a time; more would only wait for each other in the database."""

MAX_WAITING = 4_096
"""How many changes may be under way or wait."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

_CLOCK_RESOLUTION = 1_000
"""`localTime` is whole milliseconds."""


class Database(Connections):
    """The database of an address.

    Each change runs in a task of its own, which completes even if its caller is cancelled.

    The time is the primary's, computed from its offset to a clock of this machine. The primary reads its
    clock at some moment of a round trip: the error is at most half the round trip. Between two measurements
    the time never goes back.
    """

    def __init__(self, uri: str, observer: StoreObserver, argument: str = "MONGO_URI") -> None:
        super().__init__(uri, argument)
        self._observer = observer
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._takes_changes = False
        self._offset: int | None = None
        self._error = 0

    def start(self) -> None:
        """Accept changes from now on."""
        self._takes_changes = True

    async def finish_changes(self) -> None:
        """Accept no more changes, and wait for those under way."""
        self._takes_changes = False
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def run(self, change: Callable[[], Awaitable[T]]) -> T:
        """Make a change and return its result; it does not begin if its caller was cancelled before."""
        if not self._takes_changes:
            raise unavailable("the database is closed")
        if len(self._tasks) >= MAX_WAITING:
            raise overloaded()
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._carry_out(change, done))
        self._tasks.add(task)
        self._observer.queued(len(self._tasks))
        task.add_done_callback(self._tasks.discard)
        return cast("T", await done)

    @asynccontextmanager
    async def turn(self, collection: str, record_id: str) -> AsyncIterator[None]:
        """Wait for the turn to change a record: changes of this process take turns.

        Otherwise most would fail and retry, as another one has replaced the revision they read. A change
        that has the turn of an event may wait for that of a lock, never the other way round.
        """
        name = f"{collection} {record_id}"
        lock, users = self._turns.get(name) or (asyncio.Lock(), 0)
        self._turns[name] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._turns[name]
            if users == 1:
                del self._turns[name]
            else:
                self._turns[name] = (lock, users - 1)

    def now(self) -> int:
        """Return the time in microseconds since the epoch, once the clock was read."""
        if self._offset is None:
            raise RuntimeError("the database's clock was never read")
        return _elapsed() + self._offset

    async def read_clock(self) -> None:
        """Read the primary's clock.

        A difference within the error of both measurements does not change the time.
        """
        before = _elapsed()
        hello = await self.admin.command("hello")
        after = _elapsed()
        offset = micros_of(hello["localTime"].replace(tzinfo=UTC)) - (before + after) // 2
        error = (after - before) // 2 + _CLOCK_RESOLUTION
        if (
            self._offset is None
            or abs(offset - self._offset) > error + self._error
            or error < self._error / 2
        ):
            self._offset, self._error = offset, min(error, MICROS)

    async def _carry_out(self, change: Callable[[], Awaitable[object]], done: asyncio.Future[object]) -> None:
        async with self._slots:
            if done.done():
                return
            started = time.perf_counter()
            try:
                await self.reach()
                with pymongo.timeout(CHANGE_SECONDS):
                    result = await change()
            except Exception as failure:  # noqa: BLE001 - raised where the change is awaited
                error = store_error(failure) if isinstance(failure, PyMongoError) else failure
                if not done.done():
                    done.set_exception(error)
            else:
                self._observer.committed(time.perf_counter() - started, 1)
                if not done.done():
                    done.set_result(result)


def _elapsed() -> int:
    """Return microseconds of a clock that is never set and goes on while this machine is suspended."""
    return time.clock_gettime_ns(_CLOCK) // 1_000
