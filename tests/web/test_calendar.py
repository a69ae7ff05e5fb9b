"""The Calendar without scripts, and as iCalendar."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from hypothesis import given
from hypothesis import strategies as st
from tests.behaviour.servers import pages
from tests.clients import RestClient
from tests.web.html import page, record, send

from tracker.web.icalendar import escaped, folded

if TYPE_CHECKING:
    import httpx2
    from tests.web.html import Element

    from tracker.config.settings import Settings

PARIS = "zone=Europe/Paris"


def cell(shown: Element, day: str) -> Element:
    """Return the cell of the day with a name such as `Sunday 29 March`."""
    return next(td for td in shown.all("td") if day in td.all("a")[0].text)


async def planned(http: httpx2.AsyncClient, title: str, start: str, end: str, **attributes: str) -> str:
    dates = {"startDate": start, "endDate": end}
    return await record(http, title, **{"type": "operation", "status": "planned", **dates, **attributes})


async def test_a_month_shows_planned_work_and_incidents_on_their_days(http: httpx2.AsyncClient) -> None:
    work = await planned(http, "Move rack", "2030-03-05T22:30:00Z", "2030-03-06T06:00:00Z")
    down = {"type": "incident", "status": "close"}
    await planned(http, "cart is down", "2030-03-06T10:00:00Z", "2030-03-06T11:00:00Z", **down)
    await record(http, "Deploy cart", startDate="2030-03-06T10:00:00Z", endDate="2030-03-06T10:10:00Z")
    shown = await page(http, f"/calendar?month=2030-03&{PARIS}")
    assert len(shown.one("table", class_="calendar").one("tbody").all("td")) == 35
    (entry,) = cell(shown, "Tuesday 5 March").all("a", class_="entry")
    assert entry.attributes["href"] == f"/events/{work}"
    assert "planned" in entry.attributes["class"].split()
    assert entry.text == "23:30 Move rack , planned"
    wednesday = cell(shown, "Wednesday 6 March")
    assert [a.text for a in wednesday.all("a", class_="entry")] == [
        "11:00 ◆ incident: cart is down , close",
        "until 07:00 Move rack , planned",
    ]
    found = await page(http, wednesday.all("a")[0].attributes["href"])
    assert {td.one("a").text for td in found.all("td", class_="title")} == {"cart is down", "Deploy cart"}


async def test_days_are_those_of_the_zone_also_where_clocks_change(http: httpx2.AsyncClient) -> None:
    for month, name, since, until, hours in (
        ("2026-03", "Sunday 29 March", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "23 h"),
        ("2026-10", "Sunday 25 October", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "25 h"),
    ):
        day = cell(await page(http, f"/calendar?month={month}&{PARIS}"), name)
        assert (day.attributes["data-since"], day.attributes["data-until"]) == (since, until)
        assert day.one("small").text == hours
        plan = parse_qs(urlsplit(day.one("a", class_="plan-link").attributes["href"]).query)
        assert plan == {"status": ["planned"], "start": [since], "end": [until], "zone": ["Europe/Paris"]}


async def test_weeks_begin_where_the_reader_lives_or_says(http: httpx2.AsyncClient) -> None:
    for language, path, first in (
        ("de-DE,de;q=0.9", "/calendar", "Monday"),
        ("en-US,en;q=0.5", "/calendar", "Sunday"),
        ("en-US", "/calendar?first=Saturday", "Saturday"),
    ):
        head = (await page(http, path, **{"accept-language": language})).one("thead").all("th")
        assert head[0].all("span")[1].text == first
    week = await page(http, "/calendar?week=2026-11-28&first=Monday&zone=UTC")
    assert week.one("h2", class_="calendar-title").text == "23 to 29 November 2026"
    assert len(week.one("tbody").all("td", class_="hours")) == 7
    assert "week=2026-12-05" in week.one("a", id="later").attributes["href"]


def column(shown: Element, since: str) -> Element:
    """Return the column of the day that begins at a moment."""
    return next(td for td in shown.all("td", class_="hours") if td.attributes["data-since"] == since)


def places(column: Element) -> dict[str, tuple[float, float, int, int]]:
    """Return left edges and widths in per cent, tops and heights in pixels, by the titles of events."""
    return {
        each.one("span", class_="what").text: (
            float(each.attributes["x"].rstrip("%")),
            float(each.attributes["width"].rstrip("%")),
            int(each.attributes["y"]) - 1,
            int(each.attributes["height"]) + 2,
        )
        for each in column.all("foreignobject")
    }


async def test_a_week_has_events_at_their_hours_and_simultaneous_ones_side_by_side(
    http: httpx2.AsyncClient,
) -> None:
    for title, start, end in (
        ("Night", "2030-03-05T21:00:00Z", "2030-03-06T01:00:00Z"),
        ("First", "2030-03-06T08:00:00Z", "2030-03-06T10:00:00Z"),
        ("Second", "2030-03-06T09:00:00Z", "2030-03-06T09:10:00Z"),
        ("Alone", "2030-03-06T10:00:00Z", "2030-03-06T11:00:00Z"),
        ("Long", "2030-03-04T00:00:00Z", "2030-03-09T00:00:00Z"),
        *((f"Noon {number}", "2030-03-07T11:00:00Z", "2030-03-07T12:00:00Z") for number in range(5)),
    ):
        await planned(http, title, start, end)
    week = await page(http, f"/calendar?week=2030-03-06&first=Monday&{PARIS}")
    wednesday = column(week, "2030-03-05T23:00:00Z")
    assert places(wednesday) == {
        "Night": (0, 99, 0, 96),
        "First": (0, 49, 9 * 48, 96),
        "Second": (50, 49, 10 * 48, 24),
        "Alone": (0, 99, 11 * 48, 48),
    }
    assert places(column(week, "2030-03-04T23:00:00Z")) == {"Night": (0, 99, 22 * 48, 96)}
    heads = week.one("thead").all("th")
    assert ["Long" in head.text for head in heads] == [False, True, True, True, True, False, False]
    assert "2 more" in heads[3].text


async def test_a_day_on_which_clocks_change_has_its_own_hours(http: httpx2.AsyncClient) -> None:
    for day, since, hours in (
        ("2026-03-29", "2026-03-28T23:00:00Z", ["00:00", "01:00", "03:00"]),
        ("2026-10-25", "2026-10-24T22:00:00Z", ["00:00", "01:00", "02:00", "02:00", "03:00"]),
    ):
        await planned(http, f"Work {day}", f"{day}T10:00:00Z", f"{day}T11:00:00Z")
        shown = column(await page(http, f"/calendar?week={day}&first=Monday&{PARIS}"), since)
        assert [each.text for each in shown.all("text")][: len(hours)] == hours
        number = len(shown.all("text"))
        assert shown.one("svg", role="group").attributes["height"] == f"{number * 48}"
        assert places(shown)[f"Work {day}"][2:] == ((11 if number == 23 else 12) * 48, 48)


async def test_planned_work_is_moved_unless_somebody_else_has_moved_it(http: httpx2.AsyncClient) -> None:
    id_ = await planned(http, "Move rack", "2030-03-06T08:00:00Z", "2030-03-06T10:30:00Z")
    week = await page(http, "/calendar?week=2030-03-06&zone=UTC")
    (link,) = week.all("a", **{"data-move": id_})
    (form,) = week.all("form", id="move")
    sent = {
        "action": "move",
        "csrf": "",
        "id": id_,
        "was": link.attributes["data-start"],
        "start": "2030-03-07T12:15:00Z",
    }
    path, own = form.attributes["action"], {"sec-fetch-site": "same-origin"}
    assert (await http.post(path, data=sent, headers=own)).status_code == 303
    stored = (await http.get(f"/api/v1alpha1/event/{id_}")).json()["event"]["attributes"]
    assert (stored["startDate"], stored["endDate"]) == ("2030-03-07T12:15:00Z", "2030-03-07T14:45:00Z")
    again = await http.post(path, data={**sent, "start": "2030-03-08T00:00:00Z"}, headers=own)
    assert "somebody else moved this event" in again.text
    done = await record(http, "Done", startDate="2030-03-06T08:00:00Z", endDate="2030-03-06T10:30:00Z")
    refused = await http.post(path, data={**sent, "id": done}, headers=own)
    assert "expected a planned event" in refused.text


async def test_today_is_marked_and_other_months_are_links(http: httpx2.AsyncClient) -> None:
    (today,) = (await page(http, "/calendar")).all("td", **{"aria-current": "date"})
    assert "today" in today.text
    shown = await page(http, "/calendar?month=2026-12")
    assert shown.one("a", id="later").attributes["href"] == "/calendar?month=2027-01"
    assert shown.one("a", id="earlier").attributes["href"] == "/calendar?month=2026-11"
    text = (await page(http, "/calendar?month=2026-13", 400)).one("main").text
    assert "expected a month such as 2026-01" in text


async def test_who_may_not_write_is_not_offered_to_plan(settings: Settings) -> None:
    closed = replace(settings, auth_anonymous_permissions=frozenset())
    async with pages(closed) as http:
        shown = await page(http, "/calendar")
        assert not shown.all("a", class_="plan-link")
        assert "You may not see planned work and incidents" in shown.one("main").text
        refused = await http.get("/calendar.ics")
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Basic ")


async def test_calendar_programs_subscribe_with_a_key_as_password(http: httpx2.AsyncClient) -> None:
    title = "Move; rack, \\ and\nmore " + "ü" * 60
    day = datetime.now(UTC).date() + timedelta(days=30)
    work = await planned(http, title, f"{day}T22:30:00+01:00", f"{day}T23:00:00Z")
    client = RestClient(http)
    for permission, status in (("event:read", 200), ("catalog:read", 403)):
        key = await client.call("AuthService/CreateApiKey", {"name": permission, "permissions": [permission]})
        basic = base64.b64encode(f"calendar:{key['secret']}".encode()).decode()
        answer = await http.get(
            "/calendar.ics?query=status:planned", headers={"authorization": f"Basic {basic}"}
        )
        assert answer.status_code == status, answer.text
    again = await http.get("/calendar.ics")
    assert again.headers["content-type"] == "text/calendar; charset=utf-8"
    assert all(len(line) <= 75 for line in again.content.split(b"\r\n"))
    lines = unfolded(again.content)
    assert lines[0] == "BEGIN:VCALENDAR"
    assert lines[-1] == "END:VCALENDAR"
    for line in (
        f"UID:{work}",
        f"DTSTART:{day:%Y%m%d}T213000Z",
        f"DTEND:{day:%Y%m%d}T230000Z",
        "SUMMARY:Move\\; rack\\, \\\\ and\\nmore " + "ü" * 60,
        "STATUS:TENTATIVE",
    ):
        assert line in lines
    assert [line for line in lines if re.fullmatch(r"DTSTAMP:\d{8}T\d{6}Z", line)]


def unfolded(content: bytes) -> list[str]:
    return content.replace(b"\r\n ", b"").decode().removesuffix("\r\n").split("\r\n")


@given(st.text(max_size=300))
def test_any_text_survives_escaping_and_folding(text: str) -> None:
    line = f"SUMMARY:{escaped(text)}"
    content = folded(line)
    assert all(len(each) <= 75 for each in content.split(b"\r\n"))
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n", content)
    (back,) = unfolded(content)
    assert back == line.encode(errors="replace").decode()
    plain = re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], escaped(text))
    assert plain == re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", re.sub(r"\r\n?", "\n", text))


async def test_work_is_planned_in_the_zone_of_the_calendar_and_shown_in_it(http: httpx2.AsyncClient) -> None:
    shown = await page(http, "/calendar?month=2126-01&zone=Asia/Tokyo")
    plan = shown.one("main").all("a", class_="plan-link")[10].attributes["href"]
    form = await page(http, plan)
    assert form.one("input", id="record-start_date").attributes["value"].endswith("T00:00")
    planned = await send(http, form, "record", title="Move rack", service="cart")
    assert planned.one("html").attributes["data-zone"] == "Asia/Tokyo"
