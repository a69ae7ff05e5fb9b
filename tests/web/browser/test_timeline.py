"""The Timeline and the Calendar as their readers move them: by mouse, by keys and by touch."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import expect

if TYPE_CHECKING:
    from playwright.async_api import Page
    from tests.web.browser.readers import Readers

    from tracker.app import App

LANES = "#lanes"


async def period(page: Page) -> tuple[datetime, datetime]:
    """Return the period that the lanes show."""
    found = [await page.locator(LANES).get_attribute(f"data-{edge}") or "" for edge in ("since", "until")]
    since, until = (datetime.fromisoformat(each) for each in found)
    return since, until


async def moved(page: Page, before: tuple[datetime, datetime]) -> tuple[datetime, datetime]:
    """Return the period once it is another, and the address says so."""
    await expect(page.locator(LANES)).not_to_have_attribute("data-since", f"{before[0]:%Y-%m-%dT%H:%M:%SZ}")
    since, until = await period(page)
    asked = parse_qs(urlsplit(page.url).query)
    assert [datetime.fromisoformat(asked[name][0]) for name in ("from", "to")] == [since, until]
    return since, until


async def test_the_timeline_is_moved_and_zoomed_and_back_undoes_it(demo: App, readers: Readers) -> None:
    page = await readers.visit(demo, "/timeline?from=10d&to=%2B2d")
    plot = page.locator(".lanes .plot").first
    first = await period(page)
    await plot.hover()
    await page.mouse.down()
    box = await plot.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 5, steps=4)
    await page.mouse.up()
    dragged = await moved(page, first)
    assert dragged[1] - dragged[0] == first[1] - first[0]
    assert abs(first[0] - dragged[0] - (first[1] - first[0]) / 4) < timedelta(hours=3)
    await page.keyboard.press("+")
    closer = await moved(page, dragged)
    assert abs((dragged[1] - dragged[0]) / 2 - (closer[1] - closer[0])) < timedelta(seconds=3)
    await page.keyboard.press("ArrowRight")
    assert (await moved(page, closer))[0] > closer[0]
    await page.go_back()
    await page.go_back()
    await expect(page.locator(LANES)).to_have_attribute("data-since", f"{dragged[0]:%Y-%m-%dT%H:%M:%SZ}")
    await plot.hover()
    await page.keyboard.down("Control")
    await page.mouse.wheel(0, -60)
    await page.keyboard.up("Control")
    zoomed = await moved(page, dragged)
    assert zoomed[1] - zoomed[0] < dragged[1] - dragged[0]


async def test_a_drag_over_days_of_the_calendar_plans_work_for_them(demo: App, readers: Readers) -> None:
    page = await readers.visit(demo, "/calendar?month=2026-03&first=Monday")
    days = page.locator(".calendar td")
    for day, act in ((28, page.mouse.down), (30, page.mouse.up)):  # over the night in which clocks change
        box = await days.filter(has=page.locator(f"b:text-is('{day}')")).last.bounding_box()
        assert box is not None
        await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 8, steps=3)
        await act()
    await page.wait_for_url("**/record?**")
    asked = parse_qs(urlsplit(page.url).query)
    assert asked["start"] == ["2026-03-27T23:00:00Z"]
    assert asked["end"] == ["2026-03-30T22:00:00Z"]
    await page.go_back()
    await days.nth(10).click(position={"x": 20, "y": 60})
    await page.wait_for_url("**/events?**")
