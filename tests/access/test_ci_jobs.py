"""Jobs of a CI system, which show an id token of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import grpc.aio
import pytest
from tests.identity_provider import running_provider

from tracker.cli.credentials import credential_for
from tracker.client.connection import Connection
from tracker.client.rpcs import ME as ME_RPC
from tracker.pb import auth_pb

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx2
    from tests.identity_provider import IdentityProvider

    from tracker.app import App
    from tracker.config.settings import Settings

ME = "/api/v1alpha1/auth/me"


@pytest.fixture
async def provider() -> AsyncIterator[IdentityProvider]:
    async with running_provider() as provider:
        yield provider


@pytest.fixture
def settings(settings: Settings, provider: IdentityProvider, tmp_path: Path) -> Settings:
    rules = tmp_path / "jobs.toml"
    rules.write_text(
        f"""
        [[jobs]]
        name = "checkout"
        issuer = "{provider.url}"
        audience = "https://tracker.example.com"
        claims = {{ project_id = "22" }}
        allow = ["event:write"]
        services = ["checkout"]
        environment_claim = "environment"
        """
    )
    return replace(settings, auth_jobs_file=rules, auth_anonymous_permissions=frozenset())


def job(provider: IdentityProvider, **claims: object) -> str:
    own = {"project_id": "22", "project_path": "acme/checkout", "environment": "production"}
    return provider.token({"exp": time.time() + 300} | own | claims)


async def test_a_job_may_do_what_its_rule_allows(
    http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    headers = {"authorization": f"Bearer {job(provider)}"}
    me = (await http.get(ME, headers=headers)).json()
    assert (me["kind"], me["principal"], me["permissions"]) == ("job", "job:checkout:22", ["event:write"])
    assert (me["displayName"], me["scopeServices"]) == ("acme/checkout", ["checkout"])
    assert me["scopeEnvironments"] == ["production"]
    refused = await http.get("/api/v1alpha1/events/list", headers=headers)
    assert (refused.status_code, refused.json()["message"]) == (403, "permission event:read required")


async def test_a_job_has_the_same_rights_over_grpc(app: App, provider: IdentityProvider) -> None:
    host, port = app.grpc_address
    async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[auth_pb.MeRequest, auth_pb.MeResponse] = channel.unary_unary(
            "/tracker.auth.v1alpha1.AuthService/Me",
            request_serializer=auth_pb.MeRequest.to_binary,
            response_deserializer=auth_pb.MeResponse.from_binary,
        )
        metadata = (("authorization", f"Bearer {job(provider)}"),)
        assert (await call(auth_pb.MeRequest(), metadata=metadata)).principal == "job:checkout:22"


async def test_a_job_without_a_rule_learns_what_its_token_has(
    http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    headers = {"authorization": f"Bearer {job(provider, project_id='23')}"}
    refused = await http.get(ME, headers=headers)
    assert refused.status_code == 401
    assert refused.json()["message"].startswith(
        "no rule for jobs applies to a token with project_id=23, environment=production"
    )


async def test_tokens_of_other_issuers_and_expired_ones_are_refused(
    http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    for claims in ({"iss": "https://another.example.com"}, {"exp": time.time() - 61}):
        refused = await http.get(ME, headers={"authorization": f"Bearer {job(provider, **claims)}"})
        assert (refused.status_code, refused.json()["message"]) == (401, "invalid or expired credentials")


async def test_while_the_keys_of_an_issuer_cannot_be_read_a_job_should_try_again(
    http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    provider.down = True
    refused = await http.get(ME, headers={"authorization": f"Bearer {job(provider)}"})
    assert (refused.status_code, refused.json()["details"][0]["reason"]) == (503, "ISSUER_UNAVAILABLE")
    assert "retry-after" in refused.headers


async def test_a_command_in_github_actions_asks_for_its_token(
    app: App, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRACKER_TOKEN", raising=False)
    monkeypatch.setenv("TRACKER_AUDIENCE", "https://tracker.example.com")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{provider.url}/job_token?a=b")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "of the job")
    provider.answer_job = lambda: {"value": job(provider)}
    host, port = app.http_address
    server = f"http://{host}:{port}"
    credential = credential_for(server, None)
    assert credential.source == "GitHub Actions"
    with Connection(server, token=credential.token) as connection:
        me = await asyncio.to_thread(connection.call, ME_RPC, ME_RPC.request())
    assert me.principal == "job:checkout:22"
    assert provider.asked.count("/job_token") == 1
