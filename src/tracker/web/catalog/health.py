"""What is failing or being deployed now, by service."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Final, TypeAlias

from protobuf.wkt import UInt32Value

from tracker.domain.events import ENDED_BADLY, ENDED_WELL, RUNNING, attributes_of
from tracker.pb import event_pb
from tracker.time_text import DAY, moment_text
from tracker.web.query_terms import ENDED, of_statuses
from tracker.web.searches import search
from tracker.web.tones import Label

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tracker.web.visit import Visit

_Status = event_pb.Status

INCIDENT: Final = Label("incident", "bad", "ring")
FAILED: Final = Label("deployment failed", "bad", "cross")
DEPLOYING: Final = Label("deploying", "run", "play")
_RECENT: Final = DAY
"""How old a failure may be to count as one of now."""
_MOST: Final = 1_000

Health: TypeAlias = "Mapping[str, Sequence[Label]]"
"""What is to be said about services, the worst first; nothing about those that are fine."""


_UNDER_WAY: Final = f"type:deployment {of_statuses(RUNNING)}"
_OPEN: Final = f"type:incident -{ENDED}"
_ENDED: Final = f"type:deployment {of_statuses(ENDED_WELL | ENDED_BADLY)}"


async def health(visit: Visit) -> Health:
    """Return which services have an open incident, a failed last deployment, or one that is under way.

    A deployment counts as failed for a day, unless a later one to the same environment ended well.

    Raises:
        TrackerError: As `GetEventFacets` and `SearchEvents`.
    """
    found = await asyncio.gather(_services(visit, _OPEN), _failed(visit), _services(visit, _UNDER_WAY))
    said: defaultdict[str, list[Label]] = defaultdict(list)
    for label, services in zip((INCIDENT, FAILED, DEPLOYING), found, strict=True):
        for service in services:
            said[service].append(label)
    return said


async def _services(visit: Visit, query: str) -> Collection[str]:
    answer = await visit.ask(
        event_pb.GetEventFacetsRequest(query=query, fields=["service"], limit=UInt32Value(value=_MOST)),
        event_pb.GetEventFacetsResponse,
    )
    return [value.value for value in answer.facets[0].values if value.value]


async def _failed(visit: Visit) -> Collection[str]:
    answer = await search(visit, _ENDED, _MOST, start_date=moment_text(visit.clock.now - _RECENT))
    last: dict[tuple[str, event_pb.Environment], bool] = {}
    for event in answer.events:
        attributes = attributes_of(event)
        last.setdefault((attributes.service, attributes.environment), attributes.status in ENDED_BADLY)
    return {service for (service, _), failed in last.items() if failed}
