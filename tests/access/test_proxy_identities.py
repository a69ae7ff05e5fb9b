"""People whom a proxy has identified."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from tests.patience import PATIENCE

from tracker.app import App
from tracker.errors import SetupError
from tracker.pb import access_pb, auth_pb
from tracker.stores.access import StoredAccess

if TYPE_CHECKING:
    import httpx2

    from tracker.config.settings import Settings

ME = "/api/v1alpha1/auth/me"
TEAM = access_pb.Access(
    id="team:9",
    team=auth_pb.Team(
        id="9", name="ops", permissions=["event:write"], scope_services=["checkout"], oidc_groups=["ops"]
    ),
)


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    return replace(
        settings,
        auth_anonymous_permissions=frozenset(),
        auth_proxy_user_header="X-Forwarded-User",
        trusted_proxies=(ip_network(getattr(request, "param", "127.0.0.0/8")),),
    )


async def me(app: App, http: httpx2.AsyncClient, **headers: str) -> Any:
    await app.access.directory.modify(TEAM.id, lambda _: StoredAccess(TEAM, b""))
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await http.get(ME, headers=sent)


async def test_a_trusted_proxy_says_who_calls_and_groups_what_they_may(
    app: App, http: httpx2.AsyncClient
) -> None:
    answer = (await me(app, http, x_forwarded_user="ada", x_forwarded_groups="dev, ops")).json()
    assert (answer["kind"], answer["principal"], answer["displayName"]) == ("user", "user:proxy:ada", "ada")
    assert (answer["permissions"], answer["scopeServices"]) == (["event:write"], ["checkout"])
    for groups in ("", "OPS", "ops2"):
        answer = (await me(app, http, x_forwarded_user="ada", x_forwarded_groups=groups)).json()
        assert (answer["kind"], answer["permissions"]) == ("user", [])
    refused = await http.get("/api/v1alpha1/events/list", headers={"x-forwarded-user": "ada"})
    assert refused.status_code == 403


async def test_a_name_that_two_have_sent_is_refused(app: App, http: httpx2.AsyncClient) -> None:
    assert (await me(app, http, x_forwarded_user="eve, ada")).status_code == 401
    assert (await me(app, http, x_forwarded_groups="ops")).json()["kind"] == "anonymous"


async def test_what_a_user_watches_ends_when_its_team_may_no_longer_see_it(
    app: App, http: httpx2.AsyncClient
) -> None:
    async def may(*permissions: str) -> None:
        team = auth_pb.Team(id="9", name="ops", permissions=[*permissions], oidc_groups=["ops"])
        record = access_pb.Access(id="team:9", team=team)
        await app.access.directory.modify(record.id, lambda _: StoredAccess(record, b""))

    await may("event:read")
    headers = {"x-forwarded-user": "ada", "x-forwarded-groups": "ops"}
    watch = "/api/v1alpha1/events/watch"
    async with asyncio.timeout(PATIENCE), http.stream("GET", watch, headers=headers) as answer:
        lines = answer.aiter_lines()
        assert "retry" in await anext(lines)
        await may("lock:read")
        assert [line async for line in lines]
    assert (await http.get(watch, headers=headers)).status_code == 403


@pytest.mark.parametrize("settings", ["10.0.0.0/8"], indirect=True)
async def test_from_anybody_else_the_headers_count_for_nothing(app: App, http: httpx2.AsyncClient) -> None:
    answer = await me(app, http, x_forwarded_user="ada", x_forwarded_groups="ops")
    assert answer.json()["kind"] == "anonymous"


async def test_the_header_needs_proxies_to_believe(settings: Settings) -> None:
    log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
    with pytest.raises(SetupError, match="AUTH_PROXY_USER_HEADER needs TRUSTED_PROXIES"):
        async with App(replace(settings, trusted_proxies=()), log):
            pass
