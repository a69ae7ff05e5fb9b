"""Insights: every number leads to exactly the events that it counted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from tests.web.html import page, record

from tracker.web.query_terms import one_of, with_terms

if TYPE_CHECKING:
    import httpx2
    from tests.web.html import Element

PERIOD = "from=2026-03-02&to=2026-03-04&zone=UTC"


async def recorded(http: httpx2.AsyncClient) -> None:
    """Record events in the order of their services, and one of another period."""
    for number, (service, status) in enumerate(
        (("cart", "success"), ("cart", "failure"), ("cart", "success"), ("search", "success"))
    ):
        start, end = (f"2026-03-0{2 + number % 2}T08:{minute}:00Z" for minute in (10, 20 + number))
        await record(http, f"e{number}", service=service, status=status, startDate=start, endDate=end)
    await record(http, "down", type="incident", status="open", startDate="2026-03-03T10:00:00Z")
    await record(http, "another", startDate="2026-03-05T00:00:00Z")


def numbers(shown: Element) -> list[tuple[int, str]]:
    """Return the numbers of a page with the addresses that they lead to."""
    links = [a for a in shown.one("main").all("a") if re.fullmatch(r"[\d,]+", a.text)]
    return [(int(a.text.replace(",", "")), a.attributes["href"]) for a in links]


async def test_every_number_opens_the_events_that_it_counted(http: httpx2.AsyncClient) -> None:
    await recorded(http)
    asked = {
        f"/insights?{PERIOD}&by={by}&q={query}"
        for by in ("service", "status")
        for query in ("", "status:success+OR+type:incident")
    }
    checked: set[str] = set()
    for path in asked:
        found = numbers(await page(http, path))
        assert found
        for number, href in found:
            if href not in checked:
                checked.add(href)
                listed = (await page(http, f"{href}&part=main")).one("table", class_="events").one("tbody")
                assert len(listed.all("tr")) == number, href


async def test_failures_are_those_of_what_ended(http: httpx2.AsyncClient) -> None:
    await recorded(http)
    shown = await page(http, f"/insights?{PERIOD}")
    tiles = [each.text for each in shown.one("dl", class_="tiles").all("dd")]
    assert tiles[::2] == ["5", "4", "25.0 % 1 of 4 that ended", "1"]
    (services,) = shown.all("table", class_="breakdown")
    rows = [[cell.text for cell in row.parts if not isinstance(cell, str)] for row in services.all("tr")]
    assert rows[1:] == [
        ["cart", "4", "", "3", "1", "33.3 %", "1"],
        ["search", "1", "", "1", "0", "0.0 %", "0"],
    ]


async def test_numbers_stand_beside_those_of_the_period_before(http: httpx2.AsyncClient) -> None:
    for hour in (1, 2, 5, 6, 7):
        await record(http, "x", startDate=f"2026-03-02T0{hour}:30:00Z", status="success")
    shown = await page(http, "/insights?from=2026-03-02T05:00Z&to=2026-03-02T09:00Z")
    before = shown.one("dl", class_="tiles").all("dd", class_="before")
    assert [each.text for each in before] == [
        "2 in the period before, +50 %",
        "2 in the period before, +50 %",
        "0.0 % in the period before, 0 of 2",
        "0 in the period before",
    ]
    found = await page(http, before[0].one("a").attributes["href"])
    assert len(found.all("td", class_="title")) == 2
    everything = await page(http, "/insights?from=all")
    assert not everything.all("dd", class_="before")


async def test_durations_are_shown_over_time_and_by_value(http: httpx2.AsyncClient) -> None:
    await recorded(http)
    shown = await page(http, f"/insights?{PERIOD}&by=service")
    whole, by_service = (
        section
        for section in shown.all("section")
        if section.attributes.get("aria-labelledby") in {"durations-title", "by-title"}
    )
    assert _cells(whole) == [["2", "10m", *["12m"] * 4], ["2", "11m", *["13m"] * 4]]
    assert by_service.one("span", class_="legend").text == "cart search"
    assert _cells(by_service) == [["2", "10m", ""], ["2", "11m", "13m"]]


def _cells(section: Element) -> list[list[str]]:
    return [[cell.text for cell in row.all("td")[1:]] for row in section.one("tbody").all("tr")]


async def test_the_address_has_query_period_and_field(http: httpx2.AsyncClient) -> None:
    shown = await page(http, "/insights?q=type:drift&from=7d&by=label.team&zone=UTC")
    entered = {each.attributes["name"]: each.attributes["value"] for each in shown.one("main").all("input")}
    assert entered == {"zone": "UTC", "q": "type:drift", "by": "label.team", "from": "7d", "to": ""}
    (day,) = [a for a in shown.all("a") if a.text == "24 hours"]
    assert parse_qs(urlsplit(day.attributes["href"]).query) == {
        "q": ["type:drift"],
        "from": ["24h"],
        "by": ["label.team"],
        "zone": ["UTC"],
    }
    wrong = await page(http, "/insights?q=statsu:x")
    assert "did you mean status?" in wrong.one("div", id="fault").text
    for address, said in (
        ("?by=title", "expected one of"),
        ("/delivery?by=title", "expected one of service, team"),
    ):
        refused = await page(http, f"/insights{address}&from=7d", 400)
        assert said in refused.one("main").text
        assert [each.attributes["value"] for each in refused.one("main").all("input", name="from")] == ["7d"]


def test_alternatives_are_grouped_before_terms_are_added() -> None:
    assert with_terms("a OR b", "status:failure") == "(a OR b) status:failure"
    assert with_terms("service:cart", "service:cart") == "service:cart service:cart"
    assert with_terms("a OR b") == "a OR b"
    assert not with_terms("")


def test_several_values_are_one_term() -> None:
    assert one_of("service", ["cart", "a b"]) == 'service:(cart OR "a b")'
    assert one_of("service", ["cart", ""]) == "(service:(cart) OR -has:service)"
    assert one_of("service", [""]) == "-has:service"
