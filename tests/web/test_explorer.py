"""The Explorer without scripts: links, forms and what they lead to."""

from __future__ import annotations

import csv
import json
import re
from io import StringIO
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.web.html import page, record, send

from tracker.web.explorer import selection

if TYPE_CHECKING:
    import httpx2


async def test_a_new_server_teaches_the_first_commands(http: httpx2.AsyncClient) -> None:
    shown = await page(http, "/events?from=all")
    assert len(shown.one("div", class_="teach").all("pre")) == 3


async def test_a_view_is_saved_chosen_and_deleted(http: httpx2.AsyncClient) -> None:
    address = "/events?q=status%3Afailure&from=30d"
    wrong = await send(http, await page(http, address), "save-view", 400, name=" ")
    assert "name and url are required" in wrong.one("div", id="problem").text
    saved = await send(http, await page(http, address), "save-view", name="<b>Failures")
    assert saved.one("div", role="status").text == "The view <b>Failures is saved for all."
    (link,) = (await page(http, "/events")).one("details", id="views").one("ul").all("a")
    assert (link.text, link.attributes["href"], "aria-current" in link.attributes) == (
        "<b>Failures",
        address,
        False,
    )
    shown = await page(http, address)
    assert "aria-current" in shown.one("details", id="views").one("ul").one("a").attributes
    gone = await send(http, shown, "delete-view")
    assert gone.one("details", id="views").all("a") == []


async def test_events_are_listed_newest_first_with_status_in_words(http: httpx2.AsyncClient) -> None:
    await record(http, "Deploy cart 1", status="failure", environment="production")
    newest = await record(http, "Deploy cart 2")
    rows = (await page(http, "/events")).one("table", class_="events").one("tbody").all("tr")
    assert [row.one("td", class_="title").one("a").text for row in rows] == ["Deploy cart 2", "Deploy cart 1"]
    assert rows[0].attributes["data-event"] == newest
    assert rows[1].one("span", class_="status").text == "failure"


async def test_one_event_of_the_year_1_leaves_a_chart_of_all_time(http: httpx2.AsyncClient) -> None:
    await record(http, "Deploy cart", startDate="0001-01-01T00:00:00Z")
    await record(http, "Deploy shop")
    shown = await page(http, "/events?from=all")
    assert shown.one("section", id="list").one("b").text == "2"
    assert re.match(r"All time, drawn from 20\d\d-.* · 1 event ", shown.one("section", id="chart").text)


async def test_a_facet_includes_and_excludes_its_value(http: httpx2.AsyncClient) -> None:
    await record(http, "good")
    await record(http, "bad", status="failure")
    facets = (await page(http, "/events")).one("aside")
    (item,) = [li for li in facets.all("li") if li.text.startswith("failure")]
    include, exclude = item.all("a")
    assert parse_qs(urlsplit(include.attributes["href"]).query)["q"] == ["status:failure"]
    assert parse_qs(urlsplit(exclude.attributes["href"]).query)["q"] == ["-status:failure"]
    for link, found in ((include, ["bad"]), (exclude, ["good"])):
        shown = await page(http, link.attributes["href"])
        assert [td.one("a").text for td in shown.all("td", class_="title")] == found
        assert shown.one("input", id="q").attributes["value"] in link.attributes["href"].replace("%3A", ":")


async def test_a_wrong_query_is_marked_at_its_column(http: httpx2.AsyncClient) -> None:
    shown = await page(http, "/events?q=service:cart+statsu:failure")
    fault = shown.one("div", id="fault")
    assert "did you mean status?" in fault.text
    assert fault.one("mark").text == "statsu:failure"
    assert shown.one("input", id="q").attributes["value"] == "service:cart statsu:failure"


async def test_pages_follow_each_other_by_links_without_gaps(http: httpx2.AsyncClient) -> None:
    for number in range(103):
        await record(http, f"e{number}")
    shown, titles = await page(http, "/events"), list[str]()
    while True:
        titles += [td.one("a").text for td in shown.all("td", class_="title")]
        following = shown.all("a", rel="next")
        if not following:
            break
        shown = await page(http, following[0].attributes["href"])
    assert sorted(titles) == sorted(f"e{number}" for number in range(103))


