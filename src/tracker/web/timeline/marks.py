"""The lanes of a Timeline as they are drawn: bars, marks of incidents and of overlaps, and their words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.domain.events import attributes_of, event_id
from tracker.pb import event_pb
from tracker.time_text import MICROS, moment_text
from tracker.web.query_terms import included, term
from tracker.web.timeline.layout import COLUMNS, merged_intervals
from tracker.web.times import length
from tracker.web.tones import TONES, status_label
from tracker.web.visit import address

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.domain.overlaps import TimedEvent
    from tracker.web.explorer.state import Period
    from tracker.web.timeline.bands import Band
    from tracker.web.timeline.deployments import Deployments
    from tracker.web.timeline.layout import Bar, Laid
    from tracker.web.timeline.state import State
    from tracker.web.times import Times
    from tracker.web.tones import Label

_ROW: Final = 22
_TOP: Final = 8
_TEXT: Final = 6.0
_ICON: Final = 1.2
"""Percents of the width from which a bar has room for a text, and for an icon."""
_WORST: Final = {tone: place for place, (tone, _) in enumerate(TONES)}
_PLANNED: Final = frozenset({event_pb.Status.planned, event_pb.Status.waiting_approval})


@dataclass(frozen=True, slots=True)
class Mark:
    """What is drawn for one event or several: `x` and `width` are percents, `y` is in pixels."""

    x: float
    width: float
    y: int
    look: Label
    text: str
    label: str
    href: str
    count: int
    planned: bool
    goes_on: bool
    wide: bool
    incident: bool


@dataclass(frozen=True, slots=True)
class Line:
    """From the deployment before an incident to the incident."""

    x1: float
    y1: int
    x2: float
    y2: int


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane; `overlaps` are the places and widths where events of it overlap, in percents."""

    name: str
    href: str
    height: int
    count: int
    marks: tuple[Mark, ...]
    lines: tuple[Line, ...]
    overlaps: tuple[tuple[float, float], ...]
    pairs: int
    freezes: tuple[Band, ...]


class Drawing:
    """Draws lanes of one period for one reader."""

    def __init__(self, state: State, period: Period, times: Times, deployments: Deployments) -> None:
        self._state = state
        self._deployments = deployments
        self._since = period.since
        self._length = period.until - period.since
        self._times = times

    def lane(
        self,
        name: str,
        count: int,
        laid: Laid,
        overlaps: Sequence[tuple[int, int]],
        freezes: tuple[Band, ...],
    ) -> Lane:
        """Return a lane with so many events, the intervals in which two of them overlap, and its freezes."""
        query = self._query(name)
        marks = [self._mark(bar, query, incident=False) for bar in laid.bars]
        marks += [self._mark(bar, query, incident=True) for bar in laid.incidents]
        joined = merged_intervals(overlaps, self._length // COLUMNS)
        edges = ((self.place(start), self.place(end)) for start, end in joined)
        return Lane(
            name or f"no {self._state.by}",
            address("/events", self._found(query, self._since, self._since + self._length)),
            _TOP + laid.rows * _ROW,
            count,
            tuple(marks),
            tuple(self._lines(laid)),
            tuple((start, round(max(0.3, end - start), 2)) for start, end in edges),
            len(overlaps),
            freezes,
        )

    def place(self, moment: int) -> float:
        """Return where a moment is, in percents of the width; what is far outside is cut off."""
        return round(min(200.0, max(-100.0, 100 * (moment - self._since) / self._length)), 2)

    def _mark(self, bar: Bar, query: str, *, incident: bool) -> Mark:
        x = self.place(bar.start)
        width = round(self.place(bar.end) - x, 2)
        first = bar.events[0]
        single = len(bar.events) == 1
        status = attributes_of(first.event).status
        look = status_label(status) if single else self._worst(bar.events)
        return Mark(
            x=x,
            width=width,
            y=_TOP + bar.row * _ROW,
            look=look,
            text=first.event.title if width >= _TEXT and single else "",
            label=self.words(first) if single else self._summary(bar.events),
            href=f"/events/{event_id(first.event)}" if single else self._link(bar.events, query),
            count=len(bar.events),
            planned=single and status in _PLANNED,
            goes_on=single and first.goes_on,
            wide=width >= _ICON and single,
            incident=incident,
        )

    def words(self, timed: TimedEvent) -> str:
        """Return what there is to say of an event: title, status, from when until when."""
        word = status_label(attributes_of(timed.event).status).word
        start, end = self._times.short(timed.start), self._times.short(timed.end)
        if timed.goes_on:
            when = f"running since {start}, for {length(timed.end - timed.start)}"
        elif timed.end > timed.start:
            when = f"{start} to {end}, {length(timed.end - timed.start)}"
        else:
            when = start
        return f"{timed.event.title}: {word}, {when}"

    def _summary(self, events: Sequence[TimedEvent]) -> str:
        tones = Counter(status_label(attributes_of(each.event).status).tone for each in events)
        words = ", ".join(f"{tones[tone]} {what}" for tone, what in TONES if tones[tone])
        return f"{len(events)} events from {self._times.short(events[0].start)}: {words}"

    @staticmethod
    def _worst(events: Iterable[TimedEvent]) -> Label:
        looks = (status_label(attributes_of(each.event).status) for each in events)
        return min(looks, key=lambda look: _WORST[look.tone])

    def _link(self, events: Sequence[TimedEvent], query: str) -> str:
        starts = [each.start for each in events]
        low, high = min(starts), max(starts)
        return address("/events", self._found(query, low - low % MICROS, high - high % MICROS + MICROS))

    def _found(self, query: str, since: int, until: int) -> list[tuple[str, str]]:
        times = [("from", moment_text(since)), ("to", moment_text(until))]
        return [(name, value) for name, value in (("q", query), *times, ("zone", self._state.zone)) if value]

    def _query(self, name: str) -> str:
        if name:
            return included(self._state.query, self._state.by, name)
        without = term(self._state.by, "")
        return f"({self._state.query}) {without}" if self._state.query else without

    def _lines(self, laid: Laid) -> Iterable[Line]:
        """Yield lines from deployments to the incidents after them, where both are drawn in this lane."""
        placed = {event_id(each.event): bar for bar in laid.bars for each in bar.events}
        for bar in laid.incidents:
            cause = self._deployments.before(bar.events[0])
            deployment = None if cause is None else placed.get(event_id(cause.event))
            if deployment is not None:
                x1 = self.place(min(deployment.end, bar.start))
                yield Line(x1, self._middle(deployment), self.place(bar.start), self._middle(bar))

    @staticmethod
    def _middle(bar: Bar) -> int:
        return _TOP + bar.row * _ROW + _ROW // 2 - 1
