"""Frames that break HTTP/2 end their connection, with the errors that RFC 9113 names."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from tests.wires.grpc_cases import GET, MESSAGE
from tests.wires.raw_http2 import (
    LARGEST_WINDOW,
    PREFACE,
    ErrorCode,
    framed,
    raw_client,
    request_headers,
)
from tests.wires.standin import exchange

if TYPE_CHECKING:
    import pytest
    from hyperframe.frame import Frame
    from tests.wires.standin import StandIn

    from tracker.api.grpc import GrpcServer

HEADERS = Encoder().encode(request_headers(GET))
BOMB = Encoder().encode([*request_headers(GET), *[("x", "y" * 3_900)] * 80])
OPENED = HeadersFrame(1, HEADERS, flags=["END_HEADERS"])
ACK, END_HEADERS, PADDED = 1, 4, 8


def raw(kind: type[Frame], stream: int, payload: bytes, flags: int = 0) -> bytes:
    """Return a frame that the library would not make."""
    head = len(payload).to_bytes(3, "big") + bytes([kind.type or 0, flags]) + stream.to_bytes(4, "big")
    return head + payload


def setting(name: int, value: int) -> bytes:
    return raw(SettingsFrame, 0, name.to_bytes(2, "big") + value.to_bytes(4, "big"))


FRAMES: dict[ErrorCode, dict[str, list[Frame | bytes]]] = {
    ErrorCode.PROTOCOL_ERROR: {
        "DATA without a stream": [raw(DataFrame, 0, b"x")],
        "HEADERS without a stream": [raw(HeadersFrame, 0, HEADERS, END_HEADERS)],
        "HEADERS on a stream of the server": [raw(HeadersFrame, 2, HEADERS, END_HEADERS)],
        "DATA before HEADERS": [raw(DataFrame, 1, b"x")],
        "RST_STREAM before HEADERS": [RstStreamFrame(1, ErrorCode.CANCEL)],
        "WINDOW_UPDATE before HEADERS": [WindowUpdateFrame(1, 1)],
        "WINDOW_UPDATE by nothing": [raw(WindowUpdateFrame, 0, bytes(4))],
        "SETTINGS of a stream": [raw(SettingsFrame, 1, bytes(6))],
        "push neither on nor off": [setting(SettingsFrame.ENABLE_PUSH, 2)],
        "frames of one byte": [setting(SettingsFrame.MAX_FRAME_SIZE, 1)],
        "PING of a stream": [raw(PingFrame, 1, bytes(8))],
        "GOAWAY of a stream": [raw(GoAwayFrame, 1, bytes(8))],
        "a push": [OPENED, raw(PushPromiseFrame, 1, bytes(4), END_HEADERS)],
        "CONTINUATION of nothing": [raw(ContinuationFrame, 1, HEADERS, END_HEADERS)],
        "DATA amid headers": [raw(HeadersFrame, 1, HEADERS[:9]), raw(DataFrame, 1, b"x")],
        "more padding than there is": [OPENED, raw(DataFrame, 1, b"\x09x", PADDED)],
    },
    ErrorCode.FLOW_CONTROL_ERROR: {
        "a window too large": [WindowUpdateFrame(0, LARGEST_WINDOW)],
        "a stream's window too large": [OPENED, WindowUpdateFrame(1, LARGEST_WINDOW)],
        "first windows too large": [setting(SettingsFrame.INITIAL_WINDOW_SIZE, LARGEST_WINDOW + 1)],
        "more than the window": [OPENED, *[raw(DataFrame, 1, bytes(16_384))] * 5],
    },
    ErrorCode.FRAME_SIZE_ERROR: {
        "SETTINGS of 5 bytes": [raw(SettingsFrame, 0, bytes(5))],
        "SETTINGS that acknowledge and set": [raw(SettingsFrame, 0, bytes(6), ACK)],
        "PING of 7 bytes": [raw(PingFrame, 0, bytes(7))],
        "RST_STREAM of 3 bytes": [OPENED, raw(RstStreamFrame, 1, bytes(3))],
        "a frame too large": [OPENED, raw(DataFrame, 1, bytes(16_385))],
    },
    ErrorCode.COMPRESSION_ERROR: {
        "headers that are none": [raw(HeadersFrame, 1, b"\xff" * 20, END_HEADERS)],
    },
    ErrorCode.ENHANCE_YOUR_CALM: {
        "headers of 300 KB in one of 5": [raw(HeadersFrame, 1, BOMB, END_HEADERS)],
        "headers without an end": [raw(HeadersFrame, 1, HEADERS), *[raw(ContinuationFrame, 1, b"")] * 20],
    },
}


async def test_a_frame_that_breaks_http2_ends_its_connection(
    grpc_server: GrpcServer, subtests: pytest.Subtests
) -> None:
    for code, cases in FRAMES.items():
        for name, frames in cases.items():
            with subtests.test(name):
                async with raw_client(grpc_server.bound[1]) as client:
                    client.write(*frames)
                    await client.until(lambda: client.closed)
                    assert client.goaway is not None
                    assert ErrorCode(client.goaway.error_code) is code


async def test_bytes_changed_by_chance_leave_nothing_behind(
    grpc_server: GrpcServer, stand_in: StandIn
) -> None:
    problems: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, problem: problems.append(problem))
    chance = random.Random(16)
    calls = [
        HeadersFrame(stream, HEADERS, flags=["END_HEADERS"]).serialize()
        + DataFrame(stream, framed(MESSAGE), flags=["END_STREAM"]).serialize()
        for stream in (1, 3, 5)
    ]
    whole = PREFACE + SettingsFrame(0).serialize() + b"".join(calls)

    def changed() -> bytes:
        data = bytearray(whole)
        for _ in range(chance.choice([1, 2, 20])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        return bytes(data[: chance.randrange(len(PREFACE), len(data))])

    ends = await asyncio.gather(
        *(exchange(grpc_server.bound[1], changed(), end=True) for _ in range(300)), return_exceptions=True
    )
    assert all(isinstance(end, bytes | ConnectionError) for end in ends)
    async with raw_client(grpc_server.bound[1]) as client:
        assert (await client.call(request_headers(GET), framed(MESSAGE))).trailers["grpc-status"] == "0"
    assert stand_in.observed.under_way == 0
    assert problems == []
