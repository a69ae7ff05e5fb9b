"""Which names a server answers under, and which sites' pages may read its answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx2

    from tracker.config.settings import Settings

PORTAL = "https://portal.example.com"
LIST = "/api/v1alpha1/events/list"
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(
        settings, allowed_hosts=("Tracker.example.com", "*.internal"), cors_allowed_origins=(PORTAL,)
    )


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1:8080", "192.0.2.7:80", "[::1]:8080", "[2001:db8::1]"),
        *("localhost", "localhost:8080", "LOCALHOST", "app.localhost:1", "localhost."),
        *("tracker.example.com", "TRACKER.example.com:8080", "tracker.example.com.", "a.b.internal"),
    ],
)
async def test_addresses_loopback_names_and_allowed_names_are_answered(
    http: httpx2.AsyncClient, host: str
) -> None:
    for _ in range(2):
        assert (await http.get(LIST, headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *("rebound.example.com", "x", "localhost.example.com", "127.0.0.1.example.com", "internal"),
        *("tracker.example.com.evil.example", "a:b", "[localhost]", "", "notlocalhost", "1.2.3"),
    ],
)
@pytest.mark.parametrize("path", [LIST, "/nowhere", "/openapi.json", "/docs"])
async def test_other_names_are_421(http: httpx2.AsyncClient, host: str, path: str) -> None:
    answer = await http.get(path, headers={"host": host})
    body = answer.json()
    assert (answer.status_code, body["details"][0]["reason"]) == (421, "UNKNOWN_HOST")
    assert "ALLOWED_HOSTS" in body["message"]


async def test_probes_are_answered_under_any_name(http: httpx2.AsyncClient) -> None:
    for path in ("/livez", "/readyz"):
        assert (await http.get(path, headers={"host": "pod-7"})).status_code == 200


async def test_a_listed_site_may_read_and_change_but_without_cookies(http: httpx2.AsyncClient) -> None:
    headers = {"origin": PORTAL, "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}
    event = {"title": "t", "attributes": {"service": "s", "type": "deployment"}}
    for answer in (
        await http.get(LIST, headers=headers),
        await http.get("/api/v1alpha1/event/none", headers=headers),
        await http.post("/api/v1alpha1/event", json=event, headers=headers),
    ):
        assert answer.status_code in (200, 404)
        assert answer.headers["access-control-allow-origin"] == PORTAL
        assert "origin" in answer.headers["vary"]
        assert "access-control-allow-credentials" not in answer.headers
    form = await http.post(
        "/api/v1alpha1/event", content=b"{}", headers=headers | {"content-type": "text/plain"}
    )
    assert form.status_code == 415


async def test_a_listed_site_gets_its_preflight_answered(http: httpx2.AsyncClient) -> None:
    answer = await http.options("/api/v1alpha1/event", headers={"origin": PORTAL, **PREFLIGHT})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == PORTAL
    assert {"POST", "PUT", "DELETE"} <= set(answer.headers["access-control-allow-methods"].split(", "))
    assert {"authorization", "content-type"} <= set(
        answer.headers["access-control-allow-headers"].split(", ")
    )


@pytest.mark.parametrize("origin", ["https://other.example", "https://portal.example.com.evil", "null"])
async def test_other_sites_get_no_leave(http: httpx2.AsyncClient, origin: str) -> None:
    answer = await http.options("/api/v1alpha1/event", headers={"origin": origin, **PREFLIGHT})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    read = await http.get(LIST, headers={"origin": origin})
    assert "access-control-allow-origin" not in read.headers
    assert read.headers["vary"] == "origin"
