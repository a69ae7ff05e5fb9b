"""A graph of dependencies as boxes and lines."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.web.catalog.names import graph_address
from tracker.web.entry_address import entry_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.domain.dependencies import Edge
    from tracker.web.catalog.graph import Shown
    from tracker.web.catalog.health import Health
    from tracker.web.catalog.layout import Layout, Layouts, Point

_MARGIN: Final = 30
_GAP: Final = 14
_PER_ROW: Final = 6
_LETTERS: Final = 22
_LETTERS_BESIDE_REST: Final = 17
_URGENT: Final = {"bad": 0, "run": 1}
_TAIL: Final = 7
"""Letters at the end of a name that is too long, as it is shown."""


@dataclass(frozen=True, slots=True)
class Node:
    """A box that leads to an entry, or to what `rest` counts: dependencies that are not shown."""

    id: int
    corner: Point
    text: str
    label: str
    href: str
    tone: str = ""
    icon: str = ""
    known: bool = True
    chosen: bool = False
    rest: str = ""


class Line(NamedTuple):
    """An edge as the path of an SVG, between the ids of two nodes."""

    path: str
    label: str
    against: bool
    source: int
    target: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """A graph of some size, in pixels; `circles` are the edges that lead back.

    `first` is the id of the node to look at first: the chosen one, or one that fails or is being deployed.
    """

    nodes: Sequence[Node]
    lines: Sequence[Line]
    circles: Sequence[Edge]
    size: tuple[int, int]
    box: tuple[int, int]
    first: int


async def drawing(shown: Shown, layouts: Layouts, now: Health, known: frozenset[str], start: str) -> Drawing:
    """Return the drawing of a graph; `start` is the name that it is around, "" for none.

    Raises:
        TrackerError: As `Layouts.of`.
    """
    ids = {name: place for place, name in enumerate(shown.names)}
    edges = [(ids[caller], ids[called]) for caller, called in shown.edges if caller != called]
    for place, rest in enumerate(shown.rests, len(ids)):
        edges.append((place, ids[rest.name]) if rest.callers else (ids[rest.name], place))
    count = len(ids) + len(shown.rests)
    layout = await layouts.of(count, edges)
    corners = [*_corners(layout)]
    nodes = [
        _node(
            name,
            place,
            corners[place],
            now,
            shown.beyond.get(name, 0),
            known=name in known,
            chosen=name == start,
        )
        for name, place in ids.items()
    ]
    for place, rest in enumerate(shown.rests, len(ids)):
        kind = "callers" if rest.callers else "called ones"
        label = f"{rest.count} more {kind} of {rest.name}"
        nodes.append(Node(place, corners[place], f"+{rest.count} more", label, entry_address(rest.name)))
    texts = [name or "(empty name)" for name in shown.names] + [node.label for node in nodes[len(ids) :]]
    lines = [
        Line(_path(points), f"{texts[a]} → {texts[b]}", index in layout.against, a, b)
        for index, ((a, b), points) in enumerate(zip(edges, map(_shifted, layout.edges), strict=True))
    ]
    for caller, called in shown.edges:
        if caller == called:
            place = ids[caller]
            lines.append(Line(_loop(corners[place], layout), f"{caller} calls itself", True, place, place))  # noqa: FBT003 - a field
    return Drawing(
        nodes,
        lines,
        [(texts[edges[index][0]], texts[edges[index][1]]) for index in sorted(layout.against)],
        (
            round(max(x for x, _ in corners)) + layout.width + _MARGIN,
            round(max(y for _, y in corners)) + layout.height + _MARGIN,
        ),
        (layout.width, layout.height),
        min(nodes, key=lambda node: (not node.chosen, _URGENT.get(node.tone, len(_URGENT)), node.id)).id,
    )


def _corners(layout: Layout) -> Iterator[Point]:
    """Yield the corners of nodes; those without edges stand in rows below the others."""
    placed = [_shifted([corner])[0] for corner in layout.nodes if corner is not None]
    below = (
        max((y for _, y in placed), default=-layout.height + _MARGIN - 2 * _GAP) + layout.height + 2 * _GAP
    )
    alone = 0
    for corner in layout.nodes:
        if corner is not None:
            yield _shifted([corner])[0]
        else:
            row, column = divmod(alone, _PER_ROW)
            yield _MARGIN + column * (layout.width + _GAP), below + row * (layout.height + _GAP)
            alone += 1


def _shifted(points: Sequence[Point]) -> Sequence[Point]:
    return [(round(x + _MARGIN, 1), round(y + _MARGIN, 1)) for x, y in points]


def _node(  # noqa: PLR0913 - what is known of a name
    name: str, place: int, corner: Point, now: Health, beyond: int, *, known: bool, chosen: bool
) -> Node:
    labels = now.get(name, ())
    shown_name = name or "(empty name)"
    said = [
        f"{shown_name} +{beyond} dependencies not shown" if beyond else shown_name,
        *(label.word for label in labels),
        *([] if known else ["not in the catalog"]),
    ]
    return Node(
        place,
        corner,
        _cut(shown_name, _LETTERS_BESIDE_REST if beyond else _LETTERS),
        ", ".join(said),
        entry_address(name) if chosen else graph_address(name),
        labels[0].tone if labels else "",
        labels[0].icon if labels else "",
        known,
        chosen,
        f"+{beyond}" if beyond else "",
    )


def _cut(text: str, most: int) -> str:
    """Return a text as wide as some letters, without its middle: many names differ at their end."""
    if _width(text) <= most:
        return text
    tail = text[-_TAIL:]
    while tail and _width(tail) > _TAIL:
        tail = tail[1:]
    head = text[: most - 1]
    while head and _width(head) > most - 1 - _width(tail):
        head = head[:-1]
    return f"{head}…{tail}"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _path(points: Sequence[Point]) -> str:
    """Return a path that is straight within columns and curved between them."""
    (x, y), written = points[0], []
    written.append(f"M{x:g} {y:g}")
    for number, ((x0, y0), (x1, y1)) in enumerate(pairwise(points)):
        middle = (x0 + x1) / 2
        written.append(
            f"L{x1:g} {y1:g}" if number % 2 else f"C{middle:g} {y0:g} {middle:g} {y1:g} {x1:g} {y1:g}"
        )
    return "".join(written)


def _loop(corner: Point, layout: Layout) -> str:
    x, y = corner[0] + layout.width, corner[1]
    return f"M{x:g} {y + 7:g}c26 -14 26 26 0 12"
