"""Hostile strings stored in every field stay text: nothing runs, and nothing is asked of another origin."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.web.browser.hostile_strings import NUMBER, strings

from tracker.domain.query.fields import FACETS
from tracker.web.pages import NAVIGATION, PAGES

if TYPE_CHECKING:
    import httpx2
    from playwright.async_api import Page
    from tests.web.browser.readers import Readers

    from tracker.app import App

API = "/api/v1alpha1"
STEP = 23
"""How far apart the strings of an event's fields are: every eighth event has all of them somewhere."""
TEXTS = strings()
MADE = "document.querySelectorAll('main :is(script, iframe, object, embed, img, base, audio, video)').length"


def text(place: int, field: int) -> str:
    return TEXTS[(place + field * STEP) % NUMBER]


async def record(http: httpx2.AsyncClient, place: int) -> str:
    """Record an event with a string in each field that takes text, and return its id."""
    names = ("service", "owner", "source", "message", "version")
    answer = await http.post(
        f"{API}/event",
        json={
            "title": text(place, 0),
            "attributes": {
                **{name: text(place, field) for field, name in enumerate(names, 1)},
                "type": "incident" if place % 16 == 8 else "deployment",
                "status": "open" if place % 16 == 8 else "failure",
                "environment": "production",
                "stakeHolders": [text(place, 6)],
                "notifications": [text(place, 7)],
                "labels": {"x": text(place, 8)},
            },
            "links": {
                "ticket": f"CART-1 {text(place, 1)}",
                "pullRequestLink": f"https://git.example/{text(place, 0)}",
            },
        },
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["event"]["metadata"]["id"])


async def store(http: httpx2.AsyncClient) -> list[str]:
    """Store the strings in events, catalog entries and locks; return the ids of the events."""
    ids = [await record(http, place) for place in range(NUMBER)]
    for place in range(0, NUMBER, 8):
        entry: dict[str, Any] = {
            "name": text(place, 0),
            "owner": text(place, 1),
            "version": text(place, 2),
            "type": "project",
        }
        entry |= {"description": text(place, 3), "dependenciesOut": [text(place, 0), text(place, 4)]}
        lock: dict[str, Any] = {"service": text(place, 0), "who": text(place, 1), "reason": text(place, 2)}
        lock |= {"resource": text(place, 3), "labels": {"x": text(place, 4)}, "eventId": ids[place]}
        freeze = {"title": text(place, 0), "type": "soft", "description": text(place, 1), "active": True}
        freeze |= {"services": [text(place, 2)], "startsAt": "2040-01-01T00:00:00Z", "duration": "P1D"}
        view = {"group": text(place, 3), "name": text(place, 0), "url": f"/events?q={quote(text(place, 1))}"}
        kept = {key: text(place, 4) for key in ("reason", "message", "severity", "reportingController")}
        for answer in (
            await http.post(f"{API}/freeze-window", json=freeze),
            await http.post("/api/links", json=view),
            await http.post(f"{API}/integrations/flux/webhook", json=kept),
            await http.put(f"{API}/catalog", json=entry),
            await http.post(f"{API}/lock", json=lock),
            await http.post(
                f"{API}/event/{ids[place]}/changelog", json={"entry": {"comment": text(place, 0)}}
            ),
        ):
            assert answer.is_success, answer.text
    return ids


async def addresses(page: Page) -> list[str]:
    """Look at the pages of the menu, and return the addresses of two of each kind that they lead to."""
    found: list[str] = []
    kinds = [re.compile(re.sub(r"\{[^}]*\}", "[^/?]+", each.path)) for each in PAGES if "{" in each.path]
    for path, _ in NAVIGATION:
        await page.goto(path)
        assert await page.evaluate(MADE) == 0, path
        links = await page.eval_on_selector_all(
            "main a[href^='/']", "all => all.map(a => a.getAttribute('href'))"
        )
        for kind in kinds:
            found += [link for link in links if kind.fullmatch(link)][:2]
    return found


async def test_hostile_text_runs_nowhere(app: App, http: httpx2.AsyncClient, readers: Readers) -> None:
    ids = await store(http)
    page = await readers.visit(app, "/events")
    visited: list[str] = await addresses(page)
    columns = "service,owner,source,message,version,label.x"
    visited += [f"/events?cols={columns}&event={ids[0]}", f"/events?cols={columns}&sort=time"]
    visited += [
        f"/events?facet={field.name}"
        for field in FACETS
        if field.name in {"service", "owner", "source", "version"}
    ]
    visited += [f"/insights?by={name}&from=7d" for name in ("service", "owner", "label.x")]
    visited += [f"/events/{id_}" for id_ in ids[::8]]
    for address in visited:
        await page.goto(address)
        assert await page.evaluate(MADE) == 0, address
    assert readers.troubles == []


async def test_hostile_text_in_an_address_or_a_query_runs_nowhere(
    app: App, http: httpx2.AsyncClient, readers: Readers
) -> None:
    for place in range(0, NUMBER, 40):
        await record(http, place)
    page = await readers.visit(app, "/events")
    for each in TEXTS[::16]:
        await page.goto(
            f"/events?q={quote(each)}&from={quote(each)}&zone={quote(each)}&cols={quote(each)}&event={quote(each)}"
        )
        assert await page.evaluate(MADE) == 0, each
    for word in ("service:", "owner:", "source:"):
        await page.goto("/events")
        await page.locator("#q").type(word)
        await page.get_by_role("option").first.click()
        await page.locator("#q").press("Enter")
        await page.wait_for_url(lambda address: "q=" in address)
    assert readers.troubles == []


async def test_names_without_spaces_widen_no_page(
    app: App, http: httpx2.AsyncClient, readers: Readers
) -> None:
    name, version = "reconciliation-of-payments" * 7, "v1+sha." + "0123456789" * 7
    entry = {
        "name": name,
        "owner": name,
        "type": "project",
        "version": version,
        "dependenciesOut": [name, "x" * 200],
    }
    lock = {
        "service": name,
        "who": name,
        "resource": "a/" * 99,
        "environment": "production",
        "reason": "y" * 2000,
    }
    freeze = {"title": "z" * 500, "type": "hard", "services": [name, *map(str, range(99))], "active": True}
    freeze |= {"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2090-01-01T00:00:00Z"}
    hook = {
        "name": name,
        "url": "https://1.1.1.1/" + "a" * 900,
        "query": " OR ".join(f"service:{name}" for _ in range(9)),
    }
    labels = {"service": name, "owner": name, "version": version, "environment": "production"}
    for status, type_ in (("success", "deployment"), ("planned", "operation"), ("open", "incident")):
        event = {"title": name, "attributes": {**labels, "type": type_, "status": status, "message": name}}
        assert (await http.post(f"{API}/event", json=event)).is_success
    for path, content in (("lock", lock), ("freeze-window", freeze), ("webhooks", hook)):
        assert (await http.post(f"{API}/{path}", json=content)).is_success, path
    assert (await http.put(f"{API}/catalog", json=entry)).is_success
    assert (await http.post(f"{API}/integrations/flux/webhook", json={"reason": "n" * 999})).is_success
    page = await readers.visit(app, "/events", width=360)
    visited = [*(path for path, _ in NAVIGATION), *await addresses(page)]
    visited += [
        "/calendar?week=2031-03-05",
        "/matrix",
        "/webhooks",
        "/insights?by=service",
        "/insights/delivery?by=service",
    ]
    visited.append(f"/deploy-check?service={name}&environment=production&version={quote(version)}")
    for width in (360, 1280):
        await page.set_viewport_size({"width": width, "height": 900})
        for address in visited:
            await page.goto(address)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, address
