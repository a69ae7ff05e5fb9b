"""Tokens that people and tokens make for themselves: never wider than who made them, nor valid for longer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.canaries import canary

from tracker.api.login import AUTH

if TYPE_CHECKING:
    import httpx2
    from tests.clocks import StoppedClock

    from tracker.app import App
    from tracker.config.settings import Settings

KEYS = f"{AUTH}/api-keys"
PASSWORD = canary("password")

PASSWORD = canary("admin password")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, auth_anonymous_permissions=frozenset(), auth_own_token_max_days=30)


@pytest.fixture
def admin(app: App) -> dict[str, str]:
    return {"x-api-key": app.access.first_key or ""}


class People:
    """Makes users and teams, and calls as them."""

    def __init__(self, http: httpx2.AsyncClient, admin: dict[str, str]) -> None:
        self.http, self.admin = http, admin

    async def done(self, verb: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> Any:
        answer = await self.http.request(verb, path, json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refused(self, headers: dict[str, str], **body: Any) -> tuple[int, str]:
        answer = await self.http.post(KEYS, json={"name": "mine", "own": True, **body}, headers=headers)
        return answer.status_code, answer.json()["details"][0]["reason"]

    async def team(self, **body: Any) -> str:
        return str((await self.done("POST", f"{AUTH}/teams", body, self.admin))["team"]["id"])

    async def user(self, name: str, *teams: str) -> tuple[str, dict[str, str]]:
        """Return the id of a new user, and the headers of its calls."""
        body = {"username": name, "password": PASSWORD, "teamIds": teams}
        user = await self.done("POST", f"{AUTH}/users", body, self.admin)
        login = await self.http.post(f"{AUTH}/login", json={"username": name, "password": PASSWORD})
        self.http.cookies.clear()
        return user["user"]["id"], {"authorization": f"Bearer {login.cookies['tracker_session']}"}

    async def own(
        self, headers: dict[str, str], *permissions: str, **body: Any
    ) -> tuple[str, dict[str, str]]:
        """Return the id of a new token of one's own, and the headers of its calls."""
        body |= {"name": "mine", "own": True, "permissions": permissions}
        made = await self.done("POST", KEYS, body, headers)
        return made["apiKey"]["id"], {"x-api-key": made["secret"]}

    async def records(self, headers: dict[str, str], service: str) -> int:
        """Return the status of recording an event of a service."""
        event = {"title": "t", "attributes": {"service": service, "type": "deployment"}}
        return (await self.http.post("/api/v1alpha1/event", json=event, headers=headers)).status_code

    async def listed(self, headers: dict[str, str]) -> list[str]:
        answer = await self.http.get(KEYS, headers=headers)
        return [each["id"] for each in answer.json()["apiKeys"]]


@pytest.fixture
def people(http: httpx2.AsyncClient, admin: dict[str, str]) -> People:
    return People(http, admin)


async def test_a_token_of_ones_own_allows_what_its_holder_may_at_the_time(people: People) -> None:
    team = await people.team(name="shop", permissions=["event:read", "event:write"], scopeServices=["shop-*"])
    ada, session = await people.user("ada", team)
    _, whole = await people.own(session, "event:write")
    _, narrow = await people.own(session, "event:write", services=["shop-cart", "payments"])
    assert [await people.records(whole, each) for each in ("shop-cart", "shop-x", "payments")] == [
        200,
        200,
        403,
    ]
    assert [await people.records(narrow, each) for each in ("shop-cart", "shop-x", "payments")] == [
        200,
        403,
        403,
    ]
    assert await people.refused(session, permissions=["lock:write"]) == (403, "PERMISSION_REQUIRED")
    elsewhere = {"permissions": ["event:write"], "services": ["payments"]}
    assert await people.refused(session, **elsewhere) == (403, "PERMISSION_REQUIRED")
    assert await people.refused(session, permissions=["event:read"], own=False) == (
        403,
        "PERMISSION_REQUIRED",
    )
    assert await people.refused(session) == (400, "INVALID_FIELD")
    assert await people.refused({}, permissions=["event:read"]) == (401, "AUTHENTICATION_REQUIRED")

    less = {"name": "shop", "permissions": ["event:write"], "scopeServices": ["shop-cart"]}
    await people.done("PUT", f"{AUTH}/teams/{team}", less, people.admin)
    assert [await people.records(whole, each) for each in ("shop-cart", "shop-x")] == [200, 403]
    await people.done("PUT", f"{AUTH}/users/{ada}", {"teamIds": [team], "disabled": True}, people.admin)
    assert [await people.records(each, "shop-cart") for each in (whole, narrow)] == [401, 401]
    await people.done("PUT", f"{AUTH}/users/{ada}", {"teamIds": [team]}, people.admin)
    assert await people.records(whole, "shop-cart") == 200


async def test_holders_see_replace_and_revoke_their_own_tokens_alone(
    people: People, clock: StoppedClock
) -> None:
    team = await people.team(name="shop", permissions=["event:write"])
    (_, ada), (_, ben) = await people.user("ada", team), await people.user("ben", team)
    mine, token = await people.own(ada, "event:write")
    assert (await people.listed(ada), await people.listed(ben)) == ([mine], [])
    assert mine in await people.listed(people.admin)
    for path in (f"{KEYS}/{mine}", f"{KEYS}/{'0' * 24}"):
        assert (await people.http.delete(path, headers=ben)).status_code == 404
    rotated = await people.done("POST", f"{KEYS}/{mine}/rotate", {"overlap": "60s"}, ada)
    clock.seconds += 61
    assert await people.records(token, "shop") == 401
    token = {"x-api-key": rotated["secret"]}
    assert await people.records(token, "shop") == 200

    late = (datetime.now(UTC) + timedelta(days=31)).isoformat()
    longer = {"permissions": ["event:write"], "expiresAt": late}
    assert await people.refused(ada, **longer) == (400, "INVALID_FIELD")
    answer = await people.http.post(
        f"{KEYS}/{rotated['apiKey']['id']}/rotate", json={"expiresAt": late}, headers=ada
    )
    assert (answer.status_code, "30 days ahead at most" in answer.json()["message"]) == (400, True)
    await people.done("DELETE", f"{KEYS}/{rotated['apiKey']['id']}", {}, ada)
    assert await people.records(token, "shop") == 401
    assert await people.listed(ada) == []


async def test_a_token_of_a_token_ends_with_it_and_makes_none(people: People) -> None:
    body = {"name": "ci", "permissions": ["event:write"], "services": ["shop"]}
    parent = await people.done("POST", KEYS, body, people.admin)
    headers = {"x-api-key": parent["secret"]}
    _, child = await people.own(headers, "event:write")
    assert [await people.records(child, each) for each in ("shop", "payments")] == [200, 403]
    assert await people.refused(child, permissions=["event:write"]) == (400, "NO_OWN_API_KEYS")
    await people.done("DELETE", f"{KEYS}/{parent['apiKey']['id']}", {}, people.admin)
    assert await people.records(child, "shop") == 401


async def test_a_holder_has_a_hundred_tokens_at_most(people: People) -> None:
    _, session = await people.user("ada", await people.team(name="shop", permissions=["event:read"]))
    ids = [(await people.own(session, "event:read"))[0] for _ in range(100)]
    await people.done("DELETE", f"{KEYS}/{ids[0]}", {}, session)
    assert await people.refused(session, permissions=["event:read"]) == (429, "TOO_MANY_API_KEYS")
