"""The HTTP wire: an ASGI application with the HTTP bindings of RPCs, and plain routes.

Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, cast

from tracker.api.calls.endpoint import UNKNOWN, Endpoint, refusing
from tracker.api.http_answers import EXPECT_RECEIPT
from tracker.api.router import Router
from tracker.api.routes import HttpRequest, unknown_path
from tracker.api.wires import REQUEST_ID_HEADER, http_headers, internal_error, json_error, request_id_of
from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.pb.options import only_reads
from tracker.services.context import Call
from tracker.transcoding.bindings import HttpInput, PathTemplate, http_bindings, parse_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from protobuf import Message
    from starlette.responses import Response
    from starlette.types import Message as AsgiMessage
    from starlette.types import Receive, Scope, Send
    from structlog.typing import FilteringBoundLogger

    from tracker.api.calls.endpoint import Chain, Handler, Read
    from tracker.api.routes import HttpRoute
    from tracker.services.context import Wire
    from tracker.transcoding.bindings import HttpBinding

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

    __slots__ = ("_receive", "_send", "headers", "request_id", "scope", "started")

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

    def call(self, wire: Wire) -> Call:
        """Return the call that the request makes."""
        client = self.scope["client"]
        peer = f"{client[0]}:{client[1]}" if client else ""
        return Call(wire, self.request_id, peer, self.headers, verb=self.scope["method"])

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

    async def success(self, status: int, body: bytes) -> None:
        """Send an answer, without a body where its status allows none."""
        if status == 204:  # noqa: PLR2004 - RFC 9110, 15.3.5
            await self._start(status, [])
            await self._send({"type": "http.response.body", "body": b""})
        else:
            await self._json(status, body, [])

    async def error(self, error: TrackerError) -> None:
        """Send an error, unless an answer is on its way already."""
        if not self.started:
            body = json_error(error, also_as_text=self.scope["path"].startswith(_LINKS))
            await self._json(error.reason.http_status, body, http_headers(error))

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

    async def _json(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        length = b"%d" % len(body)
        json = [(b"content-type", b"application/json"), (b"content-length", length)]
        await self._start(status, [*json, *headers])
        await self._send({"type": "http.response.body", "body": body})

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.started = True
        id_header = (REQUEST_ID_HEADER.encode(), self.request_id.encode())
        await self._send({"type": "http.response.start", "status": status, "headers": [*headers, id_header]})


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


_ROOT = PathTemplate((), ())


class _Target(Protocol):
    """The target of a route; `captures` are the values of the path's variables."""

    async def answer(self, exchange: HttpExchange, captures: tuple[str, ...]) -> None: ...


class RestApi:
    """Takes HTTP requests through the chain to RPCs and to plain routes."""

    def __init__(
        self,
        chain: Chain,
        methods: Iterable[Endpoint],
        routes: Iterable[HttpRoute],
        *,
        log: FilteringBoundLogger,
    ) -> None:
        """Read the routes.

        Raises:
            ValueError: A path is wrong, or two routes are the same.
        """
        self._log = log
        self._unknown = chain.compose(Endpoint(UNKNOWN, _answer_nothing))
        self._router: Router[_Target] = Router()
        for method in methods:
            target = _Stream if method.streams else _Rpc
            if method.rpc is None:
                continue
            safe = only_reads(method.rpc)
            for binding in http_bindings(method.rpc):
                self._router.add(binding.verb, binding.template, target(method, binding, chain), safe=safe)
        for route in routes:
            endpoint = Endpoint(route.path, route.handler, limits=route.limits, quiet=route.quiet)
            template = parse_template(route.path) if route.path != "/" else _ROOT
            self._router.add(route.verb, template, _Plain(chain.compose(endpoint), route))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = HttpExchange(scope, receive, send)
        try:
            try:
                found = self._router.find(scope["method"], scope["raw_path"].decode())
                if found is None:
                    raise unknown_path()
            except TrackerError as error:
                await self._unknown(refusing(error), exchange.call("http"))
            else:
                target, captures = found
                await target.answer(exchange, captures)
        except TrackerError as error:
            await exchange.error(error)
        except asyncio.CancelledError:
            # The client went away, and this reaches nobody; or the server has waited long enough to stop.
            await exchange.error(TrackerError(Reason.DRAINING, "the server is stopping"))
        except Exception:  # noqa: BLE001 - a defect of the wire: logged, and answered as what it is
            self._log.exception("defect", request_id=exchange.request_id, path=scope["path"])
            await exchange.error(internal_error(exchange.request_id))


