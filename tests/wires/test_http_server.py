from __future__ import annotations

import asyncio
import signal
import socket
import time
from typing import TYPE_CHECKING

import grpc.aio
import pytest
import structlog
from tests.clients import http_client
from tests.wires.standin import BOUND, Held, StandIn, exchange

from tracker.api.grpc import GrpcServer
from tracker.api.http_server import HttpServer
from tracker.api.rest import RestApi
from tracker.api.wires import address, listen
from tracker.pb import event_pb

if TYPE_CHECKING:
    from tracker.api.http_exchange import HttpExchange

GET_EVENT = "/tracker.event.v1alpha1.EventService/GetEvent"
GET = b"GET /api/v1alpha1/event/1 HTTP/1.1\r\nHost: x\r\n\r\n"


async def no_app(_exchange: HttpExchange) -> None:
    raise AssertionError("nothing is asked of it")


async def test_an_address_in_use_is_an_error_that_names_it() -> None:
    first = HttpServer(no_app, "127.0.0.1", 0, StandIn().unsent)
    await first.start()
    second = HttpServer(no_app, *first.bound, StandIn().unsent)
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{first.bound[1]}: Address already in use"):
        await second.start()
    await second.stop(0)
    await first.stop(0)


async def test_a_server_leaves_signals_alone() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    server = HttpServer(no_app, "127.0.0.1", 0, StandIn().unsent)
    await server.start()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    await server.stop(0)


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="there is no IPv6 here")
def test_two_colons_are_every_interface_of_both_kinds() -> None:
    (listener,) = listen("::", 0)
    with listener:
        listener.listen()
        port = listener.getsockname()[1]
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, port), timeout=BOUND).close()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="there is no IPv6 here")
def test_localhost_is_the_loopback_interface_of_both_kinds() -> None:
    listeners = listen("localhost", 0)
    port = listeners[0].getsockname()[1]
    assert [each.getsockname()[:2] for each in listeners] == [("127.0.0.1", port), ("::1", port)]
    for each in listeners:
        each.close()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="there is no IPv6 here")
async def test_the_address_of_a_client_is_that_of_its_kind() -> None:
    stand_in, log = StandIn(), structlog.get_logger()
    rest = RestApi(stand_in.chain, stand_in.methods, (), log=log)
    http_server = HttpServer(rest, "::", 0, stand_in.unsent)
    grpc_server = GrpcServer(stand_in.chain, stand_in.methods, "::", 0, streams=stand_in.streams, log=log)
    await http_server.start()
    await grpc_server.start()
    for host in ("127.0.0.1", "::1"):
        async with http_client((host, http_server.bound[1])) as client:
            await client.get("/api/v1alpha1/event/x")
        async with grpc.aio.insecure_channel(address(host, grpc_server.bound[1])) as channel:
            get: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(GET_EVENT)
            await get(event_pb.GetEventRequest(id="x").to_binary())
    await asyncio.gather(http_server.stop(0), grpc_server.stop(0))
    peers = [call.peer.rpartition(":")[0] for _, call in stand_in.asked]
    assert peers == ["127.0.0.1", "ipv4:127.0.0.1", "[::1]", "ipv6:%5B::1%5D"]


def test_an_address_is_spelled_as_in_a_url() -> None:
    assert (address("127.0.0.1", 1), address("::", 2)) == ("127.0.0.1:1", "[::]:2")


def test_small_answers_do_not_wait_for_acknowledgements() -> None:
    (listener,) = listen("127.0.0.1", 0)
    with listener:
        assert listener.proto == socket.IPPROTO_TCP  # else the event loop leaves Nagle's algorithm on


async def test_a_stopping_server_finishes_the_calls_under_way(
    http_server: HttpServer, stand_in: StandIn
) -> None:
    held = Held(event_pb.GetEventResponse())
    stand_in.answers["get_event"] = held
    answer = asyncio.create_task(exchange(http_server.bound[1], GET))
    await asyncio.wait_for(held.begun.wait(), BOUND)
    stopping = asyncio.create_task(http_server.stop(BOUND))
    await listens_no_more(http_server)
    held.let_go.set()
    assert b"200 OK" in await answer
    assert b"connection: close" in await answer
    await asyncio.wait_for(stopping, BOUND)


async def test_a_request_on_an_open_connection_is_still_answered_and_is_the_last(
    http_server: HttpServer,
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", http_server.bound[1])
    writer.write(GET)
    async with asyncio.timeout(BOUND):
        await reader.readuntil(b"\r\n\r\n")
        stopping = asyncio.create_task(http_server.stop(BOUND))
        await listens_no_more(http_server)
        writer.write(GET)
        rest = await reader.read()
        await stopping
    writer.close()
    assert b"HTTP/1.1 200 OK" in rest
    assert b"connection: close" in rest


async def test_idle_connections_do_not_keep_a_server_from_stopping(http_server: HttpServer) -> None:
    open_ = [await asyncio.open_connection("127.0.0.1", http_server.bound[1]) for _ in range(3)]
    open_[0][1].write(GET)
    await open_[0][0].readuntil(b"\r\n\r\n")
    started = time.perf_counter()
    await http_server.stop(BOUND)
    assert time.perf_counter() - started < BOUND / 2
    for _, writer in open_:
        writer.close()


async def test_a_call_that_outlasts_the_grace_is_cancelled_and_told_so(
    http_server: HttpServer, stand_in: StandIn
) -> None:
    held = Held(event_pb.GetEventResponse())
    stand_in.answers["get_event"] = held
    answer = asyncio.create_task(exchange(http_server.bound[1], GET))
    await asyncio.wait_for(held.begun.wait(), BOUND)
    await asyncio.wait_for(http_server.stop(0.2), BOUND)
    assert held.cancelled.is_set()
    assert b"HTTP/1.1 503 " in await answer


async def test_stopping_a_server_that_never_started_does_nothing() -> None:
    await HttpServer(no_app, "127.0.0.1", 0, StandIn().unsent).stop(0)


async def listens_no_more(server: HttpServer) -> None:
    """Wait until a server has given up its address."""
    async with asyncio.timeout(BOUND):
        while True:
            try:
                listen(*server.bound)[0].close()
            except OSError:
                await asyncio.sleep(0.01)
            else:
                return
