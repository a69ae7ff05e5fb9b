"""Finishes what other servers, or this one, have begun and left.

Every server looks for it every few seconds. Two that find the same do it twice, which is as good as once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pymongo
from pymongo.errors import DuplicateKeyError

from tracker.domain.times import MICROS
from tracker.stores.mongo import (
    catalog,
    event_records,
    event_terms,
    idempotency,
    links,
    lock_documents,
    writes,
)
from tracker.stores.mongo.changes import CHANGE_SECONDS
from tracker.stores.mongo.search.index_scans import BY_TERM, EARLIEST

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tracker.stores.mongo.connections import Connections
    from tracker.stores.mongo.event_log import MongoEventLog
    from tracker.stores.mongo.follow_ups import FollowUps
    from tracker.stores.mongo.idempotency import MongoIdempotency
    from tracker.stores.mongo.lock_keys import LockKeys
    from tracker.stores.mongo.writes import Collection, Document

LOOK_SECONDS = 5.0
"""Time between two looks."""

LATE_SECONDS = 5
"""Age from which on what follows from a change is late."""

LOST_SECONDS = 30
"""Age from which on a change that only began is given up: thrice what one may take."""

_GONE_SECONDS = 24 * 60 * 60
"""How long the place of an event that must not come is kept."""


_FILLED_AT_ONCE = 1_000
"""How many events of before get their terms beside them in one look."""


class Janitor:
    """Looks for changes that came halfway, and brings each to its end, or back."""

    def __init__(  # noqa: PLR0913, PLR0917 - all that may be left halfway
        self,
        connections: Connections,
        keys: LockKeys,
        follow_ups: FollowUps,
        once: MongoIdempotency,
        log: MongoEventLog,
        now: Callable[[], int],
    ) -> None:
        self._connections = connections
        self._keys = keys
        self._follow_ups = follow_ups
        self._once = once
        self._log = log
        self._now = now

    async def look(self, *, early: bool = False) -> None:
        """Look once, and finish what is late.

        With `early`, finish all that is under way, which does no harm but to those whose change it is: they
        find that it was decided without them.
        """
        late, lost = (self._before(0 if early else age) for age in (LATE_SECONDS, LOST_SECONDS))
        events = self._connections.newest(event_records.NAME)
        keys = self._connections.newest(lock_documents.NAME)
        deleted = [self._connections.newest(name) for name in (catalog.NAME, links.NAME)]
        await self._each(events, {"outbox.at": late}, self._follow_ups.carry_out)
        await self._each(keys, {"outbox.at": late}, self._keys.deliver)
        await self._each(keys, {"holder.provisional.at": lost}, self._decide)
        await self._each(keys, {"holder.moving.at": lost}, self._keys.finish_move)
        await self._each(events, {"unlogged.at": late}, self._log.finish)
        await self._each(self._connections.newest(idempotency.NAME), {"claim.at": lost}, self._once.finish)
        await self._fill_in_terms(events)
        with pymongo.timeout(CHANGE_SECONDS):
            done: Document = {"gone": self._before(_GONE_SECONDS), "outbox": None, "unlogged.op": None}
            await writes.delete_all(events, done)
            await self._log.forget()
            await self._once.forget(events, keys, *deleted)
            for records in deleted:
                await writes.delete_all(records, {"gone": lost, "keys": None})

    def _before(self, seconds: int) -> Document:
        return {"$lt": self._now() - seconds * MICROS}

    async def _each(
        self, collection: Collection, where: Document, finish: Callable[[Document], Awaitable[object]]
    ) -> None:
        with pymongo.timeout(CHANGE_SECONDS):
            found = await collection.find(where).to_list()
        for stored in found:
            with pymongo.timeout(CHANGE_SECONDS):
                await finish(stored)

    async def _fill_in_terms(self, events: Collection) -> None:
        """Put terms beside some of the events that were stored by a server that knew of none."""
        lacking = {"terms": None, "time": {"$gte": EARLIEST}}
        with pymongo.timeout(CHANGE_SECONDS):
            found = await events.find(lacking, hint=BY_TERM, limit=_FILLED_AT_ONCE).to_list()
        for stored in found:
            with pymongo.timeout(CHANGE_SECONDS):
                await event_terms.fill_in(events, stored)

    async def _decide(self, stored: Document) -> None:
        """Keep a provisional lock if its event has come, or changed; else make sure that it never will."""
        holder = stored["holder"]
        provisional = holder["provisional"]
        if await self._has_come(provisional):
            await self._keys.confirm(holder["id"], provisional["op"])
        elif await self._can_no_longer_come(provisional):
            await self._keys.give_back(holder["id"], provisional["op"])

    async def _has_come(self, provisional: Document) -> bool:
        """Return whether the change of the event was made that the lock was taken for."""
        events = self._connections.newest(event_records.NAME)
        event = await events.find_one({"_id": provisional["event"]})
        if event is None or "gone" in event:
            return False
        return bool(provisional["new"]) or event.get("outbox", {}).get("op") == provisional["op"]

    async def _can_no_longer_come(self, provisional: Document) -> bool:
        """Take the place of the event, or its revision, from whoever began the change and was only slow.

        Returns False if somebody else was quicker, and the outcome is to be looked at again.
        """
        events = self._connections.newest(event_records.NAME)
        event = await events.find_one({"_id": provisional["event"]})
        if event is not None and "gone" in event:
            return True
        if event is None:
            try:
                await writes.insert(events, {"_id": provisional["event"], "gone": self._now()})
            except DuplicateKeyError:
                return False
            return True
        if provisional["new"] or event.get("outbox", {}).get("op") == provisional["op"]:
            return False
        return await writes.replace(events, event, event)
