"""The HTTP wire: an ASGI application with the HTTP bindings of RPCs, and plain routes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, cast

from tracker.api.calls.endpoint import UNKNOWN, Endpoint, refusing
from tracker.api.error_details import internal_error
from tracker.api.http_exchange import HttpExchange, server_sent_event
from tracker.api.router import Router
from tracker.api.routes import HttpRequest, unknown_path
from tracker.errors import Reason, TrackerError
from tracker.transcoding.bindings import HttpInput, PathTemplate, http_bindings, parse_template

if TYPE_CHECKING:
    from collections.abc import Iterable

    from protobuf import Message
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send
    from structlog.typing import FilteringBoundLogger

    from tracker.api.calls.endpoint import Chain, Handler, Read
    from tracker.api.routes import HttpRoute
    from tracker.services.context import Call
    from tracker.transcoding.bindings import HttpBinding

_ROOT = PathTemplate((), (), "")


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
            for binding in http_bindings(method.rpc) if method.rpc is not None else ():
                self._router.add(binding.verb, binding.template, target(method, binding, chain))
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
        request = _Request(self._binding, exchange, captures, self._limit)
        message = await request.call(self._handle, exchange.call("rest"))
        await exchange.success(self._binding.status, self._binding.encode(message))


class _Stream:
    """An RPC that answers with server-sent events; an error ends the stream, and clients reconnect."""

    def __init__(self, method: Endpoint, binding: HttpBinding, chain: Chain) -> None:
        self._binding = binding
        self._limit = method.limits.body_bytes
        self._handle = chain.compose(method)
        self._handle_head = chain.compose(replace(method, handler=_answer_nothing, streams=False))

    async def answer(self, exchange: HttpExchange, captures: tuple[str, ...]) -> None:
        async def send(message: Message) -> None:
            await exchange.more(server_sent_event(message, self._binding.encode))

        request = _StreamRequest(self._binding, exchange, captures, self._limit)
        call = exchange.call("rest")
        call.send = send
        try:
            await request.call(
                self._handle_head if exchange.scope["method"] == "HEAD" else self._handle, call
            )
        except TrackerError:
            if not exchange.started:
                raise
        await exchange.end()


class _Request:
    """A request for an RPC, and as much of it as has been read."""

    __slots__ = ("_binding", "_exchange", "_limit", "_said")

    def __init__(
        self, binding: HttpBinding, exchange: HttpExchange, captures: tuple[str, ...], limit: int
    ) -> None:
        self._binding = binding
        self._exchange = exchange
        self._limit = limit
        self._said = HttpInput(captures, exchange.scope["query_string"], b"")

    async def call(self, handle: Handler, call: Call) -> Message:
        """Answer the call that the request makes; errors name fields as the client wrote them."""
        try:
            message: Message = await handle(_timed(self._exchange, call, self._read), call)
        except TrackerError as error:
            raise self._binding.respell(error, self._said) from error
        return message

    async def _read(self) -> Message:
        binding, exchange = self._binding, self._exchange
        if binding.takes_body or binding.may_have_body or exchange.body_bytes > self._limit:
            self._said = self._said._replace(body=await exchange.body(self._limit))
        return binding.decode(self._said)


class _StreamRequest(_Request):
    """A request for a stream, which continues after the last event that its client received."""

    __slots__ = ()

    async def _read(self) -> Message:
        message = await super()._read()
        if last_event_id := self._exchange.headers.get("last-event-id", ""):
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
