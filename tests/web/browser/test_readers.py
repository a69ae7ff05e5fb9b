"""Who looks: nobody who is known, somebody who logs in, and somebody whose session ends meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect
from tests.canaries import canary
from tests.web.browser.faults import faults

if TYPE_CHECKING:
    from playwright.async_api import Page
    from tests.clocks import StoppedClock
    from tests.web.browser.readers import Readers

    from tracker.app import App
    from tracker.config.settings import Settings

PASSWORD = canary("password in a browser")
REFUSED = "You may not see events"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(
        settings, auth_anonymous_permissions=frozenset(), auth_admin_password=PASSWORD, auth_session_ttl=600
    )


async def log_in(page: Page) -> None:
    await page.goto("/login")
    await page.get_by_label("Name").fill("admin")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url(lambda url: not url.endswith("/login"), wait_until="commit")


async def test_who_logs_in_sees_events_until_the_session_ends(
    app: App, readers: Readers, clock: StoppedClock
) -> None:
    page = await readers.visit(app, "/events?from=all")
    await expect(page.locator("main")).to_contain_text(REFUSED)
    await log_in(page)
    await page.goto("/events?from=all")
    await expect(page.locator("main")).not_to_contain_text(REFUSED)
    await expect(page.locator(".foot")).to_contain_text("admin")
    await clock.forward(620)
    await page.locator("#q").fill("status:failure")
    await page.locator("#q").press("Enter")
    await expect(page.locator("#list")).to_contain_text(REFUSED)
    await page.reload()
    await expect(page.locator("main")).to_contain_text(REFUSED)


async def test_who_logs_out_in_one_tab_is_out_in_the_others(app: App, readers: Readers) -> None:
    page = await readers.visit(app, "/events?from=all")
    await log_in(page)
    other = await page.context.new_page()
    await other.goto("/events?from=all")
    await page.goto("/login")
    await page.get_by_role("button", name="Log out").click()
    await page.wait_for_url("**/login")
    await other.locator("#q").fill("status:failure")
    await other.locator("#q").press("Enter")
    await expect(other.locator("#list")).to_contain_text(REFUSED)


async def test_a_wrong_password_is_said_beside_the_form(app: App, readers: Readers) -> None:
    page = await readers.visit(app, "/login")
    await page.get_by_label("Name").fill("admin")
    await page.get_by_label("Password").fill("wrong horse battery")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    assert await faults(page) == []
