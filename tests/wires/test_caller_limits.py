"""How many calls a caller may make, and how it is told so, over both wires."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_network
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import pytest
from tests.behaviour.servers import metrics
from tests.clients import STRICT, Refused, RestClient

from tracker.api.calls.callers import address_of
from tracker.api.calls.rates import MOST_CALLERS, CallRates
from tracker.client.connection import Connection
from tracker.client.rpcs import LIST_LOCKS
from tracker.errors import TrackerError
from tracker.services.access.attempts import PER_ADDRESS
from tracker.services.context import Call

if TYPE_CHECKING:
    import httpx2

    from tracker.app import App
    from tracker.config.settings import Settings

BURST = 10


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(
        settings,
        rate_limit_enabled=True,
        rate_limit_requests_per_second=1,
        rate_limit_burst=BURST,
        trusted_proxies=(ip_network("127.0.0.1"),),
    )


@pytest.fixture
async def key(http: httpx2.AsyncClient) -> str:
    created = await RestClient(http).call("AuthService/CreateApiKey", {"name": "ci"})
    return str(created["secret"])


async def test_a_principal_beyond_its_rate_is_told_when_to_come_back_over_rest(
    http: httpx2.AsyncClient, key: str
) -> None:
    headers = {"x-api-key": key}
    answers = [await http.get("/api/v1alpha1/locks/list", headers=headers) for _ in range(3 * BURST)]
    assert [answer.status_code for answer in answers[:BURST]] == [200] * BURST
    assert "ratelimit" not in answers[0].headers
    assert answers[BURST - 1].headers["ratelimit-policy"] == f'"calls";q={BURST};w={BURST}'

    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["details"][0]["reason"] == "TOO_MANY_CALLS"
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["ratelimit"] == '"calls";r=0;t=1'
    assert (await http.get("/livez", headers=headers)).status_code == 200
    assert (await http.get("/api/v1alpha1/locks/list")).status_code == 200  # anonymous, on this machine


async def test_a_principal_beyond_its_rate_is_told_when_to_come_back_over_grpc(app: App, key: str) -> None:
    host, port = app.grpc_address
    async with grpc.aio.insecure_channel(f"{host}:{port}", options=STRICT) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/tracker.lock.v1alpha1.LockService/ListLocks"
        )
        for _ in range(BURST):
            await call(b"", metadata=(("x-api-key", key),))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await asyncio.gather(*(call(b"", metadata=(("x-api-key", key),)) for _ in range(2 * BURST)))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    trailers = dict(refused.value.trailing_metadata())
    assert trailers["ratelimit"] == '"calls";r=0;t=1'
    assert trailers["ratelimit-policy"] == f'"calls";q={BURST};w={BURST}'


async def test_locks_are_renewed_and_released_beyond_the_rate(http: httpx2.AsyncClient, key: str) -> None:
    http.headers["x-api-key"] = key
    client = RestClient(http)
    lock = (await client.call("LockService/CreateLock", {"service": "checkout", "ttl": "600s"}))["lock"]
    with pytest.raises(Refused, match="more than 1 calls a second"):
        await asyncio.gather(*(client.call("LockService/ListLocks") for _ in range(3 * BURST)))
    for _ in range(BURST):
        await client.call("LockService/RenewLock", {"id": lock["id"]})
    await client.call("LockService/UnLock", {"id": lock["id"]})


async def test_the_python_client_waits_where_it_makes_too_many_calls(app: App, key: str) -> None:
    def call_often() -> int:
        with Connection(f"http://127.0.0.1:{app.http_address[1]}", patience=0) as connection:
            vars(connection)["_http"].headers["x-api-key"] = key
            return len([connection.call(LIST_LOCKS, LIST_LOCKS.request()) for _ in range(BURST + 1)])

    assert await asyncio.to_thread(call_often) == BURST + 1


async def test_anonymous_callers_behind_a_trusted_proxy_are_limited_by_address(
    http: httpx2.AsyncClient,
) -> None:
    async def status(address: str) -> int:
        headers = {"x-forwarded-for": address}
        return (await http.get("/api/v1alpha1/locks/list", headers=headers)).status_code

    statuses = await asyncio.gather(*(status("203.0.113.7") for _ in range(3 * BURST)))
    assert BURST <= statuses.count(200) < len(statuses)
    assert set(statuses) == {200, 429}
    assert await status("203.0.113.8") == 200


async def test_an_address_that_sends_many_invalid_keys_is_told_so_and_its_valid_keys_work(
    http: httpx2.AsyncClient, key: str
) -> None:
    async def status(secret: str) -> int:
        headers = {"x-forwarded-for": "203.0.113.9", "x-api-key": secret}
        return (await http.get("/api/v1alpha1/locks/list", headers=headers)).status_code

    statuses = [await status("trk_nothing") for _ in range(PER_ADDRESS + 1)]
    assert statuses == [401] * PER_ADDRESS + [429]
    assert await status(key) == 200


def call_from(peer: str) -> Call:
    return Call("rest", "id", peer)


@pytest.mark.parametrize(("every", "seconds"), [(0.001, 60.0), (0.0073, 60.0), (0.0101, 600.0)])
def test_the_rate_is_exact(every: float, seconds: float) -> None:
    rates, accepted = CallRates(100, 200), 0
    for number in range(int(seconds / every)):
        with suppress(TrackerError):
            rates.take("apikey:1", 1000 + number * every, call_from(""))
            accepted += 1
    possible = min(200 + 100 * seconds, seconds / every)
    assert accepted == pytest.approx(possible, rel=0.01)


def test_callers_do_not_use_up_the_rate_of_others() -> None:
    rates = CallRates(1, 1)
    for caller in ("apikey:1", "apikey:2", "203.0.113.7"):
        rates.take(caller, 0.0, call_from(""))
        with pytest.raises(TrackerError, match="try again in 1 s"):
            rates.take(caller, 0.5, call_from(""))


def test_the_quota_that_is_left_is_reported_from_half_of_the_burst() -> None:
    rates, notes = CallRates(10, 20), []
    for _ in range(20):
        call = call_from("")
        rates.take("apikey:1", 5.0, call)
        notes.append(dict(call.notes).get("ratelimit", ""))
    assert notes[:10] == [""] * 10
    assert [int(found[1]) for note in notes[10:] if (found := re.search("r=([0-9]+)", note))] == [
        *range(9, -1, -1)
    ]


def test_so_many_callers_are_remembered_and_no_more() -> None:
    rates = CallRates(1, 1)
    for number in range(3 * MOST_CALLERS):
        rates.take(f"address {number}", 0.0, call_from(""))
    assert len(vars(rates)["_full_at"]) <= MOST_CALLERS
    with pytest.raises(TrackerError):
        rates.take(f"address {number}", 0.0, call_from(""))


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("203.0.113.7:80", "203.0.113.7"),
        ("ipv4:203.0.113.7:80", "203.0.113.7"),
        ("[2001:db8:1:2:3:4:5:6]:80", "2001:db8:1:2::/64"),
        ("ipv6:%5B2001:db8:1:2::9%5D:80", "2001:db8:1:2::/64"),
        ("[fe80::1%25eth0]:80", "fe80::/64"),
        ("[::1]:80", "::1"),
        ("[::ffff:203.0.113.7]:80", "203.0.113.7"),
        (":0", ""),
    ],
)
def test_a_client_is_its_address_or_its_network(peer: str, address: str) -> None:
    assert address_of(call_from(peer)) == address


async def test_calls_with_invalid_credentials_are_counted(app: App, http: httpx2.AsyncClient) -> None:
    for _ in range(2):
        answer = await http.get("/api/v1alpha1/locks/list", headers={"x-api-key": "trk_nothing"})
        assert answer.status_code == 401
    await http.get("/api/v1alpha1/locks/list")
    text = await metrics(app)
    assert 'tracker_auth_requests_total{principal="anonymous",result="unauthenticated"} 2.0' in text
    assert 'tracker_auth_requests_total{principal="anonymous",result="allowed"} 1.0' in text
    assert 'tracker_auth_failures_total{reason="INVALID_CREDENTIALS"} 2.0' in text
