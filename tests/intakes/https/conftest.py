"""A server with TLS, for clients that speak nothing else, where every caller needs a key."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx2
import pytest
from tests.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tracker.app import App
    from tracker.config.settings import Settings


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


@pytest.fixture
def settings(settings: Settings, authority: Authority) -> Settings:
    certificate, key = authority.vouch_for("server", "api.tracker.test")
    return replace(settings, tls_cert=certificate, tls_key=key, auth_anonymous_permissions=frozenset())


@pytest.fixture
def url(app: App) -> str:
    host, port = app.http_address
    return f"https://{host}:{port}"


@pytest.fixture
async def http(url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=url, verify=False) as http:
        yield http


@pytest.fixture
async def key(app: App, http: httpx2.AsyncClient) -> str:
    """Return an API key that reads and writes events, and nothing else."""
    answer = await http.post(
        "/api/v1alpha1/auth/api-keys",
        json={"name": "sender", "permissions": ["event:read", "event:write"]},
        headers={"x-api-key": app.access.first_key or ""},
    )
    return str(answer.json()["secret"])
