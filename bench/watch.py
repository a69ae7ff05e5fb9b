"""How soon many watches hear of an event, and what they cost the server.

    python -m bench.watch [--watches 1000] [--silent 100] [--rate 10] [--seconds 10] [--mongo]

Starts a server, opens the watches, and records events at a rate, all on the loopback interface: first over
REST (server-sent events, each watch on a connection of its own), then over gRPC, a hundred to a connection.
Beside them some watches never read: the server must not keep for them what they leave. A delay is from before
the event is sent to when a watch has it. Memory is the server's, before the watches, with them, and after the
events. With `--mongo`, two servers are on one `mongod` of the development environment: events are recorded at
one of them, and watched at the other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import socket
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, cast

import grpc.aio
import uvloop
from bench.api import EVENTS
from bench.load import http_request
from bench.server import serving
from tests.mongo_servers import MongoServers

from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bench.server import Server

    Heard = Callable[[float], None]
    Watch = Callable[[Server, int, Heard, AsyncExitStack], Awaitable[None]]

_MESSAGE = "x" * 1_000
_FILES = 8_192
_PER_CHANNEL = 100
_PATIENCE = 60
"""Seconds in which watches must be open, and have heard all."""


class RestWatch(asyncio.Protocol):
    """A watch over REST; it tells of each event when that was sent."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._rest = b""
        self.opened = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(http_request("GET", "/api/v1alpha1/events/watch"))

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                self._heard(float(json.loads(line[5:])["event"]["title"]))
            elif line.startswith(b"id:") and not self.opened.done():
                self.opened.set_result(None)


async def _watch_rest(server: Server, number: int, heard: Heard, opened: AsyncExitStack) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(number):
        transport, watch = await loop.create_connection(
            lambda: RestWatch(heard), "127.0.0.1", server.http_port
        )
        opened.callback(transport.close)
        await watch.opened


async def _watch_grpc(server: Server, number: int, heard: Heard, opened: AsyncExitStack) -> None:
    async def read(calling: grpc.aio.UnaryStreamCall[bytes, event_pb.WatchEventsResponse]) -> None:
        while isinstance(message := await calling.read(), event_pb.WatchEventsResponse):
            if message.event is not None:
                heard(float(message.event.title))

    for start in range(0, number, _PER_CHANNEL):
        channel = grpc.aio.insecure_channel(
            f"127.0.0.1:{server.grpc_port}", options=[("grpc.use_local_subchannel_pool", 1)]
        )
        await opened.enter_async_context(channel)
        watch: grpc.aio.UnaryStreamMultiCallable[bytes, event_pb.WatchEventsResponse] = channel.unary_stream(
            EVENTS + "WatchEvents", response_deserializer=event_pb.WatchEventsResponse.from_binary
        )
        for _ in range(min(_PER_CHANNEL, number - start)):
            calling = watch(b"")
            await calling.read()
            opened.callback(asyncio.create_task(read(calling)).cancel)


def _silent(port: int) -> socket.socket:
    """Open a watch that never reads."""
    silent = socket.create_connection(("127.0.0.1", port))
    silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    silent.sendall(http_request("GET", "/api/v1alpha1/events/watch"))
    return silent


async def _measure(
    name: str, watch: Watch, options: argparse.Namespace, watched: Server, writes: Server
) -> None:
    number = options.watches
    heard: asyncio.Queue[float] = asyncio.Queue()
    async with AsyncExitStack() as opened:
        for _ in range(options.silent):
            opened.enter_context(_silent(watched.http_port))
        before = watched.memory()
        async with asyncio.timeout(_PATIENCE):
            await watch(watched, number, lambda sent: heard.put_nowait(time.perf_counter() - sent), opened)
        idle = watched.memory()
        writer = await writes.rest()
        events = round(options.rate * options.seconds)
        cpu, begun = time.process_time(), time.perf_counter()
        for event in range(events):
            await asyncio.sleep(begun + event / options.rate - time.perf_counter())
            await writer.send(http_request("POST", "/api/v1alpha1/event", _event(time.perf_counter())))
        async with asyncio.timeout(_PATIENCE):
            told = sorted([await heard.get() for _ in range(events * number)])
        took, cpu = time.perf_counter() - begun, time.process_time() - cpu
        await writer.close()
        print(
            f"{name:6}{number:8}{len(told):10}{len(told) / took:10.0f}{told[len(told) // 2] * 1e3:9.1f}"
            f"{told[int(len(told) * 0.99)] * 1e3:9.1f}{told[-1] * 1e3:9.1f}{cpu / took:7.0%}"
            f"{before:9.0f}{idle:9.0f}{watched.memory():9.0f}",
            flush=True,
        )


def _event(sent: float) -> bytes:
    attributes = {"service": "bench", "type": "drift", "message": _MESSAGE}
    return json.dumps({"title": repr(sent), "attributes": attributes}).encode()


async def _both(options: argparse.Namespace, watched: Server, writes: Server) -> None:
    print(
        f"{'':6}{'watches':>8}{'messages':>10}{'per s':>10}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}{'load':>7}"
        f"{'MiB':>9}{'idle':>9}{'after':>9}"
    )
    await _measure("REST", _watch_rest, options, watched, writes)
    await _measure("gRPC", _watch_grpc, options, watched, writes)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--watches", type=int, default=1_000)
    parser.add_argument("--silent", type=int, default=100, help="watches that never read")
    parser.add_argument("--rate", type=float, default=10, help="events a second")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--mongo", action="store_true", help="two servers on a mongod")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_FILES, hard), hard))
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name, ExitStack() as opened:
        folder = Path(name)
        settings: list[dict[str, str]] = [{}]
        if options.mongo:
            servers = opened.enter_context(MongoServers(folder / "mongo"))
            settings = [{"MONGO_URI": servers.new_database()}] * 2
        started = [opened.enter_context(serving(folder / "tracker.db", **each)) for each in settings]
        uvloop.run(_both(options, started[0], started[-1]))


if __name__ == "__main__":
    main()
