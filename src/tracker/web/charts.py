"""Bars over time, drawn by the server: they print, and need no script."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.domain.times import micros
from tracker.time_text import MICROS, moment_text
from tracker.web.tones import TONES, tone_named

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from markupsafe import Markup

    from tracker.pb import event_pb
    from tracker.web.times import Times

WIDTH: Final = 1_000
HEIGHT: Final = 100
_WORDS: Final = dict(TONES)
_TICKS: Final = 5
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


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars over a period, and what its axes say."""

    bars: tuple[Bar, ...]
    most: int
    total: int
    interval: str
    ticks: tuple[str, ...]
    tones: tuple[tuple[str, str], ...]
    """The tones that occur, each with what it stands for."""


def chart(
    answer: event_pb.GetEventHistogramResponse, until: int, times: Times, lead: Callable[[str, str], str]
) -> Chart:
    """Return the chart of a histogram by status that ends at a moment.

    `lead` returns the address of the events between two moments.
    """
    counted = [_by_tone(bucket) for bucket in answer.buckets]
    most = max((bucket.count for bucket in answer.buckets), default=0)
    starts = [micros(bucket.start) for bucket in answer.buckets if bucket.start is not None]
    width = WIDTH / max(1, len(starts))
    shown = round(width * (1 - _GAP), 2)
    bars = []
    for place, (start, bucket, tones) in enumerate(zip(starts, answer.buckets, counted, strict=True)):
        end = starts[place + 1] if place + 1 < len(starts) else max(until, start + MICROS)
        since, before = moment_text(start - start % MICROS), moment_text(end - end % MICROS)
        words = ", ".join(f"{number} {tone_words(tone)}" for tone, number in tones.items())
        x = round((place + _GAP / 2) * width, 2)
        bars.append(
            Bar(
                x=x,
                width=shown,
                blocks=_blocks(tones, most, x, shown),
                label=f"{times.short(start)}: {words or 'no events'}",
                href=lead(since, before),
                since=since,
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
        _ticks(starts, until, times),
        tuple((tone, words) for tone, words in TONES if tone in seen),
    )


def tone_words(tone: str) -> str:
    """Return what a tone stands for."""
    return _WORDS[tone]


def _by_tone(bucket: event_pb.HistogramBucket) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for each in bucket.values:
        counts[tone_named(each.value)] += each.count
    counts["note"] += bucket.other_count
    return {tone: counts[tone] for tone, _ in TONES if counts[tone]}


def _blocks(tones: dict[str, int], most: int, x: float, width: float) -> tuple[Block, ...]:
    blocks, below = [], 0.0
    for tone, number in tones.items():
        height = max(1.0, HEIGHT * number / most)
        y = max(0.0, HEIGHT - below - height)
        blocks.append(Block(tone, f"M{x:g} {y:.4g}h{width:g}v{height:.4g}h-{width:g}z"))
        below += height
    return tuple(blocks)


def _ticks(starts: Sequence[int], until: int, times: Times) -> tuple[str, ...]:
    """Return the times at equal distances along the axis."""
    if not starts:
        return ()
    first, length = starts[0], until - starts[0]
    return tuple(times.short(first + length * place // (_TICKS - 1)) for place in range(_TICKS))
