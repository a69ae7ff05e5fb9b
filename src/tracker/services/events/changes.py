"""The RPCs of the event service that change an event, and the locks that its change takes and releases."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from tracker.domain import changelog
from tracker.domain.event_locks import (
    EventChange,
    LockPlan,
    apply_plan,
    event_lock,
    plan_for_update,
    with_entries,
)
from tracker.domain.events import (
    EventId,
    ExternalId,
    SlackId,
    event_key,
    external_id,
    metadata_of,
)
from tracker.domain.lifecycle import in_trace, merged_event, new_event, updated_event
from tracker.domain.locks import Ending, LockHeldError, Release, lock_key
from tracker.domain.times import timestamp
from tracker.errors import Reason, TrackerError
from tracker.pb import event_pb
from tracker.permissions import Permission
from tracker.services.context import answer_with
from tracker.services.events.filters import NOT_FOUND_WITH_ID, check_link, event_not_found, no_linked_event
from tracker.services.events.starts import guarded
from tracker.services.locks.reporter import lock_held, shown_to
from tracker.services.narrowing import may_name, require_change, require_decisions, shown_taken
from tracker.stores.events import ExternalIdTakenError, IdTakenError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from protobuf import Message
    from protobuf.wkt import Duration

    from tracker.domain.event_locks import LockOf
    from tracker.domain.events import EventKey
    from tracker.pb import lock_pb
    from tracker.services.context import Call, Context
    from tracker.services.events.reporter import EventReporter
    from tracker.services.events.starts import StartGuard
    from tracker.services.holds import LegalHolds
    from tracker.services.locks.queue import LockQueue
    from tracker.services.locks.reporter import LockReporter
    from tracker.stores.events import DeletedEvent, EventStore
    from tracker.stores.locks import LockStore

_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds to wait for an event that has taken the lock, and may be the one to change."""


