"""The week of the Calendar in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import expect
from tests.web.browser.faults import faults
from tests.web.html import record

if TYPE_CHECKING:
    import httpx2
    from playwright.async_api import Page
    from tests.web.browser.readers import Readers

    from tracker.app import App


async def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    await page.mouse.move(*start)
    await page.mouse.down()
    await page.mouse.move(*end, steps=4)
    await page.mouse.up()


async def hour(page: Page, since: str, number: float) -> tuple[float, float]:
    """Return where an hour of the day that begins at a moment is, in the middle of its column."""
    column = page.locator(f"td.hours[data-since='{since}']")
    await column.evaluate("(each, y) => each.closest('#hours').scrollTop = y - 100", number * 48)
    box = await column.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + number * 48


async def test_hours_are_dragged_over_to_plan_and_planned_work_to_another_time(
    demo: App, readers: Readers, api: httpx2.AsyncClient
) -> None:
    given = {"startDate": "2031-03-05T08:00:00Z", "endDate": "2031-03-05T09:30:00Z", "status": "planned"}
    work = await record(api, "Move rack", **given)
    page = await readers.visit(demo, "/calendar?week=2031-03-05&first=Monday&q=service:cart")
    wednesday, thursday = "2031-03-04T23:00:00Z", "2031-03-05T23:00:00Z"
    x, y = await hour(page, thursday, 14)
    await drag(page, (x, y), (x, y + 70))  # a little less than an hour and a half
    await page.wait_for_url("**/record?**")
    asked = parse_qs(urlsplit(page.url).query)
    assert (asked["start"], asked["end"]) == (["2031-03-06T13:00:00Z"], ["2031-03-06T14:30:00Z"])
    assert await page.get_by_label("Begins").input_value() == "2031-03-06T14:00"
    await page.go_back()
    x, y = await hour(page, wednesday, 9.5)
    to = await page.locator(f"td.hours[data-since='{thursday}']").bounding_box()
    assert to is not None
    await drag(page, (x, y), (to["x"] + 20, y + 24))
    await page.get_by_role("status").filter(has_text="Move rack begins at 2031-03-06 09:30").wait_for()
    stored = (await api.get(f"/api/v1alpha1/event/{work}")).json()["event"]["attributes"]
    assert (stored["startDate"], stored["endDate"]) == ("2031-03-06T08:30:00Z", "2031-03-06T10:00:00Z")
    assert await faults(page) == []
    await page.locator("[data-move]").click()
    await page.wait_for_url("**/events/**")


async def test_a_month_begins_at_today_on_a_phone(demo: App, readers: Readers) -> None:
    page = await readers.visit(demo, "/calendar", viewport={"width": 360, "height": 500})
    await expect(page.locator("td.today .day")).to_be_in_viewport()
