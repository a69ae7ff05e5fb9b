"""Who calls whom, as all entries of the catalog say together."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tracker.pb import catalog_pb

Edge: TypeAlias = tuple[str, str]
"""The name of a caller and of what it calls."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Edges between names, sorted; names need not be those of entries."""

    known: frozenset[str]
    edges: Sequence[Edge]
    calls: Mapping[str, Sequence[str]]
    callers: Mapping[str, Sequence[str]]

    @property
    def names(self) -> Sequence[str]:
        """All names, of entries and of what they depend on."""
        return sorted(self.known.union(*self.edges))

    def among(self, names: Collection[str]) -> Sequence[Edge]:
        """Return the edges between some names."""
        return [edge for edge in self.edges if edge[0] in names and edge[1] in names]


def dependencies_of(entries: Iterable[catalog_pb.Catalog]) -> Dependencies:
    """Return the dependencies that either end of them lists."""
    entries = [*entries]
    edges = sorted(
        {(entry.name, called) for entry in entries for called in entry.dependencies_out}
        | {(caller, entry.name) for entry in entries for caller in entry.dependencies_in}
    )
    calls: defaultdict[str, list[str]] = defaultdict(list)
    callers: defaultdict[str, list[str]] = defaultdict(list)
    for caller, called in edges:
        calls[caller].append(called)
        callers[called].append(caller)
    return Dependencies(frozenset(entry.name for entry in entries), edges, dict(calls), dict(callers))
