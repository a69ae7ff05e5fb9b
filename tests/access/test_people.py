"""People who log in with a name and a password, in browsers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest
import structlog
from tests.canaries import canary
from tests.clients import GrpcClient, http_client
from tests.patience import PATIENCE

from tracker.app import App
from tracker.domain.times import micros
from tracker.services.access.sessions import csrf_token
from tracker.time_text import MICROS

if TYPE_CHECKING:
    import httpx2
    from tests.clocks import StoppedClock

    from tracker.config.settings import Settings

AUTH = "/api/v1alpha1/auth"
PASSWORD = canary("admin password")
OWN = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(
        settings, auth_anonymous_permissions=frozenset(), auth_admin_password=PASSWORD, auth_session_ttl=600
    )


async def logged_in(http: httpx2.AsyncClient, password: str = PASSWORD, **headers: str) -> dict[str, str]:
    """Log in; return the headers of requests by a page of the server."""
    body = {"username": "Admin", "password": password}
    answer = await http.post(f"{AUTH}/login", json=body, headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")
    token = answer.cookies["tracker_session"]
    http.cookies.clear()
    return OWN | {"cookie": f"a=b; tracker_session={token}", "x-csrf-token": answer.cookies["tracker_csrf"]}


async def kind(http: httpx2.AsyncClient, headers: dict[str, str]) -> Any:
    return (await http.get(f"{AUTH}/me", headers=headers)).json()["kind"]


async def test_a_login_gives_a_session_that_scripts_cannot_read(http: httpx2.AsyncClient) -> None:
    answer = await http.post(f"{AUTH}/login", json={"username": "admin", "password": PASSWORD}, headers=OWN)
    session, csrf = answer.headers.get_list("set-cookie")
    assert session.startswith("tracker_session=")
    assert "; Path=/; Max-Age=600; Expires=" in session
    assert session.endswith("; HttpOnly; SameSite=Lax")
    assert csrf.startswith(f"tracker_csrf={csrf_token(answer.cookies['tracker_session'])};")
    assert "HttpOnly" not in csrf


async def test_a_session_has_the_rights_of_its_user(http: httpx2.AsyncClient) -> None:
    headers = await logged_in(http)
    me = (await http.get(f"{AUTH}/me", headers=headers)).json()
    assert (me["kind"], me["authenticated"], me["isAdmin"]) == ("user", True, True)
    created = await http.post(f"{AUTH}/api-keys", json={"name": "ci"}, headers=headers)
    assert created.status_code == 200
    assert created.json()["apiKey"]["createdBy"] == me["principal"]


@pytest.mark.parametrize(
    ("site", "known"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"origin": "http://HOST"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "http://HOST"}, False),
        ({"origin": "https://other.example"}, False),
        ({"origin": "null"}, False),
        ({}, False),
        ({"sec-fetch-site": "same-origin", "authorization": "Bearer trk_x"}, False),
    ],
    ids=str,
)
async def test_a_cookie_counts_only_for_pages_of_this_server(
    http: httpx2.AsyncClient,
    site: dict[str, str],
    known: bool,
) -> None:
    headers = await logged_in(http)
    host = http.base_url.netloc.decode()
    sent = {name: value.replace("HOST", host) for name, value in site.items()}
    answer = await http.get(f"{AUTH}/me", headers={"cookie": headers["cookie"]} | sent)
    assert (answer.json().get("kind") == "user") is known


async def test_a_change_by_a_session_needs_its_csrf_token(http: httpx2.AsyncClient) -> None:
    headers = await logged_in(http)
    event = {"title": "x", "attributes": {"service": "checkout", "type": "deployment"}}
    for token in ("", "wrong", csrf_token("of another")):
        refused = await http.post(
            "/api/v1alpha1/event", json=event, headers=headers | {"x-csrf-token": token}
        )
        assert (refused.status_code, refused.json()["details"][0]["reason"]) == (403, "CROSS_ORIGIN")
    assert (await http.post("/api/v1alpha1/event", json=event, headers=headers)).status_code == 200


async def test_a_session_is_a_bearer_token_that_must_be_valid(http: httpx2.AsyncClient, app: App) -> None:
    token = (await logged_in(http))["cookie"].rpartition("=")[2]
    bearer = {"authorization": f"bearer {token}"}
    assert await kind(http, bearer) == "user"
    lock = {"service": "checkout", "who": "me"}
    assert (await http.post("/api/v1alpha1/lock", json=lock, headers=bearer)).status_code == 200
    host, port = app.grpc_address
    async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
        me = await GrpcClient(channel).bearing(token).call("AuthService/Me")
    assert me["kind"] == "user"
    assert (await http.post(f"{AUTH}/logout", headers=bearer)).status_code == 204
    for wrong in (token, f"{token[:-1]}*", token[1:]):
        answer = await http.get(f"{AUTH}/me", headers={"authorization": f"Bearer {wrong}"})
        assert (answer.status_code, answer.json()["message"]) == (401, "invalid or expired credentials")


async def test_a_password_that_is_no_text_is_refused(http: httpx2.AsyncClient) -> None:
    headers = await logged_in(http) | {"content-type": "application/json"}
    body = f'{{"currentPassword": "{PASSWORD}", "newPassword": "a longer password \\ud800"}}'
    answer = await http.post(f"{AUTH}/password", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "the body is not valid JSON")


async def test_cookies_are_for_https_alone_where_people_use_it(settings: Settings) -> None:
    log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
    settings = replace(settings, auth_cookie_secure=True, mongo_uri=None)
    async with App(settings, log) as app, http_client(app.http_address) as http:
        body = {"username": "admin", "password": PASSWORD}
        answer = await http.post(f"{AUTH}/login", json=body, headers=OWN)
        assert all(cookie.endswith("; Secure") for cookie in answer.headers.get_list("set-cookie"))


async def test_a_session_unlocks_nothing_by_get(http: httpx2.AsyncClient) -> None:
    headers = await logged_in(http)
    lock = {"service": "checkout", "environment": "production", "resource": "deployment", "who": "me"}
    taken = (await http.post("/api/v1alpha1/lock", json=lock, headers=headers)).json()["lock"]
    refused = await http.get(f"/api/v1alpha1/unlock/{taken['id']}", headers=headers)
    assert (refused.status_code, refused.json()["message"]) == (
        403,
        "a browser's session changes nothing by GET",
    )


async def test_a_logout_ends_the_session_everywhere(http: httpx2.AsyncClient) -> None:
    headers, other = await logged_in(http), await logged_in(http)
    answer = await http.post(f"{AUTH}/logout", headers=headers)
    assert answer.status_code == 204
    assert all("Max-Age=0" in cookie for cookie in answer.headers.get_list("set-cookie"))
    assert await kind(http, headers) == "anonymous"
    assert await kind(http, other) == "user"
    assert await kind(http, await logged_in(http)) == "user"  # with the record of the one that is over


async def test_a_session_ends_by_itself(http: httpx2.AsyncClient, clock: StoppedClock) -> None:
    headers = await logged_in(http)
    await clock.forward(590)
    assert await kind(http, headers) == "user"
    await clock.forward(20)
    assert await kind(http, headers) == "anonymous"


async def test_a_new_password_ends_all_sessions_but_the_new_one(http: httpx2.AsyncClient) -> None:
    headers, other = await logged_in(http), await logged_in(http)
    body = {"currentPassword": PASSWORD, "newPassword": canary("another password")}
    refused = await http.post(f"{AUTH}/password", json=body | {"currentPassword": "wrong"}, headers=headers)
    assert (refused.status_code, refused.json()["error"]) == (401, "current password is incorrect")
    short = await http.post(f"{AUTH}/password", json=body | {"newPassword": "short"}, headers=headers)
    assert (short.status_code, short.json()["error"]) == (400, "password must be 12 to 128 characters")
    answer = await http.post(f"{AUTH}/password", json=body, headers=headers)
    assert answer.status_code == 204
    fresh = OWN | {"cookie": f"tracker_session={answer.cookies['tracker_session']}"}
    http.cookies.clear()
    assert [await kind(http, each) for each in (headers, other, fresh)] == ["anonymous", "anonymous", "user"]
    await logged_in(http, canary("another password"))


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"username": "admin", "password": "wrong password"}, 401, "invalid credentials"),
        ({"username": "nobody", "password": PASSWORD}, 401, "invalid credentials"),
        ({"username": "admin"}, 400, "username and password are required"),
        ({"username": 1, "password": []}, 400, "username and password are required"),
        ([], 400, "username and password are required"),
    ],
)
async def test_a_login_is_refused_in_the_words_of_the_go_implementation(
    http: httpx2.AsyncClient, body: object, status: int, text: str
) -> None:
    refused = await http.post(f"{AUTH}/login", json=body)
    assert (refused.status_code, refused.json()["error"]) == (status, text)


async def test_after_five_failed_logins_a_minute_even_the_right_password_has_to_wait(
    http: httpx2.AsyncClient,
) -> None:
    for name in ("admin", "ADMIN", "Admin", "admin", "admin"):
        refused = await http.post(f"{AUTH}/login", json={"username": name, "password": "wrong password"})
        assert refused.status_code == 401
    refused = await http.post(f"{AUTH}/login", json={"username": "admin", "password": PASSWORD})
    assert (refused.status_code, refused.json()["error"]) == (429, "too many failed attempts, retry later")
    assert "retry-after" in refused.headers


async def test_a_page_of_another_site_cannot_log_anybody_in(http: httpx2.AsyncClient) -> None:
    body = {"username": "admin", "password": PASSWORD}
    foreign = {"sec-fetch-site": "cross-site"}
    for refused in (
        await http.post(f"{AUTH}/login", json=body, headers=foreign),
        await http.post("/login", data=body, headers=foreign),
    ):
        assert (refused.status_code, refused.json()["message"]) == (
            403,
            "cross-site login requests are refused",
        )
        assert "set-cookie" not in refused.headers


async def test_the_login_page_works_without_scripts(http: httpx2.AsyncClient) -> None:
    page = await http.get("/login", headers=OWN)
    assert 'action="/login"' in page.text
    assert "script" not in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    wrong = await http.post("/login", data={"username": "<admin>", "password": "wrong"}, headers=OWN)
    assert (wrong.status_code, "Invalid credentials." in wrong.text) == (401, True)
    assert 'value="&lt;admin&gt;"' in wrong.text
    sent = {"username": "admin", "password": PASSWORD}
    answer = await http.post("/login", data=sent, headers=OWN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "You are logged in as admin" in (await http.get("/login", headers=OWN)).text
    assert (await http.post("/logout", headers=OWN)).headers["location"] == "/login"
    assert 'action="/login"' in (await http.get("/login", headers=OWN)).text


async def test_the_first_administrator_keeps_a_password_that_was_changed(
    app: App, http: httpx2.AsyncClient
) -> None:
    assert app.access.first_key is None
    me = (await http.get(f"{AUTH}/me", headers=await logged_in(http))).json()
    assert me["principal"] == "user:000000000000000000000002"


async def test_a_session_begins_and_ends_on_every_server_of_a_database(
    http: httpx2.AsyncClient, settings: Settings
) -> None:
    if settings.mongo_uri is None:
        pytest.skip("a file has one server")
    log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
    async with App(settings, log) as other, http_client(other.http_address) as elsewhere:
        headers = await logged_in(http)
        assert await kind(elsewhere, headers) == "user"
        assert (await http.post(f"{AUTH}/logout", headers=headers)).status_code == 204
        assert await kind(http, headers) == "anonymous"
        async with asyncio.timeout(PATIENCE):
            while await kind(elsewhere, headers) == "user":
                await asyncio.sleep(0.1)


async def sessions(http: httpx2.AsyncClient, headers: dict[str, str]) -> list[dict[str, Any]]:
    answer = await http.get(f"{AUTH}/sessions", headers=headers)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["sessions"])


async def test_the_last_use_of_a_session_is_stored_with_its_address(
    settings: Settings, clock: StoppedClock
) -> None:
    log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
    trusting = replace(settings, trusted_proxies=(ip_network("127.0.0.0/8"),))
    async with App(trusting, log, clock) as app, http_client(app.http_address) as http:
        admin, other = await logged_in(http), await logged_in(http)
        clock.seconds += 100
        assert await kind(http, admin | {"x-forwarded-for": "203.0.113.7"}) == "user"
        await app.access.directory.store_uses()
        await http.post(f"{AUTH}/logout", headers=other)
        assert await kind(http, other) == "anonymous"
        await app.access.directory.store_uses()  # also of the one that is over by now
    async with App(settings, log, clock) as app, http_client(app.http_address) as http:
        (shown,) = await sessions(http, admin)
        assert shown["lastUsedFrom"] == "127.0.0.1"
        stored = [each.record.session for each in app.access.directory.sessions]
        (used,) = [each for each in stored if each is not None and each.user_id]
        assert used.last_used_from == "203.0.113.7"
        assert used.last_used_at
        assert used.created_at
        assert micros(used.last_used_at) - micros(used.created_at) >= 100 * MICROS


async def test_people_see_their_own_sessions_and_end_them(
    http: httpx2.AsyncClient, clock: StoppedClock
) -> None:
    admin = await logged_in(http)
    user = {"username": "ada", "password": PASSWORD}
    assert (await http.post(f"{AUTH}/users", json=user, headers=admin)).status_code == 200
    clock.seconds += 1
    phone = await logged_in(http, **{"user-agent": "phone"})
    answer = await http.post(f"{AUTH}/login", json=user)
    http.cookies.clear()
    other = OWN | {"cookie": f"tracker_session={answer.cookies['tracker_session']}"}
    other["x-csrf-token"] = answer.cookies["tracker_csrf"]
    (hers,) = await sessions(http, other)
    newest, oldest = await sessions(http, admin)
    assert (newest["userAgent"], newest["current"], oldest["current"]) == ("phone", False, True)
    token = admin["cookie"].rpartition("=")[2]
    assert all(word not in str(newest) + str(oldest) for word in (token, token[:8]))

    await http.delete(f"{AUTH}/sessions/{hers['id']}", headers=admin)
    assert await kind(http, other) == "user"
    refused = await http.delete(f"{AUTH}/sessions/{newest['id']}", headers=admin | {"x-csrf-token": ""})
    assert refused.status_code == 403
    assert (await http.delete(f"{AUTH}/sessions/{newest['id']}", headers=admin)).status_code == 200
    assert await kind(http, phone) == "anonymous"
    (left,) = await sessions(http, admin)
    assert left["id"] == oldest["id"]

    again = await logged_in(http)  # in the record of the one that is over
    await http.delete(f"{AUTH}/sessions/{newest['id']}", headers=admin)
    assert await kind(http, again) == "user"
    ended = await http.post(f"{AUTH}/sessions/others/end", json={}, headers=again)
    assert ended.json() == {"ended": 1}
    assert (await kind(http, admin), await kind(http, again), await kind(http, other)) == (
        "anonymous",
        "user",
        "user",
    )
    assert await sessions(http, {}) == []
