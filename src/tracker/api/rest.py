"""The REST wire: an ASGI application whose routes are the HTTP bindings of the pipeline's methods."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tracker.api import request_id as request_ids
from tracker.api.error_details import http_headers, internal_error, json_error
from tracker.api.pages import make_pages
from tracker.api.pipeline import refusing
from tracker.api.router import Router
from tracker.api.server_sent_events import BEGINNING, HEADERS, resumed, server_sent_event
from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.services.call import Call
from tracker.transcoding.bindings import HttpInput, http_bindings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from protobuf import Message
    from starlette.routing import BaseRoute
    from starlette.types import Message as AsgiMessage
    from starlette.types import Receive, Scope, Send
    from structlog.typing import FilteringBoundLogger

    from tracker.api.pipeline import Decode, Method, Pipeline
    from tracker.transcoding.bindings import HttpBinding

MAX_BODY = 4 * 1024 * 1024
"""Bytes of the largest request body, the same as gRPC's largest message."""

_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])")
_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
"""Seconds in each unit of gRPC's timeout header, which REST takes as `Grpc-Timeout`."""


class _Request(NamedTuple):
    """One HTTP request, and what the wire wants to know of its headers."""

    scope: Scope
    receive: Receive
    request_id: str
    timeout: str | None
    length: int
    last_event_id: str
    idempotency_key: str | None


class RestApi:
    """Takes HTTP requests to the pipeline; whatever is no RPC goes to `pages`."""

    def __init__(self, pipeline: Pipeline, *, pages: Sequence[BaseRoute], log: FilteringBoundLogger) -> None:
        """Read the routes.

        Raises:
            ValueError: a binding in the protos is wrong, or two are the same.
        """
        self._pipeline = pipeline
        self._pages = make_pages(pages)
        self._log = log
        self._router: Router[tuple[Method, HttpBinding]] = Router()
        for method in pipeline.methods:
            for binding in http_bindings(method.desc):
                self._router.add(binding.verb, binding.template, (method, binding))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = _read_request(scope, receive)
        answer = _Answer(send, request.request_id)
        try:
            found = self._router.find(scope["method"], scope["raw_path"].decode())
            if found is None:
                scope["state"]["request_id"] = request.request_id
                await self._pages(scope, receive, answer.relay)
            else:
                (method, binding), captures = found
                await self._call(method, binding, captures, request, answer)
        except TrackerError as error:
            await answer.error(error)
        except asyncio.CancelledError:
            # The client went away, and this reaches nobody; or the server has waited long enough to stop.
            await answer.error(TrackerError(Reason.DRAINING, "the server is stopping"))
        except Exception:  # noqa: BLE001 - a defect of the wire or a page: logged, and answered as what it is
            self._log.exception("defect", request_id=request.request_id, path=scope["path"])
            await answer.error(internal_error(request.request_id))

    async def _call(
        self,
        method: Method,
        binding: HttpBinding,
        captures: tuple[str, ...],
        request: _Request,
        answer: _Answer,
    ) -> None:
        said = HttpInput(captures, request.scope["query_string"], b"")
        decode: Decode
        timeout: float | None = None
        try:
            timeout = _read_timeout(request.timeout)
            if binding.takes_body or binding.may_have_body or request.length > MAX_BODY:
                said = said._replace(body=await _read_body(request.receive, request.length))
            decode = partial(binding.decode, said)
        except TrackerError as error:
            decode = refusing(error)
        client = request.scope["client"]
        peer = f"{client[0]}:{client[1]}" if client else ""
        try:
            call = Call("rest", request.request_id, peer, timeout, request.idempotency_key)
            if method.streams:
                await self._stream(method, binding, decode, call, request, answer)
                return
            message = await self._pipeline.call(method, decode, call)
        except TrackerError as error:
            raise binding.respell(error, said) from error
        await answer.success(binding.status, binding.encode(message))

    async def _stream(  # noqa: PLR0913, PLR0917 - all there is to a call
        self,
        method: Method,
        binding: HttpBinding,
        decode: Decode,
        call: Call,
        request: _Request,
        answer: _Answer,
    ) -> None:
        """Answer with server-sent events; a stream that can't go on ends, and its client comes back."""

        async def send(message: Message) -> None:
            await answer.more(server_sent_event(message, binding.encode))

        def decode_resumed() -> Message:
            return resumed(decode(), request.last_event_id)

        if request.scope["method"] == "HEAD":
            await answer.end()
            return
        try:
            await self._pipeline.stream(method, decode_resumed, call, send)
        except TrackerError:
            if not answer.started:
                raise
        await answer.end()


