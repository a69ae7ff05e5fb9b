"""The store in a MongoDB database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pymongo
from pymongo.errors import PyMongoError

from tracker.stores.changes import CHANGES_KEPT
from tracker.stores.mongo import writes
from tracker.stores.mongo.catalog import MongoCatalog
from tracker.stores.mongo.changes import CHANGE_SECONDS, Changes
from tracker.stores.mongo.clock import MEASURE_SECONDS, DatabaseClock
from tracker.stores.mongo.connections import Connections
from tracker.stores.mongo.consumers import MongoConsumers
from tracker.stores.mongo.event_log import MongoEventLog
from tracker.stores.mongo.events import MongoEvents
from tracker.stores.mongo.failures import store_error
from tracker.stores.mongo.follow_ups import FollowUps
from tracker.stores.mongo.idempotency import MongoIdempotency
from tracker.stores.mongo.janitor import LOOK_SECONDS, Janitor
from tracker.stores.mongo.links import MongoLinks
from tracker.stores.mongo.lock_keys import LockKeys
from tracker.stores.mongo.locks import MongoLocks
from tracker.stores.mongo.opening import open_database
from tracker.stores.mongo.schema import HEALTH, META
from tracker.supervision import Supervisor

if TYPE_CHECKING:
    from tracker.stores.base import StoreObserver
    from tracker.stores.catalog import CatalogStore
    from tracker.stores.changes import ChangeLog, ConsumerStore
    from tracker.stores.events import EventStore
    from tracker.stores.idempotency import IdempotencyStore
    from tracker.stores.links import LinkStore
    from tracker.stores.locks import LockStore


_RECONCILER = "reconciler"
_CLOCK = "database_clock"
_MAX_PAUSE = 5.0


class MongoStore:
    """The `Store` in a MongoDB database, for any number of processes at a time.

    `janitor` finishes what others left; it looks by itself, and tests make it look. What the store does in
    the background runs under `tasks`. Its log keeps the last `changes_kept` changes.
    """

    def __init__(
        self,
        uri: str,
        observer: StoreObserver,
        tasks: Supervisor | None = None,
        *,
        changes_kept: int = CHANGES_KEPT,
    ) -> None:
        self._connections = Connections(uri)
        self._changes = Changes(observer, self._connections.reach)
        self._clock = DatabaseClock(self._connections)
        self._tasks = tasks or Supervisor()
        self._event_log = MongoEventLog(self._connections, self.now, changes_kept)
        self.changes: ChangeLog = self._event_log
        self.consumers: ConsumerStore = MongoConsumers(self._connections, self._changes)
        once = MongoIdempotency(self._connections, self._changes, self.now)
        self.idempotency: IdempotencyStore = once
        keys = LockKeys(self._connections, self._changes, once, self._event_log, self.now)
        follow_ups = FollowUps(self._connections, keys)
        self.janitor = Janitor(self._connections, keys, follow_ups, once, self._event_log, self.now)
        self.events: EventStore = MongoEvents(
            self._connections, self._changes, keys, follow_ups, once, self._event_log, self.now
        )
        self.catalog: CatalogStore = MongoCatalog(self._connections, self._changes, once)
        self.locks: LockStore = MongoLocks(self._connections, self._changes, keys)
        self.links: LinkStore = MongoLinks(self._connections, self._changes, once)

    def now(self) -> int:
        """Return the time by the clock of the database."""
        return self._clock.now()

    async def open(self) -> None:
        """Reach the database, prove it suitable, make its schema, and begin to watch it."""
        try:
            await open_database(self._connections, self._clock)
            await self._event_log.open()
        except BaseException:
            await self._connections.close()
            raise
        self._changes.start()
        self._tasks.repeat(_RECONCILER, self._reconcile, max_pause=_MAX_PAUSE)
        self._tasks.repeat(_CLOCK, self._measure_clock, max_pause=_MAX_PAUSE)

    async def check(self) -> None:
        """Prove that a change can be made durable now, by making one."""

        async def step() -> None:
            now = self.now()
            await writes.update(self._connections.newest(META), HEALTH, {"$set": {"checked_at": now}})

        await self._changes.run(step)

    async def close(self) -> None:
        """Finish what is under way and close the connections."""
        await self._tasks.stop(_RECONCILER)
        await self._tasks.stop(_CLOCK)
        await self._changes.close()
        await self._event_log.close()
        await self._connections.close()

    async def _reconcile(self) -> None:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            await self.janitor.look()
        except PyMongoError as error:
            raise store_error(error) from error

    async def _measure_clock(self) -> None:
        await asyncio.sleep(MEASURE_SECONDS)
        try:
            with pymongo.timeout(CHANGE_SECONDS):
                await self._clock.measure()
        except PyMongoError as error:
            raise store_error(error) from error