async def test_bars_lead_to_their_events_and_the_table_says_the_same(http: httpx2.AsyncClient) -> None:
    await record(http, "one", startDate="2026-03-02T08:10:00Z")
    await record(http, "two", startDate="2026-03-02T11:10:00Z", status="failure")
    shown = await page(http, "/events?from=2026-03-02&to=2026-03-02&zone=UTC")
    chart = shown.one("section", id="chart")
    (bar,) = [a for a in chart.one("svg", class_="chart").all("a") if a.all("path", class_="bad-fill")]
    assert "1 failed or open" in bar.attributes["aria-label"]
    found = await page(http, bar.attributes["href"])
    assert [td.one("a").text for td in found.all("td", class_="title")] == ["two"]
    assert [tr.all("td")[1].text for tr in chart.one("tbody").all("tr")] == ["1", "1"]


async def test_columns_zone_and_order_are_in_the_address(http: httpx2.AsyncClient) -> None:
    await record(http, "first", startDate="2026-03-02T08:10:00Z", labels={"team": "core"})
    await record(http, "second", startDate="2026-03-02T09:10:00Z")
    path = "/events?from=2026-03-02&to=2026-03-02&zone=Asia/Tokyo&cols=label.team&cols=priority&sort=time"
    table = (await page(http, path)).one("table", class_="events")
    assert [th.text for th in table.all("th")][5:] == ["Label.team", "Priority"]
    first = table.one("tbody").all("tr")[0]
    assert "17:10" in first.one("time").text
    assert first.one("time").attributes["datetime"] == "2026-03-02T08:10:00Z"
    assert first.all("td")[5].text == "core"


async def test_the_zone_and_the_theme_of_the_reader_come_with_cookies(http: httpx2.AsyncClient) -> None:
    shown = await page(http, "/events", cookie="zone=Europe%2FParis; theme=dark")
    assert shown.one("html").attributes["data-theme"] == "dark"
    assert "Europe/Paris" in shown.one("details", id="zone-menu").text


async def test_an_open_event_is_beside_the_list(http: httpx2.AsyncClient) -> None:
    wanted = await record(http, "Deploy cart 2", version="2.0", message="a long story")
    panel = (await page(http, f"/events?event={wanted}")).one("section", id="panel")
    assert panel.one("h1").text == "Deploy cart 2"
    assert "a long story" in panel.text


async def test_parts_are_answered_alone(http: httpx2.AsyncClient) -> None:
    await record(http, "one")
    for part, regions in (("main", ["bar", "list", "panel"]), ("facets", ["facets"]), ("chart", ["chart"])):
        shown = await page(http, f"/events?part={part}")
        found = [
            e.attributes["id"]
            for name in ("div", "section", "aside")
            for e in shown.all(name, **{"data-region": ""})
        ]
        assert found == regions


async def test_values_are_suggested_with_their_counts(http: httpx2.AsyncClient) -> None:
    await record(http, "one", service="payments")
    await record(http, "two", service="payroll", status="failure")
    answer = (await http.get("/events/suggestions?q=status:failure+service:pay&at=26")).json()
    assert answer["suggestions"] == [{"text": "service:payroll", "shown": "payroll", "count": 1}]
    for at in ("4", "9" * 5_000, "x"):
        answer = (await http.get(f"/events/suggestions?q=stat&at={at}")).json()
        assert answer == {"start": 0, "suggestions": [{"text": "status:", "shown": "status", "count": None}]}


async def test_what_is_shown_can_be_exported(http: httpx2.AsyncClient) -> None:
    await record(http, "=cmd|calc", service="cart")
    await record(http, "other", service="shop")
    rows = list(csv.DictReader(StringIO((await http.get("/events.csv?q=service:cart")).text)))
    assert [(row["title"], row["service"]) for row in rows] == [("'=cmd|calc", "cart")]
    lines = (await http.get("/events.ndjson?q=service:shop")).text.splitlines()
    assert [json.loads(line)["title"] for line in lines] == ["other"]


async def test_commands_and_links_for_elsewhere_ask_the_same(http: httpx2.AsyncClient) -> None:
    await record(http, "one")
    texts = [pre.text for pre in (await page(http, "/events?q=service:cart")).all("pre")]
    assert texts[0] == "/events?q=service%3Acart"
    assert "from=20" in texts[1]
    assert texts[3] == "tracker event search 'service:cart since:7d'"
    assert len((await http.get(texts[2])).json()["events"]) == 1


