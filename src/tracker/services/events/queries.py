"""The RPCs of the event service that return events: one, lists of them, and chains."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from tracker.domain.events import (
    EventId,
    chain,
    event_key,
    event_time,
    metadata_of,
    parent_id,
    remedies_of,
    root_of,
)
from tracker.domain.query.fields import CAUSED_BY, RELATED, REMEDIATED_BY, ROLLED_BACK_BY
from tracker.domain.query.text import to_text
from tracker.domain.query.tree import EventFilter, any_of, one_of, widened
from tracker.domain.times import duration
from tracker.errors import Reason, TrackerError
from tracker.pb import event_pb
from tracker.permissions import Permission
from tracker.services.events.filters import (
    NOT_FOUND,
    NOT_FOUND_WITH_ID,
    Planned,
    by_fields,
    dates_of,
    event_not_found,
    with_query,
)
from tracker.services.narrowing import may_touch, visible
from tracker.services.paging import (
    DEFAULT_PER_PAGE,
    MOST_READ,
    fitting,
    note_short_page,
    own,
    page_token,
    parse_page_token,
    requested_page,
)
from tracker.stores.pages import Page, Total

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.domain.events import Link
    from tracker.services.context import Call, Context
    from tracker.services.paging import PagedRequest
    from tracker.stores.events import EventStore
    from tracker.stores.pages import Cursor, Found

_SEARCH_LIMIT = 10_000
"""Results of a search without `per_page`."""

_CHANGELOG_PER_PAGE = 50
"""Entries of a changelog page without `per_page`."""

_MAX_RELATED = 1_000
"""Events of a chain that are listed."""

_Events = TypeVar("_Events", event_pb.ListEventsResponse, event_pb.TodayEventsResponse)


class EventQueries:
    """Answers the RPCs of `tracker.event.v1alpha1.EventService` that return events."""

    def __init__(self, store: EventStore, context: Context) -> None:
        self._store = store
        self._context = context

    async def get_event(self, request: event_pb.GetEventRequest, call: Call) -> event_pb.GetEventResponse:
        return event_pb.GetEventResponse(event=await self._get(request.id, call))

    async def search_events(
        self, request: event_pb.SearchEventsRequest, call: Call
    ) -> event_pb.SearchEventsResponse:
        clock = self._context.query_clock(request.time_zone)
        where = by_fields(request, *dates_of(request, clock))
        if where == EventFilter() and not request.query:
            raise TrackerError(
                Reason.NO_FILTER,
                "no filter for search events: give at least one of query, source, type, priority, status,"
                " service, environment, impact, slack_id, start_date, end_date",
            )
        # A page token belongs to the query as written. It keeps the moment of the first page, since `2h`
        # would mean another period on each page, and the total, which may take long to count.
        oldest_first = request.order_by == "time"
        query = f"search {to_text(widened(where))} {request.query}{' oldest first' if oldest_first else ''}"
        query = own(query + (request.time_zone and f" in {request.time_zone}"), call)
        page, asked = _resumed(requested_page(request, query, default=_SEARCH_LIMIT), clock.now)
        if request.query:
            where = with_query(where, request.query, replace(clock, now=asked))
        where = visible(where, call)
        planned = Planned(self._context, call, wanted=request.explain)
        found = await self._store.find(where, page, planned.explanation, oldest_first=oldest_first)
        note_short_page(request, page, found, call)
        return event_pb.SearchEventsResponse(
            events=list(found.records),
            total_count=found.total,
            next_page_token=page_token(_cursor(found, asked), query),
            plan=planned.plan(where),
            total_count_estimated=found.estimated or None,
        )

    async def list_events(
        self, request: event_pb.ListEventsRequest, call: Call
    ) -> event_pb.ListEventsResponse:
        where = by_fields(request)
        query = own(f"events {to_text(where.query)}", call)
        page = requested_page(request, query, default=DEFAULT_PER_PAGE)
        return _listed(event_pb.ListEventsResponse, await self._page(where, request, page, call), query)

    async def today_events(
        self, request: event_pb.TodayEventsRequest, call: Call
    ) -> event_pb.TodayEventsResponse:
        today = self._context.query_clock(request.time_zone).day()
        where = EventFilter(since=today.low, until=today.high, overlapping=True)
        query = own(f"events today{request.time_zone and f' in {request.time_zone}'}", call)
        page = requested_page(request, query, default=None)
        return _listed(event_pb.TodayEventsResponse, await self._page(where, request, page, call), query)

    async def get_event_changelog(
        self, request: event_pb.GetEventChangelogRequest, call: Call
    ) -> event_pb.GetEventChangelogResponse:
        key = event_key(request.id)
        query = own(f"changelog of {key.value}", call)
        page = requested_page(request, query, default=_CHANGELOG_PER_PAGE)
        if call.principal.scopes(Permission.EVENT_READ) is not None:
            await self._get(request.id, call, NOT_FOUND_WITH_ID)
        found = await self._store.changelog(key, page)
        if found is None:
            raise event_not_found(request.id, NOT_FOUND_WITH_ID)
        note_short_page(request, page, found, call)
        self._context.report(call, "changelog retrieved", id=request.id)
        return event_pb.GetEventChangelogResponse(
            changelog=list(found.records),
            total_count=found.total,
            next_page_token=page_token(found.next, query),
        )

    async def list_related_events(
        self, request: event_pb.ListRelatedEventsRequest, call: Call
    ) -> event_pb.ListRelatedEventsResponse:
        event = await self._get(request.id, call)
        path, whole = await self._path(event, call)
        root = root_of([*path.values()])
        found = dict(path)
        # What follows from the requested event takes precedence, should there be too many events.
        whole = await self._follow([metadata_of(event).id], found, call) and whole
        whole = await self._follow(path, found, call) and whole
        links = chain(root, found.values())
        times = [event_time(link.event) for link in links]
        related = [
            _related(link, None if before is None else time - before)
            for link, time, before in zip(links, times, [None, *times], strict=False)
        ]
        query = own(f"related to {metadata_of(event).id}", call)
        fit, rest = fitting(related, parse_page_token(request.page_token, query))
        return event_pb.ListRelatedEventsResponse(
            events=list(fit),
            next_page_token=page_token(rest, query),
            root_id=metadata_of(root).id,
            duration=duration(times[-1] - times[0]),
            incomplete=not whole,
        )

    async def _path(self, event: event_pb.Event, call: Call) -> tuple[dict[str, event_pb.Event], bool]:
        """Return an event, the one that it links to, and so on, by id; and whether the path is complete."""
        path = {metadata_of(event).id: event}
        while True:
            above = parent_id(event)
            linked = await self._store.get(EventId(above)) if above else await self._ended_by(event, call)
            if linked is None or not may_touch(call, Permission.EVENT_READ, linked):
                return path, True
            if metadata_of(linked).id in path:
                return path, True
            if len(path) == _MAX_RELATED:
                return path, False
            event = path[metadata_of(linked).id] = linked

    async def _ended_by(self, event: event_pb.Event, call: Call) -> event_pb.Event | None:
        """Return the first event that one is recorded as having ended, or None."""
        ids = [metadata_of(event).id]
        ended = any_of((one_of(REMEDIATED_BY, ids), one_of(ROLLED_BACK_BY, ids)))
        found = await self._store.find(visible(EventFilter(ended), call), Page(limit=1), oldest_first=True)
        return next(iter(found.records), None)

    async def _follow(self, ids: Iterable[str], found: dict[str, event_pb.Event], call: Call) -> bool:
        """Add what links to events, also indirectly, to `found`; return whether there was room for all."""
        level = tuple(ids)
        while level:
            page = Page(limit=_MAX_RELATED, bytes=MOST_READ)
            linking = [
                await self._store.find(
                    visible(EventFilter(one_of(field, level)), call), page, oldest_first=True
                )
                for field in (RELATED, CAUSED_BY)
            ]
            linked = [event for part in linking for event in part.records]
            linked += await self._remedies(map(found.get, level), call)
            new = {metadata_of(event).id: event for event in linked if metadata_of(event).id not in found}
            room = _MAX_RELATED - len(found)
            found.update(islice(new.items(), room))
            if any(part.next is not None for part in linking) or len(new) > room:
                return False
            level = tuple(new)
        return True

    async def _remedies(
        self, events: Iterable[event_pb.Event | None], call: Call
    ) -> Sequence[event_pb.Event]:
        """Return the events that are recorded as having ended some events."""
        ids = [each for event in events if event is not None for each in remedies_of(event)]
        ended = [await self._store.get(EventId(each)) for each in dict.fromkeys(ids[:_MAX_RELATED])]
        return [event for event in ended if event and may_touch(call, Permission.EVENT_READ, event)]

    async def _get(self, id_or_slack_id: str, call: Call, message: str = NOT_FOUND) -> event_pb.Event:
        event = await self._store.get(event_key(id_or_slack_id))
        if event is None or not may_touch(call, Permission.EVENT_READ, event):
            raise event_not_found(id_or_slack_id, message)
        return event

    async def _page(
        self, where: EventFilter, request: PagedRequest, page: Page, call: Call
    ) -> Found[event_pb.Event]:
        found = await self._store.find(visible(where, call), page)
        note_short_page(request, page, found, call)
        return found


def _listed(answer: type[_Events], found: Found[event_pb.Event], query: str) -> _Events:
    return answer(
        events=list(found.records),
        total_count=found.total,
        next_page_token=page_token(found.next, query),
        total_count_estimated=found.estimated or None,
    )


def _cursor(found: Found[event_pb.Event], asked: int) -> Cursor | None:
    """Return the cursor of a search: that of the list, the moment of the first page, and the total."""
    return found.next and (*found.next, asked, found.total, int(found.estimated))


def _resumed(page: Page, now: int) -> tuple[Page, int]:
    """Return the page that a cursor of `_cursor` leads to, and its moment; now for a first page."""
    if page.after is None:
        return page, now
    *cursor, asked, total, estimated = page.after
    known = Total(int(total), estimated=bool(estimated))
    return replace(page, after=tuple(cursor), total=known), int(asked)


def _related(link: Link, since_previous: int | None) -> event_pb.RelatedEvent:
    return event_pb.RelatedEvent(
        event=link.event,
        link=link.name,
        parent_id="" if link.parent is None else metadata_of(link.parent).id,
        depth=link.depth,
        since_parent=None if link.since_parent is None else duration(link.since_parent),
        since_previous=None if since_previous is None else duration(since_previous),
    )
