"""The event service: what happened, when, to what, and what became of it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from tracker.domain import changelog
from tracker.domain.enums import wire_name
from tracker.domain.events import EventFilter, EventId, SlackId, event_key
from tracker.domain.lifecycle import FINISHED, attributes_of, metadata_of, new_event, updated_event
from tracker.domain.locks import (
    Ending,
    LockPlan,
    event_lock,
    lock_key,
    plan_for_new,
    plan_for_update,
    renew_lease,
)
from tracker.domain.paging import page_token
from tracker.domain.times import day_of, period, timestamp
from tracker.errors import Code, FieldViolation, TrackerError
from tracker.pb import event_pb
from tracker.services.lock_errors import lock_held
from tracker.services.paging import DEFAULT_PER_PAGE, requested_slice
from tracker.stores.base import EventChange, LockHeldError, Release, SlackIdTakenError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from protobuf.wkt import Duration

    from tracker.domain.events import EventKey
    from tracker.domain.locks import LockOf
    from tracker.pb import lock_pb
    from tracker.services.call import Call
    from tracker.services.context import Context
    from tracker.services.lock_queue import LockQueue
    from tracker.services.lock_trail import LockTrail
    from tracker.stores.base import Store

_SEARCH_LIMIT = 10_000
"""Results of a search that asks for no number of them."""

_CHANGELOG_PER_PAGE = 50
"""Entries of a changelog page whose size the caller did not give."""


class EventObserver(Protocol):
    """What the service tells of events, for metrics."""

    def event_status(self, service: str, status: str, environment: str) -> None:
        """An event was stored with a status, or an event's status changed to it."""

    def event_duration(self, service: str, status: str, environment: str, seconds: float) -> None:
        """An event ended after `seconds`."""


@dataclass(frozen=True, slots=True)
class AutomaticLocks:
    """Whether events take locks by themselves, and how long the lease of one lasts: None is for ever."""

    enabled: bool = True
    ttl: Duration | None = None


