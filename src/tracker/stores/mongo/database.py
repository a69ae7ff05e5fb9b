"""The database: its connections, how changes run, and the clock that all servers on it share."""

from __future__ import annotations

import asyncio
import time
import warnings
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import UTC
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import pymongo
from pymongo import AsyncMongoClient
from pymongo.errors import InvalidName, InvalidURI, PyMongoError
from pymongo.read_concern import ReadConcern

from tracker.stores.base import StoreOpenError, overloaded, unavailable
from tracker.stores.mongo.driver import correct_waits
from tracker.stores.mongo.failures import change_error, store_error, store_errors
from tracker.time_text import MICROS, micros_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from pymongo.asynchronous.database import AsyncDatabase

    from tracker.stores.base import StoreObserver
    from tracker.stores.mongo.writes import Collection, Document

T = TypeVar("T")

META = "tracker"
"""The collection of metadata."""

OPEN_SECONDS = 60.0
"""How long opening may take, once there is a primary, besides what is stored with each event of before."""
CHANGE_SECONDS = 10.0
"""How long a change may take, waiting for a server included."""

AT_ONCE = 16
"""How many changes run at a time; more would only wait for each other in the database."""

MAX_WAITING = 4_096
"""How many changes may be under way or wait."""

QUERY_SECONDS = 20.0
"""How long a query may take, including the wait for a server."""

_DATABASE = "tracker"
"""The database of an address that names none."""

_FIXED: Mapping[str, Any] = {
    "appname": "tracker",
    "w": "majority",
    "journal": True,
    "readPreference": "primary",
    "readConcernLevel": "local",
    "retryWrites": False,
    "retryReads": True,
}
"""Options that an address can't change: the store depends on them."""

_USUAL: Mapping[str, Any] = {
    "serverSelectionTimeoutMS": 3_000,
    "connectTimeoutMS": 3_000,
    "waitQueueTimeoutMS": 10_000,
    "heartbeatFrequencyMS": 2_000,
    "maxPoolSize": 32,
}
"""Options that an address may change."""

