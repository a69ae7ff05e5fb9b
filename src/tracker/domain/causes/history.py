"""What is known before changes are compared with an incident: dependencies, and the past of services."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from math import log
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.domain.dependencies import Dependencies

FARTHEST: Final = 2
"""Dependencies between two services whose changes are compared."""


class Place(NamedTuple):
    """How far a service is from that of an incident, and whether it is one of its callers.

    `others` is the logarithm of how many services are as near to it on such a way as the incident's: of one
    that it calls, all that call that one. Of two dependencies, the numbers are multiplied.
    """

    distance: int
    caller: bool = False
    others: float = 0.0


def neighbourhood(dependencies: Dependencies, service: str) -> Mapping[str, Place]:
    """Return the place of a service, of those that it calls, and of its callers, up to `FARTHEST` away.

    One that is both is the nearer of the two, and at the same distance one that it calls.
    """
    places = {service: Place(0)}
    seen: dict[bool, dict[str, None]] = {False: {service: None}, True: {service: None}}
    rings = {False: {service: 1.0}, True: {service: 1.0}}
    calls, callers = dependencies.calls, dependencies.callers
    for distance in range(1, FARTHEST + 1):
        for caller, edges, back in ((False, calls, callers), (True, callers, calls)):
            found: defaultdict[str, float] = defaultdict(float)
            for name, share in rings[caller].items():
                for each in edges.get(name, ()):
                    found[each] += share / max(1, len(back.get(each, ())))
            rings[caller] = {each: share for each, share in found.items() if each not in seen[caller]}
            seen[caller] |= dict.fromkeys(rings[caller])
            ring = {each: Place(distance, caller, log(1 / share)) for each, share in rings[caller].items()}
            places = ring | places
    return places


@dataclass(frozen=True, slots=True)
class History:
    """How many changes, and incidents, services had in the 14 days before the period that is searched.

    `failing` are the services that have an incident at about the same time, and when that of each began which
    is the nearest in time (microseconds since the epoch).
    """

    changes: Mapping[str, int] = field(default_factory=dict)
    incidents: Mapping[str, int] = field(default_factory=dict)
    failing: Mapping[str, int] = field(default_factory=dict)