@pytest.mark.parametrize("path", ["/events", "/timeline"])
async def test_a_wrong_time_can_be_corrected_where_it_was_entered(
    http: httpx2.AsyncClient, path: str
) -> None:
    shown = await page(http, f"{path}?q=service%3Acart&from=yesteryear&to=now", 400)
    form = shown.one("main").one("form", action=path)
    entered = {each.attributes["name"]: each.attributes["value"] for each in form.all("input")}
    assert entered == {"q": "service:cart", "from": "yesteryear", "to": "now"}
    wrong = form.one("input", name="from").attributes
    assert (wrong["aria-invalid"], "aria-invalid" in form.one("input", name="to").attributes) == (
        "true",
        False,
    )
    assert "expected a time such as" in form.one("p", id=wrong["aria-describedby"]).text


async def test_selected_events_are_changed_once_that_is_confirmed(http: httpx2.AsyncClient) -> None:
    first, second, gone = [await record(http, f"<i>event {n}", status="start") for n in range(3)]
    shown = await page(http, "/events?q=service%3Acart")
    picked = {f"e-{each}": "1" for each in (first, gone)}
    nothing = await send(http, shown, "close", 400)
    assert "select some events" in nothing.one("div", id="problem").text
    asked = await send(http, shown, "close", 200, **picked)
    assert asked.one("h1").text == "Close 2 events?"
    assert [a.text for a in asked.one("table").all("a")] == ["<i>event 2", "<i>event 0"][::-1]
    await http.delete(f"/api/v1alpha1/event/{gone}")
    after = await send(http, asked, "apply", 200, comment="tidied up")
    assert after.one("h1").text == "1 event closed"
    (refused,) = after.one("div", id="problem").all("li")
    assert gone in refused.text
    assert "no event found" in refused.text
    back = next(a for a in after.one("main").all("a") if a.text == "Back to the list")
    assert back.attributes["href"] == "/events?q=service%3Acart"
    event = (await http.get(f"/api/v1alpha1/event/{first}")).json()["event"]
    assert event["attributes"]["status"] == "close"
    assert "tidied up" in [each.get("comment") for each in event["changelog"]]
    asked = await send(http, shown, "delete", 200, **{f"e-{second}": "1"})
    assert (await send(http, asked, "apply", 200)).one("h1").text == "1 event deleted"
    assert (await http.get(f"/api/v1alpha1/event/{second}")).status_code == 404


async def test_all_events_that_match_are_changed_up_to_a_limit(
    http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [await record(http, f"event {n}", status="start") for n in range(4)]
    await record(http, "another", service="other")
    shown = await page(http, "/events?q=service%3Acart")
    monkeypatch.setattr(selection, "MOST", 3)
    asked = await send(http, shown, "comment", 200, which="all")
    assert asked.one("h1").text == "Comment on 3 events?"
    assert "4 events match. Up to 3 are changed together" in asked.one("main").text
    after = await send(http, asked, "apply", 200, comment="all of them")
    assert after.one("h1").text == "3 events commented on"
    again = await send(http, after, "delete", 200)
    assert (await send(http, again, "apply", 200)).one("h1").text == "3 events deleted"
    left = await page(http, "/events")
    assert {a.text for a in left.one("section", id="list").one("tbody").all("a")} == {"event 0", "another"}
    too_many = await send(http, shown, "close", 400, ids=" ".join(ids))
    assert "at most 3 events, got 4" in too_many.one("div", id="problem").text


async def test_a_browser_gets_a_page_where_there_is_none(http: httpx2.AsyncClient) -> None:
    browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    for path in ("/nothing/<here>", "/events/unknown"):
        shown = await page(http, path, 404, **browser)
        assert shown.one("form", role="search").attributes["action"] == "/events"
        assert shown.one("nav").all("a", href="/locks")
    plain = await http.get("/nothing", headers={"accept": "*/*"})
    assert (plain.status_code, plain.json()["code"]) == (404, 5)
    posted = await http.post("/nothing", headers=browser)
    assert (posted.status_code, posted.json()["code"]) == (404, 5)
    wrong = await http.get("/events", headers={**browser, "authorization": "Bearer trk_wrong"})
    assert (wrong.status_code, wrong.headers["content-type"]) == (401, "text/html; charset=utf-8")
