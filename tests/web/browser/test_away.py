"""Pages whose server goes away and comes back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.async_api import expect
from tests.web.html import record

if TYPE_CHECKING:
    import httpx2
    from playwright.async_api import Route
    from tests.web.browser.readers import Readers

    from tracker.app import App


async def refuse(route: Route) -> None:
    await route.fulfill(status=429, body="")


async def hide(route: Route) -> None:
    """Answer as a proxy does that lets no probes through."""
    await route.fulfill(status=404, body="")


async def test_what_was_entered_stays_while_the_server_is_away(demo: App, readers: Readers) -> None:
    page = await readers.visit(demo, "/record")
    await page.route("**/livez", refuse)
    await page.get_by_label("Title").fill("Deploy by hand")
    await page.get_by_label("Service").fill("away")
    await page.get_by_label("Service").press("Enter")
    for _ in range(2):
        await expect(page.get_by_role("alert")).to_contain_text("Nothing was sent")
        await page.get_by_role("button", name="Record").click()
    await page.unroute("**/livez")
    await page.route("**/livez", hide)
    await page.get_by_role("button", name="Record").click()
    await page.wait_for_url("**/events/**")
    await expect(page.locator("h1")).to_have_text("Deploy by hand")


async def test_the_list_of_locks_says_that_it_is_not_up_to_date(demo: App, readers: Readers) -> None:
    page = await readers.visit(demo, "/locks")
    state = page.locator("#live-state")
    await expect(state).to_have_text("up to date")
    await page.route("**/locks?part=main", refuse)
    await expect(state).to_have_text("the server does not answer")
    await page.unroute("**/locks?part=main")
    await expect(state).to_have_text("up to date")


async def test_a_live_list_listens_anew_when_the_network_goes_and_comes(
    demo: App, readers: Readers, api: httpx2.AsyncClient
) -> None:
    page = await readers.visit(demo, "/events?live=1")
    state, first = page.locator("#live-state"), page.locator("tr[data-event] td.title a").first
    await expect(state).to_have_text("live")
    await record(api, "Deploy before sleep")
    await expect(first).to_have_text("Deploy before sleep")
    await page.route("**/events/watch*", refuse)
    await page.evaluate("dispatchEvent(new Event('offline'))")
    await expect(state).to_have_text("reconnecting")
    await record(api, "Deploy during sleep")
    await page.unroute("**/events/watch*")
    await page.evaluate("dispatchEvent(new Event('online'))")
    await expect(state).to_have_text("live, gap filled")
    await expect(first).to_have_text("Deploy during sleep")


async def test_all_parts_that_failed_are_tried_again_together(demo: App, readers: Readers) -> None:
    page = await readers.visit(demo, "/events?from=all")
    counts = re.compile(r"part=(chart|facets)")
    await page.route(counts, refuse)
    await page.get_by_role("link", name="90 days").click()
    again = page.get_by_role("button", name="Try again")
    await expect(again).to_have_count(2)
    await page.unroute(counts)
    await again.last.click()
    await expect(again).to_have_count(0)
    await expect(page.locator("#chart .chart")).to_be_visible()
    await expect(page.locator("#facets li").first).to_be_visible()
