"""The page of one event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.web.html import page, record

if TYPE_CHECKING:
    import httpx2


async def test_an_event_is_shown_with_its_chain_changes_lock_and_neighbours(http: httpx2.AsyncClient) -> None:
    start = await record(http, "Deploy cart", status="start", environment="production", owner="ana")
    await record(http, "cart is down", type="incident", status="open", relatedId=start)
    await record(http, "Deploy shop", service="shop", environment="production")
    await http.post(f"/api/v1alpha1/event/{start}/changelog", json={"entry": {"comment": "half way"}})
    main = (await page(http, f"/events/{start}")).one("main")
    assert main.one("h1").text == "Deploy cart"
    assert [li.all("a")[0].text for li in main.one("ol", class_="chain").all("li") if li.all("a")] == [
        "cart is down"
    ]
    assert "half way" in main.one("ol", class_="changes").text
    assert "held by ana" in main.text
    assert "Deploy shop" in main.one("table").text


async def test_of_a_long_changelog_the_newest_entries_are_shown_and_all_on_demand(
    http: httpx2.AsyncClient,
) -> None:
    wanted = await record(http, "Deploy cart")
    for number in range(60):
        entry = {"comment": f"comment {number:02}"}
        await http.post(f"/api/v1alpha1/event/{wanted}/changelog", json={"entry": entry})
    main = (await page(http, f"/events/{wanted}")).one("main")
    assert "The newest 50 of 61 entries." in main.text
    shown = main.one("ol", class_="changes").text
    assert ("comment 59" in shown, "comment 00" in shown) == (True, False)
    (every,) = (a.attributes["href"] for a in main.all("a") if a.text == "Show all")
    assert "comment 00" in (await page(http, every)).one("ol", class_="changes").text


async def test_only_web_addresses_become_links(http: httpx2.AsyncClient) -> None:
    links = {"pullRequestLink": "https://git.example.com/1", "ticket": "CART-1"}
    wanted = await record(http, "Deploy cart", links=links)
    main = (await page(http, f"/events/{wanted}")).one("main")
    outside = [a.attributes["href"] for a in main.all("a") if not a.attributes["href"].startswith("/")]
    assert outside == ["https://git.example.com/1"]
    assert "CART-1" in main.text


async def test_an_unknown_event_has_a_page_that_says_so(http: httpx2.AsyncClient) -> None:
    shown = await page(http, "/events/no-such-event", 404)
    assert "no-such-event" in shown.one("main").text
