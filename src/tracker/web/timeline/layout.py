"""Where the bars of a Timeline are drawn, and which events share one: what is drawn has a limit."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import merge
from typing import TYPE_CHECKING, Final

from tracker.domain.events import attributes_of
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracker.domain.overlaps import TimedEvent
    from tracker.web.explorer.state import Period

COLUMNS: Final = 500
"""Into how many columns a period is divided: events shorter than one that begin in the same are merged."""
_FEWEST_COLUMNS: Final = 60
MOST_BARS: Final = 1_500
"""Bars of all lanes together, if wider columns can bring them down to so many."""
_ROWS: Final = 5
"""Rows of a lane before simultaneous events are merged."""
_INCIDENT_ROWS: Final = 2
_TAIL: Final = 35
"""Columns that stay free after an event that goes on."""


@dataclass(frozen=True, slots=True)
class Bar:
    """Events that are drawn as one, from when until when, and in which row of their lane."""

    events: tuple[TimedEvent, ...]
    start: int
    end: int
    row: int


@dataclass(frozen=True, slots=True)
class Laid:
    """The bars of a lane, of incidents and of everything else, and its number of rows."""

    incidents: tuple[Bar, ...]
    bars: tuple[Bar, ...]
    rows: int


def lanes_of(lanes: Mapping[str, Sequence[TimedEvent]], period: Period) -> Mapping[str, Laid]:
    """Return where the events of each lane are drawn; they are ordered by their beginning."""
    columns = COLUMNS
    while True:
        width = max(1, (period.until - period.since) // columns)
        laid = {name: _laid(events, period.since, width) for name, events in lanes.items()}
        drawn = sum(len(each.incidents) + len(each.bars) for each in laid.values())
        if drawn <= MOST_BARS or columns <= _FEWEST_COLUMNS:
            return laid
        columns //= 2


def merged_intervals(intervals: Iterable[tuple[int, int]], gap: int) -> Sequence[tuple[int, int]]:
    """Return intervals, each a start and an end, with those joined that are less than a gap apart."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if joined and start <= joined[-1][1] + gap:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _laid(events: Sequence[TimedEvent], since: int, width: int) -> Laid:
    incidents = [each for each in events if is_incident(each)]
    others = [each for each in events if not is_incident(each)]
    above = _placed(incidents, since, width, _INCIDENT_ROWS, 0)
    first = max((bar.row + 1 for bar in above), default=0)
    below = _placed(others, since, width, _ROWS, first)
    return Laid(tuple(above), tuple(below), max((bar.row + 1 for bar in below), default=max(1, first)))


def is_incident(timed: TimedEvent) -> bool:
    """Return whether an event is an incident."""
    return attributes_of(timed.event).type is event_pb.Type.incident


def _placed(events: Sequence[TimedEvent], since: int, width: int, rows: int, first: int) -> list[Bar]:
    """Return bars in up to so many rows, and one below them for what finds no place in these."""
    short = _columns((each for each in events if _is_short(each, width)), since, width)
    long = [Bar((each,), each.start, each.stop, first) for each in events if not _is_short(each, width)]
    placed: list[Bar] = []
    folded: list[TimedEvent] = []
    free: list[int] = []
    for bar in merge(short, long, key=_start):
        row = next((place for place, end in enumerate(free) if end <= bar.start), len(free))
        if row == rows:
            folded += bar.events
            continue
        if row == len(free):
            free.append(bar.end)
        # An arrow and a word follow what goes on.
        free[row] = bar.end + (_TAIL * width if bar.events[-1].goes_on else 0)
        placed.append(Bar(bar.events, bar.start, bar.end, first + row))
    below = _columns(folded, since, width)
    return placed + [Bar(bar.events, bar.start, bar.end, first + rows) for bar in below]


def _is_short(timed: TimedEvent, width: int) -> bool:
    return not timed.goes_on and timed.end - timed.start < width


def _columns(events: Iterable[TimedEvent], since: int, width: int) -> list[Bar]:
    """Return a bar for the events that begin in each column."""
    columns: dict[int, list[TimedEvent]] = {}
    for each in events:
        columns.setdefault(max(0, (each.start - since) // width), []).append(each)
    return [
        Bar(tuple(these), since + column * width, since + (column + 1) * width, 0)
        for column, these in sorted(columns.items())
    ]


def _start(bar: Bar) -> int:
    return bar.start
