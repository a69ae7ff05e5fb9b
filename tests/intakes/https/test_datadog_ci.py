from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.intakes.programs import node

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2
    from tests.certificates import Authority

    from tracker.app import App
    from tracker.config.settings import Settings

pytestmark = pytest.mark.anyio

PROGRAM = "node_modules/@datadog/datadog-ci/dist/bundle.js"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, allowed_hosts=("api.tracker.test",))


@asynccontextmanager
async def proxy(app: App) -> AsyncIterator[str]:
    """Give the address of a proxy that takes every host for the server: there is no such name in the DNS."""
    serving: list[asyncio.Task[None] | None] = []

    async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while part := await source.read(65_536):
                target.write(part)
        finally:
            target.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"CONNECT api.tracker.test:443 ")
        there, back = await asyncio.open_connection(*app.http_address)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(pass_on(reader, back), pass_on(there, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"
        await asyncio.gather(*filter(None, serving), return_exceptions=True)


async def test_the_command_of_a_pipeline_records_a_deployment(
    app: App, http: httpx2.AsyncClient, key: str, authority: Authority
) -> None:
    command = (
        "dora",
        "deployment",
        "--service",
        "cart",
        "--env",
        "prod",
        "--version",
        "1.2",
        "--team",
        "core",
    )
    times = ("--started-at", "1700000000", "--finished-at", "2023-11-14T22:23:20Z")
    commit = ("--git-repository-url", "https://github.com/shop/cart", "--git-commit-sha", "a" * 40)
    async with proxy(app) as address:
        printed = await node(
            PROGRAM,
            *command,
            *times,
            *commit,
            *("--custom-tags", "zone:b"),
            DD_SITE="tracker.test",
            DD_API_KEY=key,
            HTTPS_PROXY=address,
            NODE_EXTRA_CA_CERTS=str(authority.file),
        )
    assert "Retrying" not in printed
    answer = await http.get("/api/v1alpha1/events/list", headers={"x-api-key": key})
    (event,) = answer.json()["events"]
    wanted = {
        "type": "deployment",
        "status": "success",
        "service": "cart",
        "environment": "production",
        "version": "1.2",
        "owner": "core",
        "startDate": "2023-11-14T22:13:20Z",
        "endDate": "2023-11-14T22:23:20Z",
    }
    assert wanted.items() <= event["attributes"].items()
    assert event["attributes"]["labels"]["sha"] == "a" * 40
