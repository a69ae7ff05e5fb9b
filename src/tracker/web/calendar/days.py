"""The days of a Calendar, and what each shows of the events that touch it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from tracker.domain.events import attributes_of, event_id
from tracker.pb import event_pb
from tracker.pb.options import name_if_set
from tracker.time_text import HOUR, local_moment, moment_text
from tracker.web.calendar.state import WEEKDAYS
from tracker.web.freezes.rows import bounds_of, occurrence_row
from tracker.web.tones import status_label
from tracker.web.visit import address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from tracker.domain.overlaps import TimedEvent
    from tracker.pb import freeze_pb
    from tracker.web.calendar.state import State
    from tracker.web.freezes.rows import FreezeRow
    from tracker.web.times import Times
    from tracker.web.tones import Label

_Status = event_pb.Status
_TO_COME: Final = frozenset({_Status.planned, _Status.waiting_approval, _Status.start, _Status.in_progress})
_MOST: Final = 5
_USUAL_HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Entry:
    """An event on one of its days; `when` is what there is of it on that day."""

    id: str
    title: str
    look: Label
    when: str
    where: str
    incident: bool
    planned: bool


@dataclass(frozen=True, slots=True)
class Day:
    """A day: the entries that it has room for, how many more there are, and its `hours` if not 24."""

    date: date
    name: str
    href: str
    plan: str
    since: str
    until: str
    inside: bool
    today: bool
    hours: str
    entries: tuple[Entry, ...]
    more: int
    pick: str
    count: int | None
    freezes: tuple[FreezeRow, ...]


class Days:
    """Makes days for one reader."""

    def __init__(
        self,
        state: State,
        times: Times,
        events: Sequence[TimedEvent] = (),
        counts: Mapping[int, int] | None = None,
        freezes: Sequence[freeze_pb.FreezeOccurrence] = (),
    ) -> None:
        self._state = state
        self._times = times
        self._today = times.local(times.now).date()
        self._events = sorted(events, key=lambda each: (_rank(each.event), each.start))
        self._counts = counts or {}
        self._freezes = [(*bounds_of(each), occurrence_row(each, times)) for each in freezes]

    def day(self, day: date) -> Day:
        """Return a day of the reader's zone, of 23 or 25 hours where clocks change."""
        since, until = self.bounds(day)
        touching = [each for each in self._events if each.start < until and each.stop > since]
        bounds = [("from", moment_text(since)), ("to", moment_text(until))]
        zone = [("zone", self._state.zone)] if self._state.zone else []
        asked = [("q", self._state.query), *bounds, *zone]
        begins = [("status", "planned"), ("start", bounds[0][1]), ("end", bounds[1][1])]
        hours = (until - since) / HOUR
        return Day(
            date=day,
            name=f"{WEEKDAYS[day.weekday()]} {day.day} {day:%B}",
            href=address("/events", [(name, value) for name, value in asked if value]),
            plan=address("/record", [*begins, *zone]),
            since=bounds[0][1],
            until=bounds[1][1],
            inside=self._state.week or day.month == self._state.day.month,
            today=day == self._today,
            hours="" if hours == _USUAL_HOURS else f"{hours:g}",
            entries=tuple(self.entry(each, since, until) for each in touching[:_MOST]),
            more=max(0, len(touching) - _MOST),
            pick=self._state.address(week=True, day=day),
            count=self._counts.get(since),
            freezes=tuple(row for start, end, row in self._freezes if start < until and end > since),
        )

    def bounds(self, day: date) -> tuple[int, int]:
        """Return when a day begins and ends in the reader's zone."""
        return self.start(day), self.start(day + timedelta(days=1))

    def start(self, day: date) -> int:
        """Return when a day begins in the reader's zone."""
        return local_moment(datetime.combine(day, time()), self._times.zone)

    def entry(self, timed: TimedEvent, since: int, until: int) -> Entry:
        """Return an event as a day from `since` until `until` shows it."""
        attributes = attributes_of(timed.event)
        environment = name_if_set(attributes.environment)
        return Entry(
            id=event_id(timed.event),
            title=timed.event.title,
            look=status_label(attributes.status),
            when=self._when(timed, since, until),
            where=f"{attributes.service} · {environment}" if environment else attributes.service,
            incident=attributes.type is event_pb.Type.incident,
            planned=attributes.status in {_Status.planned, _Status.waiting_approval},
        )

    def _when(self, timed: TimedEvent, since: int, until: int) -> str:
        start, end = (f"{self._times.local(each):%H:%M}" for each in (timed.start, timed.end))
        if timed.start < since:
            if timed.end >= until:
                return "all day"
            return "goes on" if timed.goes_on else f"until {end}"
        if timed.end == timed.start or timed.end >= until or not self._state.week:
            return start
        return f"{start} to {'now' if timed.goes_on else end}"


def _rank(event: event_pb.Event) -> int:
    """Return the place of an event on its days: incidents first, then what is to come or goes on."""
    attributes = attributes_of(event)
    if attributes.type is event_pb.Type.incident:
        return 0
    return 1 if attributes.status in _TO_COME else 2
