"""The part of the dependencies that a graph shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tracker.domain.dependencies import Dependencies, Edge

BREADTH: Final = 12
"""Callers, and called ones, that are shown of an entry before the rest is only counted."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Neighbours of an entry that are only counted."""

    name: str
    callers: bool
    count: int


@dataclass(frozen=True, slots=True)
class Shown:
    """Names and the edges between them; `rests` and `beyond` count the edges to names that are not shown."""

    names: Sequence[str]
    edges: Sequence[Edge]
    rests: Sequence[Rest]
    beyond: Mapping[str, int]


def whole(dependencies: Dependencies) -> Shown:
    """Return all names and edges."""
    return Shown(dependencies.names, dependencies.edges, (), {})


def around(dependencies: Dependencies, start: str, depth: int, urgent: Collection[str]) -> Shown:
    """Return the names up to `depth` edges away from one of them.

    Of a name with many neighbours, those that are `urgent` are shown first.
    """
    names, expanded = [start], 0
    for _ in range(depth):
        ring, expanded = names[expanded:], len(names)
        for name in ring:
            for neighbours in _sides(dependencies, name):
                ordered = sorted(neighbours, key=lambda each: (each not in names, each not in urgent, each))
                names += [each for each in ordered[:BREADTH] if each not in names]
    shown, inner = {*names}, {*names[:expanded]}
    rests, beyond = [], {}
    for name in names:
        hidden = [sum(each not in shown for each in side) for side in _sides(dependencies, name)]
        if name in inner:
            rests += [Rest(name, side == 0, count) for side, count in enumerate(hidden) if count]
        elif sum(hidden):
            beyond[name] = sum(hidden)
    return Shown(names, dependencies.among(shown), rests, beyond)


def _sides(dependencies: Dependencies, name: str) -> tuple[Sequence[str], Sequence[str]]:
    return dependencies.callers.get(name, ()), dependencies.calls.get(name, ())
