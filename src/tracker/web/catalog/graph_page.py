"""The graph of dependencies, around an entry or whole."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.domain.dependencies import dependencies_of
from tracker.web.catalog.drawing import drawing
from tracker.web.catalog.entries import all_entries
from tracker.web.catalog.graph import around, whole
from tracker.web.catalog.health import health
from tracker.web.catalog.names import graph_address
from tracker.web.entry_address import entry_address
from tracker.web.site import View
from tracker.web.visit import Part, part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.dependencies import Dependencies
    from tracker.web.catalog.drawing import Drawing
    from tracker.web.catalog.graph import Shown
    from tracker.web.catalog.health import Health
    from tracker.web.catalog.layout import Layouts
    from tracker.web.tones import Label
    from tracker.web.visit import Visit

_MOST_NAMES: Final = 500
_MOST_EDGES: Final = 1_200
_MATCHES: Final = 50
_DEPTHS: Final = ("1", "2")
_ZOOMS: Final = ("fit", "50", "100", "150")


@dataclass(frozen=True, slots=True)
class Member:
    """A name of the graph with what it calls, as the list beside the drawing has it."""

    name: str
    href: str
    known: bool
    now: Sequence[Label]
    calls: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Graph:
    """What the page shows; `too_large` graphs have no drawing."""

    start: str
    href: str
    members: Sequence[Member]
    edges: int
    all_names: int
    all_edges: int
    unknown: int
    loops: Sequence[str]
    drawing: Part[Drawing]
    too_large: bool


async def graph_page(visit: Visit, layouts: Layouts) -> View:
    """Show the graph around the entry that `of` names, or the names that contain it, or the whole graph."""
    entries, now = await asyncio.gather(part(all_entries(visit)), part(health(visit)))
    wanted = next(reversed(visit.all("of")), "")
    depth = visit.choice("depth", _DEPTHS, _DEPTHS[0])
    dependencies = dependencies_of(entries.value or ())
    start = wanted if wanted in dependencies.names else wanted.strip()
    found = start in dependencies.names
    matches = [] if found or not start else _matches(dependencies, start)
    shown = None
    if entries.value and not (start and not found):
        part_of_it = (
            around(dependencies, start, int(depth), now.value or {}) if found else whole(dependencies)
        )
        shown = await _graph(part_of_it, dependencies, layouts, now.value or {}, start)
    return View(
        "catalog/graph.html",
        graph=shown,
        error=entries.error,
        now_error=now.error,
        wanted=wanted,
        matches=matches,
        names=dependencies.names,
        depth=depth,
        depths=[(each, graph_address(start, int(each))) for each in _DEPTHS],
        zoom=visit.choice("zoom", _ZOOMS),
        zooms=[(each, visit.here("/catalog", zoom=each)) for each in _ZOOMS],
    )


def _matches(dependencies: Dependencies, text: str) -> Sequence[tuple[str, str]]:
    folded = text.casefold()
    found = [name for name in dependencies.names if folded in name.casefold()]
    return [(name, graph_address(name)) for name in found[:_MATCHES]]


async def _graph(
    shown: Shown, dependencies: Dependencies, layouts: Layouts, now: Health, start: str
) -> Graph:
    known = dependencies.known
    calls: dict[str, list[tuple[str, str]]] = {name: [] for name in shown.names}
    for caller, called in shown.edges:
        calls[caller].append((called, graph_address(called)))
    too_large = len(shown.names) > _MOST_NAMES or len(shown.edges) > _MOST_EDGES
    return Graph(
        start,
        entry_address(start) if start else "",
        [
            Member(name, graph_address(name), name in known, now.get(name, ()), calls[name])
            for name in sorted(shown.names)
        ],
        len(shown.edges),
        len(dependencies.names),
        len(dependencies.edges),
        sum(name not in known for name in shown.names),
        [caller for caller, called in shown.edges if caller == called],
        Part(None) if too_large else await part(drawing(shown, layouts, now, known, start)),
        too_large,
    )
