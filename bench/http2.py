"""A gRPC client made of HTTP/2 frames, that takes little of the machine which the server is measured on.

A client of `grpcio` needs more of a core for a call than the server does for many of its answers, so that
on few cores it measures itself. This one knows of HTTP/2 (RFC 9113) and HPACK (RFC 7541) what a unary call
needs: the same headers in each call, literally, and no look into those of the answer.
"""

from __future__ import annotations

import asyncio
import struct
from enum import IntEnum, IntFlag
from functools import cache

from bench.load import ClientProtocol

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_FRAME = struct.Struct(">BHBBI")
"""Length in its upper byte and lower two, type, flags, stream."""
_SETTING = struct.Struct(">HI")
_NUMBER = struct.Struct(">I")
_MESSAGE = struct.Struct(">BI")
"""What gRPC puts before a message: whether it is compressed, and its length."""
_INITIAL_WINDOW_SIZE = 4
_LARGEST_WINDOW = 2**31 - 1
_FIRST_WINDOW = 65_535
"""Bytes that may be sent before the peer has said more."""


class _Type(IntEnum):
    DATA = 0
    HEADERS = 1
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8


class _Flag(IntFlag):
    NONE = 0
    END_STREAM = 1
    ACK = 1
    END_HEADERS = 4


class GrpcConnection(ClientProtocol):
    """One connection, with one call under way at a time; a request is a full method name and a message."""

    def __init__(self) -> None:
        super().__init__()
        self._stream = -1
        self._body = b""
        self._window = _FIRST_WINDOW
        self._grown = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self._transport is not None
        settings = _SETTING.pack(_INITIAL_WINDOW_SIZE, _LARGEST_WINDOW)
        more = _NUMBER.pack(_LARGEST_WINDOW - _FIRST_WINDOW)
        self._transport.write(
            _PREFACE + _frame(_Type.SETTINGS, 0, settings) + _frame(_Type.WINDOW_UPDATE, 0, more)
        )

    def data_received(self, data: bytes) -> None:
        received = self._received + data
        at = 0
        while len(received) - at >= _FRAME.size:
            high, low, kind, flags, stream = _FRAME.unpack_from(received, at)
            end = at + _FRAME.size + (high << 16 | low)
            if end > len(received):
                break
            self._take(kind, flags, stream, received[at + _FRAME.size : end])
            at = end
        self._received = received[at:]

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        assert self._transport is not None
        if kind == _Type.DATA:
            self._body += payload
        elif kind == _Type.WINDOW_UPDATE and stream == 0:
            self._window += _NUMBER.unpack(payload)[0]
            self._grown.set()
        elif kind in (_Type.SETTINGS, _Type.PING) and not flags & _Flag.ACK:
            answer = payload if kind == _Type.PING else b""
            self._transport.write(_frame(_Type(kind), 0, answer, _Flag.ACK))
        elif kind in (_Type.RST_STREAM, _Type.GOAWAY):
            self._fail(RuntimeError(f"the server sent {_Type(kind).name} {payload!r}"))
        if kind in (_Type.DATA, _Type.HEADERS) and flags & _Flag.END_STREAM:
            self._end()

    def _end(self) -> None:
        """Give the answer; an error has no message."""
        if len(self._body) < _MESSAGE.size:
            self._fail(RuntimeError("the call failed"))
        elif self._answer is not None and not self._answer.cancelled():
            self._answer.set_result(self._body[_MESSAGE.size :])

    async def send(self, request: object) -> bytes:
        assert isinstance(request, tuple)
        method, message = request
        body = _MESSAGE.pack(0, len(message)) + message
        while self._window < len(body):
            self._grown.clear()
            await self._grown.wait()
        self._window -= len(body)
        self._stream += 2
        self._body = b""
        return await self._ask(
            _frame(_Type.HEADERS, self._stream, _headers(method), _Flag.END_HEADERS)
            + _frame(_Type.DATA, self._stream, body, _Flag.END_STREAM)
        )


def _frame(kind: _Type, stream: int, payload: bytes, flags: _Flag = _Flag.NONE) -> bytes:
    return _FRAME.pack(len(payload) >> 16, len(payload) & 0xFFFF, kind, flags, stream) + payload


@cache
def _headers(method: str) -> bytes:
    """Return the headers of a call, none of them from a table or for one (RFC 7541, section 6.2.2)."""
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": method,
        ":authority": "bench",
        "te": "trailers",
        "content-type": "application/grpc",
        "user-agent": "bench",
    }
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in headers.items())


def _text(text: str) -> bytes:
    assert len(text) < 127
    return bytes([len(text)]) + text.encode()
