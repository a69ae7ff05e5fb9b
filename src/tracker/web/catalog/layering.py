"""Places a graph in columns, callers left of what they call: `python layering.py`, with JSON in and out.

It is a program of its own, since the library for it holds Python's lock while it works, and ends the process
on some graphs. It is given only what it is known to handle: edges that are distinct and form no circle.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from fast_sugiyama import from_edges

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

WIDTH: Final = 200
HEIGHT: Final = 26
_COLUMN: Final = WIDTH + 90
_ROW: Final = HEIGHT + 8
_LANE: Final = 9
"""Height that an edge takes where it passes a column."""
_APART: Final = 24
"""Distance of parts of the graph that no edge connects."""
_ROUNDS: Final = 8


_NODES: Final = 1_000_000
"""Added to the numbers of nodes: the library gives low numbers to bends, whatever the names of nodes.

In a graph of several parts, these can be the places of nodes: it gets one part at a time.
"""


class Spot(NamedTuple):
    """A node, or a bend of an edge in a column that it passes."""

    name: int

    @property
    def is_node(self) -> bool:
        """Whether it is a node."""
        return self.name >= _NODES

    @property
    def size(self) -> int:
        """How much of its column it takes."""
        return _ROW if self.is_node else _LANE


def placed(count: int, edges: Sequence[tuple[int, int]]) -> dict[str, list[object]]:
    """Return the left upper corners of nodes, named by numbers below `count`, and the points of edges.

    Nodes without edges have no place (None). Edges that close a circle are named by their index in `against`.
    """
    against = _closing(count, edges)
    forward = {(b, a) if index in against else (a, b) for index, (a, b) in enumerate(edges)}
    places: dict[int, tuple[float, float]] = {}
    chains: dict[tuple[int, int], list[tuple[float, float]]] = {}
    top = 0.0
    for connected in sorted(_connected(forward), key=lambda each: (-len(each), each)):
        ((nodes, _, _, links),) = from_edges([(a + _NODES, b + _NODES) for a, b in connected])
        columns: defaultdict[float, list[tuple[float, Spot]]] = defaultdict(list)
        for name, (across, along) in nodes:
            columns[along].append((across, Spot(int(name))))
        ordered = [
            [spot for _, spot in sorted(columns[along], key=lambda each: each[0])]
            for along in sorted(columns, reverse=True)  # the library places callers above what they call
        ]
        following: defaultdict[Spot, list[Spot]] = defaultdict(list)
        for source, target in links or ():
            following[Spot(int(source))].append(Spot(int(target)))
        heights = _heights(ordered, following)
        shift = top - min(heights.values())
        where = {
            spot: (float(number * _COLUMN), heights[spot] + shift)
            for number, column in enumerate(ordered)
            for spot in column
        }
        places |= {spot.name - _NODES: at for spot, at in where.items() if spot.is_node}
        chains |= _chains(following, where)
        top = max(y for _, y in where.values()) + _ROW + _APART
    return {
        "nodes": [places.get(node) for node in range(count)],
        "edges": [
            chains[b, a][::-1] if index in against else chains[a, b] for index, (a, b) in enumerate(edges)
        ],
        "against": [*sorted(against)],
        "size": [WIDTH, HEIGHT],
    }


def _closing(count: int, edges: Sequence[tuple[int, int]]) -> set[int]:
    """Return the indexes of edges that close a circle: those that lead a walk back to where it has been."""
    leaving: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    entered = [0] * count
    for index, (source, target) in enumerate(edges):
        leaving[source].append((target, index))
        entered[target] += 1
    found: set[int] = set()
    state = [0] * count  # 1 on the way, 2 done
    for start in sorted(
        range(count), key=lambda node: (entered[node] > 0, entered[node] - len(leaving[node]))
    ):
        if state[start]:
            continue
        state[start], way = 1, [(start, iter(leaving[start]))]
        while way:
            node, rest = way[-1]
            for target, index in rest:
                if state[target] == 1:
                    found.add(index)
                elif not state[target]:
                    state[target] = 1
                    way.append((target, iter(leaving[target])))
                    break
            else:
                state[node] = 2
                way.pop()
    return found


def _connected(edges: Iterable[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Return the edges of each part of a graph that no edge connects with another one."""
    part: dict[int, list[int]] = {}
    for source, target in edges:
        one, other = part.setdefault(source, [source]), part.setdefault(target, [target])
        if one is not other:
            one += other
            part |= dict.fromkeys(other, one)
    found: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for edge in sorted(edges):
        found[id(part[edge[0]])].append(edge)
    return [*found.values()]


def _heights(
    columns: Sequence[Sequence[Spot]], following: Mapping[Spot, Iterable[Spot]]
) -> dict[Spot, float]:
    """Return the upper edges of spots: near their neighbours, in their order, without overlap."""
    near: defaultdict[Spot, list[Spot]] = defaultdict(list)
    for source, targets in following.items():
        for target in targets:
            near[source].append(target)
            near[target].append(source)
    middle: dict[Spot, float] = {}
    for column in columns:
        at = -sum(spot.size for spot in column) / 2
        for spot in column:
            middle[spot] = at + spot.size / 2
            at += spot.size
    for turn in range(_ROUNDS):
        for column in columns if turn % 2 else reversed(columns):
            wanted = [sum(middle[each] for each in near[spot]) / len(near[spot]) for spot in column]
            middle |= zip(column, _spread(wanted, [spot.size for spot in column]), strict=True)
    return {spot: at - spot.size / 2 for spot, at in middle.items()}


def _spread(wanted: Sequence[float], sizes: Sequence[int]) -> list[float]:
    """Return middles as near to the wanted ones as can be, in their order, without overlap.

    The least squares are found by the pool-adjacent-violators algorithm.
    """
    offsets, before = [], 0.0
    for size in sizes:
        offsets.append(before + size / 2)
        before += size
    pools: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        total, number = want - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / number:
            more, many = pools.pop()
            total, number = total + more, number + many
        pools.append((total, number))
    levels = [total / number for total, number in pools for _ in range(number)]
    return [level + offset for level, offset in zip(levels, offsets, strict=True)]


def _chains(
    following: Mapping[Spot, Sequence[Spot]], where: Mapping[Spot, tuple[float, float]]
) -> dict[tuple[int, int], list[tuple[float, float]]]:
    """Return the points of each edge, from its source over its bends to its target."""
    found = {}
    for source, targets in following.items():
        if not source.is_node:
            continue
        for first in targets:
            x, y = where[source]
            points, at = [(x + WIDTH, y + HEIGHT / 2)], first
            while not at.is_node:
                x, y = where[at]
                points += [(x, y + _LANE / 2), (x + WIDTH, y + _LANE / 2)]
                (at,) = following[at]
            x, y = where[at]
            found[source.name - _NODES, at.name - _NODES] = [*points, (x, y + HEIGHT / 2)]
    return found


if __name__ == "__main__":
    given = json.load(sys.stdin)
    json.dump(placed(given["count"], [(a, b) for a, b in given["edges"]]), sys.stdout)
