"""What clients that break HTTP/2, or wear it out, cost a server and its other clients."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import time
import urllib.request
from typing import TYPE_CHECKING

import psutil
import pytest
from bench.http2 import GrpcConnection
from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from tests.server_process import ServerProcess
from tests.wires.grpc_cases import GET
from tests.wires.raw_http2 import PREFACE, ErrorCode, framed, request_headers
from tests.wires.standin import BOUND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import ExitStack

    Harm = Callable[["Connect"], None]
    Connect = Callable[..., socket.socket]

CHECK = ("/grpc.health.v1.Health/Check", b"")
LIST = "/tracker.event.v1alpha1.EventService/ListEvents"
MORE_MEMORY = 32
"""MiB that a server may grow by."""
HEADERS = Encoder().encode(request_headers(GET))
OPENING = PREFACE + SettingsFrame(0).serialize()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    database = tmp_path_factory.mktemp("hostile") / "tracker.db"
    with ServerProcess(database, LOG_LEVEL="error", UNSENT_ANSWERS_MIB="16") as server:
        attributes = {"service": "s", "type": "deployment", "message": "x" * 60_000}
        events = [{"title": "t", "attributes": attributes} for _ in range(50)]
        url = f"http://127.0.0.1:{server.http_port}/api/v1alpha1/events/import"
        with urllib.request.urlopen(url, json.dumps({"events": events}).encode(), timeout=BOUND):
            pass
        yield server


def send(connection: socket.socket, data: bytes) -> bool:
    """Send, and say whether the server still takes it; what it answers is left unread."""
    try:
        connection.sendall(data)
    except OSError:
        return False
    return True


def repeatedly(connect: Connect, frames: bytes, times: int) -> None:
    """Send the same frames many times on one connection."""
    connection = connect(OPENING)
    for _ in range(times // 100):
        if not send(connection, frames * 100):
            return


def opening(stream: int, *flags: str) -> bytes:
    return HeadersFrame(stream, HEADERS, flags=["END_HEADERS", *flags]).serialize()


def lists(number: int) -> bytes:
    """Return as many calls for a list."""
    headers = Encoder().encode(request_headers(LIST), huffman=False)
    return b"".join(
        HeadersFrame(stream, headers, flags=["END_HEADERS"]).serialize()
        + DataFrame(stream, framed(b""), flags=["END_STREAM"]).serialize()
        for stream in range(1, 2 * number, 2)
    )


def window(size: int) -> bytes:
    """Return what leaves a server so much room on each stream, and as much as can be on the connection."""
    largest = WindowUpdateFrame(0, 2**31 - 65_536).serialize()
    return SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: size}).serialize() + largest


def await_headers(connection: socket.socket, number: int) -> None:
    """Read until as many answers have begun, or the connection ends."""
    connection.settimeout(BOUND)
    with connection.makefile("rb") as reader:
        while number and (header := reader.read(9)):
            frame, length = Frame.parse_frame_header(memoryview(header))
            reader.read(length)
            number -= isinstance(frame, HeadersFrame)


def rapid_resets(connect: Connect) -> None:
    connection = connect(OPENING)
    for first in range(1, 40_000, 200):
        frames = [
            opening(stream) + RstStreamFrame(stream, ErrorCode.CANCEL).serialize()
            for stream in range(first, first + 200, 2)
        ]
        if not send(connection, b"".join(frames)):
            return


def headers_without_end(connect: Connect) -> None:
    connection = connect(OPENING + HeadersFrame(1, HEADERS).serialize())
    part = ContinuationFrame(1, Encoder().encode([("x-more", "y" * 10_000)], huffman=False)).serialize()
    for _ in range(1_000):
        if not send(connection, part):
            return


def empty_continuations(connect: Connect) -> None:
    connection = connect(OPENING + HeadersFrame(1, HEADERS).serialize())
    for _ in range(500):
        if not send(connection, ContinuationFrame(1).serialize() * 200):
            return


def one_header_again_and_again(connect: Connect) -> None:
    """Name one large header of the table again and again."""
    encoder = Encoder()
    block = encoder.encode([*request_headers(GET), ("x-large", "y" * 3_900)])
    again = encoder.encode([("x-large", "y" * 3_900)])
    assert len(again) == 1
    connection = connect(OPENING)
    for stream in range(1, 200, 2):
        frames = HeadersFrame(stream, block, flags=["END_STREAM"]).serialize()
        frames += ContinuationFrame(stream, again * 16_000, flags=["END_HEADERS"]).serialize()
        if not send(connection, frames):
            return


def settings(connect: Connect) -> None:
    repeatedly(connect, SettingsFrame(0, {SettingsFrame.HEADER_TABLE_SIZE: 4_096}).serialize(), 100_000)


def pings(connect: Connect) -> None:
    repeatedly(connect, PingFrame(0, b"12345678").serialize(), 200_000)


def window_updates(connect: Connect) -> None:
    repeatedly(connect, WindowUpdateFrame(0, 1).serialize(), 200_000)


def priorities(connect: Connect) -> None:
    repeatedly(connect, PriorityFrame(7, depends_on=5, stream_weight=9).serialize(), 200_000)


def empty_data(connect: Connect) -> None:
    connection = connect(OPENING + opening(1))
    for _ in range(1_000):
        if not send(connection, DataFrame(1).serialize() * 200):
            return


def open_streams(connect: Connect) -> None:
    for _ in range(5):
        send(connect(OPENING), b"".join(opening(stream) for stream in range(1, 2_000, 2)))


def idle_connections(connect: Connect) -> None:
    for number in range(500):
        connect(OPENING if number % 2 else b"")


def unread_answers(connect: Connect) -> None:
    """Ask for much, and leave no room for any of it."""
    connections = [connect(PREFACE + window(0) + lists(20)) for _ in range(20)]
    for connection in connections:
        await_headers(connection, 20)


def unread_connections(connect: Connect) -> None:
    """Ask for much, and read no more than the beginning."""
    connections = [connect(PREFACE + window(2**31 - 1) + lists(20)) for _ in range(20)]
    for connection in connections:
        await_headers(connection, 1)


def vanishing(connect: Connect) -> None:
    """Make calls, and reset the connections."""
    call = opening(1) + DataFrame(1, framed(b"\n\x011"), flags=["END_STREAM"]).serialize()
    for _ in range(500):
        connection = connect(OPENING + call)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


HARMS: list[Harm] = [
    rapid_resets,
    headers_without_end,
    empty_continuations,
    one_header_again_and_again,
    settings,
    pings,
    window_updates,
    priorities,
    empty_data,
    open_streams,
    idle_connections,
    unread_answers,
    unread_connections,
    vanishing,
]


def connecting(port: int, opened: ExitStack) -> Connect:
    def connect(data: bytes) -> socket.socket:
        connection = opened.enter_context(socket.create_connection(("127.0.0.1", port), BOUND))
        connection.settimeout(1)  # a server that reads no further
        send(connection, data)
        return connection

    return connect


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
async def test_other_clients_are_answered_and_memory_is_bounded(server: ServerProcess, harm: Harm) -> None:
    process = psutil.Process(server.process.pid)
    polite = await GrpcConnection.open("127.0.0.1", server.grpc_port)
    await polite.send(CHECK)
    before, peak, slowest = process.memory_info().rss, 0, 0.0
    with contextlib.ExitStack() as opened:
        harming = asyncio.ensure_future(asyncio.to_thread(harm, connecting(server.grpc_port, opened)))
        ended = False
        while not ended:  # once more after the end
            ended = harming.done()
            asked = time.monotonic()
            await polite.send(CHECK)
            slowest = max(slowest, time.monotonic() - asked)
            peak = max(peak, process.memory_info().rss)
            await asyncio.wait([harming], timeout=0.01)
        await harming
        fresh = await GrpcConnection.open("127.0.0.1", server.grpc_port)
        await asyncio.wait_for(fresh.send(CHECK), BOUND)
    assert slowest < BOUND / 2
    assert (peak - before) / 2**20 < MORE_MEMORY
    await polite.close()
    await fresh.close()
    assert server.ready()
