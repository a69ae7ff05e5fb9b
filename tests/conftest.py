"""Fixtures that many tests share: a whole server in this process, and a client for each wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc.aio
import httpx2
import pytest
import structlog
from tests.clients import GrpcClient, RestClient

from tracker.app import App
from tracker.config import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.clients import Client


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        host="127.0.0.1", grpc_port=0, http_port=0, metrics_port=0, database_path=tmp_path / "tracker.db"
    )


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[App]:
    async with App(
        settings, structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
    ) as app:
        yield app


@pytest.fixture
async def http(app: App) -> AsyncIterator[httpx2.AsyncClient]:
    host, port = app.http_address
    async with httpx2.AsyncClient(base_url=f"http://{host}:{port}", timeout=30) as http:
        yield http


@pytest.fixture(params=["grpc", "rest"])
async def client(request: pytest.FixtureRequest, app: App, http: httpx2.AsyncClient) -> AsyncIterator[Client]:
    if request.param == "rest":
        yield RestClient(http)
    else:
        host, port = app.grpc_address
        async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
            yield GrpcClient(channel)
