"""A client of gRPC made of single HTTP/2 frames, which may break any rule."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from hpack import Decoder, Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from tests.wires.standin import BOUND

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
LARGEST_WINDOW = 2**31 - 1
_FIRST_WINDOW = 65_535
_FRAME_BYTES = 16_384

Headers = list[tuple[str, str]]


class ErrorCode(IntEnum):
    """Why a stream or a connection ends (RFC 9113, section 7)."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


def request_headers(path: str, /, **changes: str | None) -> Headers:
    """Return the headers of a call; a change of None leaves one out, `_` stands for `:` or `-`."""
    headers: dict[str, str | None] = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "localhost",
        "te": "trailers",
        "content-type": "application/grpc",
    }
    for name, value in changes.items():
        pseudo = f":{name}"
        headers[pseudo if pseudo in headers else name.replace("_", "-")] = value
    return [(name, value) for name, value in headers.items() if value is not None]


def framed(message: bytes, flag: int = 0) -> bytes:
    """Return a message as gRPC sends it."""
    return struct.pack(">BI", flag, len(message)) + message


@dataclass
class Answer:
    """What a server has sent on one stream."""

    headers: list[dict[str, str]] = field(default_factory=list)
    """Each block of headers: of a call that fails at once only one, else two."""
    body: bytes = b""
    ended: bool = False
    reset: int | None = None

    @property
    def trailers(self) -> dict[str, str]:
        """The last block of headers."""
        return self.headers[-1] if self.headers else {}

    @property
    def messages(self) -> list[bytes]:
        """The messages of the body."""
        messages, at = [], 0
        while at < len(self.body):
            _, length = struct.unpack_from(">BI", self.body, at)
            messages.append(self.body[at + 5 : at + 5 + length])
            at += 5 + length
        return messages


