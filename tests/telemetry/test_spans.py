"""Traces of calls: what a collector gets over OTLP, decoded by OpenTelemetry's own messages."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import pytest
import structlog
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan
from structlog.testing import capture_logs
from tests.clients import GrpcClient, Refused, RestClient, http_client
from tests.patience import PATIENCE
from tests.webhook_receiver import receiving

from tracker.app import App
from tracker.assembly.tracing import is_asked, problem_of
from tracker.config import load
from tracker.diagnosis.configuration import check_settings
from tracker.telemetry import spans

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.mongo_servers import MongoServers
    from tests.webhook_receiver import Receiver

    from tracker.config.settings import Settings

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
HEADERS = {"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "vendor=1,other=2"}
_SECRET = "hunter2"
EVENT = {"title": "t", "attributes": {"service": "s", "type": "deployment"}}


class Sent(NamedTuple):
    """A span as a collector has it, with its attributes by name."""

    span: SentSpan
    attributes: dict[str, Any]

    @property
    def ids(self) -> tuple[str, str, str]:
        span = self.span
        return span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()


@pytest.fixture
def mongo_uri(request: pytest.FixtureRequest) -> str | None:
    if getattr(request, "param", "sqlite") == "sqlite":
        return None
    servers: MongoServers = request.getfixturevalue("mongo")
    return servers.emptied_database()


@pytest.fixture
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url.removesuffix("/hooks"))
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        yield receiver


async def sent_to(collector: Receiver, *names: str) -> dict[str, Sent]:
    """Return the last span of each name, as soon as there are all of these."""
    found: dict[str, Sent] = {}
    number = 0
    while not found.keys() >= set(names):
        number += 1
        message = ExportTraceServiceRequest.FromString((await collector.wait_for(number))[number - 1].body)
        for of_resource in message.resource_spans:
            about = {each.key: each.value.string_value for each in of_resource.resource.attributes}
            assert about.items() >= {"service.name": "tracker", "deployment.environment.name": "test"}.items()
            for span in (each for scope in of_resource.scope_spans for each in scope.spans):
                attributes = {
                    each.key: each.value.string_value or each.value.int_value for each in span.attributes
                }
                found[span.name] = Sent(span, attributes)
    return found


@pytest.mark.parametrize("mongo_uri", ["sqlite", "mongo"], indirect=True)
async def test_a_call_has_a_span_in_the_trace_of_its_caller_and_so_have_what_it_asks_and_its_messages(
    collector: Receiver, app: App, mongo_uri: str | None
) -> None:
    async with receiving() as hooks, http_client(app.http_address) as http, asyncio.timeout(PATIENCE):
        await RestClient(http).call("WebhookService/CreateWebhook", {"name": "n", "url": hooks.url})
        await http.post("/api/v1alpha1/event", json=EVENT, headers=HEADERS)
        (message,) = await hooks.wait_for(1)
        found = await sent_to(collector, "POST /api/v1alpha1/event", "POST", "create events")
    call, create, post = (found[each] for each in ("POST /api/v1alpha1/event", "create events", "POST"))
    assert call.ids[::2] == (TRACE, CALLER)
    assert call.span.trace_state == HEADERS["tracestate"]
    assert call.span.kind == SentSpan.SPAN_KIND_SERVER
    assert call.attributes == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/api/v1alpha1/event",
        "url.path": "/api/v1alpha1/event",
        "url.scheme": "http",
        "client.address": "127.0.0.1",
        "user_agent.original": http.headers["user-agent"],
    }
    assert create.ids[::2] == (TRACE, call.ids[1])
    assert create.attributes["db.system.name"] == ("mongodb" if mongo_uri else "sqlite")
    assert message.headers["traceparent"] == f"00-{TRACE}-{post.ids[1]}-01"
    assert post.span.kind == SentSpan.SPAN_KIND_CLIENT
    assert post.attributes["http.response.status_code"] == 204
    assert found["POST /api/v1alpha1/webhooks"].attributes["http.response.status_code"] == 201


async def test_messages_for_people_are_in_the_trace_of_their_event_also_by_mail(
    collector: Receiver, app: App
) -> None:
    async with receiving() as hooks, http_client(app.http_address) as http, asyncio.timeout(PATIENCE):
        client = RestClient(http)
        mail = hooks.url.replace("http://", "json://")
        for kind, url in (("slack", hooks.url), ("apprise", mail)):
            await client.call("WebhookService/CreateWebhook", {"name": kind, "url": url, "format": kind})
        await http.post("/api/v1alpha1/event", json=EVENT, headers=HEADERS)
        await hooks.wait_for(2)
        found = await sent_to(collector, "POST", "notify")
    for each in (found["POST"], found["notify"]):
        assert each.span.trace_id.hex() == TRACE
        assert each.span.kind == SentSpan.SPAN_KIND_CLIENT
        assert each.span.status.code == SentSpan().status.STATUS_CODE_UNSET


async def test_refused_calls_say_why_and_only_failures_of_the_server_are_errors(
    collector: Receiver, app: App
) -> None:
    host, port = app.grpc_address
    service = "tracker.event.v1alpha1.EventService"
    async with (
        grpc.aio.insecure_channel(f"{host}:{port}") as channel,
        http_client(app.http_address) as http,
        asyncio.timeout(PATIENCE),
    ):
        with pytest.raises(Refused):
            await GrpcClient(channel).call("EventService/GetEvent", {"id": "none"})
        unknown: Any = channel.unary_unary(f"/{service}/{_SECRET}")
        with pytest.raises(grpc.aio.AioRpcError):
            await unknown(b"")
        await http.get("/api/v1alpha1/event/none")
        await http.get(f"/{_SECRET}")
        names = f"{service}/GetEvent", "grpc", "GET /api/v1alpha1/event/{id}", "GET"
        found = await sent_to(collector, *names)
        refused, nothing, missing, lost = (found[name] for name in names)
    assert (
        refused.attributes.items()
        >= {
            "rpc.system.name": "grpc",
            "rpc.method": f"{service}/GetEvent",
            "rpc.response.status_code": "NOT_FOUND",
            "tracker.reason": "EVENT_NOT_FOUND",
        }.items()
    )
    assert refused.span.status.code == SentSpan().status.STATUS_CODE_UNSET
    assert nothing.attributes["rpc.method"] == "_OTHER"
    assert nothing.attributes["error.type"] == "UNIMPLEMENTED"
    assert nothing.span.status.code == nothing.span.status.STATUS_CODE_ERROR
    assert missing.attributes["http.response.status_code"] == 404
    assert "url.path" not in missing.attributes
    assert "error.type" not in lost.attributes


async def test_no_span_has_what_may_be_secret(collector: Receiver, app: App) -> None:
    secret = _SECRET
    async with http_client(app.http_address) as http, asyncio.timeout(PATIENCE):
        ask = {"query": f"title:{secret}", "page": "x"}
        await http.get(
            "/api/v1alpha1/events/search", params=ask, headers={"authorization": f"Bearer {secret}"}
        )
        await http.post("/api/v1alpha1/event", json={"title": secret, "attributes": {"type": secret}})
        await http.get(f"/api/v1alpha1/event/{secret}")
        await http.post(f"/api/v1/events?api_key={secret}", json={"title": "t", "text": secret})
        await sent_to(collector, "GET /api/v1alpha1/event/{id}", "POST /api/v1/events")
    assert not [each for each in collector.received if _SECRET.encode() in each.body]


async def test_a_collector_that_never_answers_delays_neither_calls_nor_the_end(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans, "_CLOSE_SECONDS", 0.1)
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
        async with App(settings, log) as app, http_client(app.http_address) as http:
            for _ in range(20):
                assert (await http.post("/api/v1alpha1/event", json=EVENT)).status_code == 200
            began = time.monotonic()
    assert time.monotonic() - began < 5, "it waits for the collector's 10 seconds"


@pytest.mark.parametrize(
    ("environ", "asked", "problem"),
    [
        ({}, False, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True, ""),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c/v1/traces"}, True, ""),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "True"}, False, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False, ""),
        ({"OTEL_TRACES_EXPORTER": "console"}, True, "OTEL_TRACES_EXPORTER is console"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "c:4317"},
            True,
            "expected an address such as http://localhost:4318",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            True,
            "OTEL_EXPORTER_OTLP_PROTOCOL is grpc, and traces are sent over http/protobuf alone",
        ),
    ],
)
def test_the_variables_of_opentelemetry_say_whether_traces_are_sent(
    environ: dict[str, str], asked: object, problem: str
) -> None:
    assert is_asked(environ) is asked
    told = problem_of(environ) if asked else ""
    assert problem in told
    assert bool(problem) == bool(told)


async def test_a_server_without_the_extra_runs_and_says_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    with capture_logs() as logs:
        async with App(settings, structlog.get_logger()) as app, http_client(app.http_address) as http:
            assert (await http.get("/readyz")).status_code == 200
    (line,) = (each for each in logs if each["event"] == "no traces are sent")
    assert line["log_level"] == "warning"
    assert "the extra `otel` of tracker-server" in line["reason"]
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}
    (finding,) = check_settings(load(flags={}, environ={}, file=None), environ)
    assert "pip install 'opentelemetry-sdk" in finding.found


def test_a_server_that_sends_no_traces_does_not_import_opentelemetry() -> None:
    script = "import sys, tracker.app; print([each for each in sys.modules if 'opentelemetry' in each])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
