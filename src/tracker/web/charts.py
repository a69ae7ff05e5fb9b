"""Bars over time, drawn by the server: they print, and need no script."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from markupsafe import Markup

from tracker.domain.times import interval_for, micros
from tracker.time_text import DAY, MICROS, moment_text
from tracker.web.tones import TONES, tone_named

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from tracker.pb import event_pb
    from tracker.web.times import Times

WIDTH: Final = 1_000
HEIGHT: Final = 100
_TICKS: Final = 8
_LAST_TICK: Final = 96
"""Percents of the width behind which the text of a tick has no room."""
_MONTH: Final = 28 * DAY
_GAP: Final = 0.12
"""Part of a bar's width that is left free."""


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a bar, with one colour; `outline` is a path of SVG."""

    tone: str
    outline: str


@dataclass(frozen=True, slots=True)
class Bar:
    """The events of an interval; `href` leads to them."""

    x: float
    width: float
    blocks: tuple[Block, ...]
    label: str
    href: str
    since: str
    until: str
    start: Markup
    count: int
    tones: dict[str, int]

    def cells(self, tones: Sequence[tuple[str, str]]) -> Markup:
        """Return the cells of a table with the count of the bar, and those of its tones."""
        numbers = [self.count, *(self.tones.get(tone, 0) for tone, _ in tones)]
        return Markup("".join([f'<td class="number">{number}</td>' for number in numbers]))  # noqa: S704 - numbers


class Tick(NamedTuple):
    """A moment of an axis, in percents of its width."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars over a period, and what its axes say."""

    bars: tuple[Bar, ...]
    most: int
    total: int
    interval: str
    ticks: tuple[Tick, ...]
    tones: tuple[tuple[str, str], ...]
    """The tones that occur, each with what it stands for."""
    note: str = ""
    """Which part of the period is drawn, if it is not all of it."""


class Palette(NamedTuple):
    """Tones from the bottom of a bar to its top with what they stand for, and the tone of each value."""

    tones: Sequence[tuple[str, str]]
    tone_of: Callable[[str], str]


STATUSES: Final = Palette(TONES, tone_named)


def edges(answer: event_pb.GetEventHistogramResponse, bounds: tuple[int, int]) -> list[int]:
    """Return where the intervals of a histogram begin within a period, and where the last one ends."""
    since, until = bounds
    starts = [max(micros(bucket.start), since) for bucket in answer.buckets if bucket.start is not None]
    return [*starts, max(until, starts[-1] + MICROS)] if starts else []


def chart(
    answer: event_pb.GetEventHistogramResponse,
    bounds: tuple[int, int],
    times: Times,
    lead: Callable[[str, str], str],
    palette: Palette = STATUSES,
) -> Chart:
    """Return the chart of a histogram of a period by the values that a palette is for.

    `lead` returns the address of the events between two moments.
    """
    counted = [_by_tone(bucket, palette) for bucket in answer.buckets]
    most = max((bucket.count for bucket in answer.buckets), default=0)
    between = edges(answer, bounds)
    intervals = tuple(pairwise((edge, moment_text(edge)) for edge in between))
    width = WIDTH / max(1, len(intervals))
    shown = round(width * (1 - _GAP), 2)
    names = dict(palette.tones)
    bars = []
    for place, (((start, first), (_, before)), bucket, tones) in enumerate(
        zip(intervals, answer.buckets, counted, strict=True)
    ):
        words = ", ".join(f"{number} {names[tone]}" for tone, number in tones.items())
        x = round((place + _GAP / 2) * width, 2)
        bars.append(
            Bar(
                x=x,
                width=shown,
                blocks=_blocks(tones, most, x, shown),
                label=f"{times.short(start)}: {words or 'no events'}",
                href=lead(first, before),
                since=first,
                until=before,
                start=times.tag(start),
                count=bucket.count,
                tones=tones,
            )
        )
    seen = {tone for tones in counted for tone in tones}
    return Chart(
        tuple(bars),
        most,
        answer.total_count,
        answer.interval,
        ticks(between, times),
        tuple((tone, words) for tone, words in palette.tones if tone in seen),
    )


def ticks(between: Sequence[int], times: Times) -> tuple[Tick, ...]:
    """Return the round times on the axis of intervals that are drawn equally wide."""
    if not between:
        return ()
    since, until = between[0], between[-1]
    interval = interval_for(since, until, _TICKS)
    starts = [each for each in interval.starts(since, until, times.zone) if each >= since]
    found: list[Tick] = []
    for start in starts[:: -(-len(starts) // _TICKS) or 1]:
        place = bisect_right(between, start) - 1
        low, high = between[place], between[place + 1]
        x = 100 * (place + (start - low) / (high - low)) / (len(between) - 1)
        if x <= _LAST_TICK:
            found.append(Tick(round(x, 2), tick_text(times.local(start), interval.length, first=not found)))
    return tuple(found)


def tick_text(local: datetime, interval: int, *, first: bool) -> str:
    """Return what an axis says at a moment: the time, or the day where one begins."""
    if interval < DAY and (local.hour or local.minute):
        return f"{local:%H:%M}"
    if interval > DAY:
        return f"{local.day} {local:%b}" if interval < _MONTH else f"{local:%b} {local.year}"
    return f"{local:%a} {local.day}" + (f" {local:%b}" if first or local.day == 1 else "")


def _by_tone(bucket: event_pb.HistogramBucket, palette: Palette) -> dict[str, int]:
    counts = {"note": bucket.other_count}
    for each in bucket.values:
        if each.count:
            tone = palette.tone_of(each.value)
            counts[tone] = counts.get(tone, 0) + each.count
    return {tone: counts[tone] for tone, _ in palette.tones if counts.get(tone)}


def _blocks(tones: dict[str, int], most: int, x: float, width: float) -> tuple[Block, ...]:
    blocks, below = [], 0.0
    for tone, number in tones.items():
        height = max(1.0, HEIGHT * number / most)
        y = max(0.0, HEIGHT - below - height)
        blocks.append(Block(tone, f"M{x:g} {y:.4g}h{width:g}v{height:.4g}h-{width:g}z"))
        below += height
    return tuple(blocks)
