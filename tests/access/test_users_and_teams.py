"""Users and teams: what is kept of them, what is refused in which words, and what members may do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from tests.canaries import canary
from tests.clients import http_client

from tracker.app import App
from tracker.domain.people import ADMINISTRATORS

if TYPE_CHECKING:
    import httpx2

    from tracker.config.settings import Settings

pytestmark = pytest.mark.anyio

AUTH = "/api/v1alpha1/auth"
PASSWORD = canary("password")


async def made(http: httpx2.AsyncClient, what: str, body: dict[str, Any]) -> Any:
    answer = await http.post(f"{AUTH}/{what}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def a_user(http: httpx2.AsyncClient, name: str, *teams: str) -> Any:
    return (await made(http, "users", {"username": name, "password": PASSWORD, "teamIds": teams}))["user"]


async def refused(http: httpx2.AsyncClient, verb: str, path: str, **body: Any) -> tuple[int, str]:
    answer = await http.request(verb, f"{AUTH}/{path}", json=body)
    message = answer.json()["message"]
    return answer.status_code, message


async def test_a_user_and_a_team_are_kept_as_they_were_said(http: httpx2.AsyncClient) -> None:
    team = (
        await made(
            http,
            "teams",
            {
                "name": " Web ",
                "permissions": ["event:write ", "event:read", "event:read"],
                "scopeServices": ["b", " a", "a"],
                "oidcGroups": ["g"],
            },
        )
    )["team"]
    assert (team["name"], team["permissions"]) == ("Web", ["event:read", "event:write"])
    assert (team["scopeAll"], team["scopeServices"]) == (False, ["a", "b"])
    user = await a_user(http, "Ada.L", team["id"])
    assert (user["source"], user["mustChangePassword"], user["teamIds"]) == ("local", True, [team["id"]])
    assert (await http.get(f"{AUTH}/users")).json()["users"] == [user]
    names = [each["name"] for each in (await http.get(f"{AUTH}/teams")).json()["teams"]]
    assert names == ["Administrators", "Web"]
    changed = {"displayName": "Ada", "email": "ada@example.com"}
    (await http.put(f"{AUTH}/users/{user['id']}", json=changed)).raise_for_status()
    (only,) = (await http.get(f"{AUTH}/users")).json()["users"]
    assert (only["displayName"], only["teamIds"], only["username"]) == ("Ada", [], "Ada.L")


async def test_scopes_without_services_are_those_of_all(http: httpx2.AsyncClient) -> None:
    for body in ({"name": "a"}, {"name": "b", "scopeAll": True, "scopeServices": ["x"]}):
        team = (await made(http, "teams", body))["team"]
        assert (team["scopeAll"], team["scopeServices"]) == (True, [])


async def test_what_breaks_a_rule_is_refused_in_the_words_of_the_contract(http: httpx2.AsyncClient) -> None:
    ada = await a_user(http, "ada")
    assert await refused(http, "POST", "users", username="ADA", password=PASSWORD) == (
        409,
        "user already exists",
    )
    word = "username must be 2 to 64 characters of letters, digits, dot, underscore or dash"
    for name in ("a", "-ada", "a b", "a" * 65):
        assert await refused(http, "POST", "users", username=name, password=PASSWORD) == (400, word)
    status, text = await refused(http, "POST", "users", username="bob", password="short")
    assert (status, text) == (400, "password: password must be 12 to 128 characters")
    unknown = "f" * 24
    missing = (404, "one of the teams does not exist")
    one = {"username": "bob", "password": PASSWORD, "teamIds": [unknown]}
    assert await refused(http, "POST", "users", **one) == missing
    assert await refused(http, "PUT", f"users/{ada['id']}", teamIds=[unknown]) == missing
    assert await refused(http, "PUT", f"users/{unknown}") == (404, "user not found")
    assert await refused(http, "PUT", "users/x") == (404, "user not found")
    assert await refused(http, "PUT", "teams/x", name="n") == (404, "team not found")
    assert await refused(http, "DELETE", f"teams/{unknown}") == (404, "team not found")
    await made(http, "teams", {"name": "web"})
    assert await refused(http, "POST", "teams", name="Web") == (409, "team already exists")
    length = (400, "team name must be 1 to 64 characters")
    assert await refused(http, "POST", "teams", name=" ") == length
    assert await refused(http, "POST", "teams", name="n" * 65) == length
    status, text = await refused(http, "POST", "teams", name="n", permissions=["event:wriet"])
    assert status == 400
    assert text.startswith('unknown permission "event:wriet"')
    built_in = (400, "the built-in team cannot be deleted")
    assert await refused(http, "DELETE", f"teams/{ADMINISTRATORS}") == built_in


async def test_of_the_built_in_team_only_the_description_and_the_groups_change(
    http: httpx2.AsyncClient,
) -> None:
    body = {"name": "x", "description": "d", "permissions": ["event:read"], "oidcGroups": ["admins"]}
    team = (await http.put(f"{AUTH}/teams/{ADMINISTRATORS}", json=body)).json()["team"]
    assert (team["name"], team["description"], team["oidcGroups"]) == ("Administrators", "d", ["admins"])
    assert (team["builtin"], team["permissions"]) == (True, [])


async def test_the_last_administrator_stays(http: httpx2.AsyncClient) -> None:
    ada = await a_user(http, "ada", ADMINISTRATORS)
    last = (400, "cannot remove the last administrator")
    changes: list[dict[str, Any]] = [{"teamIds": []}, {"teamIds": [ADMINISTRATORS], "disabled": True}]
    for change in changes:
        assert await refused(http, "PUT", f"users/{ada['id']}", **change) == last
    await a_user(http, "bob", ADMINISTRATORS)
    (await http.put(f"{AUTH}/users/{ada['id']}", json={"disabled": True})).raise_for_status()


async def test_a_user_logs_in_until_disabled_or_given_another_password(http: httpx2.AsyncClient) -> None:
    ada = await a_user(http, "ada", ADMINISTRATORS)
    await a_user(http, "bob", ADMINISTRATORS)
    change: dict[str, Any] = {"teamIds": [ADMINISTRATORS]}
    for body in ({"newPassword": canary("new password")}, {"disabled": True}):
        password = PASSWORD if "newPassword" in body else canary("new password")
        login = await http.post(f"{AUTH}/login", json={"username": "ada", "password": password})
        assert login.status_code == 204
        cookies = {
            "cookie": f"tracker_session={login.cookies['tracker_session']}",
            "origin": str(http.base_url),
        }
        cookies["sec-fetch-site"] = "same-origin"
        http.cookies.clear()
        assert (await http.get(f"{AUTH}/me", headers=cookies)).json()["kind"] == "user"
        own = cookies | {"x-csrf-token": login.cookies["tracker_csrf"]}
        itself = await http.put(f"{AUTH}/users/{ada['id']}", json={"disabled": True}, headers=own)
        assert itself.json()["message"] == "you cannot disable your own account"
        (await http.put(f"{AUTH}/users/{ada['id']}", json=change | body)).raise_for_status()
        assert (await http.get(f"{AUTH}/me", headers=cookies)).json()["kind"] == "anonymous"
    again = await http.post(f"{AUTH}/login", json={"username": "ada", "password": canary("new password")})
    assert again.status_code == 401


async def test_a_key_of_a_team_has_its_rights_until_the_team_is_deleted(http: httpx2.AsyncClient) -> None:
    team = (await made(http, "teams", {"name": "web", "permissions": ["event:read"]}))["team"]
    user = await a_user(http, "ada", team["id"])
    secret = (await made(http, "api-keys", {"name": "k", "teamId": team["id"]}))["secret"]
    key = {"x-api-key": secret}
    assert (await http.get(f"{AUTH}/me", headers=key)).json()["permissions"] == ["event:read"]
    more = {"name": "web", "permissions": ["event:read", "lock:read"]}
    (await http.put(f"{AUTH}/teams/{team['id']}", json=more)).raise_for_status()
    assert (await http.get(f"{AUTH}/me", headers=key)).json()["permissions"] == more["permissions"]
    assert await refused(http, "POST", "api-keys", name="k", teamId="f" * 24) == (
        404,
        "one of the teams does not exist",
    )
    (await http.delete(f"{AUTH}/teams/{team['id']}")).raise_for_status()
    assert (await http.get(f"{AUTH}/me", headers=key)).status_code == 401
    (only,) = (await http.get(f"{AUTH}/users")).json()["users"]
    assert (only["id"], only["teamIds"]) == (user["id"], [])


async def test_only_administrators_create_keys_that_may_do_everything(http: httpx2.AsyncClient) -> None:
    narrow = (await made(http, "api-keys", {"name": "k", "permissions": ["access:manage"]}))["secret"]
    answer = await http.post(f"{AUTH}/api-keys", json={"name": "all"}, headers={"x-api-key": narrow})
    assert (answer.status_code, answer.json()["message"]) == (
        403,
        "only administrators can create global api keys",
    )


async def test_servers_of_a_database_never_give_a_name_twice_and_leave_an_administrator(
    http: httpx2.AsyncClient, settings: Settings
) -> None:
    if settings.mongo_uri is None:
        pytest.skip("a file has one server")
    log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
    async with App(settings, log) as other, http_client(other.http_address) as elsewhere:
        team = (await made(http, "teams", {"name": "old"}))["team"]
        calls = [each.post(f"{AUTH}/teams", json={"name": "Web"}) for each in (http, elsewhere)]
        calls += [
            each.post(f"{AUTH}/users", json={"username": name, "password": PASSWORD})
            for each, name in ((http, "ada"), (elsewhere, "Ada"))
        ]
        answers = [answer.status_code for answer in await asyncio.gather(*calls)]
        assert [sorted(answers[:2]), sorted(answers[2:])] == [[200, 409], [200, 409]]
        renamed = {"name": "WEB"}
        assert await refused(http, "PUT", f"teams/{team['id']}", **renamed) == (409, "team already exists")
        ids = [(await a_user(http, name, ADMINISTRATORS))["id"] for name in ("bob", "eve")]
        servers = zip((http, elsewhere), ids, strict=True)
        calls = [server.put(f"{AUTH}/users/{user_id}", json={}) for server, user_id in servers]
        assert sorted(answer.status_code for answer in await asyncio.gather(*calls)) == [200, 400]
