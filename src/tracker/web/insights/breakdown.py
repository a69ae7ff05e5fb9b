"""How many events there are by the values of a field, and how they ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from protobuf.wkt import UInt32Value

from tracker.pb import event_pb
from tracker.web.query_terms import ENDED, negated, one_of, term

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.web.insights.scope import Scope
    from tracker.web.visit import Visit

FAILED: Final = "status:(error OR failure)"
DEPLOYMENTS: Final = "type:deployment"
INCIDENTS: Final = "type:incident"
_MOST: Final = 10


@dataclass(frozen=True, slots=True)
class Number:
    """How many events there are; `href` leads to exactly these."""

    count: int
    href: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How events ended; in percent, `share` is of the largest number, `rate` the failed of the ended."""

    value: str
    events: Number
    share: float
    ended: Number
    failed: Number
    rate: float | None
    incidents: Number


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The most frequent values of a field, and the events that have another one."""

    field: str
    outcomes: tuple[Outcome, ...]
    others: Number


@dataclass(frozen=True, slots=True)
class Totals:
    """The numbers of all the events."""

    events: Number
    deployments: Number
    ended: Number
    failed: Number
    rate: float | None
    incidents: Number


async def totals_of(visit: Visit, scope: Scope) -> Totals:
    """Return the numbers at the top of the page; failures are those of deployments.

    Raises:
        TrackerError: As `GetEventFacets`.
    """
    all_of_them, deployments, ended, failed, incidents = await asyncio.gather(
        _total(visit, scope),
        _total(visit, scope, DEPLOYMENTS),
        _total(visit, scope, DEPLOYMENTS, ENDED),
        _total(visit, scope, DEPLOYMENTS, FAILED),
        _total(visit, scope, INCIDENTS),
    )
    return Totals(all_of_them, deployments, ended, failed, _rate(failed.count, ended.count), incidents)


async def breakdown_of(visit: Visit, scope: Scope, field: str) -> Breakdown:
    """Return the most frequent values of a field with how their events ended.

    Raises:
        TrackerError: As `GetEventFacets`.
    """
    counted = await _facets(visit, scope, field)
    values = counted.facets[0].values
    among = one_of(field, [each.value for each in values])
    ended, failed, incidents = (
        await asyncio.gather(
            _counts(visit, scope, field, among, ENDED),
            _counts(visit, scope, field, among, FAILED),
            _counts(visit, scope, field, among, INCIDENTS),
        )
        if values
        else ({}, {}, {})
    )
    most = max((each.count for each in values), default=1)

    def outcome(value: str, count: int) -> Outcome:
        own = term(field, value)
        return Outcome(
            value,
            Number(count, scope.events(own)),
            round(100 * count / most, 2),
            Number(ended.get(value, 0), scope.events(own, ENDED)),
            Number(failed.get(value, 0), scope.events(own, FAILED)),
            _rate(failed.get(value, 0), ended.get(value, 0)),
            Number(incidents.get(value, 0), scope.events(own, INCIDENTS)),
        )

    others = scope.events(*(negated(term(field, each.value)) for each in values))
    return Breakdown(
        field,
        tuple(outcome(each.value, each.count) for each in values),
        Number(counted.facets[0].other_count, others),
    )


async def _facets(visit: Visit, scope: Scope, field: str, *terms: str) -> event_pb.GetEventFacetsResponse:
    return await visit.ask(
        event_pb.GetEventFacetsRequest(
            query=scope.query(*terms),
            fields=[field],
            limit=UInt32Value(value=_MOST),
            time_zone=visit.zone,
            **scope.period.dates,
        ),
        event_pb.GetEventFacetsResponse,
    )


async def _counts(visit: Visit, scope: Scope, field: str, *terms: str) -> Mapping[str, int]:
    found = await _facets(visit, scope, field, *terms)
    return {each.value: each.count for each in found.facets[0].values}


async def _total(visit: Visit, scope: Scope, *terms: str) -> Number:
    found = await _facets(visit, scope, "type", *terms)
    return Number(found.total_count, scope.events(*terms))


def _rate(failed: int, ended: int) -> float | None:
    return 100 * failed / ended if ended else None
