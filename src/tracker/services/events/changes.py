"""The event service, as far as it changes events; `event_queries.py` has the rest."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, TypeVar

from tracker.domain import changelog
from tracker.domain.event_locks import EventChange, LockPlan, plan_for_new, plan_for_update
from tracker.domain.events import EventId, ExternalId, SlackId, event_key, external_id
from tracker.domain.lifecycle import attributes_of, event_told_again, metadata_of, new_event, updated_event
from tracker.domain.locks import Ending, Release
from tracker.domain.times import timestamp
from tracker.pb import event_pb
from tracker.services.events.errors import (
    event_not_found,
    external_id_taken,
    no_linked_event,
    slack_id_set,
    slack_id_taken,
)
from tracker.stores.events import ExternalIdTakenError, SlackIdTakenError
from tracker.stores.locks import LockHeldError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from protobuf import Message

    from tracker.domain.events import EventKey
    from tracker.pb import lock_pb
    from tracker.services.call import Call
    from tracker.services.context import Context
    from tracker.services.events.locks import EventLocks
    from tracker.services.events.reporter import EventReporter
    from tracker.stores.events import DeletedEvent, EventStore

_Request = TypeVar("_Request", event_pb.CreateEventRequest, event_pb.UpdateEventRequest)

_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds to wait for an event whose lock is taken and which may be the one that is told of."""


class EventChanges:
    """Answers the calls of `tracker.event.v1alpha1.EventService` that change an event."""

    def __init__(
        self, store: EventStore, locks: EventLocks, reporter: EventReporter, context: Context
    ) -> None:
        self._store = store
        self._locks = locks
        self._reporter = reporter
        self._context = context

    async def create_event(
        self, request: event_pb.CreateEventRequest, call: Call
    ) -> event_pb.CreateEventResponse:
        """Record an event, and take the lock of the deployment or operation that it begins.

        One that its source has told of before becomes what is new of it.
        """
        attributes = request.attributes or event_pb.EventAttributes()
        try:
            if attributes.external_id:
                return await self._create_or_change(
                    request, ExternalId(attributes.source, attributes.external_id), call
                )
            return _created(await self._create(request, call, _created))
        except LockHeldError as error:
            raise await self._locks.refused("create", error, call) from None
        except SlackIdTakenError as error:
            raise slack_id_taken(request.slack_id, error.event_id) from None

    async def update_event(
        self, request: event_pb.UpdateEventRequest, call: Call
    ) -> event_pb.UpdateEventResponse:
        """Change an event, and take, move or release the lock of the work that it tells of."""
        key = _named(request)
        try:
            event = await self._change(key, request, updated_event, call, _updated)
        except LockHeldError as error:
            raise await self._locks.refused("update", error, call) from None
        except SlackIdTakenError as error:
            raise slack_id_taken(request.slack_id, error.event_id) from None
        except ExternalIdTakenError as error:
            raise external_id_taken(error.external, error.event_id) from None
        if event is None:
            raise event_not_found(key)
        return _updated(event)

    async def delete_events(
        self, request: event_pb.DeleteEventRequest, call: Call
    ) -> event_pb.DeleteEventResponse:
        """Delete an event and release its locks."""
        key = _named(request)
        release = Release(Ending.EVENT_ENDED, self._context.now())
        deleted = await self._store.delete(key, release, call.once(_deleted))
        if deleted is None:
            raise event_not_found(key)
        self._reporter.deleted(deleted.event, call)
        self._locks.tell(LockPlan(release=tuple(deleted.locks)), call)
        return _deleted(deleted)

    async def add_changelog_entry(
        self, request: event_pb.AddChangelogEntryRequest, call: Call
    ) -> event_pb.AddChangelogEntryResponse:
        """Append an entry to an event's changelog."""
        entry = request.entry or event_pb.ChangelogEntry()
        if entry.timestamp is None:
            entry = copy.copy(entry)
            entry.timestamp = timestamp(self._context.now())

        def append(event: event_pb.Event, _: Sequence[lock_pb.Lock]) -> EventChange:
            event = copy.copy(event)
            event.changelog = [*event.changelog, entry]
            return EventChange(event)

        key = event_key(request.id)
        event = await self._store.modify(key, append, call.once(_entry_added))
        if event is None:
            raise event_not_found(key)
        self._reporter.entry_added(event, entry, call)
        return _entry_added(event)

    async def add_slack_id(
        self, request: event_pb.AddSlackIdRequest, call: Call
    ) -> event_pb.AddSlackIdResponse:
        """Tie an event to the Slack message that stands for it."""
        now = self._context.now()

        def link(event: event_pb.Event, _: Sequence[lock_pb.Lock]) -> EventChange:
            event = copy.copy(event)
            event.metadata = copy.copy(metadata_of(event))
            if event.metadata.slack_id:
                raise slack_id_set(event.metadata.slack_id)
            event.metadata.slack_id = request.slack_id
            event.changelog = [
                *event.changelog,
                changelog.slack_linked(event, "", request.slack_id, now),
            ]
            return EventChange(event)

        key = event_key(request.id)
        try:
            event = await self._store.modify(key, link, call.once(_slack_id_added))
        except SlackIdTakenError as error:
            raise slack_id_taken(request.slack_id, error.event_id) from None
        if event is None:
            raise event_not_found(key)
        self._reporter.slack_id_added(event, call)
        return _slack_id_added(event)

    async def _create(
        self, request: event_pb.CreateEventRequest, call: Call, answer: Callable[[event_pb.Event], Message]
    ) -> event_pb.Event:
        linked = await self._linked(request.attributes)
        now = self._context.now()
        event = new_event(request, event_id=self._context.new_id(), now=now, linked=linked)
        plan = plan_for_new(event, self._locks.lock_of(now))
        made = self._locks.carry_out(plan, event, now)
        await self._store.create(made.event, made.acquire, call.once(answer))
        self._reporter.created(made.event, call)
        self._locks.tell(plan, call)
        return made.event

    async def _change(
        self,
        key: EventKey,
        request: _Request,
        make: Callable[[event_pb.Event, _Request, int, event_pb.Event | None], event_pb.Event],
        call: Call,
        answer: Callable[[event_pb.Event], Message],
    ) -> event_pb.Event | None:
        """Let `make` make of an event what a request wants at a moment, with the event that it links to."""
        linked = await self._linked(request.attributes, required=False)
        now = self._context.now()
        lock_of = self._locks.lock_of(now)
        before, plan = event_pb.Event(), LockPlan()

        def change(stored: event_pb.Event, held: Sequence[lock_pb.Lock]) -> EventChange:
            nonlocal before, plan
            _check_link(stored, request.attributes, linked)
            event = make(stored, request, now, linked)
            before, plan = stored, plan_for_update(stored, event, held, lock_of)
            return self._locks.carry_out(plan, event, now)

        event = await self._store.modify(key, change, call.once(answer))
        if event is not None:
            self._reporter.updated(before, event, call)
            self._locks.tell(plan, call)
        return event

    async def _create_or_change(
        self, request: event_pb.CreateEventRequest, external: ExternalId, call: Call
    ) -> event_pb.CreateEventResponse:
        """Record an event, or change the one of this external id, which may come or go at any moment."""
        pauses = iter(_PAUSES)
        while True:
            event = await self._change(external, request, event_told_again, call, _told_again)
            if event is not None:
                return _told_again(event)
            try:
                event = await self._create(request, call, _told_first)
            except ExternalIdTakenError:
                continue
            except LockHeldError as error:
                pause = next(pauses, None)
                if pause is None or not await self._may_be(external, error.holder.event_id):
                    raise
                await asyncio.sleep(pause)
                continue
            return _told_first(event)

    async def _may_be(self, external: ExternalId, event_id: str) -> bool:
        """Return whether an event is the one of an external id, or may become it: its lock comes first."""
        if not event_id:
            return False
        event = await self._store.get(EventId(event_id))
        return event is None or external_id(event) == external

    async def _linked(
        self, attributes: event_pb.EventAttributes | None, *, required: bool = True
    ) -> event_pb.Event | None:
        """Return the event that `related_id` names, or None where it names none."""
        if attributes is None or not attributes.related_id:
            return None
        event = await self._store.get(event_key(attributes.related_id))
        if event is None and required:
            raise no_linked_event(attributes.related_id)
        return event


