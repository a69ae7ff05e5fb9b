"""What calls on one connection may do, over our server and over one of `grpc.aio` with the same endpoints."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hyperframe.frame import (
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PriorityFrame,
    RstStreamFrame,
)
from tests.wires.grpc_cases import GET, MESSAGE
from tests.wires.raw_http2 import ErrorCode, framed, raw_client, request_headers
from tests.wires.standin import BOUND, Held, exchange

from tracker.errors import Reason, TrackerError
from tracker.pb import event_pb, status_pb

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


async def test_a_request_may_come_in_any_pieces(port: int, stand_in: StandIn) -> None:
    stand_in.answer("get_event", EVENT)
    async with raw_client(port) as client:
        answer = await client.call(request_headers(GET), CALL, part=1)
        assert event_pb.GetEventResponse.from_binary(answer.messages[0]) == EVENT
        stream, frames = client.headers(request_headers(GET))
        sent = b"".join(frame.serialize() for frame in frames)
        sent += DataFrame(stream, CALL, flags=["END_STREAM"]).serialize()
        for byte in sent:
            client.write(bytes([byte]))
            await asyncio.sleep(0)
        assert (await client.answer(stream)).trailers["grpc-status"] == "0"


async def test_calls_share_a_connection(port: int, stand_in: StandIn) -> None:
    async with raw_client(port) as client:
        streams = [client.begin(request_headers(GET)) for _ in range(50)]
        for part in (CALL[:4], CALL[4:]):
            for stream in reversed(streams):
                client.write(DataFrame(stream, part, flags=["END_STREAM"] if part == CALL[4:] else []))
        for stream in streams:
            assert (await client.answer(stream)).trailers["grpc-status"] == "0"
    assert len(stand_in.asked) == 50


async def test_trailers_priorities_and_unknown_frames_of_a_client_are_taken(port: int) -> None:
    async with raw_client(port) as client:
        stream, frames = client.headers(request_headers(GET))
        unknown = b"\0\0\3\xee\xff" + stream.to_bytes(4, "big") + b"any"
        trailers = HeadersFrame(
            stream, client.block([("x-trailer", "1")]), flags=["END_HEADERS", "END_STREAM"]
        )
        priority = PriorityFrame(stream + 100, depends_on=0, stream_weight=5)
        client.write(priority, unknown, *frames, unknown, DataFrame(stream, CALL), trailers)
        assert (await client.answer(stream)).trailers["grpc-status"] == "0"


async def test_padding_is_taken(grpc_server: GrpcServer) -> None:  # gRPC core takes none
    async with raw_client(grpc_server.bound[1]) as client:
        stream, (headers,) = client.headers(request_headers(GET))
        assert isinstance(headers, HeadersFrame)
        headers.flags.add("PADDED")
        headers.pad_length = 10
        client.write(headers, DataFrame(stream, CALL, flags=["PADDED", "END_STREAM"], pad_length=200))
        assert (await client.answer(stream)).trailers["grpc-status"] == "0"


async def test_an_answer_has_the_headers_and_trailers_of_grpc(port: int, stand_in: StandIn) -> None:
    async with raw_client(port) as client:
        answer = await client.call(request_headers(GET, x_request_id="build-7"), CALL)
        headers, trailers = answer.headers
        assert headers[":status"] == "200"
        assert headers["content-type"] == "application/grpc"
        assert (trailers["grpc-status"], trailers["x-request-id"]) == ("0", "build-7")
        stand_in.answer("get_event", TrackerError(Reason.EVENT_NOT_FOUND, "no"))
        (alone,) = (await client.call(request_headers(GET), CALL)).headers
        assert (alone[":status"], alone["content-type"]) == ("200", "application/grpc")
        assert alone["grpc-status"] == "5"


@pytest.mark.parametrize("text", ["plain ~!", "50 %", "é 語 😀", "two\nlines\t", " spaces ", "%41"])
async def test_the_message_of_an_error_is_percent_encoded(port: int, stand_in: StandIn, text: str) -> None:
    stand_in.answer("get_event", TrackerError(Reason.LOCK_HELD, text))
    async with raw_client(port) as client:
        trailers = (await client.call(request_headers(GET), CALL)).trailers
    assert trailers["grpc-message"] == quote(text, safe=PRINTABLE)
    details = trailers["grpc-status-details-bin"]
    status = status_pb.Status.from_binary(b64decode(details + "=" * (-len(details) % 4)))
    assert (status.code, status.message) == (6, text)


async def test_services_are_given_the_metadata_of_their_callers(port: int, stand_in: StandIn) -> None:
    more = [("x-one", "1"), ("x-two", "a"), ("x-two", "b"), ("x-empty", "")]
    async with raw_client(port) as client:
        await client.call([*request_headers(GET, user_agent="tests"), *more], CALL)
    given = {name: value for name, value in stand_in.call.headers.items() if name.startswith(("x-", "user"))}
    assert given == {"x-one": "1", "x-two": "a, b", "x-empty": "", "user-agent": "tests"}


async def test_an_unknown_encoding_is_answered_with_those_that_are_known(grpc_server: GrpcServer) -> None:
    async with raw_client(grpc_server.bound[1]) as client:
        answer = await client.call(request_headers(GET, grpc_encoding="snappy"), framed(b"x", 1))
    assert set(answer.trailers["grpc-accept-encoding"].split(", ")) == {"identity", "deflate", "gzip"}


@pytest.mark.parametrize("deadline", ["99999999n", "200m"])
async def test_the_deadline_of_a_call_under_way_ends_its_work(
    port: int, stand_in: StandIn, deadline: str
) -> None:
    held = stand_in.answers["get_event"] = Held(EVENT)
    async with raw_client(port) as client:
        answer = await client.call(request_headers(GET, grpc_timeout=deadline), CALL)
        assert answer.trailers["grpc-status"] == "4"
        if held.begun.is_set():  # a busy server may not have begun when it passes
            await asyncio.wait_for(held.cancelled.wait(), BOUND)


async def test_a_reset_call_stops_its_work_and_no_other(port: int, stand_in: StandIn) -> None:
    held = stand_in.answers["get_event"] = Held(EVENT)
    async with raw_client(port) as client:
        stream = client.begin(request_headers(GET))
        await client.send(stream, CALL)
        await asyncio.wait_for(held.begun.wait(), BOUND)
        client.write(RstStreamFrame(stream, ErrorCode.CANCEL))
        await asyncio.wait_for(held.cancelled.wait(), BOUND)
        stand_in.answer("get_event", EVENT)
        assert (await client.call(request_headers(GET), CALL)).trailers["grpc-status"] == "0"


@pytest.mark.parametrize("how", ["reset", "half closed", "closed"])
async def test_a_stream_ends_with_its_caller(port: int, stand_in: StandIn, how: str) -> None:
    ended = asyncio.Event()

    async def watch(_request: Message, _call: Call) -> AsyncGenerator[Message, None]:
        try:
            while True:
                yield event_pb.WatchEventsResponse(resume_token="t" * 100)
                await asyncio.sleep(0.001)
        finally:
            ended.set()

    stand_in.watch = watch
    async with raw_client(port) as client:
        stream = client.begin(request_headers(WATCH))
        await client.send(stream, framed(b""))
        await client.until(lambda: len(client.answers[stream].messages) > 3)
        if how == "reset":
            client.write(RstStreamFrame(stream, ErrorCode.CANCEL))
        elif how == "half closed":
            client.end()
        else:
            client.close()
        await asyncio.wait_for(ended.wait(), BOUND)


async def test_a_client_that_goes_away_still_gets_its_answers(port: int, stand_in: StandIn) -> None:
    held = stand_in.answers["get_event"] = Held(EVENT)
    async with raw_client(port) as client:
        stream = client.begin(request_headers(GET))
        await client.send(stream, CALL)
        await asyncio.wait_for(held.begun.wait(), BOUND)
        client.write(GoAwayFrame(0, last_stream_id=0, error_code=ErrorCode.NO_ERROR))
        held.let_go.set()
        assert (await client.answer(stream)).trailers["grpc-status"] == "0"


async def test_what_is_not_http2_is_closed(port: int) -> None:
    answer = await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert not answer.startswith(b"HTTP/1.1 2")


async def test_a_stopping_server_answers_calls_under_way_and_closes(
    grpc_server: GrpcServer, stand_in: StandIn
) -> None:
    held = stand_in.answers["get_event"] = Held(EVENT)
    async with raw_client(grpc_server.bound[1]) as client, raw_client(grpc_server.bound[1]) as idle:
        stream = client.begin(request_headers(GET))
        await client.send(stream, CALL)
        await asyncio.wait_for(held.begun.wait(), BOUND)
        stopping = asyncio.create_task(grpc_server.stop(BOUND))
        await idle.until(lambda: idle.closed)
        await client.until(lambda: client.goaway is not None)
        held.let_go.set()
        assert (await client.answer(stream)).trailers["grpc-status"] == "0"
        await client.until(lambda: client.closed)
        for each in (client, idle):
            assert each.goaway is not None
            assert each.goaway.error_code == ErrorCode.NO_ERROR
        await asyncio.wait_for(stopping, BOUND)
