"""The reconciler: finishes changes that other servers, or this one, left unfinished (`outbox.py`).

Every server runs it every few seconds. It does no harm if two servers finish the same change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pymongo
from pymongo.errors import PyMongoError

from tracker.domain.times import MICROS
from tracker.errors import TrackerError
from tracker.stores.mongo import (
    catalog,
    event_records,
    event_terms,
    idempotency,
    links,
    lock_documents,
    old_marks,
    writes,
)
from tracker.stores.mongo.changes import CHANGE_SECONDS
from tracker.stores.mongo.failures import store_error
from tracker.stores.mongo.outbox import undecided_of
from tracker.stores.mongo.search.index_scans import BY_TERM, EARLIEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.stores.mongo.change_log import LogWriter
    from tracker.stores.mongo.connections import Connections
    from tracker.stores.mongo.courier import Courier
    from tracker.stores.mongo.decisions import Decisions
    from tracker.stores.mongo.deliveries import Deliveries
    from tracker.stores.mongo.idempotency import MongoIdempotency
    from tracker.stores.mongo.writes import Collection, Document

LOOK_SECONDS = 5.0
"""Time between two rounds."""

LATE_SECONDS = 5
"""Age from which an undelivered entry is late."""

LOST_SECONDS = 30
"""Age from which an undecided change is undone: three times the limit of a change."""

COLLECTIONS = (event_records.NAME, lock_documents.NAME, idempotency.NAME, catalog.NAME, links.NAME)
"""Those whose documents have outboxes."""

_TOMBSTONE_SECONDS = 24 * 60 * 60
"""How long a tombstone is kept, for a change that comes too late to find it."""

_FILLED_AT_ONCE = 1_000
"""How many events get the terms that they lack in one round."""


@dataclass(eq=False)
class Reconciler:
    """Looks for unfinished changes, and completes or undoes each."""

    _connections: Connections
    _decisions: Decisions
    _deliveries: Deliveries
    _courier: Courier
    _log: LogWriter
    _once: MongoIdempotency
    _now: Callable[[], int]

    async def look(self, *, early: bool = False) -> None:
        """Finish the changes that are late.

        With `early`, finish all that are under way; calls whose change is undone fail.

        Raises:
            TrackerError: Some can't be finished now; the next round tries again.
        """
        await self._replace_old_marks()
        failures = []
        for name in COLLECTIONS:
            for stored in await self._late(name, 0 if early else LATE_SECONDS):
                try:
                    with pymongo.timeout(CHANGE_SECONDS):
                        await self._finish(name, stored, 0 if early else LOST_SECONDS)
                except (TrackerError, PyMongoError) as failure:
                    failures.append(failure)
        await self._courier.drained()
        await self._forget()
        if failures:
            raise store_error(failures[0]) if isinstance(failures[0], PyMongoError) else failures[0]

    async def _replace_old_marks(self) -> None:
        """Replace the marks of servers of an earlier version, if there may be any."""
        with pymongo.timeout(CHANGE_SECONDS):
            schema = await self._connections.newest("tracker").find_one({"_id": "schema", "had_marks": True})
            if schema is not None:
                now = self._now()
                late, lost = now - LATE_SECONDS * MICROS, now - LOST_SECONDS * MICROS
                await old_marks.replace_marks(self._connections, old_marks.Ages(now, late, lost))

    async def _late(self, name: str, seconds: float) -> list[Document]:
        """Return the documents of a collection whose outboxes have an entry of some age."""
        with pymongo.timeout(CHANGE_SECONDS):
            return await self._connections.newest(name).find({"outbox.at": self._before(seconds)}).to_list()

    async def _finish(self, name: str, stored: Document, lost_seconds: float) -> None:
        """Decide old undecided entries of a document, and deliver its outbox."""
        undecided = undecided_of(stored)
        if any(entry["at"] < self._now() - lost_seconds * MICROS for entry in undecided):
            await self._decisions.settle(name, stored)
            stored = await self._connections.newest(name).find_one({"_id": stored["_id"]}) or {}
        await self._deliveries.deliver(name, stored, again=True)

    async def _forget(self) -> None:
        """Delete what is no longer needed, and store the terms that events lack."""
        await self._fill_in_terms(self._connections.newest(event_records.NAME))
        with pymongo.timeout(CHANGE_SECONDS):
            for name in (event_records.NAME, catalog.NAME, links.NAME):
                old = {"tombstone": self._before(_TOMBSTONE_SECONDS), "outbox.0": {"$exists": False}}
                await writes.delete_all(self._connections.newest(name), old)
            await self._log.forget()
            await self._once.forget()

    def _before(self, seconds: float) -> Document:
        return {"$lt": self._now() - int(seconds * MICROS)}

    async def _fill_in_terms(self, events: Collection) -> None:
        """Store the terms of some events that an earlier version stored without them."""
        lacking = {"terms": None, "time": {"$gte": EARLIEST}}
        with pymongo.timeout(CHANGE_SECONDS):
            found = await events.find(lacking, hint=BY_TERM, limit=_FILLED_AT_ONCE).to_list()
        for stored in found:
            with pymongo.timeout(CHANGE_SECONDS):
                await event_terms.fill_in(events, stored)
