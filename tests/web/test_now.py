"""The page Now: what is under way, what is open, failed, planned and locked, and how a new server begins."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.behaviour.servers import waiting
from tests.web.html import page, record, send

from tracker.time_text import MICROS
from tracker.web.now.under_way import Usual, progress

if TYPE_CHECKING:
    import httpx2
    from tests.web.html import Element

    from tracker.app import App

_MINUTE = 60 * MICROS


def titles(shown: Element, section: str) -> list[str]:
    lines = shown.one("section", id=section).all("li")
    return [line.all("a")[0].text for line in lines]


async def found(http: httpx2.AsyncClient, link: Element, zone: str = "UTC") -> list[str]:
    """Return the titles that a link to the Explorer leads to."""
    shown = await page(http, f"{link.attributes['href']}&zone={zone}")
    return sorted(td.one("a").text for td in shown.all("td", class_="title"))


async def test_a_new_server_teaches_three_commands_and_fills_itself_with_a_demo(
    http: httpx2.AsyncClient,
) -> None:
    shown = await page(http, "/")
    assert len(shown.one("section", id="new").all("pre")) == 3
    filled = await send(http, shown, "demo")
    assert "sample events" in filled.one("main").text
    assert titles(filled, "under-way")
    assert titles(filled, "incidents")
    assert not filled.all("button", value="demo")
    again = await send(http, shown, "demo", key="another")
    assert "Nothing was added" in again.one("main").text


async def test_a_demo_is_for_those_on_the_machine_alone(http: httpx2.AsyncClient) -> None:
    answer = await http.post(
        "/", data={"action": "demo", "csrf": ""}, headers={"origin": "http://evil.example"}
    )
    assert answer.status_code == 403


async def test_work_under_way_is_compared_with_its_history(http: httpx2.AsyncClient) -> None:
    begin = datetime.now(UTC) - timedelta(days=2)
    for minutes in (10, 20, 30):
        dates = {"startDate": f"{begin:%FT%TZ}", "endDate": f"{begin + timedelta(minutes=minutes):%FT%TZ}"}
        await record(http, f"took {minutes}", environment="production", **dates)
    since = f"{datetime.now(UTC) - timedelta(hours=1):%FT%TZ}"
    slow = {"status": "start", "environment": "production", "startDate": since}
    await record(http, "late", **slow)
    await record(http, "unknown", status="start", service="new")
    over = await record(http, "over", **{**slow, "service": "other"})
    await record(http, "its end", service="other", environment="production", relatedId=over)
    shown = await page(http, "/")
    lines = {line.all("a")[0].text: line for line in shown.one("section", id="under-way").all("li")}
    assert set(lines) == {"late", "unknown"}
    assert "overdue" in lines["late"].text
    assert "of usually 20m" in lines["late"].text
    assert lines["late"].one("svg", class_="progress").attributes["aria-label"].startswith("1h")
    assert "no usual duration" in lines["unknown"].text
    (history,) = [a for a in lines["late"].all("a") if a.text == "20m"]
    assert await found(http, history) == ["took 10", "took 20", "took 30"]


async def test_what_others_have_ended_hides_nothing_that_goes_on(http: httpx2.AsyncClient) -> None:
    running = {"status": "start", "startDate": "2026-01-01T00:00:00Z"}
    await record(http, "still", **running)
    incident = {"type": "incident", "status": "open"}
    await record(http, "open", **incident, startDate="2026-01-01T00:00:00Z")
    for number in range(21):
        for begun, end in (
            (running | {"service": f"s{number}", "startDate": ""}, "success"),
            (incident, "close"),
        ):
            known = await record(http, "over", **begun)
            await record(http, "its end", **{**begun, "status": end, "relatedId": known})
    shown = await page(http, "/")
    assert titles(shown, "under-way") == ["still"]
    assert titles(shown, "incidents") == ["open"]
    assert shown.one("section", id="incidents").one("h2").text.split() == ["Open", "incidents", "1"]


@pytest.mark.parametrize(
    ("elapsed", "done", "more", "label"),
    [
        (0, 0, 0, "0s of usually 20m, 0 %"),
        (5, 25, 0, "5m of usually 20m, 25 %"),
        (20, 100, 0, "20m of usually 20m, 100 %"),
        (40, 50, 50, "40m of usually 20m, 200 %"),
    ],
)
def test_a_bar_is_full_at_the_usual_duration(elapsed: int, done: float, more: float, label: str) -> None:
    bar = progress(elapsed * _MINUTE, Usual(20 * _MINUTE, 30 * _MINUTE))
    assert (bar.done, bar.more, bar.label) == (done, more, label)


async def test_incidents_failures_plans_and_locks_have_links_to_all(
    http: httpx2.AsyncClient, app: App
) -> None:
    await record(http, "down", type="incident", status="open", impact=True)
    await record(http, "was down", type="incident", status="close")
    await record(http, "broken", status="failure")
    now = datetime.now(UTC)
    for title, date in (("later", now + timedelta(hours=30)), ("this moment", now), ("before", now)):
        await record(http, title, status="planned", startDate=f"{date:%FT%TZ}")
    lock = {"service": "cart", "environment": "production", "who": "ana", "reason": "schema change"}
    assert (await http.post("/api/v1alpha1/lock", json=lock)).status_code == 200
    wish = asyncio.create_task(http.post("/api/v1alpha1/lock", json={**lock, "who": "ben", "wait": "60s"}))
    await waiting(app, 1)
    zone = "UTC" if 1 <= now.hour < 23 else "Etc/GMT%2B12"  # no midnight passes
    shown = await page(http, f"/?zone={zone}")
    wish.cancel()
    expected = {"incidents": ["down"], "failures": ["broken"], "planned": ["before", "this moment"]}
    for section, names in expected.items():
        assert sorted(titles(shown, section)) == names
        assert await found(http, shown.one("section", id=section).all("a")[-1], zone) == names
    locks = shown.one("section", id="locks").text
    assert "ana" in locks
    assert "schema change" in locks
    assert "1 waits: ben" in locks
    part = await page(http, f"/?zone={zone}&part=main")
    assert {each.attributes["id"] for each in part.all("section")} >= expected.keys()
    assert not part.all("html")


async def test_a_reader_who_comes_back_sees_what_was_recorded_since(http: httpx2.AsyncClient) -> None:
    await record(http, "deployed", status="failure")
    answer = await http.get("/")
    assert "Since you were here" not in answer.text
    before, now = answer.headers["set-cookie"].partition(";")[0].removeprefix("seen=").split("-")
    assert before == "0"
    long_ago = int(now) - 3_600
    changes = (await page(http, "/", cookie=f"seen=0-{long_ago}")).one("section", id="changes")
    assert "1 event" in changes.text
    assert "1h ago" in changes.text
    for link in changes.all("a"):
        if link.attributes["href"].startswith("/events?"):
            assert await found(http, link) == ["deployed"]
    again = await http.get("/", headers={"cookie": f"seen={long_ago}-{int(now) - 60}"})
    assert again.headers["set-cookie"].startswith(f"seen={long_ago}-")
    for wrong in ("x", "-1-2", "1-", f"9{now}9-{now}"):
        await page(http, "/", cookie=f"seen={wrong}")
