"""When a reader was here before, by a cookie, and what was recorded since."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from protobuf.wkt import UInt32Value

from tracker.domain.events import event_time, metadata_of
from tracker.domain.times import duration_micros
from tracker.pb import event_pb
from tracker.time_text import MICROS, moment_text
from tracker.web.event_rows import event_row
from tracker.web.query_terms import term
from tracker.web.searches import search
from tracker.web.tones import status_label
from tracker.web.visit import address

if TYPE_CHECKING:
    from markupsafe import Markup

    from tracker.web.event_rows import EventRow
    from tracker.web.tones import Label
    from tracker.web.visit import Visit

_COOKIE: Final = "seen"
_KEPT: Final = 30 * 86_400
"""Seconds for which browsers keep the cookie."""
_MOMENTS: Final = re.compile(r"(\d{1,12})-(\d{1,12})")
_PAUSE: Final = 30 * 60
"""Seconds after which a reader who comes back sees what was recorded in between."""
_LONGEST: Final = 7 * 86_400
"""Seconds that are looked back at most."""
_STATUSES: Final = {status.name: status for status in event_pb.Status}
_UNSAID: Final = event_pb.Status.UNSPECIFIED
_CLOSED: Final = "type:incident status:(close OR done OR success OR failure OR error)"
_NEWEST: Final = 6


class LastVisit(NamedTuple):
    """When the visit before this one ended, in seconds since the epoch, None if there was none."""

    ended: int | None
    cookie: tuple[str, str]
    """The header that remembers this visit."""


def last_visit(visit: Visit) -> LastVisit:
    """Return when the reader was last here. A visit ends after half an hour in which nothing is asked for."""
    now = visit.clock.now // MICROS
    before, latest = 0, 0
    if found := _MOMENTS.fullmatch(visit.cookies.get(_COOKIE, "")):
        before, latest = (min(now, int(each)) for each in found.groups())
    if now - latest > _PAUSE:
        before = latest
    value = f"{_COOKIE}={before}-{now}; Path=/; Max-Age={_KEPT}; HttpOnly; SameSite=Strict"
    return LastVisit(max(before, now - _LONGEST) if before else None, ("set-cookie", value))


class Count(NamedTuple):
    """How many events have a status; `href` leads to them."""

    status: Label
    number: int
    href: str


@dataclass(frozen=True, slots=True)
class Since:
    """What was recorded since a moment: by status, the newest that began, and incidents that ended."""

    when: Markup
    total: int
    href: str
    counts: tuple[Count, ...]
    newest: tuple[EventRow, ...]
    closed: tuple[EventRow, ...]


async def since(visit: Visit, moment: int) -> Since:
    """Return what was recorded since a moment, in seconds since the epoch.

    Raises:
        TrackerError: As `SearchEvents` and `GetEventFacets`.
    """
    begin = moment_text(moment * MICROS)
    query = f"created:>={begin}"
    counted, found, closed = await asyncio.gather(
        visit.ask(
            event_pb.GetEventFacetsRequest(query=query, fields=["status"], limit=UInt32Value(value=20)),
            event_pb.GetEventFacetsResponse,
        ),
        search(visit, f"{query} before:now+1s", _NEWEST),
        search(visit, f"{_CLOSED} created:<{begin} since:30d", 100),
    )
    ended = [event for event in closed.events if _end(event) >= moment * MICROS]
    return Since(
        visit.times.tag(moment * MICROS, age=True),
        counted.total_count,
        _found(query),
        tuple(
            Count(
                status_label(_STATUSES.get(each.value, _UNSAID)),
                each.count,
                _found(f"{query} {term('status', each.value)}"),
            )
            for facet in counted.facets
            for each in facet.values
        ),
        tuple(event_row(event, visit.times) for event in found.events),
        tuple(event_row(event, visit.times) for event in ended[:_NEWEST]),
    )


def _found(query: str) -> str:
    """Return the address of all events that a query finds, of those to come too."""
    return address("/events", [("q", query), ("from", "all"), ("to", "now+3650d")])


def _end(event: event_pb.Event) -> int:
    took = metadata_of(event).elapsed
    return 0 if took is None else event_time(event) + duration_micros(took)