def _created(event: event_pb.Event) -> event_pb.CreateEventResponse:
    return event_pb.CreateEventResponse(event=event)


def _told_first(event: event_pb.Event) -> event_pb.CreateEventResponse:
    return event_pb.CreateEventResponse(event=event, updated=False)


def _told_again(event: event_pb.Event) -> event_pb.CreateEventResponse:
    return event_pb.CreateEventResponse(event=event, updated=True)


def _updated(event: event_pb.Event) -> event_pb.UpdateEventResponse:
    return event_pb.UpdateEventResponse(event=event)


def _deleted(deleted: DeletedEvent) -> event_pb.DeleteEventResponse:
    metadata = metadata_of(deleted.event)
    return event_pb.DeleteEventResponse(id=metadata.id, slack_id=metadata.slack_id)


def _entry_added(event: event_pb.Event) -> event_pb.AddChangelogEntryResponse:
    return event_pb.AddChangelogEntryResponse(event=event)


def _slack_id_added(event: event_pb.Event) -> event_pb.AddSlackIdResponse:
    return event_pb.AddSlackIdResponse(event=event)


def _named(request: event_pb.UpdateEventRequest | event_pb.DeleteEventRequest) -> EventKey:
    """Return what a request names the event by: its id where it gives one, else its Slack id."""
    return event_key(request.id) if request.id else SlackId(request.slack_id)


def _check_link(
    stored: event_pb.Event, attributes: event_pb.EventAttributes | None, linked: event_pb.Event | None
) -> None:
    """Refuse a new link to an event that does not exist; one that has been deleted since stays."""
    if attributes is None or not attributes.related_id or linked is not None:
        return
    if event_key(attributes.related_id).value != attributes_of(stored).related_id:
        raise no_linked_event(attributes.related_id)
