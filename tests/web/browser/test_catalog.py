"""The graph of dependencies in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.async_api import expect
from tests.web.html import describe, record

if TYPE_CHECKING:
    import httpx2
    from tests.web.browser.readers import Readers

    from tracker.app import App


async def test_the_graph_begins_where_something_fails(
    demo: App, readers: Readers, api: httpx2.AsyncClient
) -> None:
    given = {"type": "deployment", "status": "failure", "environment": "production"}
    await record(api, "Deploy loyalty", service="loyalty", **given)
    page = await readers.visit(demo, "/catalog?view=graph", width=360)
    await expect(page.locator("a.node.bad").first).to_be_in_viewport(ratio=1)


async def test_the_graph_begins_at_something_drawn_without_scripts_too(
    app: App, http: httpx2.AsyncClient, readers: Readers
) -> None:
    for number in range(6):
        called = [f"s{number}-{each:02}" for each in range(40)]
        await describe(http, f"hub-{number}", dependenciesOut=[*called, f"hub-{number + 1}"])
    seen = """() => {
        const box = document.getElementById("graph").getBoundingClientRect();
        const nodes = [...document.querySelectorAll(".node")].map((node) => node.getBoundingClientRect());
        return nodes.some((at) => at.left >= box.left && at.right <= box.right
            && at.top >= Math.max(0, box.top) && at.bottom <= Math.min(innerHeight, box.bottom));
    }"""
    page = await readers.visit(app, "/catalog?view=graph", width=360, java_script_enabled=False)
    assert await page.evaluate(seen)
    await page.get_by_role("link", name="100 %").click()
    await page.wait_for_url("**zoom=100**")
    assert await page.evaluate(seen)


async def test_the_graph_grows_by_keys_and_lights_what_a_service_calls(demo: App, readers: Readers) -> None:
    page = await readers.visit(demo, "/catalog?view=graph")
    width = int(await page.locator("#graph svg").get_attribute("width") or "")
    await page.locator("#graph").press("+")
    assert int(await page.locator("#graph svg").get_attribute("width") or "") == round(width * 1.25)
    await page.get_by_text("Fit").click()
    assert "zoom=fit" in page.url
    await page.locator("a.node[aria-label^=fleet]").focus()
    lit = await page.locator("a.node.near").all_text_contents()
    assert any("orders" in each for each in lit)
    assert await page.locator("a.node:not(.near)").count()
    assert not (await Axe().run(page)).violations_count
    await page.goto("/matrix?than=7d")
    assert not (await Axe().run(page)).violations_count
