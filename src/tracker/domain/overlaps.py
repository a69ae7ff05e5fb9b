"""Overlaps: which events are under way at the same time, in pairs and in groups."""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from tracker.domain.events import FINISHED, RUNNING, attributes_of, event_end, event_time, metadata_of
from tracker.domain.times import duration_micros

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tracker.pb import event_pb


@dataclass(frozen=True, slots=True)
class TimedEvent:
    """An event with its start and end, in microseconds since the epoch.

    An event without a length occupies one microsecond. An event that ends when another begins does not
    overlap it. One that `goes_on` has no end yet, and lasts until now.
    """

    event: event_pb.Event
    start: int
    end: int
    goes_on: bool = False

    @property
    def stop(self) -> int:
        """The first microsecond after it."""
        return max(self.end, self.start + 1)


class Overlap(NamedTuple):
    """Two events, the earlier one first, and the start and end of their overlap."""

    first: TimedEvent
    second: TimedEvent
    start: int
    end: int


def is_under_way(event: event_pb.Event) -> bool:
    """Return whether an event has begun and has no end date."""
    return event_end(event) is None and attributes_of(event).status in RUNNING


def timed_event(event: event_pb.Event, now: int, ended: int | None = None) -> TimedEvent:
    """Return an event with its start and end, planned or not: its time and its end date.

    Without an end date, an event under way lasts until `ended`, when another event reports its end, or else
    until now. Any other event lasts until it was over, or has no length where that is unknown.
    """
    start, elapsed = event_time(event), metadata_of(event).elapsed
    lasted = None if elapsed is None else duration_micros(elapsed)
    end = end_of(
        start, event_end(event), lasted, attributes_of(event).status, now if ended is None else ended
    )
    return TimedEvent(event, start, end, is_under_way(event) and ended is None)


def ended_at(event: event_pb.Event) -> int | None:
    """Return when an event was over: its end date, or when its status became final; None without both."""
    elapsed, end = metadata_of(event).elapsed, event_end(event)
    if end is not None or elapsed is None or attributes_of(event).status not in FINISHED:
        return end
    return event_time(event) + duration_micros(elapsed)


def end_of(start: int, end: int | None, elapsed: int | None, status: event_pb.Status, now: int) -> int:
    """Return when an event is over that begins at `start` and has this end date, as far as it has one."""
    if end is None and status in RUNNING:
        end = now
    elif end is None and elapsed is not None:
        end = start + elapsed
    return start if end is None else max(start, end)


def groups(spans: Iterable[TimedEvent], least: int = 2) -> Iterator[Sequence[TimedEvent]]:
    """Yield the groups of events that overlaps connect, directly or indirectly, each ordered by start.

    Only those of at least so many events; an event that overlaps no other is alone.
    """
    group: list[TimedEvent] = []
    stop = -inf
    for span in sorted(spans, key=_by_start):
        if span.start >= stop:
            if len(group) >= least:
                yield group
            group = []
        group.append(span)
        stop = max(stop, span.stop)
    if len(group) >= least:
        yield group


def overlaps(group: Sequence[TimedEvent]) -> Iterator[Overlap]:
    """Yield the pairs of a group that overlap, ordered by the start of the overlap."""
    going_on: list[TimedEvent] = []
    for span in group:
        del going_on[: bisect_right(going_on, span.start, key=_stop)]
        for other in going_on:
            yield Overlap(other, span, span.start, max(span.start, min(other.end, span.end)))
        insort(going_on, span, key=_stop)


def count_overlaps(group: Sequence[TimedEvent]) -> int:
    """Count the pairs of a group that overlap, without forming them."""
    ends = sorted(span.stop for span in group)
    return sum(number - bisect_right(ends, span.start) for number, span in enumerate(group))


_stop = attrgetter("stop")


def _by_start(span: TimedEvent) -> tuple[int, str]:
    return span.start, metadata_of(span.event).id
