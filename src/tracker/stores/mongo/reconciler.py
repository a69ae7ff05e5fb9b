"""The reconciler: finishes changes that other servers, or this one, left unfinished (`outbox.py`).

Every server runs it every few seconds. It does no harm if two servers finish the same change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pymongo
from pymongo.errors import PyMongoError

from tracker.errors import TrackerError
from tracker.stores.idempotency import forgotten_until
from tracker.stores.mongo import (
    access,
    catalog,
    event_records,
    idempotency,
    lock_documents,
    outbox,
    records,
    terraform,
    webhooks,
    writes,
)
from tracker.stores.mongo.database import CHANGE_SECONDS, META
from tracker.stores.mongo.failures import store_error
from tracker.stores.mongo.upgrades import SCHEMA, fill_in_terms, replace_marks
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.deliveries import Deliveries
    from tracker.stores.mongo.writes import Document

LOOK_SECONDS = 5.0
"""Time between two rounds."""

LATE_SECONDS = 5
"""Age from which an undelivered entry is late."""

LOST_SECONDS = 30
"""Age from which an undecided change is undone: three times the limit of a change."""

COLLECTIONS = (
    event_records.NAME,
    lock_documents.NAME,
    idempotency.NAME,
    catalog.NAME,
    records.LINKS.name,
    records.FREEZES.name,
    records.POLICIES.name,
    records.HOLDS.name,
    access.NAME,
    webhooks.NAME,
    terraform.NAME,
)
"""Those whose documents have outboxes."""

_WITH_TOMBSTONES = (
    event_records.NAME,
    catalog.NAME,
    webhooks.NAME,
    records.LINKS.name,
    records.FREEZES.name,
    records.POLICIES.name,
    records.HOLDS.name,
)
_TOMBSTONE_SECONDS = 24 * 60 * 60
"""How long a tombstone is kept, so that a late change finds it."""


@dataclass(eq=False)
class Reconciler:
    """Looks for unfinished changes, and completes or undoes each."""

    _database: Database
    _deliveries: Deliveries

    async def look(self, *, early: bool = False) -> None:
        """Finish the changes that are late.

        With `early`, finish all that are under way; calls whose change is undone fail.

        Raises:
            TrackerError: Some can't be finished now; the next round tries again.
        """
        with pymongo.timeout(CHANGE_SECONDS):  # servers of version 2 may still leave marks
            if await self._database.newest(META).find_one(SCHEMA | {"had_marks": True}) is not None:
                await replace_marks(self._database, LATE_SECONDS, LOST_SECONDS)
        failures = []
        for name in COLLECTIONS:
            late = {"outbox.at": self._before(0 if early else LATE_SECONDS)}
            with pymongo.timeout(CHANGE_SECONDS):
                found = await self._database.newest(name).find(late).to_list()
            for stored in found:
                try:
                    with pymongo.timeout(CHANGE_SECONDS):
                        await self._finish(name, stored, 0 if early else LOST_SECONDS)
                except (TrackerError, PyMongoError) as failure:
                    failures.append(failure)
        await self._deliveries.courier.drained()
        await self._forget()
        if failures:
            raise store_error(failures[0]) if isinstance(failures[0], PyMongoError) else failures[0]

    async def _finish(self, name: str, stored: Document, lost_seconds: float) -> None:
        """Decide old undecided entries of a document, and deliver its outbox."""
        undecided = outbox.undecided_of(stored)
        if any(entry["at"] < self._database.now() - lost_seconds * MICROS for entry in undecided):
            await outbox.settle(self._database, name, stored)
            stored = await self._database.newest(name).find_one({"_id": stored["_id"]}) or {}
        await self._deliveries.deliver(name, stored, again=True)

    async def _forget(self) -> None:
        """Delete what is no longer needed, and store the terms that events lack."""
        await fill_in_terms(self._database.newest(event_records.NAME))
        with pymongo.timeout(CHANGE_SECONDS):
            for name in _WITH_TOMBSTONES:
                old = {"tombstone": self._before(_TOMBSTONE_SECONDS), "outbox.0": {"$exists": False}}
                await writes.delete_all(self._database.newest(name), old)
            await self._deliveries.courier.forget()
            over = {"at": {"$lte": forgotten_until(self._database.now())}}
            await writes.delete_all(self._database.newest(idempotency.NAME), over)

    def _before(self, seconds: float) -> Document:
        return {"$lt": self._database.now() - int(seconds * MICROS)}
