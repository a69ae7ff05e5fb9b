"""The week as columns of hours: what stands beside what, and where hours begin, also where clocks change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tracker.domain.events import attributes_of, event_id
from tracker.domain.overlaps import groups
from tracker.domain.times import micros
from tracker.pb import event_pb
from tracker.time_text import HOUR, moment_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.domain.overlaps import TimedEvent
    from tracker.web.calendar.days import Day, Days, Entry
    from tracker.web.times import Times

HOUR_PIXELS: Final = 48
_LEAST: Final = HOUR // 2
"""The height that the shortest event has, as a length of time."""
_SIDE_BY_SIDE: Final = 3
"""Events beside each other, as many as can be read; others are counted."""
_USUAL: Final = 24
_GUTTER: Final = 20
"""What the names of hours take of a day that has its own, in per cent."""
MOVABLE: Final = frozenset({event_pb.Status.planned, event_pb.Status.waiting_approval})
"""Statuses of events that a drag moves."""


@dataclass(frozen=True, slots=True)
class Block:
    """An event in its column: its left edge and width in per cent, its top and height in pixels.

    `moves` are its begin and end, if it is planned and has both, else empty.
    """

    entry: Entry
    left: float
    width: float
    top: int
    height: int
    moves: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Column:
    """A day by hours.

    `whole` are the events that last all of it, `more` how many others have no place. `hours` are the lines
    with their labels, which differ from those of other days where clocks change (`shifts`). `now` is where
    the present is, None on other days.
    """

    day: Day
    picked: bool
    height: int
    whole: Sequence[Entry]
    blocks: Sequence[Block]
    more: int
    hours: Sequence[tuple[int, str]]
    shifts: bool
    now: int | None


def column_of(day: Day, events: Iterable[TimedEvent], days: Days, times: Times, *, picked: bool) -> Column:
    """Return a day of a week; `events` are those of the week, in the order of their beginning."""
    since, until = days.bounds(day.date)
    touching = [each for each in events if each.start < until and each.stop > since]
    whole = [each for each in touching if each.start <= since and each.stop >= until]
    # Two hours of the same name, or one that is missing, stand where they are.
    hours = [
        ((at - since) * HOUR_PIXELS // HOUR, f"{times.local(at):%H:%M}") for at in range(since, until, HOUR)
    ]
    shifts = until - since != _USUAL * HOUR
    room = 100 - _GUTTER * shifts
    blocks, more = list[Block](), 0
    originals = {event_id(each.event): each for each in touching if each not in whole}
    for group in groups((_drawn(each, since, until) for each in originals.values()), least=1):
        placed, left_out = _placed(group)
        more += left_out
        for each, place, of in placed:
            timed = originals[event_id(each.event)]
            blocks.append(
                Block(
                    days.entry(timed, since, until),
                    100 - room + room * place / of,
                    room / of - 1,
                    (each.start - since) * HOUR_PIXELS // HOUR,
                    (each.end - each.start) * HOUR_PIXELS // HOUR - 2,
                    _moves(timed),
                )
            )
    return Column(
        day,
        picked,
        (until - since) * HOUR_PIXELS // HOUR,
        [days.entry(each, since, until) for each in whole],
        blocks,
        more,
        hours,
        shifts,
        (times.now - since) * HOUR_PIXELS // HOUR if since <= times.now < until else None,
    )


def _drawn(timed: TimedEvent, since: int, until: int) -> TimedEvent:
    """Return the part of an event that is in a day, long enough to be read."""
    start = min(max(timed.start, since), until - _LEAST)
    return replace(timed, start=start, end=min(until, max(timed.stop, start + _LEAST)))


def _placed(group: Sequence[TimedEvent]) -> tuple[list[tuple[TimedEvent, int, int]], int]:
    """Return the places of events beside each other, of how many, and how many events find none.

    Planned work finds its place before what is over.
    """
    lanes: list[list[TimedEvent]] = []
    for each in sorted(group, key=lambda each: attributes_of(each.event).status not in MOVABLE):
        free = next((lane for lane in lanes if not _overlaps(each, lane)), None)
        if free is not None:
            free.append(each)
        elif len(lanes) < _SIDE_BY_SIDE:
            lanes.append([each])
    found = [(each, place, len(lanes)) for place, lane in enumerate(lanes) for each in lane]
    return sorted(found, key=lambda each: each[0].start), len(group) - len(found)


def _overlaps(timed: TimedEvent, others: Iterable[TimedEvent]) -> bool:
    return any(timed.start < other.end and other.start < timed.end for other in others)


def _moves(timed: TimedEvent) -> tuple[str, str] | None:
    attributes = attributes_of(timed.event)
    if attributes.status not in MOVABLE or attributes.start_date is None or attributes.end_date is None:
        return None
    return moment_text(micros(attributes.start_date)), moment_text(micros(attributes.end_date))
