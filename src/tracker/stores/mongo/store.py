"""The store in a MongoDB database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pymongo

from tracker.stores.base import Store
from tracker.stores.changes import CHANGES_KEPT
from tracker.stores.mongo import writes
from tracker.stores.mongo.access import MongoAccess
from tracker.stores.mongo.audit import MongoAudit
from tracker.stores.mongo.catalog import MongoCatalog
from tracker.stores.mongo.change_log import MongoChangeLog, MongoConsumers
from tracker.stores.mongo.commits import MongoCommits
from tracker.stores.mongo.courier import Courier
from tracker.stores.mongo.database import CHANGE_SECONDS, META, Database
from tracker.stores.mongo.deliveries import Deliveries
from tracker.stores.mongo.event_counts import EventCounts
from tracker.stores.mongo.events import MongoEvents
from tracker.stores.mongo.failures import store_errors
from tracker.stores.mongo.idempotency import MongoIdempotency
from tracker.stores.mongo.intakes import MongoIntakes
from tracker.stores.mongo.locks import MongoLocks
from tracker.stores.mongo.opening import open_database
from tracker.stores.mongo.reconciler import LOOK_SECONDS, Reconciler
from tracker.stores.mongo.records import FREEZES, HOLDS, LINKS, POLICIES, MongoRecords
from tracker.stores.mongo.schema import HEALTH
from tracker.stores.mongo.terraform import MongoTerraform
from tracker.stores.mongo.webhooks import MongoWebhooks
from tracker.supervision import Supervisor

if TYPE_CHECKING:
    from tracker.stores.base import StoreObserver

CLOCK_SECONDS = 2.0
"""Time between two readings of the database's clock."""

COUNT_SECONDS = 2.0
"""Time between two rounds that add changes to the counts of all events."""

_COURIER = "courier"
_RECONCILER = "reconciler"
_CLOCK = "database_clock"
_EVENT_COUNTS = "event_counts"
_EVENT_RECOUNT = "event_recount"


class MongoStore(Store):
    """The `Store` in a MongoDB database, for any number of processes at a time.

    `reconciler` finishes what servers left unfinished; `event_counts` counts all events. Background work
    runs under `tasks`. The log keeps the last `changes_kept` changes. A principal may hold
    `locks_per_owner` locks. `argument` is the name of the address in messages.
    """

    def __init__(  # noqa: PLR0913 - its dependencies
        self,
        uri: str,
        observer: StoreObserver,
        tasks: Supervisor | None = None,
        *,
        argument: str = "MONGO_URI",
        changes_kept: int = CHANGES_KEPT,
        locks_per_owner: int | None = None,
    ) -> None:
        self.database = database = Database(uri, observer, argument, locks_per_owner=locks_per_owner)
        self._tasks = tasks or Supervisor()
        self._courier = Courier(database, changes_kept)
        deliveries = Deliveries(database, self._courier)
        self.reconciler = Reconciler(database, deliveries)
        self._change_log = MongoChangeLog(database, self._courier)
        self.changes = self._change_log
        self.consumers = MongoConsumers(database)
        self.idempotency = MongoIdempotency(database)
        self.event_counts = EventCounts(database, self._tasks.log)
        self.events = MongoEvents(database, deliveries, self.event_counts)
        self.catalog = MongoCatalog(database, deliveries)
        self.locks = MongoLocks(database, deliveries)
        self.links = MongoRecords(database, deliveries, LINKS)
        self.freezes = MongoRecords(database, deliveries, FREEZES)
        self.policies = MongoRecords(database, deliveries, POLICIES)
        self.holds = MongoRecords(database, deliveries, HOLDS)
        self.access = MongoAccess(database, deliveries)
        self.audit = MongoAudit(database)
        self.webhooks = MongoWebhooks(database, deliveries)
        self.terraform = MongoTerraform(database, deliveries)
        self.intakes = MongoIntakes(database)
        self.commits = MongoCommits(database)

    def now(self) -> int:
        return self.database.now()

    async def open(self) -> None:
        try:
            await open_database(self.database)
            await self._change_log.open()
            await self.event_counts.open()
        except BaseException:
            await self.database.close()
            raise
        self.database.start()
        self._tasks.finish(_COURIER, self._courier.run)
        self._tasks.repeat(_RECONCILER, self._reconcile)
        self._tasks.repeat(_CLOCK, self._read_clock)
        self._tasks.repeat(_EVENT_COUNTS, self._count)
        self._tasks.repeat(_EVENT_RECOUNT, self.event_counts.recount)

    async def check(self) -> None:
        async def step() -> None:
            now = {"$set": {"checked_at": self.now()}}
            await writes.update(self.database.newest(META), HEALTH, now)

        await self.database.run(step)

    async def close(self) -> None:
        await self._tasks.stop(_RECONCILER)
        await self._tasks.stop(_CLOCK)
        await self._tasks.stop(_EVENT_COUNTS)
        await self._tasks.stop(_EVENT_RECOUNT)
        await self.database.finish_changes()
        self._courier.close()
        await self._tasks.stop(_COURIER)
        await self.database.close()

    async def _reconcile(self) -> None:
        await asyncio.sleep(LOOK_SECONDS)
        with store_errors():
            await self.reconciler.look()

    async def _count(self) -> None:
        await asyncio.sleep(COUNT_SECONDS)
        with store_errors(), pymongo.timeout(CHANGE_SECONDS):
            await self.event_counts.keep_up()

    async def _read_clock(self) -> None:
        await asyncio.sleep(CLOCK_SECONDS)
        with store_errors(), pymongo.timeout(CHANGE_SECONDS):
            await self.database.read_clock()
