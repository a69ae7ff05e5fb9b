"""A company of many services that call each other, and what its catalog says of them."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING

from tracker.pb import catalog_pb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Company:
    """Services by name, with their real dependencies, of which the catalog may lack some."""

    names: Sequence[str]
    activity: Sequence[float]
    fragility: Mapping[str, float]
    calls: Mapping[str, Sequence[str]]
    callers: Mapping[str, Sequence[str]]
    catalog: Sequence[catalog_pb.Catalog]


def company(seed: int, services: int, *, missing: float = 0.1) -> Company:
    """Return a company of some services; the catalog lacks the share `missing` of their dependencies."""
    chance = random.Random(f"company {seed}")
    names = [f"service-{number:03}" for number in range(services)]
    calls: dict[str, list[str]] = {}
    for place, name in enumerate(names):
        later = names[place + 1 :]
        called = chance.sample(later, min(len(later), chance.choice((0, 1, 1, 2, 2, 3, 4))))
        shared = names[-max(1, services // 20) :]  # databases, queues and caches
        if name not in shared and chance.random() < 0.4:
            called.append(chance.choice(shared))
        calls[name] = list(dict.fromkeys(called))
    callers: defaultdict[str, list[str]] = defaultdict(list)
    for name, called in calls.items():
        for other in called:
            callers[other].append(name)
    entries = [
        catalog_pb.Catalog(
            name=name,
            type=catalog_pb.Type.project,
            owner=f"team-{place % 12}",
            version="1",
            dependencies_out=[other for other in calls[name] if chance.random() >= missing],
        )
        for place, name in enumerate(names)
    ]
    activity = [chance.paretovariate(1.3) for _ in names]
    fragility = {name: exp(chance.gauss(0, 0.7)) for name in names}
    return Company(names, activity, fragility, calls, dict(callers), entries)
