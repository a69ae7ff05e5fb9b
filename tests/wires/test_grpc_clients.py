"""The synchronous client of gRPC, which pipelines use."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import grpc
import pytest
from tests.wires.standin import BOUND

from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from protobuf import Message
    from tests.wires.standin import StandIn

    from tracker.api.grpc import GrpcServer
    from tracker.services.context import Call

EVENTS = "/tracker.event.v1alpha1.EventService"
TITLE = "x" * 3_000_000


async def with_client(
    server: GrpcServer,
    use: Callable[[grpc.Channel], None],
    compression: grpc.Compression = grpc.Compression.NoCompression,
) -> None:
    """Let a function use a client in a thread of its own."""

    def run() -> None:
        host, port = server.bound
        with grpc.insecure_channel(f"{host}:{port}", compression=compression) as channel:
            use(channel)

    await asyncio.wait_for(asyncio.to_thread(run), BOUND)


@pytest.mark.parametrize("compression", grpc.Compression)
async def test_messages_are_compressed_as_a_client_likes(
    grpc_server: GrpcServer, stand_in: StandIn, compression: grpc.Compression
) -> None:
    stand_in.answer("create_event", event_pb.CreateEventResponse(event=event_pb.Event(title=TITLE)))
    attributes = event_pb.EventAttributes(service="s", type=event_pb.Type.deployment, message="y" * 50_000)
    request = event_pb.CreateEventRequest(title="t", attributes=attributes)

    def use(channel: grpc.Channel) -> None:
        create: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"{EVENTS}/CreateEvent")
        answer, call = create.with_call(request.to_binary(), metadata=(("x-request-id", "build-7"),))
        created = event_pb.CreateEventResponse.from_binary(answer)
        assert created.event == event_pb.Event(title=TITLE)
        assert dict(call.trailing_metadata())["x-request-id"] == "build-7"

    await with_client(grpc_server, use, compression)
    assert stand_in.request == request


async def test_a_stream_is_read_up_to_where_its_client_cancels_it(
    grpc_server: GrpcServer, stand_in: StandIn
) -> None:
    ended = asyncio.Event()

    async def watch(_request: Message, _call: Call) -> AsyncGenerator[Message, None]:
        try:
            for number in itertools.count():
                yield event_pb.WatchEventsResponse(resume_token=str(number))
        finally:
            ended.set()

    def use(channel: grpc.Channel) -> None:
        watch: grpc.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(f"{EVENTS}/WatchEvents")
        watching = watch(b"")
        for number, message in enumerate(itertools.islice(watching, 2_000)):
            assert event_pb.WatchEventsResponse.from_binary(message).resume_token == str(number)
        watching.cancel()
        with pytest.raises(grpc.RpcError):
            next(watching)
        assert watching.code() is grpc.StatusCode.CANCELLED

    stand_in.watch = watch
    await with_client(grpc_server, use)
    await asyncio.wait_for(ended.wait(), BOUND)