class RawClient:
    """One connection. It answers settings and pings, and reads as the windows allow that it has sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._encoder = Encoder()
        self._decoder = Decoder()
        self._changed = asyncio.Condition()
        self._block = b""
        self._windows: dict[int, int] = {0: _FIRST_WINDOW}
        self._last_stream = -1
        self.answers: dict[int, Answer] = {}
        self.settings: dict[int, int] = {}
        self.pongs: list[bytes] = []
        self.goaway: GoAwayFrame | None = None
        self.closed = False
        self.answers_pings = True
        self.pings = 0

    def write(self, *parts: Frame | bytes) -> None:
        """Send frames, or bytes that are none."""
        self._writer.write(b"".join(p if isinstance(p, bytes) else p.serialize() for p in parts))

    def headers(self, headers: Headers, *, end: bool = False) -> tuple[int, list[Frame]]:
        """Return a new stream, and the frames that open it."""
        self._last_stream += 2
        stream = self._last_stream
        self.answers[stream] = Answer()
        self._windows[stream] = self.settings.get(SettingsFrame.INITIAL_WINDOW_SIZE, _FIRST_WINDOW)
        block = self.block(headers)
        parts = [block[at : at + _FRAME_BYTES] for at in range(0, len(block), _FRAME_BYTES)] or [b""]
        frames: list[Frame] = [HeadersFrame(stream, parts[0], flags=["END_STREAM"] if end else [])]
        frames += [ContinuationFrame(stream, part) for part in parts[1:]]
        frames[-1].flags.add("END_HEADERS")
        return stream, frames

    def block(self, headers: Headers) -> bytes:
        """Return compressed headers, which must be sent next."""
        return self._encoder.encode(headers)

    def begin(self, headers: Headers, *, end: bool = False) -> int:
        """Open a stream."""
        stream, frames = self.headers(headers, end=end)
        self.write(*frames)
        return stream

    async def send(self, stream: int, data: bytes, *, part: int = _FRAME_BYTES) -> None:
        """Send all the data of a request in parts, as the server's windows allow."""
        answer = self.answers[stream]
        for at in range(0, len(data), part) or [0]:
            piece = data[at : at + part]
            await self._room(stream, len(piece))
            if answer.ended or self.closed:
                return
            self.write(DataFrame(stream, piece, flags=["END_STREAM"] if at + part >= len(data) else []))

    async def _room(self, stream: int, size: int) -> None:
        """Wait until the server has room for so much, or wants no more."""
        answer, windows = self.answers[stream], self._windows
        await self.until(lambda: answer.ended or min(windows[0], windows[stream]) >= size)
        windows[0] -= size
        windows[stream] -= size

    async def call(self, headers: Headers, body: bytes, *, part: int = _FRAME_BYTES) -> Answer:
        """Make a whole call and wait for its end, or that of the connection."""
        stream = self.begin(headers)
        await self.send(stream, body, part=part)
        return await self.answer(stream)

    async def answer(self, stream: int) -> Answer:
        """Wait for the end of a stream, or of the connection."""
        answer = self.answers[stream]
        await self.until(lambda: answer.ended)
        return answer

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that the server sends makes a condition true, or until it closes."""
        if self.closed or condition():
            return
        async with asyncio.timeout(BOUND), self._changed:
            await self._changed.wait_for(lambda: self.closed or condition())

    async def ping(self, data: bytes = b"12345678") -> None:
        """Wait until the server has handled all that was sent."""
        pongs = len(self.pongs)
        self.write(PingFrame(0, data))
        await self.until(lambda: len(self.pongs) > pongs)

    def end(self) -> None:
        """Send nothing more, and read on."""
        self._writer.write_eof()

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()

    def reset(self) -> None:
        """Reset the connection, as the kernel of a client does that dies with something unread."""
        linger = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()

    async def read(self) -> None:
        """Take what the server sends, until its end."""
        try:
            while True:
                frame, length = Frame.parse_frame_header(memoryview(await self._reader.readexactly(9)))
                frame.parse_body(memoryview(await self._reader.readexactly(length)))
                async with self._changed:
                    self._take(frame)
                    self._changed.notify_all()
        except (asyncio.IncompleteReadError, OSError):
            async with self._changed:
                self.closed = True
                self._changed.notify_all()

    def _take(self, frame: Frame) -> None:
        if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            self._set(frame.settings)
            self.write(SettingsFrame(0, flags=["ACK"]))
        elif isinstance(frame, PingFrame) and "ACK" in frame.flags:
            self.pongs.append(frame.opaque_data)
        elif isinstance(frame, PingFrame):
            self.pings += 1
            if self.answers_pings:
                self.write(PingFrame(0, frame.opaque_data, flags=["ACK"]))
        elif isinstance(frame, WindowUpdateFrame):
            self._windows[frame.stream_id] = self._windows.get(frame.stream_id, 0) + frame.window_increment
        elif isinstance(frame, GoAwayFrame):
            self.goaway = frame
        elif frame.stream_id in self.answers:
            self._answered(self.answers[frame.stream_id], frame)

    def _set(self, settings: Mapping[int, int]) -> None:
        before = self.settings.get(SettingsFrame.INITIAL_WINDOW_SIZE, _FIRST_WINDOW)
        self.settings |= settings
        grown = self.settings.get(SettingsFrame.INITIAL_WINDOW_SIZE, _FIRST_WINDOW) - before
        for stream in self.answers:
            self._windows[stream] += grown

    def _answered(self, answer: Answer, frame: Frame) -> None:
        if isinstance(frame, RstStreamFrame):
            answer.ended, answer.reset = True, frame.error_code
        elif isinstance(frame, DataFrame):
            answer.body += frame.data
        elif isinstance(frame, HeadersFrame | ContinuationFrame):
            self._block += frame.data
            if "END_HEADERS" in frame.flags:
                answer.headers.append({str(k): str(v) for k, v in self._decoder.decode(self._block)})
                self._block = b""
        answer.ended |= "END_STREAM" in frame.flags


@asynccontextmanager
async def raw_client(
    port: int, settings: Mapping[int, int] | None = None, window: int = LARGEST_WINDOW
) -> AsyncIterator[RawClient]:
    """Connect, and let the server send as much as it likes unless another window is given."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    client = RawClient(reader, writer)
    sent = {SettingsFrame.INITIAL_WINDOW_SIZE: window, **(settings or {})}
    client.write(PREFACE, SettingsFrame(0, sent))
    if window > _FIRST_WINDOW:
        client.write(WindowUpdateFrame(0, window - _FIRST_WINDOW))
    reading = asyncio.create_task(client.read())
    try:
        await client.until(lambda: bool(client.settings))
        yield client
    finally:
        client.close()
        reading.cancel()
