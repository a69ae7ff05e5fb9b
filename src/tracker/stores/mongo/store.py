"""The store in a MongoDB database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pymongo
from pymongo.errors import PyMongoError

from tracker.stores.base import Store
from tracker.stores.changes import CHANGES_KEPT
from tracker.stores.mongo import writes
from tracker.stores.mongo.catalog import MongoCatalog
from tracker.stores.mongo.change_log import LogWriter, MongoChangeLog, MongoConsumers
from tracker.stores.mongo.changes import CHANGE_SECONDS, Changes
from tracker.stores.mongo.clock import MEASURE_SECONDS, DatabaseClock
from tracker.stores.mongo.connections import Connections
from tracker.stores.mongo.courier import Courier
from tracker.stores.mongo.decisions import Decisions
from tracker.stores.mongo.deliveries import Deliveries
from tracker.stores.mongo.events import MongoEvents
from tracker.stores.mongo.failures import store_error
from tracker.stores.mongo.idempotency import MongoIdempotency
from tracker.stores.mongo.links import MongoLinks
from tracker.stores.mongo.lock_keys import LockKeys
from tracker.stores.mongo.locks import MongoLocks
from tracker.stores.mongo.opening import open_database
from tracker.stores.mongo.reconciler import LOOK_SECONDS, Reconciler
from tracker.stores.mongo.schema import HEALTH, META
from tracker.supervision import Supervisor

if TYPE_CHECKING:
    from tracker.stores.base import StoreObserver


_COURIER = "courier"
_RECONCILER = "reconciler"
_CLOCK = "database_clock"


class Components:
    """The components of a store, wired to each other; `argument` is what messages call the address."""

    def __init__(
        self,
        uri: str,
        observer: StoreObserver,
        *,
        argument: str = "MONGO_URI",
        changes_kept: int = CHANGES_KEPT,
    ) -> None:
        self.connections = Connections(uri, argument)
        self.clock = DatabaseClock(self.connections)
        now = self.clock.now
        self.changes = Changes(observer, self.connections.reach)
        self.decisions = Decisions(self.connections, now)
        self.log = LogWriter(self.connections, now, changes_kept)
        self.courier = Courier(self.connections, self.changes, self.decisions, self.log)
        self.once = MongoIdempotency(self.connections, self.changes, self.decisions, now)
        self.keys = LockKeys(self.connections, self.changes, self.decisions, self.once, now)
        self.deliveries = Deliveries(self.connections, self.changes, self.decisions, self.keys, self.courier)
        self.reconciler = Reconciler(
            self.connections, self.decisions, self.deliveries, self.courier, self.log, self.once, now
        )


class MongoStore(Store):
    """The `Store` in a MongoDB database, for any number of processes at a time.

    `reconciler` finishes what servers left unfinished. Background work runs under `tasks`. The log keeps
    the last `changes_kept` changes.
    """

    def __init__(
        self,
        uri: str,
        observer: StoreObserver,
        tasks: Supervisor | None = None,
        *,
        changes_kept: int = CHANGES_KEPT,
    ) -> None:
        parts = Components(uri, observer, changes_kept=changes_kept)
        connections, changes, once, courier = parts.connections, parts.changes, parts.once, parts.courier
        self._connections, self._changes, self._courier = connections, changes, courier
        self._clock = parts.clock
        self._tasks = tasks or Supervisor()
        self._change_log = MongoChangeLog(connections, parts.log, courier.drained)
        self.changes = self._change_log
        self.consumers = MongoConsumers(connections, changes)
        self.idempotency = once
        self.reconciler = parts.reconciler
        self.events = MongoEvents(
            connections, changes, parts.decisions, parts.keys, once, parts.deliveries, courier, self.now
        )
        self.catalog = MongoCatalog(connections, changes, once, courier, self.now)
        self.locks = MongoLocks(connections, changes, parts.keys, parts.deliveries)
        self.links = MongoLinks(connections, changes, once, courier, self.now)

    def now(self) -> int:
        return self._clock.now()

    async def open(self) -> None:
        try:
            await open_database(self._connections, self._clock)
            await self._change_log.open()
        except BaseException:
            await self._connections.close()
            raise
        self._changes.start()
        self._tasks.finish(_COURIER, self._courier.run)
        self._tasks.repeat(_RECONCILER, self._reconcile)
        self._tasks.repeat(_CLOCK, self._measure_clock)

    async def check(self) -> None:
        async def step() -> None:
            now = self.now()
            await writes.update(self._connections.newest(META), HEALTH, {"$set": {"checked_at": now}})

        await self._changes.run(step)

    async def close(self) -> None:
        await self._tasks.stop(_RECONCILER)
        await self._tasks.stop(_CLOCK)
        await self._changes.close()
        self._courier.close()
        await self._tasks.stop(_COURIER)
        await self._connections.close()

    async def _reconcile(self) -> None:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            await self.reconciler.look()
        except PyMongoError as error:
            raise store_error(error) from error

    async def _measure_clock(self) -> None:
        await asyncio.sleep(MEASURE_SECONDS)
        try:
            with pymongo.timeout(CHANGE_SECONDS):
                await self._clock.measure()
        except PyMongoError as error:
            raise store_error(error) from error
