"""Closed-loop load: a number of connections, each with one request under way at a time."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@dataclass(frozen=True, slots=True)
class Result:
    """What one run measured: answers a second, and seconds from request to answer."""

    rate: float
    p50: float
    p99: float
    cpu: float
    """Share of one core that the load itself used; near 1, the load is the bottleneck."""
    server: float = 0
    """Seconds of CPU that the server used for one run of the script, if that was measured."""


def middle(results: list[Result]) -> Result:
    """Return the result with the middle rate."""
    return sorted(results, key=lambda result: result.rate)[len(results) // 2]


class Connection(Protocol):
    """One connection to a server."""

    async def send(self, request: object) -> bytes:
        """Send a request and return the body of the answer; fail unless it is a success."""

    async def close(self) -> None:
        """Close the connection."""


class Process(Protocol):
    """A server whose work is measured."""

    def cpu(self) -> float:
        """Return the seconds of CPU that it has used."""


class Closable(Protocol):
    """What a script runs on."""

    async def close(self) -> None:
        """Close the connection."""


C = TypeVar("C", bound=Closable)


async def run(
    connect: Callable[[], Awaitable[C]],
    script: Callable[[C], Awaitable[object]],
    *,
    connections: int,
    seconds: float,
    server: Process | None = None,
) -> Result:
    """Repeat `script` on each connection for a time; a tenth of it first, unmeasured, to warm up."""
    opened = [await connect() for _ in range(connections)]
    try:
        await asyncio.gather(*(_repeat(script, c, seconds / 10) for c in opened))
        served = server.cpu() if server else 0
        cpu, begun = time.process_time(), time.perf_counter()
        runs = await asyncio.gather(*(_repeat(script, c, seconds) for c in opened))
        elapsed, cpu = time.perf_counter() - begun, time.process_time() - cpu
        served = server.cpu() - served if server else 0
    finally:
        for connection in opened:
            await connection.close()
    latencies = sorted(latency for latencies in runs for latency in latencies)
    return Result(
        rate=len(latencies) / elapsed,
        p50=latencies[len(latencies) // 2],
        p99=latencies[int(len(latencies) * 0.99)],
        cpu=cpu / elapsed,
        server=served / len(latencies),
    )


async def _repeat(script: Callable[[C], Awaitable[object]], connection: C, seconds: float) -> list[float]:
    latencies: list[float] = []
    end = time.perf_counter() + seconds
    while (begun := time.perf_counter()) < end:
        await script(connection)
        latencies.append(time.perf_counter() - begun)
    return latencies


class ClientProtocol(asyncio.Protocol):
    """What the clients of both wires have in common: a connection, and the answer that is waited for."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answer: asyncio.Future[bytes] | None = None

    @classmethod
    async def open(cls, host: str, port: int) -> Self:
        _, protocol = await asyncio.get_running_loop().create_connection(cls, host, port)
        return protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionResetError("closed by the server"))

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    async def _ask(self, data: bytes) -> bytes:
        """Send a request, and wait for its answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return await self._answer

    async def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class RestConnection(ClientProtocol):
    """One kept-alive HTTP/1.1 connection; a request is the bytes on the wire."""

    closing = False
    """Whether the server has said that it answers no more here."""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        lower = head.lower()
        at = lower.find(b"content-length:")
        length = int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) < length:
            return
        self._received = b""
        self.closing = b"connection: close" in lower
        assert self._answer is not None
        if self._answer.cancelled():
            return
        if head[9:10] != b"2":
            self._answer.set_exception(RuntimeError((head + body).decode()))
        else:
            self._answer.set_result(body)

    async def send(self, request: object) -> bytes:
        assert isinstance(request, bytes)
        return await self._ask(request)


def http_request(verb: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """Return the bytes of a request."""
    given = {"host": "localhost", "content-length": str(len(body)), **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"{verb} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


def free_ports(number: int) -> list[int]:
    """Return ports of the loopback interface that are free, and that the system gives to nobody by itself.

    A port that the system has chosen and is free again may soon be that of a client.
    """
    ports: list[int] = []
    with contextlib.ExitStack() as opened:
        while len(ports) < number:
            port = 10_000 + secrets.randbelow(22_000)
            with contextlib.suppress(OSError):
                opened.enter_context(socket.create_server(("127.0.0.1", port)))
                ports.append(port)
    return ports