class _Answer:
    """Sends the answer to one request."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = (request_ids.HEADER.encode(), request_id.encode())
        self.started = False
        """Whether an answer is on its way."""

    async def success(self, status: int, body: bytes) -> None:
        """Send an answer, without a body where its status allows none."""
        if status == 204:  # noqa: PLR2004 - RFC 9110, 15.3.5
            await self._start(status, [self._request_id])
            await self._send({"type": "http.response.body", "body": b""})
        else:
            await self._json(status, body, [])

    async def error(self, error: TrackerError) -> None:
        """Send an error, unless an answer is on its way already."""
        if not self.started:
            await self._json(error.reason.http_status, json_error(error), http_headers(error))

    async def more(self, part: bytes) -> None:
        """Send a part of a stream; returns once the client can take another one."""
        if not self.started:
            await self._start(200, [*HEADERS, self._request_id])
            part = BEGINNING + part
        await self._send({"type": "http.response.body", "body": part, "more_body": True})

    async def end(self) -> None:
        """End a stream."""
        if not self.started:
            await self._start(200, [*HEADERS, self._request_id])
        await self._send({"type": "http.response.body", "body": b""})

    async def relay(self, message: AsgiMessage) -> None:
        """Send what a page answers, with the request's id."""
        if message["type"] == "http.response.start":
            self.started = True
            message["headers"] = [*message["headers"], self._request_id]
        await self._send(message)

    async def _json(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        await self._start(
            status,
            [
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(body)),
                self._request_id,
                *headers,
            ],
        )
        await self._send({"type": "http.response.body", "body": body})

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})


def _read_request(scope: Scope, receive: Receive) -> _Request:
    given: str | None = None
    timeout: str | None = None
    length = 0
    last_event_id = ""
    key: str | None = None
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = int(value)  # the HTTP parser has seen that these are digits
        elif name == b"x-request-id":
            given = value.decode("latin-1")
        elif name == b"grpc-timeout":
            timeout = value.decode("latin-1")
        elif name == b"last-event-id":
            last_event_id = value.decode("latin-1")
        elif name == b"idempotency-key":
            key = value.decode("latin-1") if key is None else f"{key}, {value.decode('latin-1')}"
    return _Request(scope, receive, request_ids.request_id(given), timeout, length, last_event_id, key)


def _read_timeout(text: str | None) -> float | None:
    """Return the seconds that a client will wait.

    Raises:
        TrackerError: INVALID_ARGUMENT where the header is not in gRPC's format.
    """
    if text is None:
        return None
    found = _TIMEOUT.fullmatch(text)
    if found is None:
        message = f'Grpc-Timeout: expected up to 8 digits and one of H M S m u n, such as 500m, got "{text}"'
        raise invalid(FieldViolation("", message))
    return int(found[1]) * _UNITS[found[2]]


async def _read_body(receive: Receive, length: int) -> bytes:
    """Return the body; refuse one that is too large without reading on.

    Raises:
        TrackerError: RESOURCE_EXHAUSTED for a body above `MAX_BODY`.
    """
    if length > MAX_BODY:
        raise _too_large()
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body", False):
        chunks = [body]
        size = len(body)
        while size <= MAX_BODY and message.get("more_body", False):
            message = await receive()
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
        body = b"".join(chunks)
    if message["type"] == "http.disconnect":
        raise asyncio.CancelledError
    if len(body) > MAX_BODY:
        raise _too_large()
    return body


def _too_large() -> TrackerError:
    message = f"the body is larger than {MAX_BODY} bytes"
    return TrackerError(Reason.REQUEST_TOO_LARGE, message)
