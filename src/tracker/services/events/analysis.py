"""The RPCs of the event service that count events, by values and over time, and find those that overlap."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import MAXYEAR, MINYEAR, datetime
from itertools import islice
from typing import TYPE_CHECKING

from tracker.domain.events import FINISHED, RUNNING, attributes_of, event_time, metadata_of
from tracker.domain.overlaps import groups, is_under_way, overlaps, timed_event
from tracker.domain.query.fields import ENVIRONMENT, RELATED, SERVICE, STATUS
from tracker.domain.query.text import to_text
from tracker.domain.query.tree import EventFilter, Number, Term, both, narrowed, one_of, parts_of
from tracker.domain.times import (
    MOST_INTERVALS,
    interval_for,
    nearest_timestamp,
    period,
    read_interval,
)
from tracker.errors import FieldViolation, invalid
from tracker.pb import event_pb
from tracker.services.events.buckets import bucket_of, percentiles
from tracker.services.events.filters import Planned, by_fields, dates_of, facet, in_period, with_query
from tracker.services.events.overlap_groups import fitting_groups, overlap_group
from tracker.services.narrowing import visible
from tracker.services.paging import (
    MOST_READ,
    PAGE_BYTES,
    answer_bytes,
    fitting,
    given,
    own,
    page_token,
    parse_page_token,
)
from tracker.stores.events import most_frequent
from tracker.stores.pages import Page
from tracker.time_text import DAY, EARLIEST, hint, local_moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from tracker.domain.overlaps import TimedEvent
    from tracker.domain.query.fields import Field
    from tracker.domain.query.tree import Node
    from tracker.services.context import Call, Context
    from tracker.stores.events import EventStore, Explanation, Tally
    from tracker.time_text import Clock


_VALUES = 10
"""Values of a field to return without `limit`."""

_INTERVALS = 120
"""Most intervals of a histogram whose request names no interval."""

_MOST = 10_000
"""Events that are examined."""

_PAIRS = 1_000
"""Pairs to return without `limit`."""

_BY = (SERVICE, ENVIRONMENT)
"""Fields to compare by where the request names none."""
_REACH = DAY
"""How long a period without bounds is, and how long before a period events are examined."""


class EventAnalysis:
    """Answers the RPCs of `tracker.event.v1alpha1.EventService` that count events and find overlaps."""

    def __init__(self, store: EventStore, context: Context) -> None:
        self._store = store
        self._context = context

    async def get_event_stats(
        self, request: event_pb.GetEventStatsRequest, call: Call
    ) -> event_pb.GetEventStatsResponse:
        clock = self._context.query_clock(request.time_zone)
        count = await self._store.count(visible(by_fields(request, *dates_of(request, clock)), call))
        self._context.report(call, "event stats retrieved", total_count=count)
        return event_pb.GetEventStatsResponse(
            total_count=count, start_date=request.start_date, end_date=request.end_date
        )

    async def get_event_stats_by_month(
        self, request: event_pb.GetEventStatsByMonthRequest, call: Call
    ) -> event_pb.GetEventStatsByMonthResponse:
        clock = self._context.query_clock(request.time_zone)
        where = by_fields(request, *dates_of(request, clock))
        counts = await self._by_month(visible(where, call), request, clock)
        total = sum(each.count for each in counts)
        query = f"stats by month {to_text(where.query)} {request.start_date} {request.end_date}"
        query = own(query + (request.time_zone and f" in {request.time_zone}"), call)
        fit, rest = fitting(counts, parse_page_token(request.page_token, query), answer_bytes(call))
        self._context.report(call, "event stats by month retrieved", total_count=total)
        return event_pb.GetEventStatsByMonthResponse(
            stats=list(fit),
            next_page_token=page_token(rest, query),
            total_count=total,
            start_date=request.start_date,
            end_date=request.end_date,
        )

    async def _by_month(
        self, where: EventFilter, request: event_pb.GetEventStatsByMonthRequest, clock: Clock
    ) -> Sequence[event_pb.MonthlyStats]:
        """Return the number of events of each month that has any, ordered by month and service."""
        if not request.time_zone or where.since is None or where.until is None:
            months = await self._store.count_by_month(where, by_service=request.group_by_service)
            return [
                event_pb.MonthlyStats(year=m.year, month=m.month, service=m.service, count=m.count)
                for m in months
            ]
        in_utc = await self._store.count_by_month(where, by_service=False)
        starts = _months([(each.year, each.month) for each in in_utc], where.since, where.until, clock.zone)
        if not starts:
            return []
        by, edges = SERVICE if request.group_by_service else None, [*starts, where.until]
        counts = await self._store.count_between(replace(where, since=None, until=None), edges, by)
        return [
            event_pb.MonthlyStats(year=first.year, month=first.month, service=str(service), count=count)
            for first, counted in zip(starts.values(), counts, strict=True)
            for service, count in sorted(counted.items())
            if count
        ]

    async def get_event_facets(
        self, request: event_pb.GetEventFacetsRequest, call: Call
    ) -> event_pb.GetEventFacetsResponse:
        asked = [facet(name, f"fields[{place}]", "to count by") for place, name in enumerate(request.fields)]
        most = given(request.limit, _VALUES)
        where = visible(in_period(request, self._context.query_clock(request.time_zone)), call)
        planned = Planned(self._context, call, wanted=request.explain)
        total, tallies = await self._store.count_by(where, asked, most, planned.explanation)
        facets = []
        for field, counted in zip(asked, tallies, strict=True):
            fit = fitting(_facet_values(field, counted), None, PAGE_BYTES // len(asked))[0]
            others = total - sum(each.count for each in fit)
            facets.append(event_pb.EventFacet(field=field.name, values=list(fit), other_count=others))
        plan = planned.plan(where)
        return event_pb.GetEventFacetsResponse(total_count=total, facets=facets, plan=plan)

    async def get_event_histogram(
        self, request: event_pb.GetEventHistogramRequest, call: Call
    ) -> event_pb.GetEventHistogramResponse:
        by = facet(request.by, "by", "to count by") if request.by else None
        most = given(request.limit, _VALUES)
        clock = self._context.query_clock(request.time_zone)
        since, until = period(request.start_date, request.end_date, clock.zone)
        where = with_query(EventFilter(since=since, until=until), request.query, clock)
        where = visible(narrowed(where), call)
        until = clock.now if where.until is None else where.until
        since = until - _REACH if where.since is None else where.since
        interval, starts = _intervals(request.interval, since, until, clock.zone)
        edges = [since, *starts[1:], until]
        values: dict[str | int, str] = {}
        planned = Planned(self._context, call, wanted=request.explain)
        within = replace(where, since=since, until=until)
        where = replace(where, since=None, until=None)
        counts = await self._store.count_between(where, edges, by, planned.explanation)
        if by is not None:
            tallies = most_frequent(counts, most)
            fit = fitting(_facet_values(by, tallies), None, PAGE_BYTES // (len(starts) + 1))[0]
            values = {each.value: by.shown(each.value) for each in tallies[: len(fit)]}
        buckets = [
            bucket_of(start, counted, None if by is None else values)
            for start, counted in zip(starts, counts, strict=True)
        ]
        if request.durations:
            found = await self._store.durations_between(where, edges, planned.explanation)
            for bucket, durations in zip(buckets, found, strict=True):
                bucket.durations = percentiles(durations)
        return event_pb.GetEventHistogramResponse(
            total_count=sum(bucket.count for bucket in buckets),
            interval=interval,
            time_zone=clock.zone.key,
            values=[*values.values()],
            buckets=buckets,
            plan=planned.plan(within),
        )

    async def get_event_overlaps(
        self, request: event_pb.GetEventOverlapsRequest, call: Call
    ) -> event_pb.GetEventOverlapsResponse:
        by = [facet(name, f"by[{place}]", "to compare by") for place, name in enumerate(request.by)]
        dates = (request.start_date, request.end_date, request.time_zone)
        query = own(f"overlaps {request.by} {request.query} {dates} {request.limit}", call)
        cursor = parse_page_token(request.page_token, query)
        clock = self._context.query_clock(request.time_zone)
        if cursor is not None:  # so that the period stays the same
            clock = replace(clock, now=int(cursor[1]))
        now, where = clock.now, visible(narrowed(in_period(request, clock)), call)
        since, until = _period(where, now)
        planned = Planned(self._context, call, wanted=request.explain)
        anytime = replace(where, since=None, until=None)
        spans, whole = await self._spans(anytime, (since, until), now, call, planned.explanation)
        alike: defaultdict[tuple[str, ...], list[TimedEvent]] = defaultdict(list)
        for span in spans:
            alike[tuple(field.shown(field.value(span.event)) for field in by or _BY)].append(span)
        found = [(values, group) for values, these in alike.items() for group in groups(these)]
        found.sort(key=lambda each: (each[1][0].start, each[0]))
        left = given(request.limit, _PAIRS)
        answer = event_pb.GetEventOverlapsResponse(
            event_count=len(spans),
            incomplete=not whole,
            start=nearest_timestamp(since),
            end=nearest_timestamp(until),
            plan=planned.plan(replace(where, since=since, until=until)),
        )
        whole_groups = []
        for values, group in found:
            pairs = list(islice(overlaps(group), left))
            left -= len(pairs)
            whole_groups.append(overlap_group(values, group, pairs))
            answer.pair_count += whole_groups[-1].pair_count
        answer.groups, rest = fitting_groups(whole_groups, cursor)
        answer.next_page_token = page_token(rest and (*rest, clock.now), query)
        return answer

    async def _spans(
        self,
        where: EventFilter,
        period: tuple[int, int],
        now: int,
        call: Call,
        explanation: Explanation | None,
    ) -> tuple[Sequence[TimedEvent], bool]:
        """Return the spans of the matching events that reach into a period, and whether these are all."""
        page, (since, until) = Page(limit=_MOST, bytes=MOST_READ), period
        near = await self._store.find(
            replace(where, since=since - _REACH, until=until, overlapping=True),
            page,
            explanation,
        )
        events, whole = [*near.records], near.next is None
        if _may_run(where.query) and since < now:
            running = both(where.query, one_of(STATUS, sorted(RUNNING)))
            long_ago = await self._store.find(
                replace(where, query=running, until=since - _REACH),
                page,
                explanation,
            )
            events += filter(is_under_way, long_ago.records)
            whole = whole and long_ago.next is None and len(events) <= _MOST
        ends = await self._ends(filter(is_under_way, events[:_MOST]), call, explanation)
        spans = [timed_event(event, now, ends.get(metadata_of(event).id)) for event in events[:_MOST]]
        return [span for span in spans if span.stop > since], whole

    async def _ends(
        self, events: Iterable[event_pb.Event], call: Call, explanation: Explanation | None
    ) -> Mapping[str, int]:
        """Return when events ended according to others of the same type that link to them, by id."""
        types = {metadata_of(event).id: attributes_of(event).type for event in events}
        if not types:
            return {}
        where = visible(EventFilter(both(one_of(RELATED, types), one_of(STATUS, sorted(FINISHED)))), call)
        ends: dict[str, int] = {}
        page = Page(limit=_MOST, bytes=MOST_READ)
        found = await self._store.find(where, page, explanation, oldest_first=True)
        for event in found.records:
            attributes = attributes_of(event)
            if attributes.type == types[attributes.related_id]:
                ends.setdefault(attributes.related_id, event_time(event))
        return ends


def _intervals(name: str, since: int, until: int, zone: ZoneInfo) -> tuple[str, Sequence[int]]:
    """Return the interval of a name, or a suitable one, and the starts of those of a period."""
    interval = read_interval(name) if name else interval_for(since, until, _INTERVALS)
    if interval is None:
        expected = "expected month, week, day, or what divides a day, such as 6h or 15m"
        raise invalid(FieldViolation("interval", f"{expected}; got {name!r}{hint(name)}"))
    if until <= since:
        raise invalid(FieldViolation("start_date", "the period ends before it begins"))
    number = (until - since) // interval.length
    if number >= MOST_INTERVALS:
        text = f"the period has {number:,} intervals of {interval.name}, and may have {MOST_INTERVALS:,};"
        raise invalid(FieldViolation("interval", f"{text} choose a longer one, or a shorter period"))
    beyond = invalid(FieldViolation("start_date", "the period reaches beyond the calendar"))
    try:
        starts = interval.starts(since, until, zone)
    except (ValueError, OverflowError):
        raise beyond from None
    if starts[0] < EARLIEST:
        raise beyond
    return interval.name, starts


def _months(in_utc: Iterable[tuple[int, int]], since: int, until: int, zone: ZoneInfo) -> Mapping[int, date]:
    """Return when the months of a zone begin that may have events of these months, and the first day of each.

    Those that begin before the period begin with it.
    """
    numbers = {12 * year + month - 1 + near for year, month in in_utc for near in (-1, 0, 1, 2)}
    days = [(number // 12, number % 12 + 1) for number in sorted(numbers)]
    first_days = [datetime(*day, 1) for day in days if MINYEAR <= day[0] <= MAXYEAR]  # noqa: DTZ001 - in `zone`
    starts = {max(since, local_moment(day, zone)): day.date() for day in first_days}
    return {start: day for start, day in starts.items() if start < until}


def _facet_values(field: Field, tallies: Iterable[Tally]) -> list[event_pb.FacetValue]:
    return [event_pb.FacetValue(value=field.shown(each.value), count=each.events) for each in tallies]


def _may_run(query: Node) -> bool:
    """Return whether a query may find events that are under way."""
    asked = [part for part in parts_of(query) if isinstance(part, Term) and part.field == STATUS]
    return all(any(Number(status) in part.tests for status in RUNNING) for part in asked)


def _period(where: EventFilter, now: int) -> tuple[int, int]:
    """Return the period of a filter; where a side is open, a day from now, or from the side that is given."""
    since, until = where.since, where.until
    if since is None:
        since = (now if until is None else min(now, until)) - _REACH
    if until is None:
        until = max(now, since) + _REACH
    if until <= since:
        raise invalid(FieldViolation("start_date", "the period ends before it begins"))
    return since, until
