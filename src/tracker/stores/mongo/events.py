"""Events in MongoDB."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from tracker.domain.event_briefs import brief_cursor
from tracker.domain.event_locks import decide_event_change
from tracker.domain.events import EventId, event_cursor, event_id
from tracker.domain.locks import HeldLock
from tracker.domain.query.tree import EventFilter
from tracker.stores.changes import AGED_OUT, ChangeKind, RecordKind
from tracker.stores.documents import read_brief, read_event
from tracker.stores.events import MAX_SEARCH_SECONDS, DeletedEvent, Explanation, searched_too_long
from tracker.stores.mongo import changelogs, event_records, idempotency, lock_documents, lock_keys, writes
from tracker.stores.mongo.deliveries import end_fields
from tracker.stores.mongo.event_records import NAME
from tracker.stores.mongo.failures import store_errors
from tracker.stores.mongo.outbox import carried, is_full, logged, made_by, new_entry
from tracker.stores.mongo.search import counting, execution
from tracker.stores.pages import Total, found, known_total

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from tracker.domain.event_briefs import EventBrief
    from tracker.domain.event_locks import EventChange
    from tracker.domain.events import EventKey
    from tracker.domain.locks import Release
    from tracker.domain.query.fields import Field
    from tracker.pb import event_pb, lock_pb
    from tracker.stores.events import Added, MonthCount, Tally
    from tracker.stores.idempotency import Once
    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.deliveries import Deliveries
    from tracker.stores.mongo.event_counts import EventCounts
    from tracker.stores.mongo.writes import Collection, Document
    from tracker.stores.pages import Found, Page

T = TypeVar("T")

_ADDED_AT_ONCE = 250
"""How many events are added by one command."""


_AGED_OUT_AT_ONCE = 50
"""How many events are aged out together, each by a command of its own."""


@dataclass(eq=False)
class MongoEvents:
    """The `EventStore` in MongoDB."""

    _database: Database
    _deliveries: Deliveries
    _counts: EventCounts

    async def create(
        self, event: event_pb.Event, lock: lock_pb.Lock | None, once: Once[event_pb.Event] | None = None
    ) -> None:
        async def step() -> None:
            decider = (NAME, event_id(event))
            change = new_entry(self._database.now(), log=[_logged(ChangeKind.CREATED, decider[1])])
            async with idempotency.claimed(self._database, once, event, decider, change):
                # The lock is undecided until the event is stored.
                if lock is not None:
                    await lock_keys.take_for_event(self._database, HeldLock(lock), decider[1], change, {})
                stored = await event_records.insert(self._events, event, change)
            await self._deliveries.try_to_deliver(NAME, stored)

        await self._database.run(step)

    async def add(self, events: Sequence[event_pb.Event]) -> Sequence[Added]:
        async def step(batch: Sequence[event_pb.Event]) -> Sequence[Added]:
            now = self._database.now()
            ids = map(event_id, batch)
            changes = [new_entry(now, log=[_logged(ChangeKind.CREATED, each)]) for each in ids]
            new = [*map(event_records.new_document, batch, changes)]
            outcomes = await event_records.insert_new(self._events, batch, new)
            for document, outcome in zip(new, outcomes, strict=True):
                if outcome is True and "history" in document:
                    await self._deliveries.try_to_deliver(NAME, document)
                elif outcome is True:
                    self._deliveries.courier.add(NAME, document)
            return outcomes

        outcomes: list[Added] = []
        for start in range(0, len(events), _ADDED_AT_ONCE):
            await self._deliveries.courier.await_room()
            outcomes += await self._database.run(partial(step, events[start : start + _ADDED_AT_ONCE]))
        return outcomes

    async def get(self, key: EventKey) -> event_pb.Event | None:
        async with self._database.asking(NAME) as events:
            stored = await events.find_one(event_records.condition(key), {"document": 1, "tombstone": 1})
        return None if stored is None or "tombstone" in stored else event_records.event_of(stored)

    async def ids_that_begin(self, beginning: str) -> Sequence[str]:
        where = {"_id": {"$gte": beginning, "$lte": f"{beginning}~"}, "tombstone": {"$exists": False}}
        async with self._database.asking(NAME) as events:
            return [stored["_id"] async for stored in events.find(where, {"_id": 1})]

    async def changelog(self, key: EventKey, page: Page) -> Found[event_pb.ChangelogEntry] | None:
        wanted = ("document", "tombstone", "history", "outbox.changelog")
        async with self._database.asking(NAME) as events:
            stored = await events.find_one(event_records.condition(key), dict.fromkeys(wanted, 1))
            if stored is None or "tombstone" in stored:
                return None
            return await changelogs.read(self._database, stored, page)

    async def modify(
        self,
        key: EventKey,
        change: Callable[[event_pb.Event, Sequence[lock_pb.Lock]], EventChange],
        once: Once[event_pb.Event] | None = None,
    ) -> event_pb.Event | None:
        return await self._change(key, lambda stored: self._try(stored, change, once))

    async def delete(
        self,
        key: EventKey,
        release: Release,
        once: Once[DeletedEvent] | None = None,
        check: Callable[[event_pb.Event], None] | None = None,
    ) -> DeletedEvent | None:
        async def attempt(stored: Document) -> DeletedEvent | None:
            if check is not None:
                check(event_records.event_of(stored))
            keys = await lock_keys.of_event(self._database, stored["_id"], made_by(stored))
            locks = [lock_documents.lock_of(key["holder"]) for key in keys]
            deleted = DeletedEvent(event_records.event_of(stored), locks)
            log = _logged(ChangeKind.DELETED, stored["_id"], stored["document"])
            log["counted"] = [event_records.counted(stored), None]
            parts = {"log": [log], "forgets": stored.get("history")}
            ends = end_fields(release) if keys else None
            tombstone = {"_id": stored["_id"], "tombstone": self._database.now()}
            made = await self._deliveries.put(once, deleted, NAME, stored, tombstone, ends_all=ends, **parts)
            return deleted if made else None

        return await self._change(key, attempt)

    async def age_out(self, events: Sequence[event_pb.Event], reason: str) -> Sequence[str]:
        async def step(part: Sequence[event_pb.Event]) -> Sequence[str]:
            given = {event_id(event): event for event in part}
            there = {"_id": {"$in": [*given]}, "tombstone": None}
            rows = await self._events.find(there).to_list()
            if any("outbox" in row for row in rows):  # of a change that was just made
                await self._deliveries.courier.drained()
                rows = await self._events.find(there | {"outbox": None}).to_list()
            locks = self._database.newest(lock_documents.NAME)
            keys = await locks.find({"holder.event_id": {"$in": [*given]}}, ["holder.event_id"]).to_list()
            locked = {key["holder"]["event_id"] for key in keys}
            unchanged = [
                row
                for row in rows
                if row["_id"] not in locked and event_records.event_of(row) == given[row["_id"]]
            ]
            made = await asyncio.gather(*(self._age_out(row, reason) for row in unchanged))
            return [row["_id"] for row, done in zip(unchanged, made, strict=True) if done]

        deleted: list[str] = []
        for start in range(0, len(events), _AGED_OUT_AT_ONCE):
            await self._deliveries.courier.await_room()
            part = events[start : start + _AGED_OUT_AT_ONCE]
            deleted += await self._database.run(partial(step, part))
        return deleted

    async def mentioning(self, texts: Sequence[str]) -> Sequence[str]:
        contains = {"document": {"$regex": "|".join(map(re.escape, texts))}}
        found: dict[str, None] = {}
        for name, field in ((NAME, "_id"), (changelogs.NAME, "event")):
            rows = self._database.confirmed(name).find(contains, {field: 1})
            with store_errors():
                found |= {row[field]: None async for row in rows}
        return [*found]

    async def find(
        self,
        where: EventFilter,
        page: Page,
        explanation: Explanation | None = None,
        *,
        oldest_first: bool = False,
    ) -> Found[event_pb.Event]:
        searched = explanation or Explanation()
        async with self._asking(where) as events:
            reading = await execution.select_page(
                events, where, page, searched, read_event, oldest_first=oldest_first
            )
            if explanation is not None:
                async for step in execution.list_steps(events, where, oldest_first=oldest_first):
                    explanation.steps.append(step)
            total = known_total(reading) or await self._total(events, where, searched)
            return found(reading, event_cursor, total)

    async def find_briefs(self, where: EventFilter, page: Page) -> Found[EventBrief]:
        searched = Explanation()
        async with self._asking(where) as events:
            reading = await execution.select_page(events, where, page, searched, read_brief)
            total = known_total(reading) or await self._total(events, where, searched)
            return found(reading, brief_cursor, total)

    async def count(self, where: EventFilter) -> int:
        counts = await self._counts.matching(where)
        if counts is not None:
            return counts.total()
        async with self._asking(where) as events:
            return await execution.count(events, where)

    async def count_by_month(self, where: EventFilter, *, by_service: bool) -> Sequence[MonthCount]:
        async with self._asking(where) as events:
            return await execution.count_by_month(events, where, by_service=by_service)

    async def count_by(
        self, where: EventFilter, fields: Sequence[Field], most: int, explanation: Explanation | None = None
    ) -> tuple[int, Sequence[Sequence[Tally]]]:
        counts = await self._counts.matching(where)
        async with self._asking(where) as events:
            searched = explanation or Explanation()
            return await counting.count_by(events, where, fields, most, searched, counts)

    async def count_between(
        self,
        where: EventFilter,
        edges: Sequence[int],
        by: Field | None,
        explanation: Explanation | None = None,
    ) -> Sequence[Mapping[str | int, int]]:
        async with self._asking(where) as events:
            return await counting.count_between(events, where, edges, by, explanation or Explanation())

    async def durations_between(
        self, where: EventFilter, edges: Sequence[int], explanation: Explanation | None = None
    ) -> Sequence[Sequence[int]]:
        async with self._asking(where) as events:
            return await counting.durations_between(events, where, edges, explanation or Explanation())

    async def _age_out(self, stored: Document, reason: str) -> bool:
        """Delete an event that nothing waits for, unless it changes meanwhile; return whether it is done."""
        log = _logged(ChangeKind.DELETED, stored["_id"], stored["document"])
        log |= {"counted": [event_records.counted(stored), None], "ending": AGED_OUT, "reason": reason}
        change = new_entry(self._database.now(), log=[log], forgets=stored.get("history"))
        tombstone = {"_id": stored["_id"], "tombstone": self._database.now(), **carried(stored, change)}
        if not await writes.replace(self._events, stored, tombstone):
            return False
        await self._deliveries.try_to_deliver(NAME, tombstone)
        return True

    async def _total(self, events: Collection, where: EventFilter, searched: Explanation) -> Total:
        """Count the matching events for a list, by the counts of all events if these are enough."""
        counts = None if where == EventFilter() else await self._counts.matching(where)
        if counts is not None:
            searched.steps.append("count: sum up the counts of all events")
            return Total(counts.total())
        searched.steps += execution.scan_steps("count", where, "count in the database")
        return await execution.total(events, where, searched)

    @asynccontextmanager
    async def _asking(self, where: EventFilter) -> AsyncIterator[Collection]:
        """Give the collection for a query; bound the time for which it searches documents."""
        async with self._database.asking(NAME) as events:
            try:
                async with asyncio.timeout(MAX_SEARCH_SECONDS if execution.searches(where) else None):
                    yield events
            except TimeoutError:
                raise searched_too_long() from None

    @property
    def _events(self) -> Collection:
        return self._database.newest(NAME)

    async def _change(self, key: EventKey, attempt: Callable[[Document], Awaitable[T | None]]) -> T | None:
        """Change the event that has a key, if there is one: repeat `attempt` while it returns None."""

        async def step() -> T | None:
            if isinstance(key, EventId):
                record_id = key.value
            elif row := await self._events.find_one(event_records.condition(key), {"_id": 1}):
                record_id = row["_id"]
            else:
                return None
            async with self._database.turn(NAME, record_id):
                while stored := await self._events.find_one({"_id": record_id, "tombstone": None}):
                    await self._deliveries.finish_ends(NAME, stored)
                    if await changelogs.move_oversized(self._database, self._events, stored):
                        continue
                    if is_full(stored):
                        await self._deliveries.deliver(NAME, stored)
                        await self._deliveries.courier.drained()
                        continue
                    if (changed := await attempt(stored)) is not None:
                        return changed
            return None

        return await self._database.run(step)

    async def _try(
        self,
        stored: Document,
        change: Callable[[event_pb.Event, Sequence[lock_pb.Lock]], EventChange],
        once: Once[event_pb.Event] | None,
    ) -> event_pb.Event | None:
        """Change an event, unless it or one of its locks changes meanwhile: then return None."""
        database = self._database
        found = await lock_keys.of_event(database, stored["_id"], made_by(stored))
        keys = {key["holder"]["id"]: key for key in found}
        held = [lock_documents.held(key) for key in found]
        before = event_records.whole_event_of(stored)
        asked = change(before, [each.lock for each in held])
        outcome = decide_event_change(asked, held)
        ends = {each.lock.id: release for each, release in outcome.ends}
        entry = new_entry(
            database.now(),
            log=[_logged(ChangeKind.UPDATED, stored["_id"], stored["document"])],
            ends=[{"lock": lock_id, **end_fields(release)} for lock_id, release in ends.items()],
        )
        event, history = changelogs.divide(stored, before, outcome.event, entry)
        decider = (NAME, stored["_id"])
        async with idempotency.claimed(database, once, event, decider, entry) as claim:
            if outcome.claim is not None:
                await lock_keys.take_for_event(database, outcome.claim, stored["_id"], entry, ends)
            # If the rest fails, a lease that was renewed does no harm.
            renewed = [await lock_keys.update(database, keys[lock.id], lock) for _, lock in outcome.renewed]
            new = None
            if None not in renewed:
                new = await event_records.replace(self._events, stored, event, history, entry)
            claim.made = new is not None
        if new is None:
            return None
        await self._deliveries.try_to_deliver(NAME, new)
        return event


def _logged(kind: ChangeKind, event_id: str, before: str = "") -> Document:
    return logged(RecordKind.EVENT, kind, event_id, before=before)
