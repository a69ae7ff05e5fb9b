"""Layouts of graphs, made by a process of their own and kept by the content of the graph."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from tracker.errors import Reason, TrackerError

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROGRAM: Final = Path(__file__).with_name("layering.py")
_SECONDS: Final = 10
_KEPT: Final = 16

Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layout:
    """The left upper corners of nodes, None for those without edges, and the points of edges.

    `against` are the edges that lead from right to left, since they close a circle.
    """

    nodes: Sequence[Point | None]
    edges: Sequence[Sequence[Point]]
    against: frozenset[int]
    width: int
    height: int


class Layouts:
    """Makes layouts, one at a time."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, tuple[tuple[int, int], ...]], Layout] = OrderedDict()
        self._one = asyncio.Lock()

    async def of(self, count: int, edges: Sequence[tuple[int, int]]) -> Layout:
        """Return the layout of nodes, numbered below `count`, and distinct edges between different nodes.

        Raises:
            TrackerError: DEADLINE_EXCEEDED; it takes too long. INTERNAL; it can't be made.
        """
        key = (count, tuple(edges))
        async with self._one:
            if key not in self._kept:
                self._kept[key] = await _made(count, edges)
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return self._kept[key]


async def _made(count: int, edges: Sequence[tuple[int, int]]) -> Layout:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", str(_PROGRAM)), stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(_SECONDS):
            out, _ = await process.communicate(json.dumps({"count": count, "edges": edges}).encode())
    except TimeoutError:
        raise TrackerError(Reason.DEADLINE_EXCEEDED, f"no layout after {_SECONDS} seconds") from None
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if process.returncode:
        raise TrackerError(Reason.INTERNAL, "the layout can't be made")
    found = json.loads(out)
    width, height = found["size"]
    return Layout(found["nodes"], found["edges"], frozenset(found["against"]), width, height)
