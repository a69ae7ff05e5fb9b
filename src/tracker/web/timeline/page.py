"""The page of the Timeline."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from protobuf.wkt import UInt32Value

from tracker.domain.events import attributes_of
from tracker.domain.times import interval_for, micros
from tracker.pb import event_pb
from tracker.pb.options import name_if_set
from tracker.time_text import moment_text
from tracker.web.charts import Tick, tick_text
from tracker.web.event_rows import event_row
from tracker.web.explorer.commands import same_search
from tracker.web.explorer.page import fault_of
from tracker.web.freezes.rows import occurrences
from tracker.web.site import View
from tracker.web.timeline.bands import bands_of
from tracker.web.timeline.deployments import Deployments
from tracker.web.timeline.found import MOST, events_of
from tracker.web.timeline.layout import lanes_of
from tracker.web.timeline.marks import Drawing
from tracker.web.timeline.state import LANES, PATH, RANGES, moves, shown_period, state_of
from tracker.web.times import length
from tracker.web.tones import TONES
from tracker.web.visit import Part, address, part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from tracker.domain.overlaps import TimedEvent
    from tracker.pb import freeze_pb
    from tracker.web.event_rows import EventRow
    from tracker.web.explorer.state import Period
    from tracker.web.timeline.found import Found
    from tracker.web.timeline.marks import Lane
    from tracker.web.timeline.state import State
    from tracker.web.visit import Visit

_MOST_LANES: Final = 40
_MOST_ROWS: Final = 200
_TICKS: Final = 16
_PAIRS: Final = 1_000
_SHOWN_PAIRS: Final = 100


class BarRow(NamedTuple):
    """A row of the table that says what the bars show; `after` is the deployment before an incident."""

    row: EventRow
    end: Markup
    goes_on: bool
    after: str


class Simultaneous(NamedTuple):
    """Two events of a service and environment that overlap."""

    first: event_pb.OverlappingEvent
    second: event_pb.OverlappingEvent
    service: str
    environment: str
    start: Markup
    end: Markup
    took: str


@dataclass(frozen=True, slots=True)
class Overlaps:
    """The pairs of a period, the first of them for the table, and whether all events were looked at."""

    rows: tuple[Simultaneous, ...]
    total: int
    complete: bool
    intervals: Mapping[str, Sequence[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Chart:
    """The lanes of a period, and what could not be drawn apart."""

    lanes: tuple[Lane, ...]
    hidden_lanes: int
    ticks: tuple[Tick, ...]
    now: float | None
    count: int
    drawn: int
    merged: int
    merged_bars: int
    complete: bool
    rows: tuple[BarRow, ...]


class Timeline:
    """Shows when the events that a query finds began and ended."""

    path = PATH

    async def show(self, visit: Visit) -> View:
        """Show the page, or with `part` only what changes with the period."""
        state = state_of(visit)
        period = shown_period(state, visit.clock)
        found, overlaps, freezes = await asyncio.gather(
            part(events_of(visit, state.query, period)),
            part(_overlaps(visit, state, period)),
            part(occurrences(visit, period.since, period.until)),
        )
        chart = None
        if found.value is not None:
            chart = _chart(visit, state, period, found.value, overlaps.value, freezes.value or ())
        since, until = moment_text(period.since), moment_text(period.until)
        return View(
            "timeline/main.html" if visit.choice("part", ("main",)) else "timeline/page.html",
            state=state,
            chart=Part(chart, found.error),
            overlaps=overlaps,
            fault=fault_of(state.query, found.error),
            moves=moves(state, period),
            ranges=RANGES,
            tones=tuple(each for each in TONES if each[0] != "plan"),
            lane_choices=LANES,
            since=since,
            until=until,
            span=visit.times.span(period.since, period.until),
            most=MOST,
            same=same_search(state.query, period, since, until),
            every=address("/events", [("q", state.query), ("from", since), ("to", until)]),
        )


def _chart(  # noqa: PLR0913, PLR0917 - what it is drawn from
    visit: Visit,
    state: State,
    period: Period,
    found: Found,
    overlaps: Overlaps | None,
    freezes: Sequence[freeze_pb.FreezeOccurrence],
) -> Chart:
    lanes: defaultdict[str, list[TimedEvent]] = defaultdict(list)
    for each in found.events:
        lanes[_lane(each, state.by)].append(each)
    most = len(lanes) if state.every_lane else _MOST_LANES
    kept = sorted(sorted(lanes, key=lambda name: -len(lanes[name]))[:most])
    laid = lanes_of({name: lanes[name] for name in kept}, period)
    deployments = Deployments(found.events)
    drawing = Drawing(state, period, visit.times, deployments)
    intervals = {} if overlaps is None else overlaps.intervals
    drawn = tuple(
        drawing.lane(
            name,
            len(lanes[name]),
            laid[name],
            intervals.get(name, ()),
            bands_of(freezes, state.by, name, drawing.place, visit.times),
        )
        for name in kept
    )
    marks = [mark for lane in drawn for mark in lane.marks]
    together = [mark.count for mark in marks if mark.count > 1]
    now = visit.clock.now
    return Chart(
        lanes=drawn,
        hidden_lanes=len(lanes) - len(kept),
        ticks=tuple(_ticks(visit, period, drawing)),
        now=drawing.place(now) if period.since <= now < period.until else None,
        count=len(found.events),
        drawn=len(marks),
        merged=sum(together),
        merged_bars=len(together),
        complete=found.complete,
        rows=tuple(_row(visit, each, deployments) for each in found.events[: -_MOST_ROWS - 1 : -1]),
    )


def _lane(timed: TimedEvent, by: str) -> str:
    attributes = attributes_of(timed.event)
    if by == "service":
        return attributes.service
    return name_if_set(attributes.environment)


def _row(visit: Visit, timed: TimedEvent, deployments: Deployments) -> BarRow:
    row, after = event_row(timed.event, visit.times), ""
    if attributes_of(timed.event).type is event_pb.Type.incident:
        cause = deployments.before(timed)
        if cause is not None:
            after = f"{length(max(0, timed.start - cause.start))} after {cause.event.title}"
    end = visit.times.tag(timed.end if timed.end > timed.start and not timed.goes_on else None)
    return BarRow(row, end, timed.goes_on, after)


def _ticks(visit: Visit, period: Period, drawing: Drawing) -> list[Tick]:
    interval = interval_for(period.since, period.until, _TICKS)
    try:
        starts = interval.starts(period.since, period.until, visit.clock.zone)
    except (ValueError, OverflowError):  # the calendar begins or ends within the period
        return []
    inside = [each for each in starts if each >= period.since]
    return [
        Tick(drawing.place(each), tick_text(visit.times.local(each), interval.length, first=place == 0))
        for place, each in enumerate(inside)
    ]


async def _overlaps(visit: Visit, state: State, period: Period) -> Overlaps:
    answer = await visit.ask(
        event_pb.GetEventOverlapsRequest(
            query=state.query, limit=UInt32Value(value=_PAIRS), time_zone=visit.zone, **period.dates
        ),
        event_pb.GetEventOverlapsResponse,
    )
    rows: list[Simultaneous] = []
    intervals: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for group in answer.groups:
        events = {each.id: each for each in group.events}
        service, environment = group.values
        for pair in group.pairs:
            start, end = (0 if each is None else micros(each) for each in (pair.start, pair.end))
            intervals[service if state.by == "service" else environment].append((start, end))
            if len(rows) < _SHOWN_PAIRS and pair.first_id in events and pair.second_id in events:
                first, second = events[pair.first_id], events[pair.second_id]
                tags = visit.times.tag(start), visit.times.tag(end)
                rows.append(Simultaneous(first, second, service, environment, *tags, length(end - start)))
    return Overlaps(tuple(rows), answer.pair_count, not answer.incomplete, intervals)
