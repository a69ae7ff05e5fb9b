"""The Timeline without scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from tests.web.html import page, record

from tracker.domain.overlaps import TimedEvent
from tracker.pb import event_pb
from tracker.time_text import MICROS
from tracker.web.explorer.state import Period
from tracker.web.timeline.layout import MOST_BARS, lanes_of

if TYPE_CHECKING:
    import httpx2
    from tests.web.html import Element

DAY = "/timeline?from=2026-03-02&to=2026-03-02&zone=UTC"


def lanes(shown: Element) -> dict[str, Element]:
    found = shown.one("ul", class_="lanes").all("li")
    return {lane.one("span", class_="lane-name").all("a")[0].text: lane for lane in found}


def labels(lane: Element) -> list[str]:
    return [title.text for a in lane.all("a", tabindex="-1") for title in a.all("title")]


async def span(http: httpx2.AsyncClient, title: str, start: str, end: str = "", **attributes: str) -> str:
    dates = {"startDate": f"2026-03-02T{start}:00Z"} | ({"endDate": f"2026-03-02T{end}:00Z"} if end else {})
    return await record(http, title, environment="production", **dates, **attributes)


async def test_each_service_or_environment_has_a_lane_with_its_events(http: httpx2.AsyncClient) -> None:
    event = await span(http, "Deploy cart", "08:00", "10:00")
    await span(http, "Deploy shop", "09:00", "11:00", service="shop")
    shown = lanes(await page(http, DAY))
    assert list(shown) == ["cart", "shop"]
    assert labels(shown["cart"]) == ["Deploy cart: success, 2 Mar 08:00 to 2 Mar 10:00, 2h"]
    (bar,) = shown["cart"].all("a", tabindex="-1")
    assert bar.attributes["href"] == f"/events/{event}"
    assert bar.all("svg")[0].attributes["x"] == "33.33%"
    assert bar.all("svg")[0].attributes["width"] == "8.34%"
    together = lanes(await page(http, f"{DAY}&by=environment"))
    assert len(labels(together["production"])) == 2


async def test_what_began_before_the_period_and_reaches_into_it_is_shown(http: httpx2.AsyncClient) -> None:
    await span(http, "Long", "01:00", "23:00")
    await span(http, "Over", "01:00", "02:00")
    shown = lanes(await page(http, "/timeline?from=2026-03-02T12:00&to=2026-03-02T13:00&zone=UTC"))
    assert [label.partition(":")[0] for label in labels(shown["cart"])] == ["Long"]


async def test_running_and_planned_work_say_so(http: httpx2.AsyncClient) -> None:
    await record(http, "Deploy cart", environment="production", status="start")
    await record(http, "Open trouble", service="shop", type="incident", status="open")
    await record(http, "Move rack", service="rack", status="planned", startDate="2030-01-01T08:00:00Z")
    shown = lanes(await page(http, "/timeline"))
    for name in ("cart", "shop"):
        assert "running since" in labels(shown[name])[0]
        assert shown[name].all("path", class_="arrow")
        assert "running" in " ".join(text.text for text in shown[name].all("text"))
    planned = lanes(await page(http, "/timeline?from=2030-01-01&to=2030-01-01"))["rack"]
    assert "planned" in labels(planned)[0]


async def test_overlaps_are_marked_and_listed(http: httpx2.AsyncClient) -> None:
    await span(http, "Deploy cart", "08:00", "10:00")
    await span(http, "Restart cart", "09:00", "09:30", type="operation")
    shown = await page(http, DAY)
    (mark,) = lanes(shown)["cart"].all("rect", class_="overlap")
    assert mark.attributes["x"] == "37.5%"
    cells = shown.one("section", id="overlaps").one("tbody").one("tr").all("td")
    assert [cell.text for cell in cells][2:] == ["30m", "cart", "production", "Deploy cart and Restart cart"]


async def test_an_incident_is_drawn_after_the_deployment_before_it(http: httpx2.AsyncClient) -> None:
    await span(http, "Deploy cart", "08:00", "09:00")
    await span(http, "cart is down", "09:10", "10:00", type="incident", status="close")
    shown = await page(http, DAY)
    assert len(lanes(shown)["cart"].all("line", class_="cause")) == 1
    assert "cart is down 1h10m after Deploy cart" in shown.one("section", id="lanes").one("table").text


async def test_short_events_are_merged_and_the_page_says_how_many(http: httpx2.AsyncClient) -> None:
    for number in range(4):
        await span(http, f"e{number}", "08:00", "08:01", status="failure" if number == 3 else "success")
    shown = await page(http, DAY)
    (mark,) = lanes(shown)["cart"].all("a", tabindex="-1")
    assert mark.one("title").text == "4 events from 2 Mar 08:00: 1 failed or open, 3 ended well"
    assert "4 short or simultaneous events are merged into 1 marks" in shown.one("main").text
    found = await page(http, mark.attributes["href"])
    assert len(found.all("td", class_="title")) == 4


async def test_links_move_and_zoom_without_scripts(http: httpx2.AsyncClient) -> None:
    await span(http, "Deploy cart", "08:00", "10:00")
    shown = await page(http, DAY)
    moved = {
        name: parse_qs(urlsplit(shown.one("a", id=name).attributes["href"]).query)
        for name in ("earlier", "closer", "wider")
    }
    assert moved["earlier"]["from"] == ["2026-03-01T12:00:00Z"]
    assert moved["closer"]["from"] == ["2026-03-02T06:00:00Z"]
    assert moved["closer"]["to"] == ["2026-03-02T18:00:00Z"]
    assert moved["wider"]["to"] == ["2026-03-03T12:00:00Z"]


async def test_a_wrong_query_is_marked_and_an_empty_period_says_so(http: httpx2.AsyncClient) -> None:
    assert (await page(http, "/timeline?q=statsu:x")).one("div", id="fault").one("mark").text == "statsu:x"
    assert "Nothing happened or is planned" in (await page(http, "/timeline")).one("main").text
    assert (
        "the period ends before it begins"
        in (await page(http, "/timeline?from=2026-03-02&to=2026-03-01", 400)).one("main").text
    )


def test_what_is_drawn_has_a_limit_however_many_events_there_are() -> None:
    hour = 3_600 * MICROS
    events = [
        TimedEvent(event_pb.Event(title=str(number)), start, start + length)
        for number in range(10_000)
        for start, length in [(number * hour // 60, (0, 5 * hour, hour // 30, 40 * hour)[number % 4])]
    ]
    lanes = {f"lane {place}": events[place::20] for place in range(20)}
    laid = lanes_of(lanes, Period(0, 10_000 * hour // 60))
    bars = [bar for lane in laid.values() for bar in lane.bars]
    assert len(bars) <= MOST_BARS
    assert sum(len(bar.events) for bar in bars) == len(events)
    for lane in laid.values():
        for one, other in zip(lane.bars, lane.bars[1:], strict=False):
            assert one.row != other.row or one.end <= other.start or one.start >= other.end
