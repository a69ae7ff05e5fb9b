"""The delivery service: how often, how fast and how safely changes reach production."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from tracker.domain.delivery.calendar import Period, months_before
from tracker.domain.delivery.facts import METRICS, Facts, Metric, reasons
from tracker.domain.delivery.methods import METHODS, measured
from tracker.domain.query.fields import BY_NAME
from tracker.domain.query.text import to_text
from tracker.domain.query.tree import one_of
from tracker.domain.times import period, read_interval, timestamp
from tracker.errors import FieldViolation, invalid
from tracker.pb import delivery_pb, event_pb
from tracker.pb.options import name_if_set, wire_name
from tracker.services.delivery.records import DeliveryReader, Room, Selection, given_commits
from tracker.services.paging import given, own, page_token, parse_page_token, without_page
from tracker.time_text import DAY, EARLIEST, MICROS, moment_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracker.domain.delivery.facts import Sample
    from tracker.domain.delivery.methods import Measured
    from tracker.domain.delivery.records import Place
    from tracker.services.context import Call, Context
    from tracker.services.delivery.records import Counting, Read
    from tracker.stores.base import Store
    from tracker.time_text import Clock

_MONTHS: Final = 3
"""Months of a period without a beginning."""
_INTERVALS: Final = ("day", "week", "month")
_FIRST: Final = EARLIEST + 2 * 366 * DAY
"""Before it, the calendar lacks days to count back to: of three months, or of the 400 days of DevLake."""
_MOST_BUCKETS: Final = 1_000
_MOST_GROUPS: Final = 1_000
_MOST_IDS: Final = 50
"""Ids of a query."""
_EVENTS: Final = 100
"""Events of a page without `limit`."""
_PAGE: Final = "/insights/delivery"
_By: Final = delivery_pb.GroupBy


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """What the settings say: the method, whose deployments count, and how many records one call measures."""

    method: delivery_pb.Method
    environments: tuple[event_pb.Environment, ...]
    most_records: int


class DeliveryService:
    """Answers `tracker.delivery.v1alpha1.DeliveryService`."""

    def __init__(self, store: Store, context: Context, policy: DeliveryPolicy) -> None:
        self._store = store
        self._context = context
        self._policy = policy
        self._room = Room(policy.most_records)

    async def get_delivery_metrics(
        self, request: delivery_pb.GetDeliveryMetricsRequest, call: Call
    ) -> delivery_pb.GetDeliveryMetricsResponse:
        async with self._room.counting(call) as counting:
            answer = await self._measure(request, call, counting)
        self._context.report(
            call,
            "delivery measured",
            method=wire_name(answer.method),
            deployments=0 if answer.total is None else answer.total.deployments,
        )
        return answer

    async def _measure(
        self, request: delivery_pb.GetDeliveryMetricsRequest, call: Call, counting: Counting
    ) -> delivery_pb.GetDeliveryMetricsResponse:
        clock = self._context.query_clock(request.time_zone)
        selection = self._selection(request, clock)
        method = request.method if request.method in METHODS else self._policy.method
        interval, starts = _intervals(request.interval or "week", selection.period)
        read = await DeliveryReader(self._store, call, clock.now, counting).read(selection, method)
        found = await asyncio.to_thread(measured, method, read.records)
        answer = delivery_pb.GetDeliveryMetricsResponse(
            method=method,
            interval=interval,
            start=timestamp(selection.period.since),
            end=timestamp(selection.period.until),
            time_zone=clock.zone.key,
            environments=[*selection.environments],
        )
        shown = _Shown(request, method, selection, read, found)
        answer.total = await asyncio.to_thread(shown.total)
        if request.by:
            answer.groups, answer.other_groups = await asyncio.to_thread(shown.groups)
        answer.buckets = [_bucket(*each) for each in await asyncio.to_thread(found.buckets, starts)]
        if request.events_of in METRICS:
            query = own(f"delivery {without_page(request)!r}", call)
            after = parse_page_token(request.page_token, query)
            limit = given(request.limit, _EVENTS)
            answer.events, rest = await asyncio.to_thread(shown.events, after, limit)
            answer.next_page_token = page_token(rest, query)
        return answer

    def _selection(self, request: delivery_pb.GetDeliveryMetricsRequest, clock: Clock) -> Selection:
        since, until = period(request.start_date, request.end_date, clock.zone)
        until = _on_calendar("end_date", clock.now + 1 if until is None else min(until, clock.now + 1))
        if since is None:
            since = months_before(until - 1, _MONTHS, clock.zone)
        since = _on_calendar("start_date", since)
        if since >= until:
            raise invalid(FieldViolation("start_date", "expected a moment before now and before end_date"))
        environments = tuple(dict.fromkeys(each for each in request.environments if each))
        if not environments and request.by != _By.environment:
            environments = self._policy.environments
        return Selection(
            Period(since, until, clock.zone),
            tuple(request.services),
            request.team,
            environments,
            given_commits(request),
        )


class _Shown:
    """What was measured, as it is answered."""

    def __init__(
        self,
        request: delivery_pb.GetDeliveryMetricsRequest,
        method: delivery_pb.Method,
        selection: Selection,
        read: Read,
        found: Measured,
    ) -> None:
        self._request = request
        self._method = method
        self._selection = selection
        self._read = read
        self._found = found
        self._name = _namer(request.by)

    def total(self) -> delivery_pb.DeliveryGroup:
        """Return the metrics of all deployments."""
        counts = [sum(each.values()) for each in self._counts(lambda _: "")]
        return self._group("", self._found.facts, counts)

    def groups(self) -> tuple[list[delivery_pb.DeliveryGroup], int]:
        """Return the metrics of groups, the one with most deployments first, and how many are left out."""
        found, counts = self._found.groups(self._name), self._counts(self._name)
        for each in counts:
            for name in each:
                found.setdefault(name, Facts())
        order = sorted(found, key=lambda name: (-counts[0][name], name))
        listed = order[:_MOST_GROUPS]
        shown = [self._group(name, found[name], [of[name] for of in counts]) for name in listed]
        return shown, len(order) - len(shown)

    def _counts(self, name: Callable[[Place], str]) -> Sequence[Counter[str]]:
        """Return the number of deployments, failed ones and incidents of the period, by group."""
        read = self._read
        return [
            Counter(name(each.place) for each in records)
            for records in (read.records.in_period(), read.failed, read.incidents)
        ]

    def _group(self, name: str, facts: Facts, counts: Sequence[int]) -> delivery_pb.DeliveryGroup:
        deployments, failed, incidents = counts
        group = delivery_pb.DeliveryGroup(
            name=name, deployments=deployments, failed_attempts=failed, incidents=incidents
        )
        figures = self._found.figures(facts)
        left_out = [
            f"{why} for {number:,} of {deployments:,} deployments, which are left out"
            for why, number in reasons(facts.left_out).items()
        ]
        for metric, figure in zip(METRICS, figures, strict=True):
            shown = delivery_pb.DeliveryMetric(
                metric=metric,
                value=figure.value,
                unit=figure.unit,
                band=figure.level.band,
                level=figure.level.words,
                counted=figure.counted,
                among=figure.among,
                no_data=figure.no_data,
                gaps=[*figure.gaps, *(() if metric == Metric.time_to_restore else left_out)],
                query=self._query(facts.of(metric)),
                link=self._link(metric, name),
            )
            group.metrics.append(shown)
        return group

    @staticmethod
    def _query(samples: Sequence[Sample]) -> str:
        """Return the query for the events that a metric counts, or nothing if there are too many for one."""
        ids = {each.id for each in samples if each.value is not None} or {each.id for each in samples}
        return to_text(one_of(BY_NAME["id"], sorted(ids))) if 0 < len(ids) <= _MOST_IDS else ""

    def _link(self, metric: delivery_pb.Metric, group: str) -> str:
        selection, request = self._selection, self._request
        asked = {
            "method": wire_name(self._method),
            "service": ",".join(selection.services),
            "team": selection.team,
            "environment": ",".join(map(wire_name, selection.environments)),
            "from": moment_text(selection.period.since),
            "to": moment_text((selection.period.until - 1) // MICROS * MICROS),
            "zone": request.time_zone,
            "by": name_if_set(request.by),
            "metric": wire_name(metric),
            "group": group,
        }
        return f"{_PAGE}?{urlencode({name: of for name, of in asked.items() if of})}"

    def events(
        self, after: tuple[int | str, ...] | None, most: int
    ) -> tuple[list[delivery_pb.DeliveryEvent], tuple[int | str, ...] | None]:
        """Return a page of what a metric counts, the newest first, and where the next one begins."""
        metric, wanted = self._request.events_of, self._request.group
        samples = [
            each for each in self._found.facts.of(metric) if not wanted or self._name(each.place) == wanted
        ]
        samples.sort(key=lambda each: (-each.at, each.id))
        first = 0 if after is None else int(after[0])
        commits = self._deployed()
        page = [
            _event(each, metric, commits.get(each.id, ("", ""))) for each in samples[first : first + most]
        ]
        return page, (first + most,) if first + most < len(samples) else None

    def _deployed(self) -> Mapping[str, tuple[str, str]]:
        """Return the commits of each deployment and the one before of its service and environment."""
        found: dict[str, tuple[str, str]] = {}
        for series in self._read.records.by_service().values():
            before = ""
            for each in series:
                found[each.id] = (each.commit, before)
                before = each.commit or before
        return found


def _namer(by: delivery_pb.GroupBy) -> Callable[[Place], str]:
    """Return what names the group of a place."""
    match by:
        case _By.service:
            return lambda place: place.service
        case _By.team:
            return lambda place: place.team
        case _By.environment:
            return lambda place: (
                wire_name(event_pb.Environment(place.environment)) if place.environment else ""
            )
    return lambda _: ""


def _event(each: Sample, metric: delivery_pb.Metric, commits: tuple[str, str]) -> delivery_pb.DeliveryEvent:
    value = each.value
    if value is not None and metric in {Metric.lead_time, Metric.time_to_restore}:
        value /= MICROS
    commit, previous = commits
    return delivery_pb.DeliveryEvent(
        id=each.id,
        title=each.title,
        service=each.place.service,
        environment=event_pb.Environment(each.place.environment),
        at=timestamp(each.at),
        value=value,
        reason=each.reason,
        because_of=each.because_of,
        commit=commit,
        previous_commit=previous,
    )


def _bucket(
    start: int, deployments: int, failures: int, lead_time: float | None, restore: float | None
) -> delivery_pb.DeliveryBucket:
    return delivery_pb.DeliveryBucket(
        start=timestamp(start),
        deployments=deployments,
        failures=failures,
        lead_time=lead_time,
        time_to_restore=restore,
    )


def _intervals(name: str, of: Period) -> tuple[str, Sequence[int]]:
    """Return an interval of a name, and the starts of those of a period."""
    interval = read_interval(name)
    if interval is None or interval.name not in _INTERVALS:
        raise invalid(FieldViolation("interval", f"expected day, week or month, got {name!r}"))
    if (of.until - of.since) // interval.length >= _MOST_BUCKETS:
        text = f"the period has more than {_MOST_BUCKETS:,} intervals of {interval.name};"
        raise invalid(FieldViolation("interval", f"{text} choose a longer one, or a shorter period"))
    try:
        starts = interval.starts(of.since, of.until, of.zone)
    except (ValueError, OverflowError):
        raise invalid(FieldViolation("start_date", "the period reaches beyond the calendar")) from None
    return interval.name, starts


def _on_calendar(field: str, moment: int) -> int:
    """Return a moment, if the calendar has the days before it that are counted."""
    if moment < _FIRST:
        raise invalid(FieldViolation(field, "the period reaches beyond the calendar"))
    return moment
