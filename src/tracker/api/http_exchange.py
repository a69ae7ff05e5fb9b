"""One HTTP request, and the answer to it: a whole one, or a stream of server-sent events.

Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import time
import zlib
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast
from urllib.parse import unquote

import orjson

from tracker.api.handling import PREFER
from tracker.api.wires import (
    FOR_BROWSERS,
    REQUEST_ID_HEADER,
    http_headers,
    json_error,
    request_id_of,
    timeout_of,
)
from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.services.context import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from protobuf import Message

    from tracker.api.http_parser import Head
    from tracker.services.context import AnswerMemory, Wire

_PLAIN_ERRORS = ("/api/links", *(f"/api/v1alpha1/auth/{each}" for each in ("login", "logout", "password")))
"""Paths whose errors are also in the form of the Go implementation."""
_JSON = ("content-type", "application/json")
_NO_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_STREAM_HEADERS = (
    ("content-type", "text/event-stream"),
    ("cache-control", "no-store"),
    ("x-accel-buffering", "no"),  # nginx would buffer a few KiB of the stream
)
_STREAM_BEGINNING = b"retry: 1000\n\n"
"""The milliseconds after which a client reconnects."""


class HttpResponse(NamedTuple):
    """A whole answer of a plain route; its length and the id of its request are added."""

    body: bytes
    headers: Sequence[tuple[str, str]]
    status: int = HTTPStatus.OK


def json_response(
    content: object, status: int = HTTPStatus.OK, headers: Sequence[tuple[str, str]] = ()
) -> HttpResponse:
    """Return the answer that is some JSON."""
    return HttpResponse(orjson.dumps(content), (_JSON, *headers), status)


class Connection(Protocol):
    """What an exchange needs of its connection; `writable` is set while its client has read everything.

    `unsent` is the memory of what the client has not read.
    """

    peer: str
    unsent: AnswerMemory
    writable: asyncio.Event

    def resume_reading(self) -> None:
        """Read on, if that was paused."""

    def send(self, data: bytes) -> None:
        """Send a part of an answer."""

    def expect_receipt(self, undo: Callable[[], None]) -> None:
        """Have `undo` called if the answer, which is sent next, does not reach the client."""


class HttpExchange:
    """One HTTP request, and the answer to it, which is sent once."""

    __slots__ = (
        *("_arrived", "_body", "_call", "_chunked", "_connection", "_limit", "_refused", "_size", "_whole"),
        *("answered", "extra", "head", "lasting", "request_id", "started"),
    )

    def __init__(self, connection: Connection, head: Head) -> None:
        self._connection = connection
        self.head = head
        self.request_id = request_id_of(head.headers.get(REQUEST_ID_HEADER))
        self._body: list[bytes] = []
        self._size = 0
        self._limit = 0
        self._whole = False
        self._arrived: asyncio.Future[None] | None = None
        self._call: Call | None = None
        self._chunked = False
        self._refused = False
        self.extra: Sequence[tuple[str, str]] = ()
        """Headers of the answer, whatever it is."""
        self.lasting = False
        """Whether the connection may outlast the answer."""
        self.started = False
        """Whether an answer is on its way."""
        self.answered = False
        """Whether the whole answer is."""

    def take(self, data: bytes) -> int:
        """Take a part of the body; return how many bytes are held that nobody has asked for yet."""
        self._body.append(data)
        self._size += len(data)
        if self._arrived is None:
            return self._size
        if self._size > self._limit:
            self._wake()
        return 0

    def complete(self, *, lasting: bool) -> None:
        """Note that the request is complete."""
        self._whole = True
        if not self.started:
            self.lasting = lasting
        self._wake()

    def refuse(self) -> bool:
        """Let the connection answer instead, if no answer is under way; return whether it may."""
        self._refused = not (self._whole or self.started)
        return self._refused

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    def call(self, wire: Wire) -> Call:
        """Return the call that the request makes."""
        head = self.head
        self._call = call = Call(wire, self.request_id, self._connection.peer, head.headers, verb=head.verb)
        return call

    @property
    def writable(self) -> bool:
        """Whether the client takes an answer at once."""
        return self._connection.writable.is_set()

    @property
    def body_bytes(self) -> int:
        """The size of the body according to its client; 0 where that is not given."""
        return int(self.head.headers.get("content-length", 0))  # the parser has seen that these are digits

    def timeout(self) -> float | None:
        """Return the seconds that the client is willing to wait, or None for any time.

        Raises:
            TrackerError: INVALID_ARGUMENT where the header is not in gRPC's format.
        """
        return timeout_of(self.head.headers.get("grpc-timeout"))

    async def body(self, limit: int, *, compressed: bool = False) -> bytes:
        """Return the body, decompressed; refuse one that is too large without reading on.

        Raises:
            TrackerError: RESOURCE_EXHAUSTED for a body of more than `limit` bytes, INVALID_ARGUMENT for a
                compressed one where it may not be.
        """
        coding = self.head.headers.get("content-encoding", "identity").lower()
        if compressed and coding in ("gzip", "deflate"):
            return _decompressed(await self._raw_body(limit), limit)
        if coding != "identity":
            message = f"the body is compressed ({coding[:20]}): send it without Content-Encoding"
            raise TrackerError(Reason.UNSUPPORTED_MEDIA_TYPE, message)
        return await self._raw_body(limit)

    async def _raw_body(self, limit: int) -> bytes:
        if self.body_bytes > limit:
            raise _too_large(limit)
        if not self._whole and self._size <= limit:
            if not self._body and self.head.headers.get("expect", "").lower() == "100-continue":
                self._connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._limit = limit
            self._arrived = asyncio.get_running_loop().create_future()
            self._connection.resume_reading()
            await self._arrived
        if self._size > limit:
            raise _too_large(limit)
        return b"".join(self._body)

    def expect_receipt(self, undo: Callable[[], None]) -> None:
        """Have `undo` called if the answer, which is sent next, does not reach the client."""
        self._connection.expect_receipt(undo)

    async def success(self, status: int, parts: list[bytes], memory: AnswerMemory) -> None:
        """Send an answer, without a body where its status allows none; hold only the parts that follow."""
        if status in _NO_BODY:
            await self.respond(HttpResponse(b"", (), status))
            return
        if not self._connection.writable.is_set():
            await self._connection.writable.wait()
        self._connection.unsent.owner = memory.owner
        head = self._start(status, f"{_JSON_LINE}content-length: {sum(map(len, parts))}\r\n")
        parts.reverse()
        while parts:
            part = parts.pop()
            await self._put(head, part, last=not parts)
            if parts:
                memory.hold(memory.bytes - len(part))
                head = b""

    async def error(self, error: TrackerError) -> None:
        """Send an error, unless an answer is on its way already."""
        if not self.started:
            body = json_error(error, also_as_text=unquote(self.head.path).startswith(_PLAIN_ERRORS))
            await self.respond(HttpResponse(body, (_JSON, *http_headers(error)), error.reason.http_status))

    async def respond(self, response: HttpResponse) -> None:
        """Send a whole response."""
        lines = _lines(response.headers)
        if response.status not in _NO_BODY:
            lines += f"content-length: {len(response.body)}\r\n"
        await self._put(self._start(response.status, lines), response.body, last=True)

    async def more(self, part: bytes) -> None:
        """Send a part of a stream, once the client can take it."""
        head = b""
        if not self.started:
            head, part = self._start_stream(), _STREAM_BEGINNING + part
        chunk = b"%x\r\n%b\r\n" % (len(part), part) if self._chunked else part
        await self._put(head, chunk, last=False)

    async def end(self) -> None:
        """End a stream."""
        head = b"" if self.started else self._start_stream()
        await self._put(head, b"0\r\n\r\n" if self._chunked else b"", last=True)

    def _start_stream(self) -> bytes:
        self._chunked = self.head.modern and self.head.verb != "HEAD"
        chunked = "transfer-encoding: chunked\r\n" if self._chunked else ""
        return self._start(HTTPStatus.OK, _lines(_STREAM_HEADERS) + chunked)

    def _start(self, status: int, lines: str) -> bytes:
        """Return the head of the answer, with the lines of its own headers."""
        self.started = True
        if self._call is not None and self._call.notes:
            lines += _lines((*self._call.notes, ("vary", PREFER)))
        if self.extra:
            lines += _lines(self.extra)
        if not self.lasting:
            lines += "connection: close\r\n"
        head = f"{_beginning(status, int(time.time()))}{lines}{REQUEST_ID_HEADER}: {self.request_id}\r\n\r\n"
        return head.encode("latin-1")

    async def _put(self, head: bytes, body: bytes, *, last: bool) -> None:
        """Send a part of the body once the client can take it, after the head; for HEAD the head alone."""
        if not self._connection.writable.is_set():
            await self._connection.writable.wait()
        if not self._refused:
            self._connection.send(head if self.head.verb == "HEAD" else head + body)
        self.answered = last


def _lines(headers: Sequence[tuple[str, str]]) -> str:
    return "".join([f"{name}: {value}\r\n" for name, value in headers])


_JSON_LINE = _lines([_JSON])


@lru_cache(64)
def _beginning(status: int, second: int) -> str:
    """Return what the answers of a second begin with."""
    date = formatdate(second, usegmt=True)
    return f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\ndate: {date}\r\n{FOR_BROWSERS}"


def server_sent_event(message: Message, encode: Callable[[Message], bytes]) -> bytes:
    """Return a message of a stream as an event; its id is the `resume_token`.

    A message with nothing but a token becomes a comment with an id, which clients remember and skip.
    """
    token: str = cast("Any", message).resume_token
    if message == type(message)(resume_token=token):
        return b": nothing to tell\nid: %s\n\n" % token.encode()
    return b"id: %s\ndata: %s\n\n" % (token.encode(), encode(message))


def _decompressed(body: bytes, limit: int) -> bytes:
    """Return the content of a body in gzip or zlib format, of up to `limit` bytes."""
    decompressor = zlib.decompressobj(zlib.MAX_WBITS | 32)  # finds out which of both it is
    try:
        content = decompressor.decompress(body, limit + 1)
    except zlib.error:
        content = None
    if content is not None and len(content) > limit:
        raise _too_large(limit)
    if content is None or not decompressor.eof or decompressor.unused_data:
        raise invalid(FieldViolation("", "the body is not one whole stream of gzip or deflate"))
    return content


def _too_large(limit: int) -> TrackerError:
    return TrackerError(Reason.REQUEST_TOO_LARGE, f"the body is larger than {limit} bytes")
