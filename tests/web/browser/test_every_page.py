"""What holds for every page: those of the menu, and each kind of page that they lead to."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.clients import http_client
from tests.web.browser.faults import faults
from tests.web.html import page as page_of
from tests.web.html import record

from tracker.web.pages import NAVIGATION, PAGES

if TYPE_CHECKING:
    import httpx2
    from tests.web.browser.readers import Readers

    from tracker.app import App

PHONE: Final = 360
SHOWN: Final = [page.path for page in PAGES if "View" in str(inspect.signature(page.show).return_annotation)]
"""The paths of the pages that are for people, and not for scripts or other programs."""
STARTS: Final = (*(path for path, _ in NAVIGATION), "/webhooks", "/events?from=all")

OTHERS: Final = {
    "/api/v1alpha1/webhooks": {"name": "pager", "url": "https://1.1.1.1/", "query": "service:none"},
    "/api/v1alpha1/integrations/flux/webhook": {},  # records nothing, and is kept
    "/api/v1alpha1/freeze-window": {
        "title": "Holidays",
        "type": "FREEZE_TYPE_SOFT",
        "startsAt": "2040-12-20T00:00:00Z",
        "endsAt": "2041-01-02T00:00:00Z",
    },
}
"""What pages lead to that the sample data do not have, by the path that makes it."""


@pytest.fixture(scope="module")
async def links(demo: App) -> list[str]:
    """Give the links of all pages of the menu, and of the first event that each opens beside its list."""
    found: list[str] = []
    async with http_client(demo.http_address) as api:
        for path, content in OTHERS.items():
            assert (await api.post(path, json=content)).is_success, path
        for start in STARTS:
            those = _links(await page_of(api, start))
            opened = next((link for link in those if "event=" in link), None)
            found += those + (_links(await page_of(api, opened)) if opened else [])
    return found


@pytest.fixture
def address(path: str, links: list[str]) -> str:
    """Give the address of a page, found on the pages of the menu if it depends on what is stored."""
    if "{" not in path:
        return path
    pattern = re.compile(re.sub(r"\{[^}]*\}", "[^/?]+", path) + r"(\?.*)?")
    for link in links:
        if pattern.fullmatch(link) and urlsplit(link).path not in SHOWN:
            return link
    raise AssertionError(f"no page of the menu leads to {path}")


def _links(shown: Any) -> list[str]:
    return [a.attributes["href"] for a in shown.one("main").all("a")]


@pytest.mark.parametrize("path", SHOWN)
async def test_a_page_reads_the_same_without_scripts_and_has_no_fault_that_axe_finds_in_light_and_dark(
    demo: App, readers: Readers, address: str
) -> None:
    page = await readers.visit(demo, address)
    without_scripts = await readers.visit(demo, address, java_script_enabled=False)
    for each in ("h1", "main h2", "main table tbody tr"):
        assert await without_scripts.locator(each).count() == await page.locator(each).count()
    assert await without_scripts.locator("main").inner_text()
    commands = await page.locator("main pre").all_text_contents()
    assert any(each.startswith("curl ") for each in commands)
    assert any(each.startswith("tracker ") for each in commands)
    assert await faults(page) == []
    await page.emulate_media(color_scheme="dark")
    assert await faults(page, "color-contrast", "link-in-text-block") == []


async def test_no_link_has_a_parameter_that_its_page_ignores(demo: App, links: list[str]) -> None:
    kinds: dict[tuple[str, ...], str] = {}
    for link in links:
        parts = urlsplit(link)
        if link.startswith("/") and not parts.path.startswith(("/api/", "/docs")):
            kinds.setdefault((parts.path.split("/")[1], *sorted(dict(parse_qsl(parts.query)))), link)
    async with http_client(demo.http_address) as api:
        for link in kinds.values():
            answer = await api.get(link, follow_redirects=True)
            assert answer.is_success, link
            assert "Ignored: " not in answer.text, link


@pytest.mark.parametrize("path", SHOWN)
async def test_a_page_fits_a_phone(demo: App, readers: Readers, address: str) -> None:
    page = await readers.visit(demo, address, width=PHONE)
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE
    await page.set_viewport_size({"width": 768, "height": 900})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 768
    await page.set_viewport_size({"width": PHONE, "height": 900})
    assert await faults(page) == []


async def test_the_longest_names_fit_every_width(
    app: App, http: httpx2.AsyncClient, readers: Readers
) -> None:
    long = {name: f"{name}{'.' * 20}".ljust(200, "x") for name in ("service", "version", "owner", "source")}
    told = {**long, "status": "open", "environment": "production", "labels": {"k" * 100: "v" * 1_000}}
    ids = [await record(http, "t" * 500, **told, type=kind) for kind in ("operation", "incident")]
    page = await readers.visit(app, "/")
    for address in (
        "/",
        f"/events?event={ids[0]}",
        f"/events/{ids[1]}",
        f"/events/{ids[1]}/edit",
        "/timeline",
    ):
        for width in (PHONE, 1_280):
            await page.set_viewport_size({"width": width, "height": 900})
            await page.goto(address)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, (address, width)


@pytest.mark.parametrize("demo", ["mongo"], indirect=True)
async def test_pages_are_shown_from_the_other_store_too(demo: App, readers: Readers) -> None:
    page = await readers.visit(demo, "/events?from=all")
    for path, _ in NAVIGATION:
        await page.goto(path)
        assert await page.locator("main .notice.bad").count() == 0
    await page.goto("/events?from=all")
    assert await page.locator("#list tr[data-event]").count() == 100
    await page.locator("#list td.title a").first.click()
    await page.get_by_role("link", name="Full page").click()
    assert await page.locator("h1").inner_text()


async def test_the_explorer_has_no_fault_with_an_event_open_or_nothing_found(
    demo: App, readers: Readers
) -> None:
    page = await readers.visit(demo, "/events?from=all")
    await page.locator("#list td.title a").first.click()
    await page.locator("#panel h1").wait_for()
    assert await faults(page) == []
    await page.set_viewport_size({"width": PHONE, "height": 800})
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE
    for query in ("statsu:failure", "service:none-of-this-name"):
        await page.goto(f"/events?q={query}")
        assert await faults(page) == []
    await page.goto("/events/none")
    assert await faults(page) == []
    await page.keyboard.press("?")
    assert await faults(page) == []
