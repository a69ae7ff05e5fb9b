"""Answers that must not get lost: whether they are depends on what their client does next."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hyperframe.frame import RstStreamFrame
from tests.wires.grpc_cases import GET, MESSAGE
from tests.wires.raw_http2 import ErrorCode, framed, raw_client, request_headers
from tests.wires.standin import BOUND, Held

from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from protobuf import Message
    from tests.wires.raw_http2 import RawClient
    from tests.wires.standin import StandIn

    from tracker.api.grpc import GrpcServer
    from tracker.services.context import Call

EVENT = event_pb.GetEventResponse(event=event_pb.Event(title="t"))
CALL = framed(MESSAGE)


@pytest.fixture
def lost(stand_in: StandIn) -> list[str]:
    """Return the ids of the calls whose answer was lost."""
    ids: list[str] = []

    async def answer(_request: Message, call: Call) -> Message:
        call.undo = lambda: ids.append(call.request_id)
        return EVENT

    stand_in.answers["get_event"] = answer
    return ids


@pytest.fixture
async def client(grpc_server: GrpcServer) -> AsyncIterator[RawClient]:
    async with raw_client(grpc_server.bound[1]) as client:
        yield client


def cancel(client: RawClient, stream: int) -> None:
    client.write(RstStreamFrame(stream, ErrorCode.CANCEL))


async def answered(client: RawClient) -> int:
    """Make a call, and return its stream when it is answered and the ping that follows has come."""
    pings = client.pings
    stream = client.begin(request_headers(GET))
    await client.send(stream, CALL)
    await client.until(lambda: client.answers[stream].ended and client.pings > pings)
    return stream


async def happens(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(BOUND):
        while not condition():
            await asyncio.sleep(0.01)


async def test_an_answer_is_lost_if_its_call_is_cancelled_before_the_ping_is_answered(
    client: RawClient, lost: list[str]
) -> None:
    client.answers_pings = False
    cancel(client, await answered(client))
    await client.ping()
    assert len(lost) == 1


async def test_an_answer_has_arrived_when_the_ping_is_answered(client: RawClient, lost: list[str]) -> None:
    cancel(client, await answered(client))
    await answered(client)
    await client.ping()
    client.reset()
    await client.until(lambda: False)
    assert lost == []


async def test_an_answer_is_lost_if_the_connection_is_reset(client: RawClient, lost: list[str]) -> None:
    client.answers_pings = False
    await answered(client)
    client.reset()
    await happens(lambda: len(lost) == 1)


async def test_an_answer_has_arrived_where_its_client_closes_the_connection(
    grpc_server: GrpcServer, client: RawClient, lost: list[str]
) -> None:
    client.answers_pings = False
    await answered(client)
    client.end()
    await client.until(lambda: False)
    await grpc_server.stop(0)
    assert lost == []


async def test_an_answer_without_room_is_lost_with_its_call(grpc_server: GrpcServer, lost: list[str]) -> None:
    async with raw_client(grpc_server.bound[1], window=0) as client:
        stream = client.begin(request_headers(GET))
        await client.send(stream, CALL)
        await client.until(lambda: bool(client.answers[stream].headers))
        cancel(client, stream)
        await client.ping()
        assert len(lost) == 1


async def test_an_answer_that_is_not_ready_is_lost_once(client: RawClient, stand_in: StandIn) -> None:
    held, lost = Held(EVENT), []

    async def answer(request: Message, call: Call) -> Message:
        call.undo = lambda: lost.append(call.request_id)
        return await held(request, call)

    stand_in.answers["get_event"] = answer
    stream = client.begin(request_headers(GET))
    await client.send(stream, CALL)
    await asyncio.wait_for(held.begun.wait(), BOUND)
    cancel(client, stream)
    await asyncio.wait_for(held.cancelled.wait(), BOUND)
    client.reset()
    await happens(lambda: stand_in.observed.under_way == 0)
    assert len(lost) == 1


async def test_a_client_that_answers_no_pings_is_refused_at_last(client: RawClient, lost: list[str]) -> None:
    client.answers_pings = False
    while client.goaway is None and client.pings <= 1_000:
        await answered(client)
    await client.until(lambda: client.closed)
    assert client.goaway is not None
    assert client.goaway.error_code == ErrorCode.ENHANCE_YOUR_CALM
    assert lost == []
