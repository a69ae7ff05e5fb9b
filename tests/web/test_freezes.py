"""Freeze windows on pages, and as iCalendar."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from icalendar import Calendar
from tests.web.html import page, record, send

from tracker.cli.freeze.calendars import read_calendar
from tracker.time_text import read_zone

if TYPE_CHECKING:
    import httpx2

FRIDAYS = {
    "title": "Weekends; no deployments",
    "type": "FREEZE_TYPE_SOFT",
    "startsAt": "2026-03-20T15:00:00Z",
    "timezone": "Europe/Paris",
    "duration": "P2DT16H",
    "rrule": "FREQ=WEEKLY;BYDAY=FR",
    "exceptions": ["2026-04-03"],
    "services": ["cart"],
    "active": True,
}


async def freeze(http: httpx2.AsyncClient, **fields: Any) -> Any:
    answer = await http.post("/api/v1alpha1/freeze-window", json=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()["freezeWindow"]


async def test_a_window_is_created_changed_and_deleted_by_forms(http: httpx2.AsyncClient) -> None:
    listed = await page(http, "/freezes")
    assert "anything may be deployed" in listed.text
    entries = {"title": "Christmas", "starts_at": "2026-12-20T00:00", "rrule": "FREQ=YEARLY"}
    wrong = await send(http, listed, "create", 400, **entries)
    assert "ends_at is required" in wrong.text
    listed = await send(http, wrong, "create", ends_at="2027-01-02T00:00", environments="prod, UAT")
    (row,) = listed.one("table").one("tbody").all("tr")
    assert all(text in row.text for text in ("Christmas", "hard", "FREQ=YEARLY", "production, UAT"))
    href = row.one("a").attributes["href"]
    before = await page(http, href)
    changed = await send(http, await page(http, href), "change", type="soft", duration="P3D", ends_at="")
    stale = await send(http, before, "change", 400, title="Mine", duration="P3D", ends_at="")
    assert "stored now: soft" in stale.one("p", id="change-type-about").text
    assert stale.one("input", id="change-title").attributes["value"] == "Mine"
    assert "P3D" in changed.text
    assert "soft" in changed.text
    gone = await send(http, await page(http, href), "delete")
    assert "Deleted: Christmas." in gone.text


async def test_windows_are_shown_where_work_is(http: httpx2.AsyncClient) -> None:
    now = datetime.now(UTC)
    since, until = (
        (now + timedelta(hours=hours)).isoformat(timespec="seconds").replace("+00:00", "Z")
        for hours in (-1, 20)
    )
    fields = {"type": "FREEZE_TYPE_HARD", "startsAt": since, "endsAt": until, "active": True}
    await freeze(http, title="Launch", services=["cart"], **fields)
    await record(http, "Deploy cart")
    await record(http, "Deploy shop", service="shop")
    assert "Launch in effect" in (await page(http, "/")).one("section", id="freezes").text
    lanes = (await page(http, "/timeline")).one("ul", id="plots").all("li")
    frozen = {lane.all("a")[0].text: len(lane.all("rect", class_="freeze")) for lane in lanes}
    assert frozen == {"cart": 1, "shop": 0}
    today = (await page(http, "/calendar")).one("td", class_="today")
    assert [a.text for a in today.all("a", class_="frozen")] == ["Launch , hard freeze for cart"]


async def test_a_calendar_of_windows_is_read_by_others_and_imported_again(http: httpx2.AsyncClient) -> None:
    await freeze(http, **FRIDAYS)
    await freeze(http, **FRIDAYS | {"title": "off", "active": False})
    body = (await http.get("/freezes.ics")).content
    calendar: Any = Calendar.from_ical(body)
    (event,) = calendar.walk("VEVENT")
    assert event["DTSTART"].dt == datetime.fromisoformat("2026-03-20T15:00:00+00:00")
    assert event["EXDATE"].dts[0].dt == datetime.fromisoformat("2026-04-03T14:00:00+00:00")
    # Clocks change at 01:00 UTC; DTSTART is what they showed before (RFC 5545, 3.6.5).
    (zone,) = calendar.walk("VTIMEZONE")
    summer = [each["DTSTART"].dt.isoformat() for each in zone.walk("DAYLIGHT")]
    winter = [each["DTSTART"].dt.isoformat() for each in zone.walk("STANDARD")]
    assert "2026-03-29T02:00:00" in summer
    assert "2026-10-25T03:00:00" in winter
    utc = read_zone("UTC")
    assert utc is not None
    (imported,) = read_calendar(body, utc)
    again = await freeze(http, **json.loads(imported.window.to_json()))
    for name, value in FRIDAYS.items():
        if name != "exceptions":
            assert again[name] == value
    assert again["exceptions"] == ["2026-04-03T14:00:00Z"]