@dataclass(frozen=True, slots=True)
class EventChanges:
    """Answers the RPCs of `tracker.event.v1alpha1.EventService` that change an event.

    With `_takes_locks`, work under way takes a lock, whose lease lasts `_lock_ttl`; None is for ever.
    """

    _store: EventStore
    _reporter: EventReporter
    _locks: LockStore
    _queue: LockQueue
    _lock_reporter: LockReporter
    _context: Context
    _takes_locks: bool
    _lock_ttl: Duration | None
    _starts: StartGuard
    _holds: LegalHolds

    async def create_event(
        self, request: event_pb.CreateEventRequest, call: Call
    ) -> event_pb.CreateEventResponse:
        """Record an event, and take the lock of the deployment or operation that it begins.

        An event with a known external id is changed instead.
        """
        attributes = request.attributes or event_pb.EventAttributes()
        try:
            if attributes.external_id:
                return await self._create_or_change(
                    request, ExternalId(attributes.source, attributes.external_id), call
                )
            return _created(await self._create(request, call, _created))
        except (LockHeldError, IdTakenError) as error:
            raise await self._refused("create", error, call) from None

    async def update_event(
        self, request: event_pb.UpdateEventRequest, call: Call
    ) -> event_pb.UpdateEventResponse:
        key, unknown = _named(request), partial(event_not_found, request.id or request.slack_id)

        def change(stored: event_pb.Event, now: int, linked: event_pb.Event | None) -> event_pb.Event:
            require_change(call, Permission.EVENT_WRITE, stored, unknown)
            return updated_event(stored, request, now, linked)

        try:
            event = await self._change(key, request, change, call, _updated)
        except (LockHeldError, IdTakenError) as error:
            raise await self._refused("update", error, call) from None
        if event is None:
            raise unknown()
        return _updated(event)

    async def delete_events(
        self, request: event_pb.DeleteEventRequest, call: Call
    ) -> event_pb.DeleteEventResponse:
        key = _named(request)
        release = Release(Ending.EVENT_ENDED, self._context.now())
        unknown = partial(event_not_found, request.id or request.slack_id)
        holds = await self._holds.current()

        def check(event: event_pb.Event) -> None:
            require_change(call, Permission.EVENT_WRITE, event, unknown)
            holds.require_free(event)

        deleted = await self._store.delete(key, release, call.once(_deleted), check)
        if deleted is None:
            raise unknown()
        self._reporter.log("event deleted", deleted.event, call, who=request.who)
        self._report_locks(LockPlan(release=tuple(deleted.locks)), call)
        return _deleted(deleted)

    async def add_changelog_entry(
        self, request: event_pb.AddChangelogEntryRequest, call: Call
    ) -> event_pb.AddChangelogEntryResponse:
        unknown = partial(event_not_found, request.id, NOT_FOUND_WITH_ID)
        entry = request.entry or event_pb.ChangelogEntry()
        if entry.timestamp is None:
            entry = copy.copy(entry)
            entry.timestamp = timestamp(self._context.now())
        entry = changelog.signed_entry(entry, call.principal, entry.user)

        def append(event: event_pb.Event, _: Sequence[lock_pb.Lock]) -> EventChange:
            require_change(call, Permission.EVENT_WRITE, event, unknown)
            require_decisions(call, event, [entry])
            return EventChange(with_entries(event, [entry]))

        event = await self._store.modify(event_key(request.id), append, call.once(_entry_added))
        if event is None:
            raise unknown()
        self._reporter.log("changelog entry added", event, call, user=entry.user)
        return _entry_added(event)

    async def add_slack_id(
        self, request: event_pb.AddSlackIdRequest, call: Call
    ) -> event_pb.AddSlackIdResponse:
        now = self._context.now()
        unknown = partial(event_not_found, request.id, NOT_FOUND_WITH_ID)

        def link(event: event_pb.Event, _: Sequence[lock_pb.Lock]) -> EventChange:
            require_change(call, Permission.EVENT_WRITE, event, unknown)
            event = copy.copy(event)
            event.metadata = copy.copy(metadata_of(event))
            if event.metadata.slack_id:
                stored = event.metadata.slack_id
                text = f"event already has a slack_id: {stored}"
                raise TrackerError(Reason.SLACK_ID_SET, text, metadata={"slack_id": stored})
            event.metadata.slack_id = request.slack_id
            linked = changelog.slack_linked(event, "", request.slack_id, now)
            return EventChange(with_entries(event, [changelog.signed_entry(linked, call.principal, "")]))

        key = event_key(request.id)
        try:
            event = await self._store.modify(key, link, call.once(_slack_id_added))
        except IdTakenError as error:
            raise await shown_taken(error, call, self._store) from None
        if event is None:
            raise unknown()
        self._reporter.log("slack_id added to event", event, call, slack_id=request.slack_id)
        return _slack_id_added(event)

    async def _create(
        self, request: event_pb.CreateEventRequest, call: Call, answer: Callable[[event_pb.Event], Message]
    ) -> event_pb.Event:
        linked = await self._linked(request.attributes, call)
        now = self._context.now()
        created_by, event_id = call.principal.known_id, self._context.new_id()
        event = new_event(request, event_id=event_id, now=now, linked=linked, created_by=created_by)
        event = in_trace(event, call.trace_id)
        require_change(call, Permission.EVENT_WRITE, event)
        start, none = await self._starts.start(request, call, now), event_pb.Event()
        event = guarded(none, event, start)
        plan = plan_for_update(none, event, (), self._lock_of(now, call))
        made = _signed(self._carry_out(plan, event, now), 0, call, request.who)
        await self._store.create(made.event, made.acquire, call.once(answer))
        self._reporter.created(made.event, call)
        self._report_locks(plan, call)
        return made.event

    async def _change(
        self,
        key: EventKey,
        request: event_pb.CreateEventRequest | event_pb.UpdateEventRequest,
        make: Callable[[event_pb.Event, int, event_pb.Event | None], event_pb.Event],
        call: Call,
        answer: Callable[[event_pb.Event], Message],
    ) -> event_pb.Event | None:
        """Change the event of a key, if it exists, as a request asks.

        `make` returns the new event for the stored one, the time and the event that the request links it to.
        """
        linked = await self._linked(request.attributes, call, required=False)
        now = self._context.now()
        lock_of = self._lock_of(now, call)
        start, holds = await self._starts.start(request, call, now), await self._holds.current()
        before, plan = event_pb.Event(), LockPlan()

        def change(stored: event_pb.Event, held: Sequence[lock_pb.Lock]) -> EventChange:
            nonlocal before, plan
            event = make(stored, now, linked)
            check_link(stored, request.attributes, linked)
            require_change(call, Permission.EVENT_WRITE, event)
            event = guarded(stored, event, start)
            holds.require_kept(stored, event)
            before, plan = stored, plan_for_update(stored, event, held, lock_of)
            return _signed(self._carry_out(plan, event, now), len(stored.changelog), call, request.who)

        event = await self._store.modify(key, change, call.once(answer))
        if event is not None:
            self._reporter.updated(before, event, call)
            self._report_locks(plan, call)
        return event

    async def _create_or_change(
        self, request: event_pb.CreateEventRequest, external: ExternalId, call: Call
    ) -> event_pb.CreateEventResponse:
        """Record an event, or change the one of this external id, which may appear or vanish meanwhile."""
        pauses = iter(_PAUSES)

        def change(stored: event_pb.Event, now: int, linked: event_pb.Event | None) -> event_pb.Event:
            taken = partial(ExternalIdTakenError, external, metadata_of(stored).id)
            require_change(call, Permission.EVENT_WRITE, stored, taken)
            return merged_event(stored, request, now, linked)

        while True:
            event = await self._change(external, request, change, call, _merged)
            if event is not None:
                return _merged(event)
            try:
                event = await self._create(request, call, _inserted)
            except ExternalIdTakenError:
                continue
            except LockHeldError as error:
                pause = next(pauses, None)
                if pause is None or not await self._may_be(external, error.holder.event_id):
                    raise
                await asyncio.sleep(pause)
                continue
            return _inserted(event)

    async def _may_be(self, external: ExternalId, event_id: str) -> bool:
        """Return whether an event has an external id, or may soon be stored with it: its lock comes first."""
        if not event_id:
            return False
        event = await self._store.get(EventId(event_id))
        return event is None or external_id(event) == external

    async def _linked(
        self, attributes: event_pb.EventAttributes | None, call: Call, *, required: bool = True
    ) -> event_pb.Event | None:
        """Return the event that `related_id` names, or None where a call may not name it."""
        if attributes is None or not attributes.related_id:
            return None
        event = await self._store.get(event_key(attributes.related_id))
        if event is not None and not may_name(call, Permission.EVENT_WRITE, event):
            event = None
        if event is None and required:
            raise no_linked_event(attributes.related_id)
        return event

    def _lock_of(self, now: int, call: Call) -> LockOf:
        """Return what makes the lock of an event's work at `now`; no lock where events take none."""
        if not self._takes_locks:
            return lambda _: None
        lock_id, principal = self._context.new_id(), call.principal
        return partial(event_lock, lock_id=lock_id, now=now, ttl=self._lock_ttl, principal=principal)

    def _carry_out(self, plan: LockPlan, event: event_pb.Event, now: int) -> EventChange:
        """Return the change that a plan makes of an event and its locks.

        Raises:
            LockHeldError: Others wait for the lock that the event would take.
        """
        if plan.acquire is not None:
            self._queue.require_turn(plan.acquire)
        return apply_plan(plan, event, now)

    def _report_locks(self, plan: LockPlan, call: Call) -> None:
        """Report that a plan was carried out, also to calls that wait for a released lock."""
        for lock in plan.release:
            self._lock_reporter.released(lock, call, "lock released for event")
        if plan.acquire is not None:
            self._lock_reporter.acquired(plan.acquire, call)

    async def _refused(self, what: str, error: LockHeldError | IdTakenError, call: Call) -> TrackerError:
        """Return the error of a call that can't `what` (create, update) an event, for a lock or an id."""
        if isinstance(error, IdTakenError):
            return await shown_taken(error, call, self._store)
        holder = await self._locks.holder(lock_key(error.holder)) or error.holder
        return self._lock_reporter.refused(lock_held(shown_to(call, holder), what), holder, call)


