"""The page of the reader: its rights, tokens and session."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.behaviour.servers import pages
from tests.canaries import canary
from tests.web.html import OWN, page, send

from tracker.permissions import Permission

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2

    from tracker.config.settings import Settings

PASSWORD = "correct horse battery"


@pytest.fixture
async def site(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a server where readers without credentials see events alone."""
    reading = frozenset({Permission.EVENT_READ})
    wanted = replace(settings, auth_anonymous_permissions=reading, auth_admin_password=PASSWORD)
    async with pages(wanted) as http:
        yield http


@pytest.fixture
async def admin(site: httpx2.AsyncClient) -> dict[str, str]:
    """Give the headers of a browser in which the administrator has logged in."""
    answer = await site.post("/login", data={"username": "admin", "password": PASSWORD}, headers=OWN)
    token = answer.cookies["tracker_session"]
    site.cookies.clear()
    return {**OWN, "cookie": f"tracker_session={token}"}


async def test_a_token_is_made_shown_once_and_revoked(
    site: httpx2.AsyncClient, admin: dict[str, str]
) -> None:
    shown = await page(site, "/account", **admin)
    made = {"name": "ci", "event:write": "1", "services": "cart-*, shop", "days": "7"}
    after = await send(site, shown, "create", 200, admin, **made)
    secret = {"x-api-key": after.one("pre", id="secret").text}
    me = (await site.get("/api/v1alpha1/auth/me", headers=secret)).json()
    assert (me["permissions"], me["scopeServices"]) == (["event:write"], ["cart-*", "shop"])
    again = await send(site, shown, "create", 200, admin, **made)
    assert not again.all("pre", id="secret")
    assert "was shown before" in again.text
    listed = await page(site, "/account", **admin)
    assert secret["x-api-key"] not in listed.text
    assert len(listed.one("table", id="tokens").one("tbody").all("tr")) == 1
    replaced = await send(site, listed, "rotate", 200, admin)
    newer = {"x-api-key": replaced.one("pre", id="secret").text}
    for each in (secret, newer):
        assert (await site.get("/api/v1alpha1/auth/me", headers=each)).json()["displayName"] == "ci"
    gone = await send(site, listed, "revoke", 303, admin)
    assert gone.one("div", role="status").text == "The token is revoked."
    assert (await site.get("/api/v1alpha1/auth/me", headers=secret)).status_code == 401


async def test_people_make_tokens_of_their_own(site: httpx2.AsyncClient, admin: dict[str, str]) -> None:
    token = {"authorization": f"Bearer {admin['cookie'].partition('=')[2]}"}
    auth = "/api/v1alpha1/auth"
    team = {"name": "readers", "permissions": ["event:read"]}
    team_id = (await site.post(f"{auth}/teams", json=team, headers=token)).json()["team"]["id"]
    user = {"username": "ada", "password": PASSWORD, "teamIds": [team_id]}
    assert (await site.post(f"{auth}/users", json=user, headers=token)).status_code == 200
    login = await site.post("/login", data=user, headers=OWN)
    site.cookies.clear()
    ada = {**OWN, "cookie": f"tracker_session={login.cookies['tracker_session']}"}
    shown = await page(site, "/account", **ada)
    assert not shown.all("input", name="event:write")
    after = await send(site, shown, "create", 200, ada, name="laptop", days="7", **{"event:read": "1"})
    assert "your own" in after.one("table", id="tokens").text
    secret = {"x-api-key": after.one("pre", id="secret").text}
    assert (await site.get("/api/v1alpha1/events/list", headers=secret)).status_code == 200
    assert "laptop" not in (await page(site, "/account", **admin)).text


async def test_who_sees_some_services_alone_is_told_which(
    site: httpx2.AsyncClient, admin: dict[str, str]
) -> None:
    shown = await page(site, "/account", **admin)
    made = {"name": "night", "event:read": "1", "services": "cart-*, shop", "environments": "production"}
    after = await send(site, shown, "create", 200, admin, **made, days="7")
    narrowed = {"x-api-key": after.one("pre", id="secret").text}
    for path in ("/", "/events", "/matrix"):
        told = "You see only what belongs to service cart-* or shop and environment production."
        assert told in (await page(site, path, **narrowed)).one("main").text
        assert "You see only" not in (await page(site, path, **admin)).one("main").text
    refused = await page(site, "/deploy-check?service=billing&environment=production", **narrowed)
    assert "event:read required for service billing, environment production" in refused.one("main").text


async def test_a_page_with_a_secret_is_kept_nowhere(site: httpx2.AsyncClient, admin: dict[str, str]) -> None:
    shown = await page(site, "/account", **admin)
    csrf = next(each.attributes["value"] for each in shown.all("input") if each.attributes["name"] == "csrf")
    sent = {"action": "create", "csrf": csrf, "name": "ci", "event:read": "1", "days": "7"}
    answer = await site.post("/account", data=sent, headers=admin)
    assert answer.headers["cache-control"] == "no-store"