_TURNS: ContextVar[frozenset[str]] = ContextVar("turns", default=frozenset())
"""The collections of the records whose turns a change has."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

_CLOCK_RESOLUTION = 1_000
"""`localTime` is whole milliseconds."""


class Database:
    """The database of an address; `argument` is the name of the setting or option with it, for messages.

    Changes read the newest state of the primary (read concern `local`), which they replace. Queries read what
    a majority has confirmed (`majority`), which is never rolled back. The holder of a lock is read with
    `linearizable`: a former primary that does not know of its successor then fails. A standalone server has
    no such read, and needs none.

    Each change runs in a task of its own, which completes even if its caller is cancelled.

    The time is the primary's, computed from its offset to a clock of this machine. The primary reads its
    clock at some moment of a round trip: the error is at most half the round trip. Between two measurements
    the time never goes back.
    """

    def __init__(
        self,
        uri: str,
        observer: StoreObserver,
        argument: str = "MONGO_URI",
        *,
        locks_per_owner: int | None = None,
    ) -> None:
        self.argument = argument
        self.locks_per_owner = locks_per_owner
        self._uri = uri
        self._client: AsyncMongoClient[Document]
        self._open = False
        self.replicated = False
        self._observer = observer
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._takes_changes = False
        self._offset: int | None = None
        self._error = 0

    def open(self) -> None:
        """Make the client, which connects when it is first used.

        Raises:
            StoreOpenError: The address is invalid.
        """
        correct_waits()
        try:
            given = {name.lower() for name, _ in parse_qsl(urlsplit(self._uri).query)}
            usual = {name: value for name, value in _USUAL.items() if name.lower() not in given}
            # A warning is about an option that the driver would ignore.
            with warnings.catch_warnings(action="error"):
                self._client = AsyncMongoClient(self._uri, **usual, **_FIXED)
            self._database = self._client.get_default_database(_DATABASE)
            self._collections: dict[tuple[str, str], Collection] = {}
        except (InvalidURI, InvalidName, ValueError):  # its text may quote a part of the password
            raise StoreOpenError(
                f"{self.argument} is not the address of a MongoDB database: write it as"
                " mongodb://user:password@host:27017/tracker, and : / ? # [ ] @ % in user and password"
                " each as a percent sign and two hexadecimal digits"
            ) from None
        except (PyMongoError, Warning) as error:
            details = self.without_credentials(str(error))
            raise StoreOpenError(f"{self.argument} can't be used: {details}") from None
        self._open = True

    async def close(self) -> None:
        """Close all connections."""
        if self._open:
            self._open = False
            await self._client.close()

    @property
    def admin(self) -> AsyncDatabase[Document]:
        """The database for administrative commands."""
        return self._client.get_database("admin")

    @property
    def database_name(self) -> str:
        """The name of the database."""
        return unquote(urlsplit(self._uri).path.strip("/")) or _DATABASE

    def newest(self, name: str) -> Collection:
        """Return a collection with the newest state of the primary, for changes."""
        return self._collection(name)

    def confirmed(self, name: str) -> Collection:
        """Return a collection with what a majority has confirmed."""
        return self._collection(name, "majority")

    def current(self, name: str) -> Collection:
        """Return a collection for linearizable reads."""
        return self._collection(name, "linearizable" if self.replicated else "majority")

    def _collection(self, name: str, level: str = "local") -> Collection:
        if (name, level) not in self._collections:
            collection = self._database.get_collection(name, read_concern=ReadConcern(level))
            self._collections[name, level] = collection
        return self._collections[name, level]

    async def reach(self) -> None:
        """Wait for a primary, if none is known, as long as the address allows.

        A command with a time of its own would spend all of it on that.
        """
        if not self._client.topology_description.has_writable_server():
            with pymongo.timeout(self._client.options.server_selection_timeout):
                await self.admin.command("ping")

    async def primary(self) -> object:
        """Return what identifies the server that answers now, and its term of office."""
        hello = await self.admin.command("hello")
        return hello.get("topologyVersion", {}).get("processId"), hello.get("electionId")

    @asynccontextmanager
    async def asking(
        self, name: str, error_of: Callable[[PyMongoError], Exception] = store_error
    ) -> AsyncIterator[Collection]:
        """Give a collection as a majority has it; bound the time of queries, and translate their failures."""
        if not self._open:
            raise unavailable("the database is closed")
        with store_errors(error_of):
            await self.reach()
            with pymongo.timeout(QUERY_SECONDS):
                yield self.confirmed(name)

    def without_credentials(self, text: str) -> str:
        """Return an error text of the driver, unless it quotes user or password."""
        credentials = urlsplit(self._uri).netloc.rpartition("@")[0]
        secret = any(part and part in text for part in (credentials, *credentials.split(":", 1)))
        return "one of its options is wrong" if secret else text

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
        that has the turn of an event may wait for that of a lock, never the other way round. It does not wait
        for that of another event, or of the same one, into whose changelog it delivers what it found.
        """
        if collection in _TURNS.get():
            yield
            return
        name = f"{collection} {record_id}"
        lock, users = self._turns.get(name) or (asyncio.Lock(), 0)
        self._turns[name] = (lock, users + 1)
        try:
            async with lock:
                token = _TURNS.set(_TURNS.get() | {collection})
                try:
                    yield
                finally:
                    _TURNS.reset(token)
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
                error = change_error(failure) if isinstance(failure, PyMongoError) else failure
                if not done.done():
                    done.set_exception(error)
            else:
                self._observer.committed(time.perf_counter() - started, 1)
                if not done.done():
                    done.set_result(result)


def _elapsed() -> int:
    """Return microseconds of a clock that is never set and also runs while this machine is suspended."""
    return time.clock_gettime_ns(_CLOCK) // 1_000
