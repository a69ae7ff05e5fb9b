"""The catalog: its list, and the page of an entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from tests.web.html import describe, page, record

if TYPE_CHECKING:
    import httpx2
    from tests.web.html import Element


def names(shown: Element) -> list[str]:
    return [cell.all("a")[0].text for cell in shown.all("td", class_="title")]


def section(shown: Element, title: str) -> Element:
    (found,) = [each for each in shown.all("section") if each.all("h2") and each.all("h2")[0].text == title]
    return found


async def test_filters_and_words_leave_entries_and_each_count_leads_to_as_many(
    http: httpx2.AsyncClient,
) -> None:
    await describe(http, "cart", owner="shop, core", platform="kubernetes")
    await describe(http, "pay", owner="shop, core", description="Takes money")
    await describe(http, "lib", type="library")
    shown = await page(http, "/catalog")
    assert names(shown) == ["cart", "lib", "pay"]
    for link in shown.one("aside").all("a"):
        count = int(link.one("span", class_="number").text)
        assert len(names(await page(http, link.attributes["href"]))) == count
    assert names(await page(http, "/catalog?q=MONEY")) == ["pay"]
    assert names(await page(http, "/catalog?owner=shop%2C+core&platform=kubernetes")) == ["cart"]


async def test_a_long_list_comes_in_pages(http: httpx2.AsyncClient) -> None:
    for number in range(101):
        await describe(http, f"s{number:03}")
    first = await page(http, "/catalog?type=project")
    second = await page(http, first.one("a", rel="next").attributes["href"])
    assert (len(names(first)), names(second)) == (100, ["s100"])


async def test_what_fails_or_is_being_deployed_now_is_marked(http: httpx2.AsyncClient) -> None:
    for name in ("a", "b", "c", "d"):
        await describe(http, name)
    await record(http, "Deploy", service="a", status="start", environment="production")
    await record(http, "Down", service="a", type="incident", status="open")
    await record(http, "Deploy", service="b", status="failure", environment="production")
    await record(http, "Deploy", service="c", status="failure", environment="production")
    await record(http, "Deploy again", service="c", environment="production")
    rows = (await page(http, "/catalog")).one("tbody").all("tr")
    assert [row.all("td")[1].text for row in rows] == ["incident deploying", "deployment failed", "", ""]


async def test_an_entry_has_what_runs_where_numbers_dependencies_and_locks(http: httpx2.AsyncClient) -> None:
    await describe(http, "cart", dependenciesOut=["pay", "gone"], link="https://docs.example.com/cart")
    await describe(http, "shop", dependenciesOut=["cart"])
    await describe(http, "pay", dependenciesIn=["shop"])
    production: dict[str, Any] = {"environment": "production", "startDate": "2026-01-01T00:00:00Z"}
    await record(http, "Deploy", version="1", **{**production, "startDate": "2025-12-01T00:00:00Z"})
    await record(http, "Deploy", version="2", **production)
    await record(http, "Deploy", version="3", environment="production", status="failure")
    await record(http, "Deploy", version="3", environment="UAT", status="start", owner="ana")
    shown = await page(http, "/catalog/cart")
    where = [
        [c.text for c in row.parts if not isinstance(c, str)]
        for row in section(shown, "What runs where").one("tbody").all("tr")
    ]
    assert [(row[0], row[1]) for row in where] == [("production", "2"), ("UAT", "no successful deployment")]
    assert where[0][3].startswith("failure 3")
    assert where[1][3].startswith("start 3")
    for figure in section(shown, "Last 30 days").all("dd")[:2]:
        link = figure.one("a")
        events = await page(http, link.attributes["href"])
        assert len(events.all("td", class_="title")) == int(link.text)
    assert [each.text for each in section(shown, "Calls").all("li")] == ["gone not in the catalog", "pay"]
    assert [each.text for each in section(shown, "Called by").all("li")] == ["shop"]
    assert "held by ana" in section(shown, "Locks").text
    called_by = section(await page(http, "/catalog/pay"), "Called by")
    assert [each.text for each in called_by.all("li")] == ["cart deployment failed deploying", "shop"]


async def test_uses_of_a_deliverable_in_another_version_than_the_reference_are_marked(
    http: httpx2.AsyncClient,
) -> None:
    await describe(http, "lib", type="library")
    await http.put("/api/v1alpha1/catalog/lib/versions", json={"referenceVersion": "2"})
    await describe(http, "cart", usedDeliverables=[{"name": "lib", "versionUsed": "1"}])
    assert "1 outdated 2" in section(await page(http, "/catalog/cart"), "Uses").text
    assert "cart 1 outdated" in section(await page(http, "/catalog/lib"), "Used by").text


@pytest.mark.parametrize("name", ["a/b?c#d", "..", "%2e", "graph", '"><img src=x onerror=alert(1)>', "ä b"])
async def test_names_may_have_any_characters(http: httpx2.AsyncClient, name: str) -> None:
    await describe(http, name, dependenciesOut=[name])
    (cell,) = (await page(http, "/catalog")).all("td", class_="title")
    shown = await page(http, cell.one("a").attributes["href"])
    assert shown.one("h1").text == " ".join(name.split())
    assert [each.text for each in section(shown, "Calls").all("li")] == [name]
    (link,) = [each for each in shown.all("a") if each.text == "Graph of dependencies"]
    graph = await page(http, link.attributes["href"])
    (box,) = graph.all("a", class_="node")
    assert box.one("text").text == (name if len(name) < 20 else f"{name[:14]}…{name[-7:]}")
    assert not shown.all("img") + graph.all("img")


async def test_a_name_without_an_entry_has_a_page_of_what_else_is_known(http: httpx2.AsyncClient) -> None:
    await describe(http, "cart", dependenciesOut=["no/entry"])
    await record(http, "Deploy it", service="no/entry")
    shown = await page(http, f"/catalog/{quote('no/entry', safe='')}", 404)
    assert "no entry of this name" in shown.one("main").text
    assert "Deploy it" in section(shown, "Last events").text
    assert "cart" in section(shown, "Called by").text