class EventService:
    """Answers `tracker.event.v1alpha1.EventService`."""

    def __init__(  # noqa: PLR0913 - what it works with, each from its own place
        self,
        store: Store,
        context: Context,
        observer: EventObserver,
        *,
        queue: LockQueue,
        trail: LockTrail,
        zone: ZoneInfo,
        automatic_locks: AutomaticLocks,
    ) -> None:
        self._store = store.events
        self._locks = store.locks
        self._context = context
        self._observer = observer
        self._queue = queue
        self._trail = trail
        self._zone = zone
        self._automatic_locks = automatic_locks

    async def create_event(
        self, request: event_pb.CreateEventRequest, call: Call
    ) -> event_pb.CreateEventResponse:
        """Record an event, and take the lock of the deployment or operation that it begins."""
        linked = await self._linked(request.attributes)
        now = self._context.now()
        event = new_event(request, event_id=self._context.new_id(), now=now, linked=linked)
        lock = plan_for_new(event, self._lock_of(now)).acquire
        if lock is not None:
            event.changelog.append(changelog.locked(lock, now))
        try:
            if lock is not None:
                self._queue.require_turn(lock)
            await self._store.create(event, lock)
        except LockHeldError as error:
            raise await self._refused("create", error, call) from None
        except SlackIdTakenError as error:
            raise _slack_id_taken(request.slack_id, error.event_id) from None
        self._count_status(event)
        self._log_created(event, call)
        if lock is not None:
            self._trail.acquired(lock, call)
        return event_pb.CreateEventResponse(event=event)

    async def update_event(
        self, request: event_pb.UpdateEventRequest, call: Call
    ) -> event_pb.UpdateEventResponse:
        """Change an event, and take, move or release the lock of the work that it tells of."""
        key = _named(request)
        linked = await self._linked(request.attributes, required=False)
        now = self._context.now()
        lock_of = self._lock_of(now)
        before, plan = event_pb.Event(), LockPlan()

        def change(stored: event_pb.Event, held: Sequence[lock_pb.Lock]) -> EventChange:
            nonlocal before, plan
            _check_link(stored, request.attributes, linked)
            event = updated_event(stored, request, now=now, linked=linked)
            before, plan = stored, plan_for_update(stored, event, held, lock_of)
            event.changelog += [changelog.unlocked(lock, now) for lock in plan.release]
            if plan.acquire is not None:
                self._queue.require_turn(plan.acquire)
                event.changelog.append(changelog.locked(plan.acquire, now))
            return EventChange(
                event,
                release={lock.id: Release(Ending.EVENT_ENDED, now) for lock in plan.release},
                renew=[renew_lease(lock, now) for lock in plan.renew],
                acquire=plan.acquire,
            )

        try:
            event = await self._store.modify(key, change)
        except LockHeldError as error:
            raise await self._refused("update", error, call) from None
        except SlackIdTakenError as error:
            raise _slack_id_taken(request.slack_id, error.event_id) from None
        if event is None:
            raise _not_found(key)
        if attributes_of(before).status != attributes_of(event).status:
            self._count_status(event)
        self._context.log.info("event updated", request_id=call.request_id, id=metadata_of(event).id)
        for lock in plan.release:
            self._trail.released_for_event(lock, call)
        if plan.acquire is not None:
            self._trail.acquired(plan.acquire, call)
        return event_pb.UpdateEventResponse(event=event)

    async def delete_events(
        self, request: event_pb.DeleteEventRequest, call: Call
    ) -> event_pb.DeleteEventResponse:
        """Delete an event and release its locks."""
        key = _named(request)
        event = await self._store.delete(key, Release(Ending.EVENT_ENDED, self._context.now()))
        if event is None:
            raise _not_found(key)
        metadata = metadata_of(event)
        self._context.log.info("event deleted", request_id=call.request_id, id=metadata.id)
        return event_pb.DeleteEventResponse(id=metadata.id, slack_id=metadata.slack_id)

    async def get_event(self, request: event_pb.GetEventRequest, _: Call) -> event_pb.GetEventResponse:
        """Return one event."""
        return event_pb.GetEventResponse(event=await self._get(event_key(request.id)))

    async def search_events(
        self, request: event_pb.SearchEventsRequest, _: Call
    ) -> event_pb.SearchEventsResponse:
        """Return the events that match all the filters given."""
        span = period(request.start_date, request.end_date)
        where = EventFilter(
            source=request.source,
            types=(request.type,) if request.type else (),
            priorities=(request.priority,) if request.priority else (),
            statuses=(request.status,) if request.status else (),
            environments=(request.environment,) if request.environment else (),
            service=request.service,
            slack_id=request.slack_id,
            impact=request.impact if request.has_field("impact") else None,
            since=span.since,
            until=span.until,
        )
        if where == EventFilter():
            raise TrackerError(
                Code.INVALID_ARGUMENT,
                "no filter for search events: give at least one of source, type, priority, status,"
                " service, environment, impact, slack_id, start_date, end_date",
                "NO_FILTER",
            )
        query = f"events {where}"
        part = requested_slice(request, query, default=_SEARCH_LIMIT)
        found = await self._store.find(where, part)
        return event_pb.SearchEventsResponse(
            events=list(found.records), total_count=found.total, next_page_token=page_token(found.next, query)
        )

    async def list_events(self, request: event_pb.ListEventsRequest, _: Call) -> event_pb.ListEventsResponse:
        """Return a page of all events, newest first."""
        where = EventFilter(
            types=(request.type,) if request.type else (),
            statuses=(request.status,) if request.status else (),
            service=request.service,
        )
        query = f"events {where}"
        found = await self._store.find(where, requested_slice(request, query, default=DEFAULT_PER_PAGE))
        return event_pb.ListEventsResponse(
            events=list(found.records), total_count=found.total, next_page_token=page_token(found.next, query)
        )

    async def today_events(
        self, request: event_pb.TodayEventsRequest, _: Call
    ) -> event_pb.TodayEventsResponse:
        """Return the events of today, those that began earlier and reach into it too."""
        today = day_of(self._context.now(), self._zone)
        where = EventFilter(since=today.since, until=today.until, overlapping=True)
        query = "events today"
        found = await self._store.find(where, requested_slice(request, query, default=None))
        return event_pb.TodayEventsResponse(
            events=list(found.records), total_count=found.total, next_page_token=page_token(found.next, query)
        )

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
        event = await self._store.modify(key, append)
        if event is None:
            raise _not_found(key)
        self._context.log.info(
            "changelog entry added", request_id=call.request_id, id=metadata_of(event).id, user=entry.user
        )
        return event_pb.AddChangelogEntryResponse(event=event)

    async def get_event_changelog(
        self, request: event_pb.GetEventChangelogRequest, call: Call
    ) -> event_pb.GetEventChangelogResponse:
        """Return a page of an event's changelog, oldest entries first."""
        entries = (await self._get(event_key(request.id))).changelog
        size = (request.per_page.value if request.per_page is not None else 0) or _CHANGELOG_PER_PAGE
        start = ((request.page.value if request.page is not None else 0) or 1) * size - size
        self._context.log.info("changelog retrieved", request_id=call.request_id, id=request.id)
        return event_pb.GetEventChangelogResponse(
            changelog=entries[start : start + size], total_count=len(entries)
        )

    async def add_slack_id(
        self, request: event_pb.AddSlackIdRequest, call: Call
    ) -> event_pb.AddSlackIdResponse:
        """Tie an event to the Slack message that stands for it."""
        now = self._context.now()

        def link(event: event_pb.Event, _: Sequence[lock_pb.Lock]) -> EventChange:
            event = copy.copy(event)
            event.metadata = copy.copy(metadata_of(event))
            if event.metadata.slack_id:
                raise TrackerError(
                    Code.ALREADY_EXISTS,
                    f"event already has a slack_id: {event.metadata.slack_id}",
                    "SLACK_ID_SET",
                    metadata={"slack_id": event.metadata.slack_id},
                )
            event.metadata.slack_id = request.slack_id
            event.changelog = [
                *event.changelog,
                changelog.slack_linked(event, "", request.slack_id, now),
            ]
            return EventChange(event)

        key = event_key(request.id)
        try:
            event = await self._store.modify(key, link)
        except SlackIdTakenError as error:
            raise _slack_id_taken(request.slack_id, error.event_id) from None
        if event is None:
            raise _not_found(key)
        self._context.log.info(
            "slack_id added to event",
            request_id=call.request_id,
            id=metadata_of(event).id,
            slack_id=request.slack_id,
        )
        return event_pb.AddSlackIdResponse(event=event)

    async def get_event_stats(
        self, request: event_pb.GetEventStatsRequest, call: Call
    ) -> event_pb.GetEventStatsResponse:
        """Count the events of a period."""
        count = await self._store.count(_stats_filter(request))
        self._context.log.info("event stats retrieved", request_id=call.request_id, total_count=count)
        return event_pb.GetEventStatsResponse(
            total_count=count,
            start_date=request.start_date,
            end_date=request.end_date,
        )

    async def get_event_stats_by_month(
        self, request: event_pb.GetEventStatsByMonthRequest, call: Call
    ) -> event_pb.GetEventStatsByMonthResponse:
        """Count the events of a period by month, on demand by service too."""
        counts = await self._store.count_by_month(_stats_filter(request), by_service=request.group_by_service)
        total = sum(c.count for c in counts)
        self._context.log.info(
            "event stats by month retrieved", request_id=call.request_id, total_count=total
        )
        return event_pb.GetEventStatsByMonthResponse(
            stats=[
                event_pb.MonthlyStats(year=c.year, month=c.month, service=c.service, count=c.count)
                for c in counts
            ],
            total_count=total,
            start_date=request.start_date,
            end_date=request.end_date,
        )

    async def _get(self, key: EventKey) -> event_pb.Event:
        event = await self._store.get(key)
        if event is None:
            raise _not_found(key)
        return event

    async def _linked(
        self, attributes: event_pb.EventAttributes | None, *, required: bool = True
    ) -> event_pb.Event | None:
        """Return the event that `related_id` names, or None where it names none."""
        if attributes is None or not attributes.related_id:
            return None
        event = await self._store.get(event_key(attributes.related_id))
        if event is None and required:
            raise _no_linked_event(attributes.related_id)
        return event

    def _lock_of(self, now: int) -> LockOf:
        """Return what makes the lock of an event's work at `now`: none at all where events take no locks."""
        if not self._automatic_locks.enabled:
            return lambda _: None
        return partial(event_lock, lock_id=self._context.new_id(), now=now, ttl=self._automatic_locks.ttl)

    async def _refused(self, what: str, error: LockHeldError, call: Call) -> TrackerError:
        holder = await self._locks.holder(lock_key(error.holder)) or error.holder
        refused = lock_held(holder, f"cannot {what} event: ", ". Please unlock it first")
        return self._trail.refused(refused, holder, call)

    def _count_status(self, event: event_pb.Event) -> None:
        attributes, duration = attributes_of(event), metadata_of(event).duration
        labels = (attributes.service, wire_name(attributes.status), wire_name(attributes.environment))
        self._observer.event_status(*labels)
        if attributes.status in FINISHED and duration is not None:
            self._observer.event_duration(*labels, duration.seconds + duration.nanos / 1e9)

    def _log_created(self, event: event_pb.Event, call: Call) -> None:
        attributes, metadata = attributes_of(event), metadata_of(event)
        self._context.log.info(
            "event created",
            request_id=call.request_id,
            id=metadata.id,
            title=event.title,
            message=attributes.message,
            type=wire_name(attributes.type),
            status=wire_name(attributes.status),
            priority=wire_name(attributes.priority),
            service=attributes.service,
            environment=wire_name(attributes.environment),
            impact=attributes.impact,
            owner=attributes.owner,
            pull_request=event.links.pull_request_link if event.links else "",
            created_at=metadata.created_at.to_json().strip('"') if metadata.created_at else "",
        )


