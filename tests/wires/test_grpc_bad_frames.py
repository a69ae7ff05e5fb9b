"""Frames that break HTTP/2 end their connection, with the errors that RFC 9113 names."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from tests.wires.grpc_cases import GET
from tests.wires.raw_http2 import LARGEST_WINDOW, ErrorCode, raw_client, request_headers

if TYPE_CHECKING:
    import pytest
    from hyperframe.frame import Frame

    from tracker.api.grpc import GrpcServer

HEADERS = Encoder().encode(request_headers(GET))
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