_created = answer_with(event_pb.CreateEventResponse, "event")
_updated = answer_with(event_pb.UpdateEventResponse, "event")
_entry_added = answer_with(event_pb.AddChangelogEntryResponse, "event")
_slack_id_added = answer_with(event_pb.AddSlackIdResponse, "event")


def _signed(change: EventChange, known: int, call: Call, who: str) -> EventChange:
    """Return a change of an event with `known` changelog entries, with the caller as the author of others."""
    if call.principal.is_anonymous:
        return change
    return replace(change, event=changelog.signed(change.event, known, call.principal, who))


def _inserted(event: event_pb.Event) -> event_pb.CreateEventResponse:
    return event_pb.CreateEventResponse(event=event, updated=False)


def _merged(event: event_pb.Event) -> event_pb.CreateEventResponse:
    return event_pb.CreateEventResponse(event=event, updated=True)


def _deleted(deleted: DeletedEvent) -> event_pb.DeleteEventResponse:
    metadata = metadata_of(deleted.event)
    return event_pb.DeleteEventResponse(id=metadata.id, slack_id=metadata.slack_id)


def _named(request: event_pb.UpdateEventRequest | event_pb.DeleteEventRequest) -> EventKey:
    """Return the key of the event that a request names: its id where given, else its Slack id."""
    return event_key(request.id) if request.id else SlackId(request.slack_id)
