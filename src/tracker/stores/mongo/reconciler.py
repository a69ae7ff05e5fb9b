"""The reconciler: finishes changes that other servers, or this one, left unfinished (`outbox.py`).

Every server runs it every few seconds. It does no harm if two servers finish the same change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pymongo
from pymongo.errors import PyMongoError

from tracker.errors import TrackerError
from tracker.stores.mongo import catalog, event_records, idempotency, links, lock_documents, outbox, writes
from tracker.stores.mongo.database import CHANGE_SECONDS, META
from tracker.stores.mongo.failures import store_error
from tracker.stores.mongo.upgrades import SCHEMA, fill_in_terms, replace_marks
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from tracker.stores.mongo.change_log import LogWriter
    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.deliveries import Deliveries
    from tracker.stores.mongo.writes import Document

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


@dataclass(eq=False)
class Reconciler:
    """Looks for unfinished changes, and completes or undoes each."""

    _database: Database
    _deliveries: Deliveries
    _log: LogWriter

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
        await self._deliveries.courier.drained()
        await self._forget()
        if failures:
            raise store_error(failures[0]) if isinstance(failures[0], PyMongoError) else failures[0]

    async def _replace_old_marks(self) -> None:
        """Replace the marks of servers of an earlier version, if there may be any."""
        with pymongo.timeout(CHANGE_SECONDS):
            had_marks = SCHEMA | {"had_marks": True}
            if await self._database.newest(META).find_one(had_marks) is not None:
                await replace_marks(self._database, LATE_SECONDS, LOST_SECONDS)

    async def _late(self, name: str, seconds: float) -> list[Document]:
        """Return the documents of a collection whose outboxes have an entry of some age."""
        with pymongo.timeout(CHANGE_SECONDS):
            return await self._database.newest(name).find({"outbox.at": self._before(seconds)}).to_list()

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
            for name in (event_records.NAME, catalog.NAME, links.NAME):
                old = {"tombstone": self._before(_TOMBSTONE_SECONDS), "outbox.0": {"$exists": False}}
                await writes.delete_all(self._database.newest(name), old)
            await self._log.forget()
            await idempotency.forget(self._database)

    def _before(self, seconds: float) -> Document:
        return {"$lt": self._database.now() - int(seconds * MICROS)}
