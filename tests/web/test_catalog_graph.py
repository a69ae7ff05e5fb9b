"""The graph of dependencies, and its layout."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.web.html import describe, page, record

from tracker.errors import Reason, TrackerError
from tracker.web.catalog.layout import Layouts

if TYPE_CHECKING:
    import httpx2
    from tests.web.html import Element

GRAPH = "/catalog?view=graph"

RANDOM_GRAPHS = """
import random
from tracker.web.catalog.layering import HEIGHT, WIDTH, placed

for seed in range(300):
    chance = random.Random(seed)
    count = chance.randrange(1, 40)
    ends = [(chance.randrange(count), chance.randrange(count)) for _ in range(chance.randrange(3 * count))]
    edges = list(dict.fromkeys((a, b) for a, b in ends if a != b))
    found = placed(count, edges)
    nodes = found["nodes"]
    assert {place for place, at in enumerate(nodes) if at} == {end for edge in edges for end in edge}, seed
    at = sorted(node for node in nodes if node)
    assert all(x0 != x1 or y1 - y0 >= HEIGHT for (x0, y0), (x1, y1) in zip(at, at[1:])), seed
    for index, ((a, b), points) in enumerate(zip(edges, found["edges"], strict=True)):
        back = index in found["against"]
        first, last = (points[-1], points[0]) if back else (points[0], points[-1])
        left, right = (b, a) if back else (a, b)
        assert first == (nodes[left][0] + WIDTH, nodes[left][1] + HEIGHT / 2), seed
        assert last == (nodes[right][0], nodes[right][1] + HEIGHT / 2), seed
        assert first[0] < last[0], seed
"""


def boxes(shown: Element) -> list[str]:
    return [node.attributes["aria-label"] for node in shown.all("a", class_="node")]


def edges(shown: Element) -> set[str]:
    return {edge.one("title").text for edge in shown.all("path", class_="edge")}


def test_any_graph_is_laid_out_with_all_its_edges_and_without_overlap() -> None:
    command = [sys.executable, "-c", RANDOM_GRAPHS]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


async def test_a_layout_that_ends_its_process_is_an_error_and_others_go_on() -> None:
    layouts = Layouts()
    with pytest.raises(TrackerError) as refused:
        await layouts.of(1, [(0, 0)])
    assert refused.value.reason is Reason.INTERNAL
    assert len((await layouts.of(3, [(0, 1), (1, 2)])).edges) == 2
    assert await layouts.of(3, [(0, 1), (1, 2)]) is await layouts.of(3, [(0, 1), (1, 2)])


async def test_the_graph_has_circles_own_calls_and_names_without_entry_and_says_so(
    http: httpx2.AsyncClient,
) -> None:
    await describe(http, "a", dependenciesOut=["b", "a"])
    await describe(http, "b", dependenciesOut=["c"], dependenciesIn=["gone"])
    await describe(http, "c", dependenciesOut=["a"])
    await describe(http, "alone")
    await record(http, "Deploy", service="b", status="failure")
    shown = await page(http, GRAPH)
    assert boxes(shown) == ["a", "alone", "b, deployment failed", "c", "gone, not in the catalog"]
    assert edges(shown) == {"a → b", "b → c", "c → a", "gone → b", "a calls itself"}
    text = shown.one("main").text
    assert "5 names, 5 dependencies" in text
    assert "Circular dependencies are closed by a → b." in text
    assert "Calls itself, as its entry says: a." in text
    rows = [row.text for row in shown.one("tbody").all("tr")]
    assert (
        rows == ["a b , a", "alone", "b deployment failed c", "c a", "gone not in the catalog b"]
        or rows[0] == "a a , b"
    )


async def test_around_an_entry_the_breadth_is_bounded_and_what_is_left_out_is_counted(
    http: httpx2.AsyncClient,
) -> None:
    await describe(http, "hub", dependenciesIn=[f"caller-{n:02}" for n in range(35)], dependenciesOut=["db"])
    await describe(http, "db", dependenciesOut=["disk"])
    await record(http, "Down", service="caller-34", type="incident", status="open")
    shown = await page(http, f"{GRAPH}&of=hub")
    assert "23 more callers of hub" in boxes(shown)
    assert "caller-34, incident, not in the catalog" in boxes(shown)
    assert "db +1 dependencies not shown" in boxes(shown)
    assert len(edges(shown)) == 14
    deeper = await page(http, f"{GRAPH}&of=hub&depth=2")
    assert "db → disk" in edges(deeper)
    assert [a.text for a in (await page(http, f"{GRAPH}&of=HU")).one("main").all("li")] == ["hub"]


async def test_a_graph_that_is_too_large_for_a_picture_is_a_list(http: httpx2.AsyncClient) -> None:
    await describe(http, "hub", dependenciesOut=[f"<b>{number}" for number in range(501)])
    shown = await page(http, GRAPH)
    assert not shown.all("path", class_="edge")
    assert len(shown.one("tbody").all("tr")) == 502
