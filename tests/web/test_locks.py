"""The pages of locks, without scripts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.behaviour.servers import pages, waiting
from tests.patience import PATIENCE
from tests.web.html import OWN, page, record, send

from tracker.permissions import Permission

if TYPE_CHECKING:
    from typing import Any

    import httpx2

    from tracker.app import App
    from tracker.config.settings import Settings


async def take(http: httpx2.AsyncClient, **fields: Any) -> str:
    body = {"service": "cart", "environment": "production", "who": "ana", **fields}
    answer = await http.post("/api/v1alpha1/lock", json=body, headers={})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["lock"]["id"])


async def test_a_lock_is_listed_with_its_holder_event_and_queue(app: App, http: httpx2.AsyncClient) -> None:
    event = await record(http, "Migrate cart", status="planned")
    await take(http, reason="a migration", ttl="300s", eventId=event)
    await take(http, service="shop")
    waiters = []
    for number, who in enumerate(("bo", "cy"), 1):
        waiters.append(asyncio.ensure_future(take(http, who=who, wait="60s")))
        await waiting(app, number)
    rows = (await page(http, "/locks")).one("table", class_="locks").one("tbody").all("tr")
    assert [row.one("th").one("a").text for row in rows] == ["shop", "cart"]
    text = rows[1].text
    assert "deployment in production" in text
    assert "a migration" in text
    assert "in 4m" in text or "in 5m" in text
    assert f"/events/{event}" in [a.attributes["href"] for a in rows[1].all("a")]
    assert [li.text.split()[0] for li in rows[1].one("ol").all("li")] == ["bo", "cy"]
    assert len((await page(http, "/locks?service=shop")).one("tbody").all("tr")) == 1
    assert "None of these locks is held" in (await page(http, "/locks?service=x&environment=y")).text
    for each in waiters:
        each.cancel()
    await asyncio.wait(waiters)


async def test_a_lock_is_taken_by_hand_and_refused_to_others(http: httpx2.AsyncClient) -> None:
    wanted = {
        "service": "cart",
        "environment": "production",
        "reason": "by hand",
        "who": "ana",
        "lasts": "3600",
    }
    shown = await page(http, "/locks")
    taken = await send(http, shown, "take", **wanted)
    assert taken.one("div", role="status").text == "Taken: cart for deployment in production."
    assert "by hand" in taken.one("main").text
    assert "in 59m" in taken.text or "in 1h" in taken.text
    refused = await send(http, await page(http, "/locks"), "take", 409, **{**wanted, "who": "bo"})
    assert "ana" in refused.one("div", id="problem").text
    assert refused.one("input", id="take-reason").attributes["value"] == "by hand"
    wrong = await send(http, shown, "take", 400, **{**wanted, "lasts": "forever"})
    assert "Lasts" in wrong.one("div", id="problem").text
    after = await send(http, taken, "release")
    assert "No lock is held" in after.text


async def test_a_lock_is_released_by_its_holder(http: httpx2.AsyncClient) -> None:
    lock = await take(http)
    after = await send(http, await page(http, f"/locks/{lock}"), "release")
    assert after.one("div", role="status").text == "Released: cart for deployment in production."
    assert not after.all("table", class_="locks")


async def test_force_needs_a_reason_and_is_recorded(http: httpx2.AsyncClient) -> None:
    event = await record(http, "Migrate cart", status="planned")
    lock = await take(http, eventId=event, lockToken="x" * 22)
    shown = await page(http, f"/locks/{lock}")
    refused = await send(http, shown, "release", 403)
    assert "lock_token" in refused.one("div", id="problem").text
    wrong = await send(http, shown, "force", 400, reason=" ", who="dee")
    assert "expected why" in wrong.one("p", id="force-reason-about").text
    after = await send(http, wrong, "force", reason="ana left", who="dee")
    assert "Released by force" in after.one("div", role="status").text
    assert "ana left" in (await page(http, f"/events/{event}")).one("ol", class_="changes").text
    await page(http, f"/locks/{lock}", 404)


async def test_a_release_without_the_permission_names_it(settings: Settings) -> None:
    some = frozenset({Permission.LOCK_READ, Permission.LOCK_WRITE})
    async with pages(replace(settings, auth_anonymous_permissions=some)) as http:
        lock = await take(http)
        shown = await page(http, f"/locks/{lock}")
        assert "needs the permission lock:force" in shown.one("main").text
        sent = {"action": "force", "reason": "x", "csrf": ""}
        answer = await http.post(f"/locks/{lock}", data=sent, headers=OWN)
        assert answer.status_code == 401
        assert "lock:force" in answer.text
        assert "audit:read" in shown.one("div", class_="past").text


async def test_the_history_of_a_lock_is_that_of_its_key(settings: Settings) -> None:
    everything = replace(settings, auth_anonymous_permissions=frozenset(Permission))
    async with pages(everything) as http:
        lock = await take(http, reason="a migration")
        await take(http, environment="integration", who="other")
        await send(http, await page(http, f"/locks/{lock}"), "force", reason="ana left", who="dee")
        again = await take(http, environment="PROD", who="bo")
        await _recorded(http, 4)
        past = (await page(http, f"/locks/{again}")).one("div", class_="past")
        rows = [row.text for row in past.one("tbody").all("tr")]
        assert [("bo" in row, "ana" in row) for row in rows] == [(True, False), (False, True), (False, True)]
        assert "released by force" in rows[1]
        assert "ana left" in rows[1]
        assert "a migration" in rows[2]
        same = await page(http, "/locks/history?service=cart&environment=production")
        assert same.one("div", class_="past").one("tbody").text == past.one("tbody").text


async def _recorded(http: httpx2.AsyncClient, changes: int) -> None:
    """Wait until the audit log has so many changes of locks."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await http.get("/api/v1alpha1/audit/entries?record=lock")
            if len(answer.json()["entries"]) >= changes:
                return
            await asyncio.sleep(0.05)