async def test_a_token_has_a_name_and_permissions(site: httpx2.AsyncClient, admin: dict[str, str]) -> None:
    shown = await page(site, "/account", **admin)
    wrong = await send(site, shown, "create", 400, admin, name="ci")
    assert "choose what the token may do" in wrong.one("div", id="problem").text
    wrong = await send(site, wrong, "create", 400, admin, **{"name": " ", "event:read": "1"})
    assert wrong.one("p", id="create-name-about").all("b")
    assert "checked" in wrong.one("input", name="event:read").attributes


async def test_readers_see_their_rights_and_make_no_tokens(site: httpx2.AsyncClient) -> None:
    shown = await page(site, "/account")
    assert "event:read" in shown.one("main").text
    assert "access:manage" in shown.one("main").text
    answer = await site.post("/account", data={"action": "create", "csrf": "", "name": "x"}, headers=OWN)
    assert answer.status_code == 401


async def test_a_session_ends_on_its_page(site: httpx2.AsyncClient, admin: dict[str, str]) -> None:
    shown = await page(site, "/account", **admin)
    assert shown.one("main").one("form", action="/logout")
    assert (await site.post("/logout", headers=admin)).status_code == 303
    assert "You are not logged in" in (await page(site, "/account", **admin)).text


async def test_sessions_are_listed_and_ended(site: httpx2.AsyncClient, admin: dict[str, str]) -> None:
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    tokens = []
    for _ in range(3):
        entries = {"username": "admin", "password": PASSWORD}
        answer = await site.post("/login", data=entries, headers={**OWN, "user-agent": firefox})
        tokens.append({**OWN, "cookie": f"tracker_session={answer.cookies['tracker_session']}"})
        site.cookies.clear()
    shown = (await page(site, "/account", **admin)).one("table", id="sessions")
    assert shown.text.count("Firefox on Linux") == 3
    assert shown.text.count("this session") == 1
    assert shown.text.count("127.0.0.1") == 4
    after = await send(site, shown.all("form")[0], "end", 303, admin)
    assert after.one("div", role="status").text == "The session is over."
    assert len(after.one("table", id="sessions").all("form")) == 2
    alone = await send(site, after, "end-others", 303, admin)
    assert not alone.one("table", id="sessions").all("form")
    for each in tokens:
        assert "You are not logged in" in (await page(site, "/account", **each)).text


async def test_a_password_is_changed(site: httpx2.AsyncClient, admin: dict[str, str]) -> None:
    shown = await page(site, "/account", **admin)
    new = canary("new password")
    wrong = await send(site, shown, "password", 400, admin, current=PASSWORD, new=new, again="x")
    assert "the two new passwords differ" in wrong.one("p", id="password-again-about").text
    wrong = await send(site, shown, "password", 401, admin, current="x", new=new, again=new)
    assert "current password is incorrect" in wrong.one("div", id="problem").text
    assert not any("value" in each.attributes for each in wrong.all("input", type="password"))
    changed = await send(site, shown, "password", 303, admin, current=PASSWORD, new=new, again=new)
    assert "Your password is changed" in changed.one("div", role="status").text
    assert "You are not logged in" in (await page(site, "/account", **admin)).text
    entries = {"username": "admin", "password": new}
    assert (await site.post("/login", data=entries, headers=OWN)).status_code == 303


async def test_a_reader_chooses_the_view_that_opens_first_and_a_team_has_its_heading(
    site: httpx2.AsyncClient, admin: dict[str, str]
) -> None:
    address = "/events?q=status%3Afailure&from=30d"
    named = {"name": "Failures", "team": "Shop", "shared": "1"}
    saved = await send(site, await page(site, address, **admin), "save-view", 303, admin, **named)
    assert [each.text for each in saved.one("details", id="views").all("h3")] == ["Shop"]
    shown = await send(site, saved, "first-view", 303, admin)
    first = await site.get("/events", headers=admin, follow_redirects=False)
    assert (first.status_code, first.headers["location"]) == (303, address)
    assert (await site.get("/events", follow_redirects=False)).status_code == 200  # of another reader
    (link,) = shown.one("details", id="views").all("a", href=address)
    assert link.text == "Failures"
    everything = await page(site, address.replace("failure", "none"), **admin)
    dropped = next(a for a in everything.one("section", id="list").all("a") if a.text == "Drop the query")
    assert (await site.get(dropped.attributes["href"], headers=admin)).status_code == 200
    await send(site, shown, "usual-view", 303, admin)
    assert (await site.get("/events", headers=admin, follow_redirects=False)).status_code == 200
