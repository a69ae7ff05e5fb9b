"""The RPC of the event service that finds events under way at the same time."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from tracker.domain.events import FINISHED, RUNNING, attributes_of, event_time, metadata_of
from tracker.domain.overlaps import count_overlaps, groups, is_under_way, overlaps, timed_event
from tracker.domain.query.fields import ENVIRONMENT, RELATED, SERVICE, STATUS
from tracker.domain.query.tree import EventFilter, Number, Term, both, narrowed, one_of, parts_of
from tracker.domain.times import timestamp
from tracker.errors import FieldViolation, invalid
from tracker.pb import event_pb
from tracker.services.events.filters import Planned, facet, in_period
from tracker.services.paging import given
from tracker.stores.pages import Page
from tracker.time_text import EARLIEST, LATEST, MICROS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from protobuf.wkt import Timestamp

    from tracker.domain.overlaps import Overlap, TimedEvent
    from tracker.domain.query.tree import Node
    from tracker.services.context import Call, Context
    from tracker.stores.events import EventStore, Explanation

_MOST = 10_000
"""Events that are examined."""

_PAIRS = 1_000
"""Pairs to return without `limit`."""

_BY = (SERVICE, ENVIRONMENT)
"""Fields to compare by where the request names none."""

_DAY = 24 * 60 * 60 * MICROS
"""How far a period without bounds reaches from now, and how long before a period events are examined."""


class EventOverlaps:
    """Answers the RPC of `tracker.event.v1alpha1.EventService` that finds overlaps."""

    def __init__(self, store: EventStore, context: Context) -> None:
        self._store = store
        self._context = context

    async def get_event_overlaps(
        self, request: event_pb.GetEventOverlapsRequest, _: Call
    ) -> event_pb.GetEventOverlapsResponse:
        by = [facet(name, f"by[{place}]", "to compare by") for place, name in enumerate(request.by)]
        clock = self._context.query_clock()
        now, where = clock.now, narrowed(in_period(request, clock))
        since, until = _period(where, now)
        planned = Planned(self._context, wanted=request.explain)
        anytime = replace(where, since=None, until=None)
        spans, whole = await self._spans(anytime, since, until, now, planned.explanation)
        alike: defaultdict[tuple[str, ...], list[TimedEvent]] = defaultdict(list)
        for span in spans:
            alike[tuple(field.shown(field.value(span.event)) for field in by or _BY)].append(span)
        found = [(values, group) for values, these in alike.items() for group in groups(these)]
        found.sort(key=lambda each: (each[1][0].start, each[0]))
        left = given(request.limit, _PAIRS)
        answer = event_pb.GetEventOverlapsResponse(
            event_count=len(spans),
            incomplete=not whole,
            start=_moment(since),
            end=_moment(until),
            plan=planned.plan(replace(where, since=since, until=until)),
        )
        for values, group in found:
            pairs = list(islice(overlaps(group), left))
            left -= len(pairs)
            answer.groups.append(_group(values, group, pairs))
            answer.pair_count += answer.groups[-1].pair_count
        return answer

    async def _spans(
        self, where: EventFilter, since: int, until: int, now: int, explanation: Explanation | None
    ) -> tuple[Sequence[TimedEvent], bool]:
        """Return the spans of the matching events that reach into a period, and whether these are all."""
        near = await self._store.find(
            replace(where, since=since - _DAY, until=until, overlapping=True), Page(limit=_MOST), explanation
        )
        events, whole = [*near.records], near.next is None
        if _may_run(where.query) and since < now:
            running = both(where.query, one_of(STATUS, sorted(RUNNING)))
            long_ago = await self._store.find(
                replace(where, query=running, until=since - _DAY), Page(limit=_MOST), explanation
            )
            events += filter(is_under_way, long_ago.records)
            whole = whole and long_ago.next is None and len(events) <= _MOST
        ends = await self._ends(filter(is_under_way, events[:_MOST]), explanation)
        spans = [timed_event(event, now, ends.get(metadata_of(event).id)) for event in events[:_MOST]]
        return [span for span in spans if span.stop > since], whole

    async def _ends(
        self, events: Iterable[event_pb.Event], explanation: Explanation | None
    ) -> Mapping[str, int]:
        """Return when events ended according to others of the same type that link to them, by id."""
        types = {metadata_of(event).id: attributes_of(event).type for event in events}
        if not types:
            return {}
        where = EventFilter(both(one_of(RELATED, types), one_of(STATUS, sorted(FINISHED))))
        ends: dict[str, int] = {}
        found = await self._store.find(where, Page(limit=_MOST), explanation, oldest_first=True)
        for event in found.records:
            attributes = attributes_of(event)
            if attributes.type == types[attributes.related_id]:
                ends.setdefault(attributes.related_id, event_time(event))
        return ends


def _may_run(query: Node) -> bool:
    """Return whether a query may find events that are under way."""
    asked = [part for part in parts_of(query) if isinstance(part, Term) and part.field == STATUS]
    return all(any(Number(status) in part.tests for status in RUNNING) for part in asked)


def _period(where: EventFilter, now: int) -> tuple[int, int]:
    """Return the period of a filter; where a side is open, a day from now, or from the side that is given."""
    since, until = where.since, where.until
    if since is None:
        since = (now if until is None else min(now, until)) - _DAY
    if until is None:
        until = max(now, since) + _DAY
    if until <= since:
        raise invalid(FieldViolation("start_date", "the period ends before it begins"))
    return since, until


def _group(
    values: tuple[str, ...], group: Sequence[TimedEvent], pairs: Sequence[Overlap]
) -> event_pb.OverlapGroup:
    return event_pb.OverlapGroup(
        values=[*values],
        start=_moment(group[0].start),
        end=_moment(max(span.end for span in group)),
        events=[_event(span) for span in group],
        pairs=[
            event_pb.OverlapPair(
                first_id=metadata_of(pair.first.event).id,
                second_id=metadata_of(pair.second.event).id,
                start=_moment(pair.start),
                end=_moment(pair.end),
            )
            for pair in pairs
        ],
        pair_count=count_overlaps(group),
    )


def _event(span: TimedEvent) -> event_pb.OverlappingEvent:
    attributes = attributes_of(span.event)
    return event_pb.OverlappingEvent(
        id=metadata_of(span.event).id,
        title=span.event.title,
        type=attributes.type,
        status=attributes.status,
        service=attributes.service,
        environment=attributes.environment,
        start=_moment(span.start),
        end=_moment(span.end),
        goes_on=span.goes_on,
    )


def _moment(micros: int) -> Timestamp:
    """Return a moment, or the first or last one that a Timestamp can hold."""
    return timestamp(min(max(micros, EARLIEST), LATEST))
