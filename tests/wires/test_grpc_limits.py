"""What clients may take of a connection: calls, windows, pings and time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest
from hyperframe.frame import (
    SettingsFrame,
    WindowUpdateFrame,
)
from protobuf import Oneof
from tests.wires.grpc_cases import GET, MESSAGE
from tests.wires.raw_http2 import PREFACE, ErrorCode, framed, raw_client, request_headers
from tests.wires.standin import Held, exchange

from tracker.api.grpc_call import GrpcLimits
from tracker.pb import event_pb, reflection_pb

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from protobuf import Message
    from tests.wires.standin import StandIn

    from tracker.api.grpc import GrpcServer
    from tracker.services.context import Call

WATCH = "/tracker.event.v1alpha1.EventService/WatchEvents"
CALL = framed(MESSAGE)
PRINTABLE = " !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"
EVENT = event_pb.GetEventResponse(event=event_pb.Event(title="t"))


async def test_an_answer_waits_for_the_windows_of_its_caller(port: int, stand_in: StandIn) -> None:
    title = "x" * 300_000
    stand_in.answer("get_event", event_pb.GetEventResponse(event=event_pb.Event(title=title)))
    async with raw_client(port, window=1_000) as client:
        stream = client.begin(request_headers(GET))
        await client.send(stream, CALL)
        answer = client.answers[stream]
        await client.until(lambda: len(answer.body) == 1_000)
        await client.ping()
        assert len(answer.body) == 1_000
        client.write(WindowUpdateFrame(stream, 500))
        await client.until(lambda: len(answer.body) == 1_500)
        client.write(SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: 1_000_000}))
        await client.until(lambda: len(answer.body) == 65_535)
        client.write(WindowUpdateFrame(0, 1_000_000))
        await client.answer(stream)
        assert answer.trailers["grpc-status"] == "0"
        assert len(answer.messages[0]) > len(title)


async def test_pings_are_answered_and_too_many_end_the_connection(port: int) -> None:
    async with raw_client(port) as client:
        for number in range(5):  # a call in between allows for another one
            await client.call(request_headers(GET), CALL)
            await client.ping(bytes([number] * 8))
        assert client.pongs == [bytes([number] * 8) for number in range(5)]
        for _ in range(5):
            await client.ping()
        await client.until(lambda: client.closed)
        assert client.goaway is not None
        assert client.goaway.error_code == ErrorCode.ENHANCE_YOUR_CALM
        assert client.goaway.additional_data == b"too_many_pings"


@pytest.mark.parametrize("grpc_limits", [GrpcLimits(streams=2)])
async def test_clients_are_told_how_many_calls_they_may_make_at_once(port: int, stand_in: StandIn) -> None:
    held = stand_in.answers["get_event"] = Held(EVENT)
    async with raw_client(port) as client:
        assert client.settings[SettingsFrame.MAX_CONCURRENT_STREAMS] == 2
        streams = [client.begin(request_headers(GET)) for _ in range(2)]
        for stream in streams:
            await client.send(stream, CALL)
        held.let_go.set()
        for stream in streams:
            assert (await client.answer(stream)).trailers["grpc-status"] == "0"
        assert (await client.call(request_headers(GET), CALL)).trailers["grpc-status"] == "0"


@pytest.mark.parametrize("grpc_limits", [GrpcLimits(streams=2)])
async def test_a_client_that_makes_more_calls_is_cut_off(grpc_server: GrpcServer) -> None:
    async with raw_client(grpc_server.bound[1]) as client:
        for _ in range(3):
            client.begin(request_headers(GET))
        await client.until(lambda: client.closed)
        assert client.goaway is not None
        assert client.goaway.error_code == ErrorCode.PROTOCOL_ERROR


@pytest.mark.parametrize("grpc_limits", [GrpcLimits(idle_seconds=0.2)])
async def test_an_idle_connection_is_closed_after_its_last_call(grpc_server: GrpcServer) -> None:
    async with raw_client(grpc_server.bound[1]) as client:
        assert (await client.call(request_headers(GET), CALL)).trailers["grpc-status"] == "0"
        await client.until(lambda: client.closed)
        assert client.goaway is not None
        assert client.goaway.error_code == ErrorCode.NO_ERROR


@pytest.mark.parametrize("grpc_limits", [GrpcLimits(unread_seconds=0.2)])
async def test_an_answer_that_is_not_read_is_cut_off_and_no_other(
    grpc_server: GrpcServer, stand_in: StandIn
) -> None:
    stand_in.answer("get_event", event_pb.GetEventResponse(event=event_pb.Event(title="x" * 300_000)))
    async with raw_client(grpc_server.bound[1], window=1_000) as client:
        stream = client.begin(request_headers(GET))
        await client.send(stream, CALL)
        assert (await client.answer(stream)).reset == ErrorCode.CANCEL
        stand_in.answer("get_event", EVENT)
        assert (await client.call(request_headers(GET), CALL)).trailers["grpc-status"] == "0"


async def test_a_stream_goes_on_as_its_caller_reads(port: int, stand_in: StandIn) -> None:
    sent = []

    async def watch(_request: Message, _call: Call) -> AsyncGenerator[Message, None]:
        for number in range(100):
            sent.append(number)
            yield event_pb.WatchEventsResponse(resume_token="t" * 10_000)

    stand_in.watch = watch
    async with raw_client(port, window=10_000) as client:
        stream = client.begin(request_headers(WATCH))
        await client.send(stream, framed(b""))
        await client.until(lambda: len(client.answers[stream].body) == 10_000)
        await client.ping()
        assert len(sent) < 20
        client.write(WindowUpdateFrame(stream, 2_000_000), WindowUpdateFrame(0, 2_000_000))
        assert len((await client.answer(stream)).messages) == 100


@pytest.mark.parametrize("grpc_limits", [GrpcLimits(handshake_seconds=0.2)])
@pytest.mark.parametrize("sent", [b"", PREFACE[:10], PREFACE])
async def test_a_connection_without_a_handshake_is_closed(port: int, sent: bytes) -> None:
    await exchange(port, sent)


@pytest.mark.parametrize("grpc_limits", [GrpcLimits(ping_seconds=0.05, silent_seconds=0.15)])
@pytest.mark.parametrize("alive", [True, False])
async def test_a_silent_client_is_pinged_and_kept_if_it_answers(grpc_server: GrpcServer, alive: bool) -> None:
    async with raw_client(grpc_server.bound[1]) as client:
        client.answers_pings = alive
        await client.until(lambda: client.pings > 5)
        assert client.closed is not alive


async def test_a_caller_may_send_long_and_short_messages_on_one_stream(grpc_server: GrpcServer) -> None:
    services: Oneof[Literal["list_services"], str] = Oneof("list_services", "")
    sizes = (3_000, 300_000, *[1_000] * 10, 300_000, 40_000)
    requests = [
        reflection_pb.ServerReflectionRequest(host="h" * size, message_request=services) for size in sizes
    ]
    async with raw_client(grpc_server.bound[1]) as client:
        path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
        body = b"".join(framed(request.to_binary()) for request in requests)
        answer = await client.call(request_headers(path), body)
    assert len(answer.messages) == len(requests)
    assert answer.trailers["grpc-status"] == "0"


async def test_a_client_may_ping_as_often_as_it_reads(port: int, stand_in: StandIn) -> None:
    stand_in.answer("get_event", event_pb.GetEventResponse(event=event_pb.Event(title="x" * 50_000)))
    async with raw_client(port, window=1_000) as client:
        stream = client.begin(request_headers(GET))
        await client.send(stream, CALL)
        answer, size = client.answers[stream], 1_000

        def full() -> bool:
            return len(answer.body) >= size

        while size < 51_000:
            await client.until(full)
            await client.ping()
            client.write(WindowUpdateFrame(stream, 5_000))
            size += 5_000
        assert (await client.answer(stream)).trailers["grpc-status"] == "0"
