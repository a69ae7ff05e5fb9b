"""The forms for events: recording, planning series, and changing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.web.html import OWN, page, record, send

if TYPE_CHECKING:
    import httpx2

EVENT = {"title": "Deploy cart 2", "service": "cart", "environment": "production", "status": "success"}
PLAN = EVENT | {"status": "planned"}


async def stored(http: httpx2.AsyncClient, query: str = "type:deployment") -> list[dict[str, Any]]:
    answer = await http.get("/api/v1alpha1/events/search", params={"query": query, "order_by": "time"})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["events"])


async def test_what_is_entered_is_recorded(http: httpx2.AsyncClient) -> None:
    shown = await page(http, "/record?zone=Europe/Paris")
    after = await send(
        http,
        shown,
        "record",
        **EVENT,
        start_date="2026-01-31T12:00",
        end_date="2026-01-31T12:30:15",
        labels="team: core\n\n tier:1 ",
        stake_holders="ana, bo",
        ticket="CART-1",
        impact="1",
        who="ana",
    )
    assert after.one("div", role="status").text == "The event is recorded."
    assert after.one("h1", id="event-title").text == "Deploy cart 2"
    (event,) = await stored(http)
    attributes = event["attributes"]
    assert (attributes["startDate"], attributes["endDate"]) == (
        "2026-01-31T11:00:00Z",
        "2026-01-31T11:30:15Z",
    )
    assert attributes["labels"] == {"team": "core", "tier": "1"}
    assert attributes["stakeHolders"] == ["ana", "bo"]
    assert (attributes["owner"], attributes["impact"], event["links"]["ticket"]) == ("ana", True, "CART-1")


async def test_the_address_fills_the_form(http: httpx2.AsyncClient) -> None:
    shown = await page(
        http,
        "/record?service=cart&environment=production&start=2126-01-31T11:00:00Z&end=2126-01-31T12:00:30Z&zone=Europe/Paris",
    )
    values = {each.attributes.get("name"): each.attributes.get("value") for each in shown.all("input")}
    assert (values["service"], values["start_date"]) == ("cart", "2126-01-31T12:00")
    assert values["end_date"] == "2126-01-31T13:00:30"
    chosen = [
        each.attributes["value"] for each in shown.one("main").all("option") if "selected" in each.attributes
    ]
    assert {"production", "planned", "deployment"} <= set(chosen)


async def test_each_error_stands_beside_its_field(http: httpx2.AsyncClient) -> None:
    shown = await page(http, "/record")
    wrong = await send(http, shown, "record", 400, **EVENT, start_date="soon", labels="team", type="x")
    for name in ("start_date", "labels", "type"):
        assert wrong.one("p", id=f"record-{name}-about").all("b"), name
    assert wrong.one("input", id="record-title").attributes["value"] == "Deploy cart 2"
    entered = EVENT | {"title": "", "service": "s" * 201}
    wrong = await send(
        http, wrong, "record", 400, **entered, type="deployment", start_date="", labels="a b: c"
    )
    for name in ("title", "service", "labels"):
        assert wrong.one("p", id=f"record-{name}-about").all("b"), name
    assert not await stored(http)


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ("weekday", ["03-27", "03-30", "03-31", "04-01"]),
        ("fortnight", ["03-27", "04-10", "04-24", "05-08"]),
        ("month", ["03-27", "04-27", "05-27", "06-27"]),
    ],
)
async def test_planned_work_repeats_at_the_same_time_of_day(
    http: httpx2.AsyncClient, rule: str, days: list[str]
) -> None:
    shown = await page(http, "/record?zone=Europe/Paris")
    times = {"start_date": "2026-03-27T09:00", "end_date": "2026-03-27T10:00"}
    after = await send(http, shown, "record", **PLAN, **times, repeat=rule, times="4")
    assert after.one("div", role="status").text == "4 planned events are recorded."
    assert len(after.one("table", class_="events").one("tbody").all("tr")) == 4
    begun = [each["attributes"]["startDate"] for each in await stored(http)]
    assert [each[5:10] for each in begun] == days
    assert [each[11:16] for each in begun] == ["08:00" if day < "03-29" else "07:00" for day in days]


async def test_a_series_is_planned_and_bounded(http: httpx2.AsyncClient) -> None:
    shown = await page(http, "/record")
    wrong = await send(http, shown, "record", 400, **EVENT, repeat="week", times="54")
    for name in ("status", "start_date", "times"):
        assert wrong.one("p", id=f"record-{name}-about").all("b"), name
    late = {"start_date": "9999-12-31T09:00", "repeat": "day", "times": "5"}
    await send(http, shown, "record", 400, **PLAN, **late)
    assert not await stored(http)


async def test_the_last_day_of_a_month_stays_the_last(http: httpx2.AsyncClient) -> None:
    shown = await page(http, "/record?zone=UTC")
    await send(http, shown, "record", **PLAN, start_date="2026-01-31T09:00", repeat="month", times="3")
    begun = [each["attributes"]["startDate"][:10] for each in await stored(http)]
    assert begun == ["2026-01-31", "2026-02-28", "2026-03-31"]


async def test_an_edit_changes_what_was_changed_and_nothing_else(http: httpx2.AsyncClient) -> None:
    kept = {
        "startDate": "2026-01-31T11:00:00.123456Z",
        "notifications": ["#ops"],
        "externalId": "7",
        "source": "ci",
    }
    event = await record(http, "Deploy", labels={"a": "1", "b": "2"}, **kept)
    shown = await page(http, f"/events/{event}/edit")
    after = await send(http, shown, "save", title="Deploy cart", labels="b: 3", message="why")
    assert after.one("h1", id="event-title").text == "Deploy cart"
    (changed,) = await stored(http)
    attributes = changed["attributes"]
    assert (attributes["labels"], attributes["message"]) == ({"b": "3"}, "why")
    assert {name: attributes[name] for name in kept} == kept


async def test_an_edit_of_what_somebody_else_has_changed_is_shown_again(http: httpx2.AsyncClient) -> None:
    event = await record(http, "Deploy")
    shown = await page(http, f"/events/{event}/edit")
    theirs = {"title": "Theirs", "owner": "ana", "impact": "1"}
    await send(http, await page(http, f"/events/{event}/edit"), "save", **theirs)
    again = await send(http, shown, "save", 400, title="Mine")
    problem = again.one("div", id="problem").text
    assert "somebody else changed" in problem
    assert "impact: stored now: yes" in problem
    for name, now in (("title", "Theirs"), ("owner", "ana")):
        assert f"stored now: {now}" in again.one("p", id=f"save-{name}-about").text
    assert not again.all("p", id="save-version-about")
    assert again.one("input", id="save-title").attributes["value"] == "Mine"
    await send(http, again, "save", title="Mine")
    assert [each["title"] for each in await stored(http)] == ["Mine"]


async def test_an_event_is_finished_approved_and_rejected(http: httpx2.AsyncClient) -> None:
    running = await record(http, "Deploy", status="start")
    ended = await send(http, await page(http, f"/events/{running}"), "finish", status="failure")
    assert ended.one("p", class_="event-head").one("span", class_="status").text == "failure"
    assert not [each for each in ended.all("button") if each.attributes.get("value") == "finish"]
    incident = await record(http, "It is down", type="incident", status="open")
    over = await send(http, await page(http, f"/events/{incident}"), "finish")
    assert over.one("p", class_="event-head").one("span", class_="status").text == "close"
    for action, status, word in (("approve", "planned", "approved"), ("reject", "close", "rejected")):
        waits = await record(http, "Migrate", status="waiting_approval")
        decided = await send(http, await page(http, f"/events/{waits}"), action, comment="because")
        assert decided.one("p", class_="event-head").one("span", class_="status").text == status
        assert f"{word} because" in decided.one("ol", class_="changes").text
    refused = await http.post(f"/events/{running}", data={"action": "finish", "csrf": ""}, headers=OWN)
    assert refused.status_code == 400


async def test_an_event_leads_to_the_form_for_what_follows(http: httpx2.AsyncClient) -> None:
    event = await record(http, "Deploy", status="start", version="2")
    (link,) = [a for a in (await page(http, f"/events/{event}")).all("a") if a.text == "Record what follows"]
    given = parse_qs(urlsplit(link.attributes["href"]).query)
    assert (given["related_id"], given["version"]) == ([event], ["2"])
