"""The Explorer as its readers use it: by mouse and by keys, in two tabs, and without scripts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import expect

from tracker.web.explorer import page as explorer_page
from tracker.web.explorer.facets import facets_of

if TYPE_CHECKING:
    import httpx2
    import pytest
    from playwright.async_api import Page, Route
    from tests.web.browser.readers import Readers

    from tracker.app import App

ROWS = "#list tr[data-event]"


def asked(page: Page) -> dict[str, str]:
    """Return the parameters of the address of a page."""
    return {name: values[-1] for name, values in parse_qs(urlsplit(page.url).query).items()}


async def ids(page: Page) -> list[str]:
    return [await row.get_attribute("data-event") or "" for row in await page.locator(ROWS).all()]


async def goto_live(page: Page, path: str) -> None:
    """Open a list that is live, and wait until it has what came before its feed: new events come alone."""
    async with page.expect_response("**/events?*part=main*"):
        await page.goto(path)


async def record(api: httpx2.AsyncClient, title: str) -> None:
    attributes = {"type": "deployment", "service": "live", "status": "success"}
    answer = await api.post("/api/v1alpha1/event", json={"title": title, "attributes": attributes})
    assert answer.status_code == 200, answer.text


async def test_a_click_includes_or_excludes_a_value_and_back_undoes_it(demo: App, readers: Readers) -> None:
    page = await readers.visit(demo, "/events?from=all&sort=tme")
    ignored = page.get_by_text("Ignored: sort: expected time")
    await expect(ignored).to_be_visible()
    query, failed = page.locator("#q"), page.locator("#facets li", has_text="failure").first
    shown = page.locator(f"{ROWS} .status")
    await failed.locator("a").first.click()
    await expect(query).to_have_value("status:failure")
    await expect(ignored).to_have_count(0)
    await expect(shown.filter(has_not_text="failure")).to_have_count(0)
    assert asked(page) == {"from": "all", "q": "status:failure"}
    await failed.locator("a").first.click(modifiers=["Alt"])
    await expect(query).to_have_value("-status:failure")
    await expect(shown.filter(has_text="failure")).to_have_count(0)
    await page.go_back()
    await expect(query).to_have_value("status:failure")
    await expect(shown.filter(has_not_text="failure")).to_have_count(0)
    await page.go_back()
    await expect(query).to_have_value("")
    await page.go_forward()
    await expect(query).to_have_value("status:failure")
    before = await ids(page)
    await page.reload()
    assert await ids(page) == before


async def test_a_query_is_written_with_suggestions_by_keys_alone(demo: App, readers: Readers) -> None:
    page = await readers.visit(demo, "/events?from=all")
    await page.keyboard.press("/")
    query, suggestions = page.locator("#q"), page.get_by_role("listbox", name="Suggestions")
    await expect(query).to_be_focused()
    await page.keyboard.type("serv")
    await expect(suggestions.get_by_role("option")).to_have_text(["service"])
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    await expect(query).to_have_value("service:")
    await page.keyboard.type("pay")
    await expect(suggestions.get_by_role("option").first).to_contain_text("payments")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(query).to_have_value("service:payments")
    await page.keyboard.press("Enter")
    await expect(page.locator("#facets li.included")).to_contain_text("payments")
    assert asked(page)["q"] == "service:payments"


async def test_a_list_that_was_closed_before_its_suggestions_came_stays_closed(
    demo: App, readers: Readers
) -> None:
    page = await readers.visit(demo, "/events?from=all")
    query, suggestions = page.locator("#q"), page.get_by_role("listbox", name="Suggestions")
    held: asyncio.Queue[Route] = asyncio.Queue()
    await page.route("**/events/suggestions?*", held.put)
    await query.fill("serv")
    await held.get()
    async with page.expect_event("requestfailed"):
        await query.press("Escape")
    await query.fill("servi")
    await (await held.get()).continue_()
    await expect(suggestions.get_by_role("option")).to_have_text(["service"])


async def test_a_wrong_query_is_marked_and_can_be_mended_in_place(demo: App, readers: Readers) -> None:
    page = await readers.visit(demo, "/events?from=all")
    query = page.locator("#q")
    await query.fill("statsu:failure")
    await query.press("Enter")
    await expect(page.locator("#fault mark")).to_have_text("statsu:failure")
    await expect(query).to_have_attribute("aria-invalid", "true")
    await query.fill("status:failure")
    await query.press("Enter")
    await expect(page.locator("#fault")).to_have_count(0)
    await expect(page.locator(f"{ROWS} .status", has_text="failure").first).to_be_visible()


async def test_keys_walk_open_and_close(demo: App, readers: Readers) -> None:
    page = await readers.visit(demo, "/events?from=all")
    rows, panel = page.locator(ROWS), page.locator("#panel")
    for key in "jjk":
        await page.keyboard.press(key)
    await expect(rows.first.locator("td.title a")).to_be_focused()
    title = await rows.first.locator("td.title a").inner_text()
    await page.keyboard.press("Enter")
    await expect(panel.locator("h1")).to_have_text(title)
    await expect(rows.first).to_have_attribute("aria-current", "true")
    await page.keyboard.press("Escape")
    await expect(panel).to_be_hidden()
    assert "event" not in asked(page)
    await page.keyboard.press("?")
    await expect(page.locator("#keys")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#keys")).to_be_hidden()
    await page.keyboard.press("j")
    opened = await page.evaluate("document.activeElement.closest('tr').dataset.event")
    await page.keyboard.press("o")
    await page.wait_for_url(f"**/events/{opened}")
    await page.keyboard.press("g")
    await page.keyboard.press("e")
    await page.wait_for_url("**/events")


async def test_a_menu_fits_a_phone_and_a_key_closes_it(demo: App, readers: Readers) -> None:
    page = await readers.visit(demo, "/events?from=all", width=360)
    for menu in await page.locator("details.menu").all():
        await menu.locator("summary").click()
        place = await menu.locator(".drop").bounding_box()
        assert place is not None
        assert (place["x"] >= 0, place["x"] + place["width"] <= 360) == (True, True)
        await page.keyboard.press("Escape")
        await expect(menu.locator(".drop")).to_be_hidden()
        await expect(menu.locator("summary")).to_be_focused()


async def test_keys_are_letters_while_somebody_writes(demo: App, readers: Readers) -> None:
    page = await readers.visit(demo, "/events?from=all")
    await page.locator("#q").focus()
    await page.keyboard.type("jok?ge/")
    await expect(page.locator("#q")).to_have_value("jok?ge/")
    await expect(page.locator("#keys")).to_be_hidden()


async def test_an_open_event_is_in_the_address_and_back_closes_it(demo: App, readers: Readers) -> None:
    page = await readers.visit(demo, "/events?from=all")
    link, panel = page.locator(f"{ROWS} td.title a").nth(3), page.locator("#panel")
    title = await link.inner_text()
    await link.click()
    await expect(panel.locator("h1")).to_have_text(title)
    sent = await page.context.new_page()
    await sent.goto(page.url)
    await expect(sent.locator("#panel h1")).to_have_text(title)
    await page.go_back()
    await expect(panel).to_be_hidden()


async def test_events_stay_selected_on_other_pages_and_after_an_action(demo: App, readers: Readers) -> None:
    page = await readers.visit(demo, "/events?from=all")
    bar = page.get_by_role("form", name="With the selected events")
    await expect(bar).to_be_hidden()
    await page.keyboard.press("j")
    await page.keyboard.press("x")
    await expect(bar.get_by_role("status")).to_have_text("1 selected")
    chosen = (await ids(page))[0]
    await page.get_by_role("link", name="Earlier events").click()
    await expect(page.locator(f"#e-{chosen}")).to_have_count(0)
    await page.locator("td.select input").first.check()
    await expect(bar.get_by_role("status")).to_have_text("2 selected, 1 of them not on this page")
    await bar.get_by_role("button", name="Comment…").click()
    await page.get_by_label("Comment", exact=True).fill("seen")
    await page.get_by_label("Your name").fill("Ada")
    await page.get_by_role("button", name="Comment on them").click()
    await expect(page.locator("h1")).to_have_text("2 events commented on")
    await page.goto("/events?from=all")
    await expect(page.locator(f"#e-{chosen} td.select input")).to_be_checked()
    await bar.get_by_role("button", name="Select none").click()
    await expect(bar).to_be_hidden()


async def test_a_period_is_brushed_on_the_chart(demo: App, readers: Readers) -> None:
    page = await readers.visit(demo, "/events?from=all&zone=UTC")
    bars = page.locator("#chart .chart a")
    first, last = bars.nth(2), bars.nth(5)
    wanted = {
        "from": await first.get_attribute("data-since"),
        "to": await last.get_attribute("data-until"),
        "zone": "UTC",
    }
    for bar, press in ((last, page.mouse.down), (first, page.mouse.up)):
        box = await bar.locator("rect").first.bounding_box()
        assert box is not None
        await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=3)
        await press()
    await page.wait_for_url("**from=20*")
    assert asked(page) == wanted
    await expect(page.locator("#bar .times input[name=from]")).to_have_value(str(wanted["from"]))


async def test_columns_are_chosen_and_the_rest_of_the_address_stays(demo: App, readers: Readers) -> None:
    page = await readers.visit(demo, "/events?from=all&q=type:deployment")
    await page.get_by_text("Columns", exact=True).click()
    choice = page.locator(".columns-form")
    await choice.get_by_label("owner").uncheck()
    await choice.get_by_label("source").check()
    await choice.get_by_role("button", name="Show").click()
    await expect(page.locator("#list th")).to_contain_text(["Environment", "Source", "Version"])
    await expect(page.locator("#list th", has_text="Owner")).to_have_count(0)
    assert {**asked(page), "cols": ""} == {"from": "all", "q": "type:deployment", "cols": ""}


async def test_a_new_event_comes_into_every_tab_that_is_live(
    demo: App, readers: Readers, api: httpx2.AsyncClient
) -> None:
    window = await readers.reader(demo)
    first, second = await window.new_page(), await window.new_page()
    for page in (first, second):
        await goto_live(page, "/events?live=1&q=service:live")
        await expect(page.locator("#live-state")).to_have_text("live")
    await record(api, "Deploy live 1")
    for page in (first, second):
        await expect(page.locator(f"{ROWS}.fresh td.title a")).to_have_text("Deploy live 1")
    await second.locator("#list").hover()
    await record(api, "Deploy live 2")
    await expect(first.locator(f"{ROWS} td.title a").first).to_have_text("Deploy live 2")
    pill = second.get_by_role("button", name="Paused, 1 new. Show")
    await expect(second.locator(f"{ROWS} td.title a").first).to_have_text("Deploy live 1")
    await pill.click()
    await expect(second.locator(f"{ROWS} td.title a").first).to_have_text("Deploy live 2")
    await expect(pill).to_be_hidden()


async def test_the_theme_and_the_zone_are_remembered(demo: App, readers: Readers) -> None:
    page = await readers.visit(demo, "/events", color_scheme="light")
    background = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(background)
    await page.locator("#theme").click()
    assert await page.evaluate(background) != light
    await page.reload()
    assert await page.locator("html").get_attribute("data-theme") == "dark"
    await page.locator("#theme").click()
    await page.emulate_media(color_scheme="dark")
    await page.reload()
    assert await page.evaluate(background) != light  # as the system again
    await page.context.clear_cookies(name="zone")
    await page.reload()
    await expect(page.locator("#zone-menu summary")).to_have_text("Europe/Paris")
    menu = page.locator("#zone-menu")
    for chosen, kept in (("Asia/Tokyo", "Asia/Tokyo"), ("Asia/Tokio", "Asia/Tokyo")):
        await menu.locator("summary").click()
        await menu.locator("input[name=zone]").fill(chosen)
        await menu.get_by_role("button").click()
        await page.wait_for_url(f"**zone={chosen.replace('/', '%2F')}**")
        await page.goto("/locks")
        await expect(menu.locator("summary")).to_have_text(kept)
    await page.goto("/locks?zone=UTC")  # as somebody shared it
    await page.goto("/locks")
    await expect(menu.locator("summary")).to_have_text("Asia/Tokyo")


COPIED = """(selector) => {
  getSelection().selectAllChildren(document.querySelector(selector));
  const clipboardData = new DataTransfer();
  document.dispatchEvent(new ClipboardEvent("copy", { clipboardData, cancelable: true }));
  return clipboardData.getData("text/plain");
}"""


async def test_times_are_copied_as_moments_in_utc(demo: App, readers: Readers) -> None:
    page = await readers.visit(demo, "/events?from=all")
    moment = await page.locator("#list time").first.get_attribute("datetime")
    assert moment is not None
    assert await page.evaluate(COPIED, "#list time") == moment
    row = await page.evaluate(COPIED, ROWS)
    assert moment in row
    assert await page.locator(f"{ROWS} td.title a").first.inner_text() in row
    assert await page.evaluate(COPIED, "#list td.title") == ""  # as the browser copies it


async def test_without_scripts_forms_and_links_do_the_same(demo: App, readers: Readers) -> None:
    page = await readers.visit(demo, "/events?from=all", java_script_enabled=False)
    await page.locator("#q").fill("status:failure")
    await page.get_by_role("button", name="Search").click()
    assert asked(page) == {"from": "all", "q": "status:failure"}
    await page.locator("#facets .without").first.click()
    await page.go_back()
    link = page.locator(f"{ROWS} td.title a").first
    title = await link.inner_text()
    await link.click()
    assert await page.locator("#panel h1").inner_text() == title
    await page.get_by_role("link", name="Full page").click()
    assert await page.locator("h1").inner_text() == title
    assert await page.locator("#live").count() == 0  # what needs scripts is not there


async def test_a_part_that_fails_says_so_in_its_place_and_is_tried_again(demo: App, readers: Readers) -> None:
    page = await readers.visit(demo, "/events?from=all")

    async def refuse(route: Route) -> None:
        await route.fulfill(status=429, body="")

    await page.route("**/events?*part=facets*", refuse)
    await page.get_by_role("link", name="90 days").click()
    again = page.locator("#facets").get_by_role("button", name="Try again")
    await expect(again).to_be_visible()
    await expect(page.locator("#chart .chart")).to_be_visible()
    await expect(page.locator(ROWS).first).to_be_visible()
    await page.unroute("**/events?*part=facets*")
    await again.click()
    await expect(page.locator("#facets li").first).to_be_visible()


async def test_a_list_does_not_wait_for_counts_that_are_late(
    demo: App, readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = asyncio.Event()

    async def late(*given: Any) -> Any:
        await counted.wait()
        return await facets_of(*given)

    monkeypatch.setattr(explorer_page, "facets_of", late)
    plain = await readers.visit(demo, "/events?from=all", java_script_enabled=False)
    page = await (await readers.reader(demo)).new_page()
    await goto_live(page, "/events?from=all&live=1")
    for each in (plain, page):
        assert await each.locator(ROWS).count() == 100
        assert await each.locator("#chart .chart").count() == 1
        assert await each.locator("#facets .skeleton").count()
    counted.set()
    await expect(page.locator("#facets li").first).to_be_visible()
    await plain.locator("#facets").get_by_role("link", name="Show them").click()
    assert await plain.locator("#facets li").count()


async def test_a_live_list_goes_on_after_it_was_refused_for_a_while(
    demo: App, readers: Readers, api: httpx2.AsyncClient
) -> None:
    page = await readers.visit(demo, "/events")

    async def away(route: Route) -> None:
        await route.fulfill(status=429, body="")

    await page.route("**/events/watch*", away)
    await page.locator("#live").click()
    await expect(page.locator("#live-state")).to_have_text("reconnecting")
    await record(api, "Deploy live 3")
    await page.unroute("**/events/watch*")
    await expect(page.locator("#live-state")).to_have_text("live, after a gap")
    await expect(page.locator(f"{ROWS} td.title a").first).to_have_text("Deploy live 3")
    await record(api, "Deploy live 4")
    await expect(page.locator(f"{ROWS} td.title a").first).to_have_text("Deploy live 4")
