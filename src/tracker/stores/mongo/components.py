"""What works together on one database, whether that is served or copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.stores.changes import CHANGES_KEPT
from tracker.stores.mongo.change_log import LogWriter
from tracker.stores.mongo.changes import Changes
from tracker.stores.mongo.clock import DatabaseClock
from tracker.stores.mongo.connections import Connections
from tracker.stores.mongo.courier import Courier
from tracker.stores.mongo.decisions import Decisions
from tracker.stores.mongo.deliveries import Deliveries
from tracker.stores.mongo.event_entries import EventEntries
from tracker.stores.mongo.idempotency import MongoIdempotency
from tracker.stores.mongo.lock_keys import LockKeys
from tracker.stores.mongo.reconciler import Reconciler

if TYPE_CHECKING:
    from tracker.stores.base import StoreObserver


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
        entries = EventEntries(self.connections, self.changes)
        self.deliveries = Deliveries(self.decisions, self.keys, entries, self.courier)
        self.reconciler = Reconciler(
            self.connections, self.decisions, self.deliveries, self.courier, self.log, self.once, now
        )
