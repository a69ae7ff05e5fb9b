"""The events of a Timeline: those that begin in its period, and those that reach into it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tracker.domain.events import FINISHED, attributes_of, event_id, event_time
from tracker.domain.overlaps import is_under_way, timed_event
from tracker.pb import event_pb
from tracker.time_text import DAY, HOUR
from tracker.web.explorer.state import Period
from tracker.web.searches import search_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracker.domain.overlaps import TimedEvent
    from tracker.web.visit import Visit

MOST: Final = 10_000
"""Events of a Timeline."""
_MOST_EARLIER: Final = 1_000
_FAR: Final = 90 * DAY
"""How long before the period events may have begun that reach into it."""
_GOES_ON: Final = "status:start,in_progress,open,planned,waiting_approval"


@dataclass(frozen=True, slots=True)
class Found:
    """The events of a period, with when they begin and end; `complete` is whether there are no more."""

    events: tuple[TimedEvent, ...]
    complete: bool


async def events_of(visit: Visit, query: str, period: Period) -> Found:
    """Return the events that are in a period, at least in part, in the order of their beginning.

    Raises:
        TrackerError: As SearchEvents does.
    """
    since = period.since
    asked = (
        (query, Period(since - HOUR, period.until), MOST),
        (_lasting(query, "1h"), Period(since - DAY, since - HOUR), _MOST_EARLIER),
        (_lasting(query, "1d"), Period(since - _FAR, since - DAY), _MOST_EARLIER),
    )
    answers = await asyncio.gather(
        *(
            search_all(visit, wanted, most, time_zone=visit.zone, **within.dates)
            for wanted, within, most in asked
        )
    )
    events = [event for found, _ in answers for event in found]
    ends = _ends(events)
    timed = (_timed(event, visit.clock.now, ends) for event in events)
    inside = [each for each in timed if each.stop > period.since and each.start < period.until]
    inside.sort(key=lambda each: (each.start, event_id(each.event)))
    return Found(tuple(inside), all(complete for _, complete in answers))


def _lasting(query: str, least: str) -> str:
    """Return the query for events of another that go on, or took longer than so long."""
    lasting = f"({_GOES_ON} OR duration:>{least})"
    return f"({query}) {lasting}" if query else lasting


def _ends(events: Iterable[event_pb.Event]) -> Mapping[str, int]:
    """Return when events ended according to others of the same type that link to them, by id."""
    types = {event_id(event): attributes_of(event).type for event in events}
    ends: dict[str, int] = {}
    for event in events:
        attributes = attributes_of(event)
        if attributes.status in FINISHED and types.get(attributes.related_id) == attributes.type:
            at = event_time(event)
            ends[attributes.related_id] = min(at, ends.get(attributes.related_id, at))
    return ends


def _timed(event: event_pb.Event, now: int, ends: Mapping[str, int]) -> TimedEvent:
    """Return an event with its beginning and end; an open one goes on, as one under way does."""
    timed = timed_event(event, now, ends.get(event_id(event)))
    attributes = attributes_of(event)
    if (
        is_under_way(event)
        or attributes.status is not event_pb.Status.open
        or attributes.end_date is not None
    ):
        return timed
    ended = ends.get(event_id(event))
    return replace(timed, end=max(timed.start, now if ended is None else ended), goes_on=ended is None)
