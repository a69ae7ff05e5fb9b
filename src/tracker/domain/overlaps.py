"""Overlaps: which events go on at the same time, in pairs and in groups."""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from tracker.domain.changelog import status_since
from tracker.domain.events import event_end, event_time
from tracker.domain.lifecycle import FINISHED, RUNNING, attributes_of, metadata_of
from tracker.domain.times import duration_micros

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tracker.pb import event_pb


@dataclass(frozen=True, slots=True)
class Span:
    """An event, and from when until when it lasts, in microseconds since the epoch.

    A moment begins and ends at once, and takes up its microsecond all the same. What ends when another begins
    does not overlap it. One that `goes_on` has no end yet, and lasts until now.
    """

    event: event_pb.Event
    start: int
    end: int
    goes_on: bool = False

    @property
    def behind(self) -> int:
        """The first microsecond that is not in it."""
        return max(self.end, self.start + 1)


class Overlap(NamedTuple):
    """Two events, the earlier one first, and from when until when both go on."""

    first: Span
    second: Span
    start: int
    end: int


def is_under_way(event: event_pb.Event) -> bool:
    """Say whether an event has begun and nobody has said when it ends."""
    return event_end(event) is None and attributes_of(event).status in RUNNING


def span_of(event: event_pb.Event, now: int, ended: int | None = None) -> Span:
    """Return the span of an event, planned or not: from its time to its end date.

    Without an end date, one that is under way lasts until `ended`, when another event says that it is over,
    or else until now. Another lasts until it was over, or is a moment where that is not known.
    """
    start, end = event_time(event), event_end(event)
    under_way = is_under_way(event)
    if under_way:
        end = now if ended is None else ended
    elif end is None:
        end = _over_at(event)
    return Span(event, start, start if end is None else max(start, end), under_way and ended is None)


def _over_at(event: event_pb.Event) -> int | None:
    """Return when an event was over, or None where that is not known.

    Its duration says so, unless that counts from a linked event; else the change of its status does.
    """
    attributes, took = attributes_of(event), metadata_of(event).duration
    if took is not None and not attributes.related_id:
        return event_time(event) + duration_micros(took)
    return status_since(event) if attributes.status in FINISHED else None


def groups(spans: Iterable[Span]) -> Iterator[Sequence[Span]]:
    """Give the groups that overlaps connect, directly or by way of others; events in each by their start.

    What overlaps nothing is in no group.
    """
    group: list[Span] = []
    behind = -inf
    for span in sorted(spans, key=_by_start):
        if span.start >= behind:
            if len(group) > 1:
                yield group
            group = []
        group.append(span)
        behind = max(behind, span.behind)
    if len(group) > 1:
        yield group


def overlaps(group: Sequence[Span]) -> Iterator[Overlap]:
    """Give the pairs of a group that overlap, by when they begin to."""
    going_on: list[Span] = []
    for span in group:
        del going_on[: bisect_right(going_on, span.start, key=_behind)]
        for other in going_on:
            yield Overlap(other, span, span.start, max(span.start, min(other.end, span.end)))
        insort(going_on, span, key=_behind)


def count_overlaps(group: Sequence[Span]) -> int:
    """Count the pairs of a group that overlap, in less time than it takes to give them."""
    ends = sorted(span.behind for span in group)
    return sum(number - bisect_right(ends, span.start) for number, span in enumerate(group))


_behind = attrgetter("behind")


def _by_start(span: Span) -> tuple[int, str]:
    return span.start, metadata_of(span.event).id
