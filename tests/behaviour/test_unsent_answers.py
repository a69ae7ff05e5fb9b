from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2
from tests.behaviour.servers import metrics
from tests.clients import STRICT, Refused
from tests.patience import PATIENCE
from tests.unread import keep_little_in_kernels, unread

if TYPE_CHECKING:
    import httpx2
    from tests.clients import Client

    from tracker.app import App
    from tracker.config.settings import Settings

EVENTS = 55
"""As many as fit into one page; those of several kilobytes less are what kernels keep for a connection."""
CALLERS = 50
CHECK = "/grpc.health.v1.Health/Check"
LIST = f"GET /api/v1alpha1/events/list?perPage={EVENTS} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


@pytest.fixture
def settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    keep_little_in_kernels(monkeypatch)
    return replace(settings, unsent_answers_mib=16)


async def test_locks_probes_and_metrics_are_served_while_unread_answers_take_all_memory(
    app: App, client: Client, http: httpx2.AsyncClient
) -> None:
    attributes = {"service": "payments", "type": "drift", "message": "x" * 65_000}
    events = [{"title": f"Deploy {number}", "attributes": attributes} for number in range(EVENTS)]
    await client.call("EventService/ImportEvents", {"events": events})
    lock = (await client.call("LockService/CreateLock", {"service": "payments", "ttl": "600s"}))["lock"]
    async with unread(app.http_address[1], LIST, CALLERS):
        with pytest.raises(Refused) as refused:
            await client.call("EventService/ListEvents", {"perPage": EVENTS})
        assert (refused.value.code, refused.value.reason) == ("RESOURCE_EXHAUSTED", "UNSENT_ANSWERS")

        await client.call("LockService/RenewLock", {"id": lock["id"]})
        await client.call("LockService/UnLock", {"id": lock["id"]})
        for path in ("/livez", "/readyz"):
            assert (await http.get(path)).status_code == 200
        host, port = app.grpc_address
        async with grpc.aio.insecure_channel(f"{host}:{port}", options=STRICT) as channel:
            check: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(CHECK)
            answer = health_pb2.HealthCheckResponse.FromString(await check(b""))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
    async with asyncio.timeout(PATIENCE):
        while "tracker_unsent_answer_bytes 0.0" not in await metrics(app):
            await asyncio.sleep(0.01)
    await client.call("EventService/ListEvents", {"perPage": 1})
