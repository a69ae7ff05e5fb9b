"""What is known before changes are compared with an incident: dependencies, and the past of services."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.domain.dependencies import Dependencies

FARTHEST: Final = 2
"""Dependencies between two services whose changes are compared."""


class Place(NamedTuple):
    """How far a service is from that of an incident, and whether it is one of its callers."""

    distance: int
    caller: bool = False


def neighbourhood(dependencies: Dependencies, service: str) -> Mapping[str, Place]:
    """Return the place of a service, of those that it calls, and of its callers, up to `FARTHEST` away.

    One that is both is the nearer of the two, and at the same distance one that it calls.
    """
    places = {service: Place(0)}
    seen: dict[bool, dict[str, None]] = {False: {service: None}, True: {service: None}}
    rings = {False: [service], True: [service]}
    for distance in range(1, FARTHEST + 1):
        for caller, edges in ((False, dependencies.calls), (True, dependencies.callers)):
            found = [each for name in rings[caller] for each in edges.get(name, ())]
            rings[caller] = [each for each in dict.fromkeys(found) if each not in seen[caller]]
            seen[caller] |= dict.fromkeys(rings[caller])
            places = dict.fromkeys(rings[caller], Place(distance, caller)) | places
    return places


@dataclass(frozen=True, slots=True)
class History:
    """How many changes, and incidents, services had in the 14 days before the period that is searched.

    `failing` are the services that have an incident at about the same time, and when the latest of each began
    (microseconds since the epoch).
    """

    changes: Mapping[str, int] = field(default_factory=dict)
    incidents: Mapping[str, int] = field(default_factory=dict)
    failing: Mapping[str, int] = field(default_factory=dict)
