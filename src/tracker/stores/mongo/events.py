"""Events in MongoDB."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from pymongo.errors import DuplicateKeyError

from tracker.domain.event_locks import decide_event_change
from tracker.domain.events import EventId
from tracker.domain.locks import HeldLock, lock_key
from tracker.stores.changes import ChangeKind, RecordKind
from tracker.stores.events import DeletedEvent, Explanation, ExternalIdTakenError, SlackIdTakenError
from tracker.stores.mongo import event_records, lock_documents
from tracker.stores.mongo.change_log import logged
from tracker.stores.mongo.changes import turn_of
from tracker.stores.mongo.deliveries import end_fields, ends_of
from tracker.stores.mongo.failures import unavailable
from tracker.stores.mongo.outbox import made_by, new_entry
from tracker.stores.mongo.search import counts as event_counts
from tracker.stores.mongo.search import explaining, lists
from tracker.stores.pages import found, known_total, was_counted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from tracker.domain.event_locks import EventChange
    from tracker.domain.events import EventKey
    from tracker.domain.locks import Release
    from tracker.domain.query.fields import Field
    from tracker.domain.query.tree import EventFilter
    from tracker.pb import event_pb, lock_pb
    from tracker.stores.events import Added, MonthCount, Tally
    from tracker.stores.idempotency import Once
    from tracker.stores.mongo.changes import Changes
    from tracker.stores.mongo.connections import Connections
    from tracker.stores.mongo.courier import Courier
    from tracker.stores.mongo.decisions import Decisions
    from tracker.stores.mongo.deliveries import Deliveries
    from tracker.stores.mongo.idempotency import MongoIdempotency
    from tracker.stores.mongo.lock_keys import LockKeys
    from tracker.stores.mongo.writes import Collection, Document
    from tracker.stores.pages import Found, Page

T = TypeVar("T")

_ADDED_AT_ONCE = 250
"""How many events are added by one command."""


@dataclass(eq=False)
class MongoEvents:
    """The `EventStore` in MongoDB."""

    _connections: Connections
    _changes: Changes
    _decisions: Decisions
    _keys: LockKeys
    _once: MongoIdempotency
    _deliveries: Deliveries
    _courier: Courier
    _now: Callable[[], int]

    async def create(
        self, event: event_pb.Event, lock: lock_pb.Lock | None, once: Once[event_pb.Event] | None = None
    ) -> None:
        async def step() -> None:
            event_id = event_records.event_id(event)
            change = new_entry(self._now(), log=[_logged(ChangeKind.CREATED, event_id)])
            decider = (event_records.NAME, event_id)
            async with self._once.claimed(once, event, decider, change):
                # The lock is undecided until the event is stored.
                if lock is not None:
                    await self._keys.take_for_event(HeldLock(lock), *decider, change, {})
                stored = await self._insert(event, lock, change)
            await self._deliveries.try_to_deliver(event_records.NAME, stored)

        await self._changes.run(step)

    async def add(self, events: Sequence[event_pb.Event]) -> Sequence[Added]:
        async def step(batch: Sequence[event_pb.Event]) -> Sequence[Added]:
            now = self._now()
            ids = map(event_records.event_id, batch)
            changes = [new_entry(now, log=[_logged(ChangeKind.CREATED, each)]) for each in ids]
            new = [*map(event_records.new_document, batch, changes)]
            outcomes = await event_records.insert_new(self._events, batch, new)
            for document, outcome in zip(new, outcomes, strict=True):
                if outcome is True:
                    self._courier.add(event_records.NAME, document)
            return outcomes

        outcomes: list[Added] = []
        for start in range(0, len(events), _ADDED_AT_ONCE):
            await self._courier.await_room()
            outcomes += await self._changes.run(partial(step, events[start : start + _ADDED_AT_ONCE]))
        return outcomes

    async def get(self, key: EventKey) -> event_pb.Event | None:
        async with self._connections.asking(event_records.NAME) as events:
            stored = await events.find_one(event_records.condition(key), {"document": 1, "tombstone": 1})
        return None if stored is None or "tombstone" in stored else event_records.event_of(stored)

    async def modify(
        self,
        key: EventKey,
        change: Callable[[event_pb.Event, Sequence[lock_pb.Lock]], EventChange],
        once: Once[event_pb.Event] | None = None,
    ) -> event_pb.Event | None:
        return await self._change(key, lambda stored: self._try(stored, change, once))

    async def delete(
        self, key: EventKey, release: Release, once: Once[DeletedEvent] | None = None
    ) -> DeletedEvent | None:
        async def attempt(stored: Document) -> DeletedEvent | None:
            event_id, now = stored["_id"], self._now()
            keys = await self._keys.of_event(event_id, made_by(stored))
            locks = [lock_documents.lock_of(key["holder"]) for key in keys]
            deleted = DeletedEvent(event_records.event_of(stored), locks)
            log = [_logged(ChangeKind.DELETED, event_id, stored["document"])]
            change = new_entry(now, log=log, ends_all=end_fields(release) if keys else None)
            new = {"_id": event_id, "tombstone": now}
            tombstone = await self._once.put(once, deleted, self._events, stored, new, change)
            if tombstone is None:
                return None
            await self._deliveries.try_to_deliver(event_records.NAME, tombstone)
            return deleted

        return await self._change(key, attempt)

    async def find(
        self,
        where: EventFilter,
        page: Page,
        explanation: Explanation | None = None,
        *,
        oldest_first: bool = False,
    ) -> Found[event_pb.Event]:
        searched = explanation or Explanation()
        async with self._connections.asking(event_records.NAME) as events:
            records = await lists.select_page(events, where, page, searched, oldest_first=oldest_first)
            total = known_total(records, page) or await lists.total(events, where, searched)
            answer = found(records, page, event_records.cursor, total)
            if explanation is not None:
                async for step in explaining.list_steps(events, where, oldest_first=oldest_first):
                    explanation.steps.append(step)
                if was_counted(answer, page):
                    explanation.steps += explaining.count_steps(where)
            return answer

    async def count(self, where: EventFilter) -> int:
        async with self._connections.asking(event_records.NAME) as events:
            return await lists.count(events, where)

    async def count_by_month(self, where: EventFilter, *, by_service: bool) -> Sequence[MonthCount]:
        async with self._connections.asking(event_records.NAME) as events:
            return await lists.count_by_month(events, where, by_service=by_service)

    async def count_by(
        self,
        where: EventFilter,
        fields: Sequence[Field],
        most: int,
        explanation: Explanation | None = None,
    ) -> tuple[int, Sequence[Sequence[Tally]]]:
        searched = explanation or Explanation()
        async with self._connections.asking(event_records.NAME) as events:
            counts = await event_counts.count_by(events, where, fields, most, searched)
        searched.steps += explaining.facet_steps(where, fields)
        return counts

    async def count_between(
        self,
        where: EventFilter,
        edges: Sequence[int],
        by: Field | None,
        explanation: Explanation | None = None,
    ) -> Sequence[Mapping[str | int, int]]:
        searched = explanation or Explanation()
        async with self._connections.asking(event_records.NAME) as events:
            counts = await event_counts.count_between(events, where, edges, by, searched)
        searched.steps += explaining.interval_steps(where, edges, by)
        return counts

    async def durations_between(
        self, where: EventFilter, edges: Sequence[int], explanation: Explanation | None = None
    ) -> Sequence[Sequence[int]]:
        searched = explanation or Explanation()
        async with self._connections.asking(event_records.NAME) as events:
            durations = await event_counts.durations_between(events, where, edges, searched)
        searched.steps += explaining.duration_steps(where)
        return durations

    @property
    def _events(self) -> Collection:
        return self._connections.newest(event_records.NAME)

    async def _insert(self, event: event_pb.Event, lock: lock_pb.Lock | None, change: Document) -> Document:
        try:
            return await event_records.insert(self._events, event, change)
        except DuplicateKeyError:
            raise unavailable("the change took so long that it was given up") from None
        except (SlackIdTakenError, ExternalIdTakenError):
            await self._give_back(lock, change)
            raise

    async def _change(self, key: EventKey, attempt: Callable[[Document], Awaitable[T | None]]) -> T | None:
        """Change the event that has a key, if there is one: repeat `attempt` while it returns None."""

        async def step() -> T | None:
            if isinstance(key, EventId):
                event_id = key.value
            elif row := await self._events.find_one(event_records.condition(key), {"_id": 1}):
                event_id = row["_id"]
            else:
                return None
            async with self._changes.turn(turn_of(event_records.NAME, event_id)):
                while stored := await self._events.find_one({"_id": event_id, "tombstone": None}):
                    await self._deliveries.finish_ends(event_records.NAME, stored)
                    if (changed := await attempt(stored)) is not None:
                        return changed
            return None

        return await self._changes.run(step)

    async def _try(
        self,
        stored: Document,
        change: Callable[[event_pb.Event, Sequence[lock_pb.Lock]], EventChange],
        once: Once[event_pb.Event] | None,
    ) -> event_pb.Event | None:
        """Change an event, unless it or one of its locks changes meanwhile: then return None."""
        event_id = stored["_id"]
        keys = {key["holder"]["id"]: key for key in await self._keys.of_event(event_id, made_by(stored))}
        held = [lock_documents.held(key) for key in keys.values()]
        outcome = decide_event_change(
            change(event_records.event_of(stored), [each.lock for each in held]), held
        )
        ends = {each.lock.id: release for each, release in outcome.ends}
        taken = None if outcome.claim is None else outcome.claim.lock
        log = [_logged(ChangeKind.UPDATED, event_id, stored["document"])]
        entry = new_entry(self._now(), log=log, ends=ends_of(ends))
        decider = (event_records.NAME, event_id)
        async with self._once.claimed(once, outcome.event, decider, entry) as claim:
            if outcome.claim is not None:
                await self._keys.take_for_event(outcome.claim, *decider, entry, ends)
            try:
                # If the rest fails, a lease that was renewed does no harm.
                renewed = [await self._keys.change(keys[lock.id], lock) for _, lock in outcome.renewed]
                new = None
                if None not in renewed:
                    new = await event_records.replace(self._events, stored, outcome.event, entry)
            except (SlackIdTakenError, ExternalIdTakenError):
                await self._give_back(taken, entry)
                raise
            claim.made = new is not None
            if new is None:
                await self._give_back(taken, entry)
        if new is None:
            return None
        await self._deliveries.try_to_deliver(event_records.NAME, new)
        return outcome.event

    async def _give_back(self, taken: lock_pb.Lock | None, change: Document) -> None:
        if taken is not None:
            key = lock_documents.key_id(lock_key(taken))
            await self._decisions.undo(lock_documents.NAME, key, change["op"])


def _logged(kind: ChangeKind, event_id: str, before: str = "") -> Document:
    return logged(RecordKind.EVENT, kind, event_id, before=before)
