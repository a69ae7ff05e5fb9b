"""The RPCs of the event service that count events: in a period, by values, over time."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tracker.domain.query.tree import narrowed
from tracker.domain.times import MOST_INTERVALS, duration, interval_for, read_interval, timestamp
from tracker.errors import FieldViolation, invalid
from tracker.pb import event_pb
from tracker.services.events.filters import Planned, by_fields, facet, in_period
from tracker.services.paging import given
from tracker.time_text import EARLIEST, MICROS, hint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.domain.query.fields import Field
    from tracker.services.context import Call, Context
    from tracker.stores.events import EventStore

_VALUES = 10
"""Values of a field to return without `limit`."""

_INTERVALS = 120
"""Most intervals of a histogram whose request names no interval."""

_PERIOD = 24 * 60 * 60 * MICROS
"""Length of a period without a start."""


class EventCounts:
    """Answers the RPCs of `tracker.event.v1alpha1.EventService` that count events."""

    def __init__(self, store: EventStore, context: Context) -> None:
        self._store = store
        self._context = context

    async def get_event_stats(
        self, request: event_pb.GetEventStatsRequest, call: Call
    ) -> event_pb.GetEventStatsResponse:
        count = await self._store.count(by_fields(request, request.start_date, request.end_date))
        self._context.log.info("event stats retrieved", request_id=call.request_id, total_count=count)
        return event_pb.GetEventStatsResponse(
            total_count=count, start_date=request.start_date, end_date=request.end_date
        )

    async def get_event_stats_by_month(
        self, request: event_pb.GetEventStatsByMonthRequest, call: Call
    ) -> event_pb.GetEventStatsByMonthResponse:
        where = by_fields(request, request.start_date, request.end_date)
        counts = await self._store.count_by_month(where, by_service=request.group_by_service)
        total = sum(c.count for c in counts)
        message = "event stats by month retrieved"
        self._context.log.info(message, request_id=call.request_id, total_count=total)
        return event_pb.GetEventStatsByMonthResponse(
            stats=[
                event_pb.MonthlyStats(year=c.year, month=c.month, service=c.service, count=c.count)
                for c in counts
            ],
            total_count=total,
            start_date=request.start_date,
            end_date=request.end_date,
        )

    async def get_event_facets(
        self, request: event_pb.GetEventFacetsRequest, _: Call
    ) -> event_pb.GetEventFacetsResponse:
        asked = [facet(name, f"fields[{place}]", "to count by") for place, name in enumerate(request.fields)]
        most = given(request.limit, _VALUES)
        where = in_period(request, self._context.query_clock())
        planned = Planned(self._context, wanted=request.explain)
        total, tallies = await self._store.count_by(where, asked, most, planned.explanation)
        return event_pb.GetEventFacetsResponse(
            total_count=total,
            facets=[
                event_pb.EventFacet(
                    field=field.name,
                    values=[
                        event_pb.FacetValue(value=field.shown(each.value), count=each.events)
                        for each in values
                    ],
                    other_count=total - sum(each.events for each in values),
                )
                for field, values in zip(asked, tallies, strict=True)
            ],
            plan=planned.plan(where),
        )

    async def get_event_histogram(
        self, request: event_pb.GetEventHistogramRequest, _: Call
    ) -> event_pb.GetEventHistogramResponse:
        zone = _zone(request.time_zone) if request.time_zone else self._context.zone
        by = facet(request.by, "by", "to count by") if request.by else None
        most = given(request.limit, _VALUES)
        clock = replace(self._context.query_clock(), zone=zone)
        where = narrowed(in_period(request, clock))
        until = clock.now if where.until is None else where.until
        since = until - _PERIOD if where.since is None else where.since
        interval, starts = _intervals(request.interval, since, until, zone)
        edges = [since, *starts[1:], until]
        values: list[str | int] = []
        planned = Planned(self._context, wanted=request.explain)
        within = replace(where, since=since, until=until)
        if by is not None:
            _total, (tallies,) = await self._store.count_by(within, [by], most, planned.explanation)
            values = [each.value for each in tallies]
        where = replace(where, since=None, until=None)
        counts = await self._store.count_between(where, edges, by, planned.explanation)
        buckets = [_bucket(start, counted, by, values) for start, counted in zip(starts, counts, strict=True)]
        if request.durations:
            found = await self._store.durations_between(where, edges, planned.explanation)
            for bucket, durations in zip(buckets, found, strict=True):
                bucket.durations = _percentiles(durations)
        return event_pb.GetEventHistogramResponse(
            total_count=sum(bucket.count for bucket in buckets),
            interval=interval,
            time_zone=zone.key,
            values=[by.shown(value) for value in values] if by is not None else [],
            buckets=buckets,
            plan=planned.plan(within),
        )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise invalid(
            FieldViolation("time_zone", f"expected a time zone such as Europe/Paris, got {name!r}")
        ) from None


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
        starts = list(interval.starts(since, until, zone))
    except (ValueError, OverflowError):
        raise beyond from None
    if starts[0] < EARLIEST:
        raise beyond
    return interval.name, starts


def _bucket(
    start: int, counted: Mapping[str | int, int], by: Field | None, values: Sequence[str | int]
) -> event_pb.HistogramBucket:
    bucket = event_pb.HistogramBucket(start=timestamp(start), count=sum(counted.values()))
    if by is not None:
        bucket.values = [
            event_pb.FacetValue(value=by.shown(value), count=counted.get(value, 0)) for value in values
        ]
        bucket.other_count = bucket.count - sum(each.count for each in bucket.values)
    return bucket


def _percentiles(durations: Sequence[int]) -> event_pb.DurationPercentiles | None:
    """Return the percentiles, by nearest rank, of sorted durations."""
    if not durations:
        return None
    p50, p90, p95, p99, longest = (
        duration(durations[ceil(len(durations) * rank / 100) - 1]) for rank in (50, 90, 95, 99, 100)
    )
    return event_pb.DurationPercentiles(count=len(durations), p50=p50, p90=p90, p95=p95, p99=p99, max=longest)
