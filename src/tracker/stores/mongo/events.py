"""Events in MongoDB."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from bson import ObjectId
from pymongo.errors import DuplicateKeyError, PyMongoError

from tracker.domain.event_locks import decide_event_change
from tracker.domain.locks import HeldLock
from tracker.errors import TrackerError
from tracker.stores.changes import ChangeKind
from tracker.stores.events import DeletedEvent, Explanation, ExternalIdTakenError, SlackIdTakenError
from tracker.stores.mongo import event_records, lock_documents, writes
from tracker.stores.mongo.event_log import note
from tracker.stores.mongo.failures import unavailable
from tracker.stores.mongo.follow_ups import outbox, outbox_of_deleted
from tracker.stores.mongo.search import counts as event_counts
from tracker.stores.mongo.search import explaining, lists
from tracker.stores.parts import found, known_total, was_counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracker.domain.event_locks import EventChange
    from tracker.domain.events import EventKey
    from tracker.domain.locks import Release
    from tracker.domain.query.fields import Field
    from tracker.domain.query.filters import EventFilter
    from tracker.pb import event_pb, lock_pb
    from tracker.stores.events import Added, MonthCount, Tally
    from tracker.stores.idempotency import Once
    from tracker.stores.mongo.changes import Changes
    from tracker.stores.mongo.connections import Connections
    from tracker.stores.mongo.event_log import MongoEventLog
    from tracker.stores.mongo.follow_ups import FollowUps
    from tracker.stores.mongo.idempotency import MongoIdempotency
    from tracker.stores.mongo.lock_keys import LockKeys
    from tracker.stores.mongo.writes import Collection, Document
    from tracker.stores.pages import Found, Page

_ADDED_AT_ONCE = 250
"""How many events are added by one command."""


class MongoEvents:
    """The `EventStore` in MongoDB."""

    def __init__(  # noqa: PLR0913, PLR0917 - all that a change of an event may touch
        self,
        connections: Connections,
        changes: Changes,
        keys: LockKeys,
        follow_ups: FollowUps,
        once: MongoIdempotency,
        log: MongoEventLog,
        now: Callable[[], int],
    ) -> None:
        self._connections = connections
        self._changes = changes
        self._keys = keys
        self._once = once
        self._follow_ups = follow_ups
        self._log = log
        self._now = now

    async def create(
        self, event: event_pb.Event, lock: lock_pb.Lock | None, once: Once[event_pb.Event] | None = None
    ) -> None:
        """Store a new event and take its lock.

        The lock is first taken provisionally. If the event does not come, the janitor makes sure that it
        never will, and frees the key.
        """

        async def step() -> None:
            async with self._once.claimed(once, event, event_records.NAME) as claim:
                await self._create(event, lock, claim.notes)

        await self._changes.run(step)

    async def add(self, events: Sequence[event_pb.Event]) -> Sequence[Added]:
        """Store events that are new."""

        async def step(part: Sequence[event_pb.Event]) -> Sequence[Added]:
            new = [(event, {"unlogged": note(None, ChangeKind.CREATED, self._now())}) for event in part]
            outcomes = await event_records.insert_new(self._events, new)
            for (event, beside), outcome in zip(new, outcomes, strict=True):
                if outcome is True:
                    self._log_change(event, beside)
            return outcomes

        outcomes: list[Added] = []
        for start in range(0, len(events), _ADDED_AT_ONCE):
            await self._log.await_room()
            outcomes += await self._changes.run(partial(step, events[start : start + _ADDED_AT_ONCE]))
        return outcomes

    async def get(self, key: EventKey) -> event_pb.Event | None:
        """Return one event."""
        async with self._connections.asking():
            events = self._connections.confirmed(event_records.NAME)
            stored = await events.find_one(event_records.condition(key), {"document": 1, "gone": 1})
        return None if stored is None or "gone" in stored else event_records.event_of(stored)

    async def modify(
        self,
        key: EventKey,
        change: Callable[[event_pb.Event, Sequence[lock_pb.Lock]], EventChange],
        once: Once[event_pb.Event] | None = None,
    ) -> event_pb.Event | None:
        """Replace one event, with what follows for its locks."""

        async def step() -> event_pb.Event | None:
            event_id = await self._id_of(key)
            if event_id is None:
                return None
            async with self._changes.turn(f"event {event_id}"):
                while (stored := await self._find(event_id)) is not None:
                    changed = await self._try(stored, change, once)
                    if changed is not None:
                        return changed
            return None

        return await self._changes.run(step)

    async def delete(
        self, key: EventKey, release: Release, once: Once[DeletedEvent] | None = None
    ) -> DeletedEvent | None:
        """Delete one event and its locks."""

        async def step() -> DeletedEvent | None:
            event_id = await self._id_of(key)
            if event_id is None:
                return None
            async with self._changes.turn(f"event {event_id}"):
                while (stored := await self._find(event_id)) is not None:
                    now = self._now()
                    gone: Document = {"gone": now, "unlogged": note(stored, ChangeKind.DELETED, now)}
                    keys = await self._keys.of_event(event_id)
                    if keys:
                        gone["outbox"] = outbox_of_deleted(ObjectId(), now, release)
                    locks = [lock_documents.lock_of(key["holder"]) for key in keys]
                    deleted = DeletedEvent(event_records.event_of(stored), locks)
                    async with self._once.claimed(once, deleted, event_records.NAME, stored) as claim:
                        claim.made = await writes.replace(self._events, stored, gone | claim.notes)
                    if claim.made:
                        self._log.add({"_id": event_id, **gone})
                        await self._carry_out({"_id": event_id, **gone})
                        return deleted
            return None

        return await self._changes.run(step)

    async def find(
        self,
        where: EventFilter,
        part: Page,
        explanation: Explanation | None = None,
        *,
        oldest_first: bool = False,
    ) -> Found[event_pb.Event]:
        """Return a part of the matching events, newest or oldest first."""
        events = self._connections.confirmed(event_records.NAME)
        told = explanation or Explanation()
        async with self._connections.asking():
            records = await lists.select_page(events, where, part, told, oldest_first=oldest_first)
            total = known_total(records, part) or await lists.total(events, where, told)
            answer = found(records, part, event_records.cursor, total)
            if explanation is not None:
                async for step in explaining.list_steps(events, where, oldest_first=oldest_first):
                    explanation.steps.append(step)
                if was_counted(answer, part):
                    explanation.steps += explaining.count_steps(where)
            return answer

    async def count(self, where: EventFilter) -> int:
        """Count the matching events."""
        async with self._connections.asking():
            return await lists.count(self._connections.confirmed(event_records.NAME), where)

    async def count_by_month(self, where: EventFilter, *, by_service: bool) -> Sequence[MonthCount]:
        """Count the matching events by month."""
        events = self._connections.confirmed(event_records.NAME)
        async with self._connections.asking():
            return await lists.count_by_month(events, where, by_service=by_service)

    async def count_by(
        self,
        where: EventFilter,
        fields: Sequence[Field],
        most: int,
        explanation: Explanation | None = None,
    ) -> tuple[int, Sequence[Sequence[Tally]]]:
        """Count the matching events by the values of fields."""
        events = self._connections.confirmed(event_records.NAME)
        told = explanation or Explanation()
        async with self._connections.asking():
            counts = await event_counts.count_by(events, where, fields, most, told)
        told.steps += explaining.facet_steps(where, fields)
        return counts

    async def count_between(
        self,
        where: EventFilter,
        edges: Sequence[int],
        by: Field | None,
        explanation: Explanation | None = None,
    ) -> Sequence[Mapping[str | int, int]]:
        """Count the matching events between edges."""
        events = self._connections.confirmed(event_records.NAME)
        told = explanation or Explanation()
        async with self._connections.asking():
            counts = await event_counts.count_between(events, where, edges, by, told)
        told.steps += explaining.interval_steps(where, edges, by)
        return counts

    async def durations_between(
        self, where: EventFilter, edges: Sequence[int], explanation: Explanation | None = None
    ) -> Sequence[Sequence[int]]:
        """Return the durations of the matching events between edges."""
        events = self._connections.confirmed(event_records.NAME)
        told = explanation or Explanation()
        async with self._connections.asking():
            durations = await event_counts.durations_between(events, where, edges, told)
        told.steps += explaining.duration_steps(where)
        return durations

    @property
    def _events(self) -> Collection:
        return self._connections.newest(event_records.NAME)

    async def _create(self, event: event_pb.Event, lock: lock_pb.Lock | None, beside: Document) -> None:
        if lock is None:
            await self._insert(event, beside)
            return
        event_id, op = event_records.event_id(event), ObjectId()
        marks = self._provisional(event_id, op, new=True)
        await self._keys.take(HeldLock(lock), marks=marks)
        try:
            await self._insert(event, beside)
        except (SlackIdTakenError, ExternalIdTakenError):
            await self._keys.give_back(lock.id, op)
            raise
        if lock.event_id != event_id:  # what becomes of the event will not tell of this lock
            await self._keys.confirm(lock.id, op)

    async def _insert(self, event: event_pb.Event, beside: Document) -> None:
        unlogged = note(None, ChangeKind.CREATED, self._now())
        try:
            stored = await event_records.insert(self._events, event, unlogged=unlogged, **beside)
        except DuplicateKeyError:
            raise unavailable("the change took so long that it was given up") from None
        self._log.add(stored)

    def _log_change(self, event: event_pb.Event, beside: Document) -> None:
        self._log.add({"_id": event_records.event_id(event), "document": event.to_json(), **beside})

    async def _id_of(self, key: EventKey) -> str | None:
        stored = await self._events.find_one(event_records.condition(key), {"_id": 1})
        return None if stored is None else str(stored["_id"])

    async def _find(self, event_id: str) -> Document | None:
        """Return the document of an event from whose last change nothing more follows, or None."""
        stored = await self._events.find_one({"_id": event_id})
        if stored is None or "gone" in stored:
            return None
        return await self._follow_ups.carry_out(stored)

    async def _try(
        self,
        stored: Document,
        change: Callable[[event_pb.Event, Sequence[lock_pb.Lock]], EventChange],
        once: Once[event_pb.Event] | None,
    ) -> event_pb.Event | None:
        """Change an event, unless it or one of its locks changes meanwhile: then return None."""
        event_id, op = stored["_id"], ObjectId()
        keys = {key["holder"]["id"]: key for key in await self._keys.of_event(event_id)}
        held = [lock_documents.held(key) for key in keys.values()]
        changed = change(event_records.event_of(stored), [each.lock for each in held])
        outcome = decide_event_change(changed, held)
        event, release = outcome.event, {each.lock.id: release for each, release in outcome.ends}
        taken = None if outcome.claim is None else outcome.claim.lock.id
        beside: Document = {"notes": stored["notes"]} if "notes" in stored else {}
        beside["unlogged"] = note(stored, ChangeKind.UPDATED, self._now())
        if release or taken is not None:
            beside["outbox"] = outbox(op, self._now(), release=release, taken=taken)
        async with self._once.claimed(once, event, event_records.NAME, stored) as claim:
            if outcome.claim is not None:
                marks = self._provisional(event_id, op, new=False)
                await self._keys.take(outcome.claim, instead_of=release, marks=marks)
            try:
                # A lease that begins anew although nothing comes of the rest harms nobody.
                renewed = [await self._keys.change(keys[lock.id], lock) for _, lock in outcome.renewed]
                claim.made = None not in renewed and await event_records.replace(
                    self._events, stored, event, **beside, **claim.notes
                )
            except (SlackIdTakenError, ExternalIdTakenError):
                await self._give_back(taken, op)
                raise
            if not claim.made:
                await self._give_back(taken, op)
        if not claim.made:
            return None
        self._log_change(event, beside)
        await self._carry_out({"_id": event_id, **beside})
        return event

    async def _give_back(self, taken: str | None, op: ObjectId) -> None:
        if taken is not None:
            await self._keys.give_back(taken, op)

    async def _carry_out(self, stored: Document) -> None:
        """Let happen what follows from a change that was made; what fails is left to the janitor."""
        with suppress(TrackerError, PyMongoError):
            await self._follow_ups.carry_out(stored)

    def _provisional(self, event_id: str, op: ObjectId, *, new: bool) -> Document:
        return {"provisional": {"event": event_id, "op": op, "at": self._now(), "new": new}}
