"""Counts and durations over time, as charts and as tables of the same numbers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from protobuf.wkt import UInt32Value

from tracker.domain.times import duration_micros, interval_for
from tracker.pb import event_pb
from tracker.web.charts import HEIGHT, STATUSES, WIDTH, Palette, chart, edges, ticks
from tracker.web.insights.breakdown import Number
from tracker.web.query_terms import negated, term
from tracker.web.times import length

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from tracker.web.charts import Chart, Tick
    from tracker.web.insights.scope import Scope
    from tracker.web.visit import Visit

_MOST: Final = 6
_INTERVALS: Final = 60
"""The most intervals of a chart, which is as many rows as a table has."""
_COLOURS: Final = ("c1", "c2", "c3", "c4", "c5", "c6")
_PERCENTILES: Final = (
    ("p50", "median"),
    ("p90", "p90"),
    ("p95", "p95"),
    ("p99", "p99"),
    ("max", "longest"),
)
_DRAWN: Final = 3
"""Of the percentiles, how many the chart has."""
_HAS_DURATION: Final = "duration:>=0s"
_NONE: Final = event_pb.DurationPercentiles()


class Row(NamedTuple):
    """An interval of a table: all its events, and those of each column."""

    start: Markup
    all: Number
    numbers: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """Bars, and their numbers; `columns` are the values, and one more column has all others.

    `sums` are those of all events, and then those of the columns.
    """

    chart: Chart
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    sums: tuple[Number, ...]


class Line(NamedTuple):
    """A line of a chart: its name, its style, and its points as a path of SVG."""

    name: str
    style: str
    path: str


class Length(NamedTuple):
    """How long events took; `href` leads to them, where they are not all of the row."""

    text: str
    href: str


class Took(NamedTuple):
    """How long the events of an interval took; `x` and `width` are its place in the chart."""

    start: Markup
    label: str
    x: float
    width: float
    ended: Number
    lengths: tuple[Length, ...]


@dataclass(frozen=True, slots=True)
class Durations:
    """Lines of durations, and their numbers: a row for each interval, with these columns."""

    lines: tuple[Line, ...]
    longest: str
    columns: tuple[str, ...]
    rows: tuple[Took, ...]
    ticks: tuple[Tick, ...]


async def counts_of(visit: Visit, scope: Scope) -> Counts:
    """Return the counts over time by the field of the page.

    Raises:
        TrackerError: As `GetEventHistogram`.
    """
    by = scope.state.by
    answer = await _histogram(visit, scope, by=by)
    palette = STATUSES if by == "status" else _palette(answer.values)
    terms = [term(by, value) for value in answer.values]
    others = [negated(each) for each in terms]
    rows = []
    for (since, until), bucket in zip(_intervals(scope, answer), answer.buckets, strict=True):
        numbers = [
            Number(each.count, scope.events(own, since=since, until=until))
            for own, each in zip(terms, bucket.values, strict=True)
        ]
        numbers.append(Number(bucket.other_count, scope.events(*others, since=since, until=until)))
        whole = Number(bucket.count, scope.events(since=since, until=until))
        rows.append(Row(visit.times.tag(since), whole, tuple(numbers)))
    links = [*(scope.events(own) for own in terms), scope.events(*others)]
    sums = (sum(row.numbers[place].count for row in rows) for place in range(len(links)))
    return Counts(
        chart(answer, scope.bounds, visit.times, scope.between, palette),
        tuple(answer.values),
        tuple(rows),
        (
            Number(answer.total_count, scope.events()),
            *(Number(count, href) for count, href in zip(sums, links, strict=True)),
        ),
    )


async def lengths_of(visit: Visit, scope: Scope) -> event_pb.GetEventHistogramResponse:
    """Return how long events took over time, of which both charts of durations are made.

    Raises:
        TrackerError: As `GetEventHistogram`.
    """
    return await _histogram(visit, scope, durations=True)


def durations_of(visit: Visit, scope: Scope, answer: event_pb.GetEventHistogramResponse) -> Durations:
    """Return how long events took over time, by percentiles."""
    known = [bucket.durations or _NONE for bucket in answer.buckets]
    series = {words: [_micros(each, name) for each in known] for name, words in _PERCENTILES}
    lengths = [
        tuple(Length(length(values[place]), "") for values in series.values()) for place in range(len(known))
    ]
    return _durations(visit, scope, answer, series, lengths, drawn=_DRAWN)


async def durations_by(
    visit: Visit, scope: Scope, whole: event_pb.GetEventHistogramResponse, values: Sequence[str]
) -> Durations:
    """Return within which time half of the events ended, by values of the field of the page.

    Raises:
        TrackerError: As `GetEventHistogram`.
    """
    terms = [term(scope.state.by, value) for value in values]
    answers = await asyncio.gather(*(_histogram(visit, scope, each, durations=True) for each in terms))
    series = {
        value or "none": [_micros(bucket.durations or _NONE, "p50") for bucket in answer.buckets]
        for value, answer in zip(values, answers, strict=True)
    }
    lengths = [
        tuple(
            Length(length(took[place]), scope.events(own, _HAS_DURATION, since=since, until=until))
            for own, took in zip(terms, series.values(), strict=True)
        )
        for place, (since, until) in enumerate(_intervals(scope, whole))
    ]
    return _durations(visit, scope, whole, series, lengths, drawn=len(series))


def _durations(  # noqa: PLR0913 - what the two kinds of charts have in common
    visit: Visit,
    scope: Scope,
    answer: event_pb.GetEventHistogramResponse,
    series: Mapping[str, Sequence[int | None]],
    lengths: Sequence[tuple[Length, ...]],
    *,
    drawn: int,
) -> Durations:
    width = WIDTH / max(1, len(answer.buckets))
    shown = dict(islice(series.items(), drawn))
    known = [each for values in shown.values() for each in values if each is not None]
    longest = max(known, default=None)
    rows = []
    for place, (since, until) in enumerate(_intervals(scope, answer)):
        ended = (answer.buckets[place].durations or _NONE).count
        words = ", ".join(f"{name} {each.text}" for name, each in zip(shown, lengths[place], strict=False))
        rows.append(
            Took(
                visit.times.tag(since),
                f"{visit.times.short(since)}: {words}",
                round(place * width, 2),
                round(width, 2),
                Number(ended, scope.events(_HAS_DURATION, since=since, until=until)),
                lengths[place],
            )
        )
    lines = (
        Line(name, f"line-{place}", _path(values, longest or 1, width))
        for place, (name, values) in enumerate(shown.items(), 1)
    )
    return Durations(
        tuple(lines),
        length(longest),
        tuple(series),
        tuple(rows),
        ticks(edges(answer, scope.bounds), visit.times),
    )


def _micros(percentiles: event_pb.DurationPercentiles, name: str) -> int | None:
    value = getattr(percentiles, name)
    return None if value is None else duration_micros(value)


def _path(values: Sequence[int | None], longest: int, width: float) -> str:
    """Return a line through the middles of the intervals; it has a gap where nothing is known.

    A value without neighbours is a dash as long as half its interval.
    """
    steps, before = [], None
    for place, (value, after) in enumerate(zip(values, [*values[1:], None], strict=True)):
        if value is not None:
            y = HEIGHT - HEIGHT * value / longest
            if before is None and after is None:
                steps.append(f"M{(place + 0.25) * width:.1f} {y:.1f}h{width / 2:.1f}")
            else:
                steps.append(f"{'M' if before is None else 'L'}{(place + 0.5) * width:.1f} {y:.1f}")
        before = value
    return "".join(steps)


def _palette(values: Sequence[str]) -> Palette:
    colours = dict(zip(values, _COLOURS, strict=False))
    tones = [(colours[value], value or "none") for value in values]
    return Palette([*tones, ("note", "other")], colours.__getitem__)


async def _histogram(
    visit: Visit, scope: Scope, *terms: str, by: str = "", durations: bool = False
) -> event_pb.GetEventHistogramResponse:
    return await visit.ask(
        event_pb.GetEventHistogramRequest(
            query=scope.query(*terms),
            by=by,
            limit=UInt32Value(value=_MOST),
            durations=durations,
            time_zone=visit.zone,
            interval=interval_of(scope),
            **scope.period.dates,
        ),
        event_pb.GetEventHistogramResponse,
    )


def _intervals(scope: Scope, answer: event_pb.GetEventHistogramResponse) -> Sequence[tuple[int, int]]:
    return tuple(pairwise(edges(answer, scope.bounds)))


def interval_of(scope: Scope) -> str:
    """Return the interval that the charts and tables of a period have."""
    return interval_for(scope.period.since, scope.period.until, _INTERVALS).name
