"""What happened to a service: what runs where, the numbers of the last 30 days, and its last events."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from protobuf.wkt import UInt32Value

from tracker.domain.events import ENDED_BADLY, ENDED_WELL, metadata_of
from tracker.domain.times import duration_micros
from tracker.pb import event_pb
from tracker.time_text import DAY, MICROS
from tracker.web.catalog.names import events_address
from tracker.web.event_rows import event_row
from tracker.web.explorer.state import Period
from tracker.web.query_terms import of_statuses, term
from tracker.web.searches import search
from tracker.web.times import length

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.web.event_rows import EventRow
    from tracker.web.visit import Visit

_DAYS: Final = 30 * DAY
_LAST: Final = 10
_MOST: Final = 1_000
_DEPLOYMENTS: Final = "type:deployment"
_BEGUN: Final = f"{_DEPLOYMENTS} -{of_statuses({event_pb.Status.planned, event_pb.Status.waiting_approval})}"
_FAILURES: Final = f"{_DEPLOYMENTS} {of_statuses(ENDED_BADLY)}"
SUCCESSES: Final = f"{_DEPLOYMENTS} {of_statuses(ENDED_WELL)}"
_MEASURED: Final = f"{_DEPLOYMENTS} has:duration {of_statuses(ENDED_WELL | ENDED_BADLY)}"
_INCIDENTS: Final = "type:incident"


@dataclass(frozen=True, slots=True)
class Running:
    """The version in an environment: that of `success`, the last deployment that ended well.

    `later` is the last deployment if it is another one: it failed, or is under way.
    """

    environment: str
    success: EventRow | None
    later: EventRow | None
    href: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the last 30 days; `href` leads to the events that it counts."""

    name: str
    value: str
    href: str
    note: str = ""


async def running(visit: Visit, service: str) -> Sequence[Running]:
    """Return what runs in each environment that has seen a deployment, production first."""
    answer = await visit.ask(
        event_pb.GetEventFacetsRequest(
            query=f"{term('service', service)} {_DEPLOYMENTS}",
            fields=["environment"],
            limit=UInt32Value(value=len(event_pb.Environment)),
        ),
        event_pb.GetEventFacetsResponse,
    )
    deployed = {value.value for value in answer.facets[0].values}
    named = [
        each.name for each in sorted(event_pb.Environment, key=production_first) if each.name in deployed
    ]
    return await asyncio.gather(*(_in_environment(visit, service, each) for each in named))


def production_first(environment: event_pb.Environment) -> tuple[bool, int]:
    """Return the place of an environment in lists."""
    return environment is not event_pb.Environment.production, -environment


async def _in_environment(visit: Visit, service: str, environment: str) -> Running:
    where = term("environment", environment)
    success, last = await asyncio.gather(
        _events(visit, service, f"{SUCCESSES} {where}", 1),
        _events(visit, service, f"{_BEGUN} {where}", 1),
    )
    rows = [event_row(event, visit.times) for event in (*success.events, *last.events)]
    good = rows[0] if success.events else None
    later = next((row for row in rows[::-1] if good is None or row.id != good.id), None)
    return Running(environment, good, later, events_address(service, f"{_DEPLOYMENTS} {where}"))


async def figures(visit: Visit, service: str) -> Sequence[Figure]:
    """Return the numbers of the last 30 days."""
    end = visit.clock.now - visit.clock.now % MICROS + MICROS
    period = Period(end - _DAYS, end)
    deployments, failures, incidents, measured = await asyncio.gather(
        *(_events(visit, service, query, 1, period) for query in (_DEPLOYMENTS, _FAILURES, _INCIDENTS)),
        _events(visit, service, _MEASURED, _MOST, period),
    )
    ended = [took for event in measured.events if (took := metadata_of(event).elapsed) is not None]
    share = f"{failures.total_count / deployments.total_count:.0%} of them" if deployments.total_count else ""
    return (
        _count("Deployments", deployments, events_address(service, _DEPLOYMENTS, period)),
        _count("Failures", failures, events_address(service, _FAILURES, period), share),
        Figure(
            "Median duration",
            length(round(median(map(duration_micros, ended)))) if ended else "none",
            events_address(service, _MEASURED, period),
            f"of the newest {_MOST:,}" if measured.next_page_token else f"of {len(ended):,} that ended",
        ),
        _count("Incidents", incidents, events_address(service, _INCIDENTS, period)),
    )


def _count(name: str, found: event_pb.SearchEventsResponse, href: str, note: str = "") -> Figure:
    more = "over " if found.total_count_estimated else ""
    return Figure(name, f"{more}{found.total_count:,}", href, note)


async def last_events(visit: Visit, service: str) -> Sequence[EventRow]:
    """Return the newest events."""
    found = await _events(visit, service, "", _LAST)
    return [event_row(event, visit.times) for event in found.events]


async def _events(
    visit: Visit, service: str, query: str, most: int, period: Period | None = None
) -> event_pb.SearchEventsResponse:
    of_service = f"{term('service', service)} {query}".rstrip()
    if period is None:
        return await search(visit, of_service, most)
    return await search(visit, of_service, most, **period.dates)