def _named(request: event_pb.UpdateEventRequest | event_pb.DeleteEventRequest) -> EventKey:
    """Return what a request names the event by: its id where it gives one, else its Slack id."""
    return event_key(request.id) if request.id else SlackId(request.slack_id)


def _stats_filter(
    request: event_pb.GetEventStatsRequest | event_pb.GetEventStatsByMonthRequest,
) -> EventFilter:
    span = period(request.start_date, request.end_date)
    return EventFilter(
        types=tuple(request.types),
        priorities=tuple(request.priorities),
        statuses=tuple(request.statuses),
        environments=tuple(request.environments),
        source=request.source,
        service=request.service,
        impact=request.impact.value if request.impact is not None else None,
        since=span.since,
        until=span.until,
    )


def _check_link(
    stored: event_pb.Event, attributes: event_pb.EventAttributes | None, linked: event_pb.Event | None
) -> None:
    """Refuse a new link to an event that does not exist; one that has been deleted since stays."""
    if attributes is None or not attributes.related_id or linked is not None:
        return
    if event_key(attributes.related_id).value != attributes_of(stored).related_id:
        raise _no_linked_event(attributes.related_id)


def _no_linked_event(related_id: str) -> TrackerError:
    field = "attributes.related_id"
    message = f"no event found in tracker for {field} {related_id}"
    return TrackerError(
        Code.NOT_FOUND,
        message,
        "RELATED_EVENT_NOT_FOUND",
        metadata={"related_id": related_id},
        violations=[FieldViolation(field, message)],
    )


def _not_found(key: EventKey) -> TrackerError:
    kind = "id" if isinstance(key, EventId) else "slack id"
    return TrackerError(
        Code.NOT_FOUND, f"no event found in tracker for {kind} {key.value}", "EVENT_NOT_FOUND"
    )


def _slack_id_taken(slack_id: str, event_id: str) -> TrackerError:
    return TrackerError(
        Code.ALREADY_EXISTS,
        f"slack_id {slack_id} already belongs to the event {event_id}",
        "SLACK_ID_TAKEN",
        metadata={"slack_id": slack_id, "event_id": event_id},
    )