class _Rpc:
    """An RPC, through one of its bindings."""

    def __init__(self, method: Endpoint, binding: HttpBinding, chain: Chain) -> None:
        self._binding = binding
        self._limit = method.limits.body_bytes
        self._handle = chain.compose(method)

    async def answer(self, exchange: HttpExchange, captures: tuple[str, ...]) -> None:
        call = exchange.call("rest")
        message = await self._call(self._handle, exchange, captures, call)
        if call.undo is not None:
            exchange.expect_receipt(call.undo)
        await exchange.success(self._binding.status, self._binding.encode(message))

    async def _call(
        self, handle: Handler, exchange: HttpExchange, captures: tuple[str, ...], call: Call
    ) -> Message:
        """Answer the call that a request makes; errors name fields as the client wrote them."""
        binding = self._binding
        given = HttpInput(captures, exchange.scope["query_string"], b"")

        async def read() -> Message:
            nonlocal given
            if binding.takes_body or binding.may_have_body or exchange.body_bytes > self._limit:
                given = given._replace(body=await exchange.body(self._limit))
            return self._decode(exchange, given)

        try:
            message: Message = await handle(_timed(exchange, call, read), call)
        except TrackerError as error:
            raise binding.respell(error, given) from error
        return message

    def _decode(self, _exchange: HttpExchange, given: HttpInput) -> Message:
        return self._binding.decode(given)


class _Stream(_Rpc):
    """An RPC that answers with server-sent events; an error ends the stream, and clients reconnect."""

    def __init__(self, method: Endpoint, binding: HttpBinding, chain: Chain) -> None:
        super().__init__(method, binding, chain)
        self._handle_head = chain.compose(replace(method, handler=_answer_nothing, streams=False))

    async def answer(self, exchange: HttpExchange, captures: tuple[str, ...]) -> None:
        async def send(message: Message) -> None:
            await exchange.more(server_sent_event(message, self._binding.encode))

        call = exchange.call("rest")
        call.send = send
        handle = self._handle_head if exchange.scope["method"] == "HEAD" else self._handle
        try:
            await self._call(handle, exchange, captures, call)
        except TrackerError:
            if not exchange.started:
                raise
        await exchange.end()

    def _decode(self, exchange: HttpExchange, given: HttpInput) -> Message:
        """Return the request, which continues after the last event that its client received."""
        message = super()._decode(exchange, given)
        if last_event_id := exchange.headers.get("last-event-id", ""):
            cast("Any", message).resume_token = last_event_id
        return message


class _Plain:
    """A plain HTTP route."""

    def __init__(self, handle: Handler, route: HttpRoute) -> None:
        self._handle = handle
        self._takes_body = route.verb != "GET"
        self._limit = route.limits.body_bytes

    async def answer(self, exchange: HttpExchange, captures: tuple[str, ...]) -> None:
        async def read() -> HttpRequest:
            body = b""
            if self._takes_body or exchange.body_bytes > self._limit:
                body = await exchange.body(self._limit)
            return HttpRequest(captures, body, exchange.scope)

        call = exchange.call("http")
        response: Response = await self._handle(_timed(exchange, call, read), call)
        await exchange.respond(response)


def _timed(exchange: HttpExchange, call: Call, read: Read) -> Read:
    """Set the timeout of a call; return `read`, or a `Read` that refuses a malformed one."""
    try:
        call.timeout = exchange.timeout()
    except TrackerError as error:
        return refusing(error)
    return read


async def _answer_nothing(_request: object, _call: Call) -> None:
    """Answer a request that is refused earlier, or that asks for headers only."""
