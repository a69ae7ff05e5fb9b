"""One HTTP request, and the answer to it: a whole one, or a stream of server-sent events.

Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, cast

from tracker.api.handling import PREFER
from tracker.api.http_answers import EXPECT_RECEIPT
from tracker.api.wires import REQUEST_ID_HEADER, http_headers, json_error, request_id_of
from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.services.context import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from protobuf import Message
    from starlette.responses import Response
    from starlette.types import Message as AsgiMessage
    from starlette.types import Receive, Scope, Send

    from tracker.services.context import AnswerMemory, Wire

_LINKS = "/api/links"
_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would buffer a few KiB of the stream
]
_STREAM_BEGINNING = b"retry: 1000\n\n"
"""The milliseconds after which a client reconnects."""

_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])")
_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
"""Seconds in each unit of gRPC's timeout header, over HTTP `Grpc-Timeout`."""


class HttpExchange:
    """One HTTP request, and the answer to it, which is sent once."""

    __slots__ = ("_call", "_receive", "_send", "headers", "request_id", "scope", "started")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        headers: dict[str, str] = {}
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        self.headers = headers
        self.request_id = request_id_of(headers.get(REQUEST_ID_HEADER))
        self.started = False
        """Whether an answer is on its way."""
        self._call: Call | None = None

    def call(self, wire: Wire) -> Call:
        """Return the call that the request makes."""
        client = self.scope["client"]
        peer = f"{client[0]}:{client[1]}" if client else ""
        self._call = call = Call(wire, self.request_id, peer, self.headers, verb=self.scope["method"])
        return call

    @property
    def body_bytes(self) -> int:
        """The size of the body according to its client; 0 where that is not given."""
        return int(self.headers.get("content-length", 0))  # the HTTP parser has seen that these are digits

    def timeout(self) -> float | None:
        """Return the seconds that the client is willing to wait, or None for any time.

        Raises:
            TrackerError: INVALID_ARGUMENT where the header is not in gRPC's format.
        """
        text = self.headers.get("grpc-timeout")
        if text is None:
            return None
        found = _TIMEOUT.fullmatch(text)
        if found is None:
            expected = "expected up to 8 digits and one of H M S m u n, such as 500m"
            raise invalid(FieldViolation("", f'Grpc-Timeout: {expected}, got "{text}"'))
        return int(found[1]) * _UNITS[found[2]]

    async def body(self, limit: int) -> bytes:
        """Return the body; refuse one that is too large without reading on.

        Raises:
            TrackerError: RESOURCE_EXHAUSTED for a body of more than `limit` bytes.
        """
        if self.body_bytes > limit:
            raise _too_large(limit)
        message = await self._receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body", False):
            chunks = [body]
            size = len(body)
            while size <= limit and message.get("more_body", False):
                message = await self._receive()
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
            body = b"".join(chunks)
        if message["type"] == "http.disconnect":
            raise asyncio.CancelledError
        if len(body) > limit:
            raise _too_large(limit)
        return body

    def expect_receipt(self, undo: Callable[[], None]) -> None:
        """Have `undo` called if the answer, which is sent next, does not reach the client."""
        self.scope["extensions"][EXPECT_RECEIPT]["of"](undo)

    async def success(self, status: int, parts: list[bytes], memory: AnswerMemory) -> None:
        """Send an answer, without a body where its status allows none; hold no part that is sent."""
        if status == 204:  # noqa: PLR2004 - RFC 9110, 15.3.5
            await self._start(status, [])
            await self._send({"type": "http.response.body", "body": b""})
            return
        await self._start_json(status, sum(map(len, parts)), [])
        parts.reverse()
        while parts:
            part = parts.pop()
            await self._send({"type": "http.response.body", "body": part, "more_body": bool(parts)})
            memory.hold(memory.bytes - len(part))

    async def error(self, error: TrackerError) -> None:
        """Send an error, unless an answer is on its way already."""
        if not self.started:
            body = json_error(error, also_as_text=self.scope["path"].startswith(_LINKS))
            await self._start_json(error.reason.http_status, len(body), http_headers(error))
            await self._send({"type": "http.response.body", "body": body})

    async def respond(self, response: Response) -> None:
        """Send a whole response."""
        await response(self.scope, self._receive, self._relay)

    async def more(self, part: bytes) -> None:
        """Send a part of a stream; return once the client can take another one."""
        if not self.started:
            await self._start(200, _STREAM_HEADERS)
            part = _STREAM_BEGINNING + part
        await self._send({"type": "http.response.body", "body": part, "more_body": True})

    async def end(self) -> None:
        """End a stream."""
        if not self.started:
            await self._start(200, _STREAM_HEADERS)
        await self._send({"type": "http.response.body", "body": b""})

    async def _relay(self, message: AsgiMessage) -> None:
        if message["type"] == "http.response.start":
            await self._start(message["status"], message["headers"])
        else:
            await self._send(message)

    async def _start_json(self, status: int, length: int, headers: list[tuple[bytes, bytes]]) -> None:
        json = [(b"content-type", b"application/json"), (b"content-length", b"%d" % length)]
        await self._start(status, [*json, *headers])

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.started = True
        headers = [*headers, (REQUEST_ID_HEADER.encode(), self.request_id.encode())]
        if self._call is not None and self._call.notes:
            headers += [(name.encode(), value.encode()) for name, value in self._call.notes]
            headers.append((b"vary", PREFER.encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})


def server_sent_event(message: Message, encode: Callable[[Message], bytes]) -> bytes:
    """Return a message of a stream as an event; its id is the `resume_token`.

    A message with nothing but a token becomes a comment with an id, which clients remember and skip.
    """
    token: str = cast("Any", message).resume_token
    if message == type(message)(resume_token=token):
        return b": nothing to tell\nid: %s\n\n" % token.encode()
    return b"id: %s\ndata: %s\n\n" % (token.encode(), encode(message))


def _too_large(limit: int) -> TrackerError:
    return TrackerError(Reason.REQUEST_TOO_LARGE, f"the body is larger than {limit} bytes")
