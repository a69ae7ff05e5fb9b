"""From an alert to its cause, as docs/answers.md shows it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from playwright.async_api import expect
from tests.web.html import record

if TYPE_CHECKING:
    import httpx2
    from tests.web.browser.readers import Readers

    from tracker.app import App


async def test_three_clicks_lead_from_an_open_incident_to_the_deployment_that_caused_it(
    demo: App, readers: Readers, api: httpx2.AsyncClient
) -> None:
    broken = {"service": "walked", "environment": "production"}
    before = (datetime.now(UTC) - timedelta(minutes=2)).isoformat()
    failed = {**broken, "status": "failure", "startDate": before, "endDate": before}
    deployment = await record(api, "Deploy walked 2", **failed)
    incident = await record(api, "walked is down", type="incident", status="open", **broken)
    page = await readers.visit(demo, "/")
    await page.locator("#incidents").get_by_role("link", name="walked is down").click()
    await page.get_by_role("link", name="Why?").click()
    await expect(page.locator("#why")).to_be_in_viewport()
    assert page.url.endswith(f"/events/{incident}#why")
    await page.locator("#why .suspect a").first.click()
    await page.wait_for_url(f"**/events/{deployment}")
    assert await page.locator("h1").inner_text() == "Deploy walked 2"
