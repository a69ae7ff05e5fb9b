"""Work under way: how long it has taken, beside how long such work usually takes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.domain.events import attributes_of, event_id, event_time, metadata_of
from tracker.domain.times import duration_micros
from tracker.pb.options import name_if_set, wire_name
from tracker.time_text import MICROS
from tracker.web.event_rows import event_row
from tracker.web.query_terms import ENDED, one_of, term
from tracker.web.searches import search
from tracker.web.times import length
from tracker.web.visit import address, part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.pb import event_pb
    from tracker.web.event_rows import EventRow
    from tracker.web.visit import Visit

QUERY: Final = "type:(deployment OR operation) status:(start OR in_progress)"
_MOST: Final = 20
LOOKED_AT: Final = 80
"""Events among which those are that have not ended: a query has room for so many ids."""
_BEFORE: Final = 20
"""Earlier ones that say how long it usually takes."""
_FEWEST: Final = 3
"""Earlier ones without which nothing is usual."""
_SLOW: Final = 0.9


class Usual(NamedTuple):
    """How long work takes by half of its earlier runs, and by nine of ten, in microseconds."""

    half: int
    most: int


@dataclass(frozen=True, slots=True)
class Progress:
    """A bar of 100: `done` is the part up to the usual duration, which is at `mark`, and `more` the rest."""

    done: float
    more: float
    mark: float | None
    label: str


@dataclass(frozen=True, slots=True)
class Work:
    """Work under way; `usual` is "" where too few earlier runs are known."""

    row: EventRow
    elapsed: str
    usual: str
    history: str
    progress: Progress | None
    overdue: bool


@dataclass(frozen=True, slots=True)
class UnderWay:
    """The latest work under way, and the address of all of it if there is more."""

    works: tuple[Work, ...]
    more: str

    @property
    def total(self) -> int:
        """How much of it is shown."""
        return len(self.works)


async def under_way(visit: Visit) -> UnderWay:
    """Return the work under way.

    Raises:
        TrackerError: As `SearchEvents`.
    """
    found = await search(visit, QUERY, LOOKED_AT)
    left = await without_ended(visit, found.events)
    running = left[:_MOST]
    queries = tuple(dict.fromkeys(_like(event) for event in running))
    usual = dict(zip(queries, await asyncio.gather(*(_usual(visit, each) for each in queries)), strict=True))
    works = tuple(_work(visit, event, usual[_like(event)]) for event in running)
    more = (
        address("/events", [("q", QUERY), ("from", "all")])
        if found.next_page_token or len(left) > _MOST
        else ""
    )
    return UnderWay(works, more)


async def without_ended(visit: Visit, events: Sequence[event_pb.Event]) -> Sequence[event_pb.Event]:
    """Return the events whose end no other one reports, of their type and linked to them."""
    if not events:
        return events
    linked = one_of("related", [event_id(event) for event in events])
    found = await search(visit, f"{linked} {ENDED}", 1_000)
    ends = {(attributes_of(end).related_id, attributes_of(end).type) for end in found.events}
    return [event for event in events if (event_id(event), attributes_of(event).type) not in ends]


def _like(event: event_pb.Event) -> str:
    """Return the query for what was done before of the same kind, and ended well."""
    attributes = attributes_of(event)
    environment = name_if_set(attributes.environment)
    terms = (
        term("service", attributes.service),
        term("environment", environment),
        term("type", wire_name(attributes.type)),
        "status:(success OR done)",
    )
    return " ".join(terms)


async def _usual(visit: Visit, query: str) -> Usual | None:
    asked = await part(search(visit, f"{query} since:90d", _BEFORE))
    events = asked.value.events if asked.value is not None else ()
    known = (metadata_of(event).elapsed for event in events)
    took = sorted(duration_micros(each) for each in known if each is not None)
    if len(took) < _FEWEST:
        return None
    return Usual(max(MICROS, round(median(took))), took[min(len(took) - 1, int(len(took) * _SLOW))])


def _work(visit: Visit, event: event_pb.Event, usual: Usual | None) -> Work:
    elapsed = max(0, visit.clock.now - event_time(event))
    return Work(
        row=event_row(event, visit.times),
        elapsed=length(elapsed - elapsed % MICROS) or "0s",
        usual="" if usual is None else length(usual.half),
        history=address("/events", [("q", _like(event)), ("from", "90d")]),
        progress=None if usual is None else progress(elapsed, usual),
        overdue=usual is not None and elapsed > max(usual.half, usual.most),
    )


def progress(elapsed: int, usual: Usual) -> Progress:
    """Return the bar of work that has taken so long; it is full at the usual duration, and stays full."""
    whole = max(elapsed, usual.half)
    done = round(100 * min(elapsed, usual.half) / whole, 2)
    more = round(100 - done, 2) if elapsed > usual.half else 0.0
    share = round(100 * elapsed / usual.half)
    label = f"{length(elapsed - elapsed % MICROS) or '0s'} of usually {length(usual.half)}"
    return Progress(done, more, done if more else None, f"{label}, {share} %")
