"""What an entry of the catalog has to do with others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tracker.domain.dependencies import dependencies_of
from tracker.pb import catalog_pb
from tracker.web.entry_address import entry_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.domain.dependencies import Dependencies
    from tracker.web.catalog.health import Health
    from tracker.web.tones import Label


class Neighbour(NamedTuple):
    """What an entry calls, or what calls it; `known` is whether the catalog has an entry of that name."""

    name: str
    href: str
    known: bool
    now: Sequence[Label]


class Use(NamedTuple):
    """A use of a deliverable in a version; `wanted` is its reference version, "" for any."""

    name: str
    href: str
    version: str
    wanted: str


@dataclass(frozen=True, slots=True)
class Relations:
    """What an entry has to do with others."""

    calls: Sequence[Neighbour]
    callers: Sequence[Neighbour]
    uses: Sequence[Use]
    users: Sequence[Use]


def relations(name: str, entries: Sequence[catalog_pb.Catalog], now: Health) -> Relations:
    """Return what the entries say about a name."""
    dependencies, by_name = dependencies_of(entries), {entry.name: entry for entry in entries}
    own = by_name.get(name, catalog_pb.Catalog())
    return Relations(
        _neighbours(dependencies.calls.get(name, ()), dependencies, now),
        _neighbours(dependencies.callers.get(name, ()), dependencies, now),
        [
            _use(used.name, used, by_name.get(used.name))
            for used in sorted(own.used_deliverables, key=lambda used: used.name)
        ],
        [
            _use(each.name, used, own)
            for each in entries
            for used in each.used_deliverables
            if used.name == name
        ],
    )


def _neighbours(names: Iterable[str], dependencies: Dependencies, now: Health) -> Sequence[Neighbour]:
    return [
        Neighbour(each, entry_address(each), each in dependencies.known, now.get(each, ())) for each in names
    ]


def _use(name: str, used: catalog_pb.UsedDeliverable, deliverable: catalog_pb.Catalog | None) -> Use:
    wanted = deliverable.reference_version if deliverable is not None else ""
    return Use(name, entry_address(name), used.version_used, wanted)
