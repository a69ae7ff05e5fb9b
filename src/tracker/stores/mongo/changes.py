"""How changes run: each completes, whatever happens to its caller."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar, cast

import pymongo
from pymongo.errors import PyMongoError

from tracker.stores.mongo.failures import overloaded, store_error, unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tracker.stores.base import StoreObserver

T = TypeVar("T")

CHANGE_SECONDS = 10.0
"""How long a change may take, waiting for a server included."""

AT_ONCE = 16
"""How many changes run at a time; more would only wait for each other in the database."""

MAX_WAITING = 4_096
"""How many changes may be under way or wait."""


def turn_of(collection: str, record_id: str) -> str:
    """Return the name of the turn to change a record."""
    return f"{collection} {record_id}"


class Changes:
    """Runs each change in a task of its own, which completes even if its caller is cancelled."""

    def __init__(self, observer: StoreObserver, reach: Callable[[], Awaitable[None]]) -> None:
        self._observer = observer
        self._reach = reach
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._closed = True

    def start(self) -> None:
        """Accept changes from now on."""
        self._closed = False

    async def run(self, change: Callable[[], Awaitable[T]]) -> T:
        """Make a change and return its result; it does not begin if its caller was cancelled before."""
        if self._closed:
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
    async def turn(self, name: str) -> AsyncIterator[None]:
        """Wait for the turn to change a record: changes of this process take turns.

        Otherwise most would fail and retry, as another one has replaced the revision they read. A change
        that has the turn of an event may wait for that of a lock, never the other way round.
        """
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

    async def close(self) -> None:
        """Accept no more changes, and wait for those under way."""
        self._closed = True
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _carry_out(self, change: Callable[[], Awaitable[object]], done: asyncio.Future[object]) -> None:
        async with self._slots:
            if done.done():
                return
            started = perf_counter()
            try:
                await self._reach()
                with pymongo.timeout(CHANGE_SECONDS):
                    result = await change()
            except Exception as failure:  # noqa: BLE001 - raised where the change is awaited
                error = store_error(failure) if isinstance(failure, PyMongoError) else failure
                if not done.done():
                    done.set_exception(error)
            else:
                self._observer.committed(perf_counter() - started, 1)
                if not done.done():
                    done.set_result(result)
