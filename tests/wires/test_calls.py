"""Plain HTTP routes, streams, health and reflection pass through the same chain as RPCs."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, NoReturn
from zoneinfo import ZoneInfo

import grpc.aio
import pytest
import structlog
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from structlog.testing import capture_logs
from tests.wires.standin import BOUND, StandIn, unary

from tracker.api.calls import steps
from tracker.api.calls.endpoint import Endpoint, Limits, sending
from tracker.api.http_exchange import HttpResponse
from tracker.api.routes import HttpRoute
from tracker.domain.access import ANONYMOUS
from tracker.errors import Reason, TrackerError
from tracker.pb import event_pb
from tracker.services.context import Call, Context
from tracker.stores.changes import PRINCIPAL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable

    import httpx2
    from protobuf import Message

    from tracker.api.http_server import HttpServer
    from tracker.api.routes import HttpRequest

HOOK = "/hooks/{sender}"
EVENTS = "tracker.event.v1alpha1.EventService"


async def receive(request: HttpRequest, call: Call) -> HttpResponse:
    said = {
        "sender": request.captures[0],
        "body": request.body.decode(),
        "signature": call.headers["x-signature"],
        "principal": call.principal.id,
    }
    return HttpResponse(json.dumps(said).encode(), (), 202)


async def refuse(_request: HttpRequest, _call: Call) -> NoReturn:
    raise TrackerError(Reason.LOCK_HELD, "held", metadata={"who": "ana"})


async def fail(_request: HttpRequest, _call: Call) -> NoReturn:
    raise ValueError("secret")


async def wait(_request: HttpRequest, _call: Call) -> NoReturn:
    await asyncio.sleep(BOUND)
    raise AssertionError


@pytest.fixture
def stand_in() -> StandIn:
    wrapper = structlog.make_filtering_bound_logger(10)
    stand_in = StandIn(structlog.get_logger(wrapper_class=wrapper))
    stand_in.routes = [
        HttpRoute("POST", HOOK, receive, None, Limits(body_bytes=1000)),
        HttpRoute("GET", "/refused", refuse, None),
        HttpRoute("GET", "/unready", refuse, None, quiet=True),
        HttpRoute("GET", "/failing", fail, None),
        HttpRoute("GET", "/waiting", wait, None, Limits(seconds=0.05)),
    ]
    return stand_in


def lines_of_calls(lines: Any) -> list[dict[str, Any]]:
    return [line for line in lines if line["event"] == "call"]


async def test_a_raw_body_reaches_its_route_with_the_headers_and_the_principal(
    rest: httpx2.AsyncClient, stand_in: StandIn
) -> None:
    headers = {"x-signature": "s", "user-agent": "hooks/1", "x-request-id": "mine"}
    with capture_logs() as lines:
        answer = await rest.post("/hooks/git", content="not { JSON", headers=headers)
    assert answer.status_code == 202
    assert answer.json() == {
        "sender": "git",
        "body": "not { JSON",
        "signature": "s",
        "principal": "anonymous",
    }
    assert answer.headers["x-request-id"] == "mine"
    assert stand_in.observed.finished == [(HOOK, "http", "OK")]
    (line,) = lines_of_calls(lines)
    told = {name: line[name] for name in ("log_level", "request_id", "method", "wire", "user_agent", "code")}
    assert told == {
        "log_level": "info",
        "request_id": "mine",
        "method": HOOK,
        "wire": "http",
        "user_agent": "hooks/1",
        "code": "OK",
    }


async def test_the_line_of_a_call_says_what_it_did_and_further_lines_what_else(
    rest: httpx2.AsyncClient, stand_in: StandIn
) -> None:
    context = Context(int, str, structlog.get_logger(), ZoneInfo("UTC"))

    async def create(_request: Message, call: Call) -> Message:
        context.report(call, "event created", id="7", message="m")
        context.report(call, "lock created", id="8")
        return event_pb.CreateEventResponse()

    stand_in.answers["create_event"] = create
    with capture_logs() as lines:
        await rest.post("/api/v1alpha1/event", json={"title": "t", "attributes": {"service": "s", "type": 1}})
        context.report(stand_in.call, "lock given back", id="8")
    assert [(line["event"], line["id"]) for line in lines] == [
        ("lock created", "8"),
        ("event created", "7"),
        ("lock given back", "8"),
    ]
    assert {line["request_id"] for line in lines} == {stand_in.call.request_id}
    assert (lines[1]["method"], lines[1]["code"], lines[1]["message"]) == (f"{EVENTS}/CreateEvent", "OK", "m")


async def test_changes_are_made_in_the_name_of_the_principal(
    rest: httpx2.AsyncClient, channel: grpc.aio.Channel, stand_in: StandIn
) -> None:
    names: list[str] = []

    async def handler(_request: Message, _call: Call) -> Message:
        names.append(PRINCIPAL.get())
        return event_pb.GetEventResponse()

    stand_in.answers["get_event"] = handler
    await rest.get("/api/v1alpha1/event/1")
    await unary(channel, f"/{EVENTS}/GetEvent")(event_pb.GetEventRequest(id="1").to_binary())
    assert names == ["anonymous"] * 2
    assert not PRINCIPAL.get()


async def test_an_error_of_a_plain_route_is_answered_logged_and_counted_as_that_of_an_rpc(
    rest: httpx2.AsyncClient, stand_in: StandIn
) -> None:
    stand_in.answer("get_event", TrackerError(Reason.LOCK_HELD, "held", metadata={"who": "ana"}))
    with capture_logs() as lines:
        plain, rpc = [await rest.get(path) for path in ("/refused", "/api/v1alpha1/event/1")]
    assert plain.status_code == rpc.status_code == 409
    assert plain.json() == rpc.json()
    assert plain.headers["retry-after"] == rpc.headers["retry-after"]
    assert stand_in.observed.finished == [
        ("/refused", "http", "ALREADY_EXISTS"),
        (f"{EVENTS}/GetEvent", "rest", "ALREADY_EXISTS"),
    ]
    of_plain, of_rpc = lines_of_calls(lines)
    assert of_plain["request_id"] == plain.headers["x-request-id"]
    assert of_plain.keys() == of_rpc.keys()
    assert (of_plain["reason"], of_plain["error"]) == ("LOCK_HELD", "held")


async def test_a_defect_of_a_plain_route_is_500_and_tells_nothing_of_it(
    rest: httpx2.AsyncClient, stand_in: StandIn
) -> None:
    with capture_logs() as lines:
        answer = await rest.get("/failing")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] in answer.json()["message"]
    assert stand_in.observed.finished == [("/failing", "http", "INTERNAL")]
    assert [line["event"] for line in lines] == ["defect", "call"]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_above_the_limit_of_its_route_is_413(
    rest: httpx2.AsyncClient, stand_in: StandIn, *, chunked: bool
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 100

    headers = {"x-signature": "s"}
    fits = await rest.post("/hooks/git", content=b"x" * 1000, headers=headers)
    assert fits.status_code == 202
    content: bytes | AsyncIterable[bytes] = chunks() if chunked else b"x" * 1001
    answer = await rest.post("/hooks/git", content=content, headers=headers)
    assert answer.status_code == 413
    assert answer.json()["message"] == "the body is larger than 1000 bytes"
    assert stand_in.observed.finished == [(HOOK, "http", "OK"), (HOOK, "http", "RESOURCE_EXHAUSTED")]


async def test_a_plain_route_has_a_deadline(rest: httpx2.AsyncClient, stand_in: StandIn) -> None:
    answer = await rest.get("/waiting")
    assert (answer.status_code, answer.json()["code"]) == (504, 4)
    assert stand_in.observed.finished == [("/waiting", "http", "DEADLINE_EXCEEDED")]


@pytest.mark.parametrize(
    ("verb", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "NOT_FOUND"),
        ("GET", "/nothing/else", 404, "NOT_FOUND"),
        ("DELETE", "/refused", 405, "UNIMPLEMENTED"),
        ("PURGE", "/api/v1alpha1/event/1", 405, "UNIMPLEMENTED"),
        ("GET", "/hooks/%ff", 400, "INVALID_ARGUMENT"),
    ],
)
async def test_what_leads_nowhere_is_logged_and_counted_under_one_name(
    rest: httpx2.AsyncClient, stand_in: StandIn, verb: str, path: str, status: int, code: str
) -> None:
    with capture_logs() as lines:
        answer = await rest.request(verb, path)
    assert answer.status_code == status
    assert stand_in.observed.finished == [("unknown", "http", code)]
    (line,) = lines_of_calls(lines)
    assert line["request_id"] == answer.headers["x-request-id"]


async def test_probes_are_logged_at_debug_unless_they_say_no(rest: httpx2.AsyncClient) -> None:
    with capture_logs() as lines:
        answers = [await rest.get(path) for path in ("/livez", "/readyz", "/unready")]
    assert [answer.status_code for answer in answers] == [200, 200, 409]
    assert [line["log_level"] for line in lines_of_calls(lines)] == ["debug", "debug", "info"]


async def test_a_call_whose_client_leaves_while_it_sends_the_body_is_logged_and_counted(
    http_server: HttpServer, stand_in: StandIn
) -> None:
    host, port = http_server.bound
    _, writer = await asyncio.open_connection(host, port)
    writer.write(b"POST /hooks/git HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
    await until(stand_in, lambda: stand_in.observed.under_way == 1)
    writer.close()
    await until(stand_in, lambda: stand_in.observed.finished == [(HOOK, "http", "CANCELLED")])


def a_stream(stand_in: StandIn) -> tuple[asyncio.Task[None], asyncio.Event]:
    """Return a stream, and the event that its first message sets."""
    begun = asyncio.Event()

    async def messages(_request: object, _call: Call) -> AsyncGenerator[str, None]:
        yield "first"
        await asyncio.Event().wait()

    async def send(_message: object) -> None:
        begun.set()

    async def read() -> None:
        pass

    handle = stand_in.chain.compose(Endpoint("a/Stream", sending(messages), None, streams=True))
    return asyncio.ensure_future(handle(read, Call("grpc", "1", "", send=send))), begun


async def test_streams_end_for_a_principal_with_the_error_that_says_why(stand_in: StandIn) -> None:
    def revoked(_endpoint: Endpoint, call: Call) -> TrackerError | None:
        return TrackerError(Reason.LOCK_LOST, "revoked") if call.principal == ANONYMOUS else None

    stream, begun = a_stream(stand_in)
    async with asyncio.timeout(BOUND):
        await begun.wait()
        stand_in.streams.end(lambda _endpoint, _call: None)
        assert not stream.done()
        stand_in.streams.end(revoked)
        for each in (stream, a_stream(stand_in)[0]):
            with pytest.raises(TrackerError, match="revoked"):
                await each
    assert stand_in.observed.finished == [("a/Stream", "grpc", "ABORTED")] * 2


async def test_one_stream_too_many_is_refused(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "MAX_STREAMS", 2)
    streams = [a_stream(stand_in)[0] for _ in range(3)]
    async with asyncio.timeout(BOUND):
        with pytest.raises(TrackerError, match="2 watches are under way"):
            await streams[2]
    streams[0].cancel()
    await asyncio.wait(streams[:1])
    again, begun = a_stream(stand_in)
    async with asyncio.timeout(BOUND):
        await begun.wait()
    for stream in (streams[1], again):
        stream.cancel()


async def test_health_reflection_and_unknown_methods_are_counted(
    channel: grpc.aio.Channel, stand_in: StandIn
) -> None:
    checking = unary(channel, "/grpc.health.v1.Health/Check")(
        health_pb2.HealthCheckRequest().SerializeToString(), metadata=(("x-request-id", "mine"),)
    )
    await checking
    assert ("x-request-id", "mine") in tuple(await checking.trailing_metadata())
    explore: grpc.aio.StreamStreamMultiCallable[reflection_pb2.ServerReflectionRequest, bytes]
    explore = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
    )
    requests = [reflection_pb2.ServerReflectionRequest(list_services="")]
    assert len([answer async for answer in explore(iter(requests), timeout=BOUND)]) == 1
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await unary(channel, "/no.such.Service/Method")(b"", timeout=BOUND)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert stand_in.observed.finished == [
        ("grpc.health.v1.Health/Check", "grpc", "OK"),
        ("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "grpc", "OK"),
        ("unknown", "grpc", "UNIMPLEMENTED"),
    ]


async def until(stand_in: StandIn, holds: Callable[[], bool]) -> None:
    """Wait until something holds of the calls that were observed."""
    async with asyncio.timeout(BOUND):
        while not holds():
            stand_in.observed.changed.clear()
            await stand_in.observed.changed.wait()
