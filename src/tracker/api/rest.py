"""The HTTP wire: the HTTP bindings of RPCs, and plain routes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol, cast

from tracker.api.calls.answers import PART
from tracker.api.calls.endpoint import UNKNOWN, Endpoint, refusing
from tracker.api.handling import PREFER, handle
from tracker.api.http_exchange import HttpResponse, server_sent_event
from tracker.api.router import Router
from tracker.api.routes import LOST, HttpRequest, unknown_path
from tracker.api.wires import http_headers, internal_error
from tracker.errors import Reason, TrackerError
from tracker.pb.options import only_reads
from tracker.services.context import Route
from tracker.transcoding.bindings import HttpInput, PathTemplate, http_bindings, parse_template

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from protobuf import Message
    from structlog.typing import FilteringBoundLogger

    from tracker.api.calls.endpoint import Chain, Handler, Read
    from tracker.api.cors import Cors
    from tracker.api.http_exchange import HttpExchange
    from tracker.api.http_parser import Head
    from tracker.api.routes import HttpRoute
    from tracker.services.context import AnswerMemory, Call
    from tracker.transcoding.bindings import HttpBinding

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
        cors: Cors | None = None,
    ) -> None:
        """Read the routes.

        Raises:
            ValueError: A path is wrong, or two routes are the same.
        """
        self._log = log
        self._cors = cors
        self._preflight = chain.compose(Endpoint("preflight", _answer_nothing, None))
        self._unknown = chain.compose(Endpoint(UNKNOWN, _answer_nothing, None))
        self._lost: _Target | None = None
        self._router: Router[_Target] = Router()
        for method in methods:
            answers = _Stream if method.streams else _Rpc
            if method.rpc is None:
                continue
            safe = only_reads(method.rpc)
            for binding in http_bindings(method.rpc):
                self._router.add(binding.verb, binding.template, answers(method, binding, chain), safe=safe)
        for route in routes:
            endpoint = Endpoint(
                route.path,
                route.handler,
                route.permission,
                limits=route.limits,
                quiet=route.quiet,
                takes_forms=route.takes_forms,
            )
            target = _Plain(chain.compose(endpoint), route)
            if route.path == LOST:
                self._lost = target
                continue
            template = parse_template(route.path) if route.path != "/" else _ROOT
            self._router.add(route.verb, template, target)

    async def __call__(self, exchange: HttpExchange) -> None:
        """Answer one request."""
        try:
            if self._cors is not None and await self._shared(exchange, self._cors):
                return
            try:
                found = self._router.find(exchange.head.verb, exchange.head.path)
                if found is None and self._lost is not None and _opens_a_page(exchange.head):
                    found = self._lost, ()
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
            self._log.exception("defect", request_id=exchange.request_id, path=exchange.head.path)
            await exchange.error(internal_error(exchange.request_id))

    async def _shared(self, exchange: HttpExchange, cors: Cors) -> bool:
        """Prepare the answer for pages of other sites; return whether it was to a preflight, and is sent."""
        head = exchange.head
        exchange.extra = cors.headers(head.headers)
        allowed = cors.preflight(head.verb, head.headers)
        if allowed is None:
            return False
        await self._preflight(_read_nothing, exchange.call("http"))
        await exchange.respond(HttpResponse(b"", allowed, HTTPStatus.NO_CONTENT))
        return True


def _opens_a_page(head: Head) -> bool:
    """Return whether a request is one of a browser that opens an address."""
    return head.verb in ("GET", "HEAD") and "text/html" in head.headers.get("accept", "")


async def _read_nothing() -> None:
    pass


class _Rpc:
    """An RPC, through one of its bindings."""

    def __init__(self, method: Endpoint, binding: HttpBinding, chain: Chain) -> None:
        self._binding = binding
        self._route = Route(binding.path, binding.status)
        self._limit = method.limits.body_bytes
        self._handle = chain.compose(method)

    async def answer(self, exchange: HttpExchange, captures: tuple[str, ...]) -> None:
        call = exchange.call("rest")
        try:
            message = await self._call(self._handle, exchange, captures, call)
            if call.undo is not None:
                exchange.expect_receipt(call.undo)
            parts = await self._encode(message, exchange, call.answer)
            await exchange.success(self._binding.status, parts, call.answer)
        finally:
            call.answer.end()

    async def _encode(self, message: Message, exchange: HttpExchange, memory: AnswerMemory) -> list[bytes]:
        """Return an answer in parts; where there are several, other calls are served between two of them."""
        binding = self._binding
        if memory.bytes <= PART and not binding.is_long(message):
            whole = binding.encode(message)
            if len(whole) > PART or not exchange.writable:  # else it is sent before anything else happens
                memory.hold(len(whole))
            return [whole]
        parts: list[bytes] = []
        size = 0
        async with memory.turn():
            for part in binding.parts(message, PART):
                parts.append(part)
                size += len(part)
                memory.hold(max(size, memory.bytes))
                await asyncio.sleep(0)
        memory.hold(size)
        return parts

    async def _call(
        self, handle: Handler, exchange: HttpExchange, captures: tuple[str, ...], call: Call
    ) -> Message:
        """Answer the call that a request makes; errors name fields as the client wrote them."""
        binding = self._binding
        call.route = self._route
        given = HttpInput(captures, exchange.head.query, b"")

        async def read() -> Message:
            nonlocal given
            if binding.takes_body or binding.may_have_body or exchange.body_bytes > self._limit:
                given = HttpInput(captures, exchange.head.query, await exchange.body(self._limit))
            return self._decode(given, call)

        try:
            message: Message = await handle(_timed(exchange, call, read), call)
        except TrackerError as error:
            raise binding.respell(error, given) from error
        return message

    def _decode(self, given: HttpInput, call: Call) -> Message:
        message, unknown = self._binding.decode(given)
        if unknown or PREFER in call.headers:
            handle(call, unknown)
        return message


class _Stream(_Rpc):
    """An RPC that answers with server-sent events; an error ends the stream, and clients reconnect."""

    def __init__(self, method: Endpoint, binding: HttpBinding, chain: Chain) -> None:
        super().__init__(method, binding, chain)
        self._handle_head = chain.compose(replace(method, handler=_answer_nothing, streams=False))

    async def answer(self, exchange: HttpExchange, captures: tuple[str, ...]) -> None:
        async def send(message: Message) -> None:
            event = server_sent_event(message, self._binding.encode)
            call.answer.hold(len(event))
            await exchange.more(event)
            call.answer.hold(0)

        call = exchange.call("rest")
        call.send = send
        handle = self._handle_head if exchange.head.verb == "HEAD" else self._handle
        try:
            await self._call(handle, exchange, captures, call)
        except TrackerError:
            if not exchange.started:
                raise
        finally:
            call.answer.end()
        await exchange.end()

    def _decode(self, given: HttpInput, call: Call) -> Message:
        """Return the request, which continues after the last event that its client received."""
        message = super()._decode(given, call)
        if last_event_id := call.headers.get("last-event-id", ""):
            cast("Any", message).resume_token = last_event_id
        return message


class _Plain:
    """A plain HTTP route."""

    def __init__(self, handle: Handler, route: HttpRoute) -> None:
        self._handle = handle
        self._foreign = route.foreign
        self._compressed = route.compressed
        self._takes_body = route.verb != "GET"
        self._limit = route.limits.body_bytes

    async def answer(self, exchange: HttpExchange, captures: tuple[str, ...]) -> None:
        async def receive() -> HttpRequest:
            body = b""
            if self._takes_body or exchange.body_bytes > self._limit:
                body = await exchange.body(self._limit, compressed=self._compressed)
            return HttpRequest(captures, body, exchange.head.path, query)

        call, query = exchange.call("http"), exchange.head.query.decode("latin-1")
        read: Read = receive
        try:
            if self._foreign is not None and self._foreign.credentials is not None:
                _identify(call, self._foreign.credentials(call.headers, query))
            if self._foreign is not None and self._foreign.key_in_body is not None:
                read = await _read_early(receive, self._foreign.key_in_body, call)
            response: HttpResponse = await self._handle(_timed(exchange, call, read), call)
            await exchange.respond(response)
        except TrackerError as error:
            if self._foreign is None or self._foreign.error is None or exchange.started:
                raise
            refusal = self._foreign.error(error)
            await exchange.respond(refusal._replace(headers=(*refusal.headers, *http_headers(error))))
        finally:
            call.answer.end()


def _identify(call: Call, secret: str | None) -> None:
    if secret is not None:
        call.headers = {**call.headers, "x-api-key": secret}


async def _read_early(
    receive: Callable[[], Awaitable[HttpRequest]], key_in: Callable[[bytes], str | None], call: Call
) -> Read:
    """Receive a request whose body has the API key, and return the `Read` that provides it."""
    try:
        request = await receive()
    except TrackerError as error:
        return refusing(error)
    _identify(call, key_in(request.body))

    async def read() -> HttpRequest:
        return request

    return read


def _timed(exchange: HttpExchange, call: Call, read: Read) -> Read:
    """Set the timeout of a call; return `read`, or a `Read` that refuses a malformed one."""
    try:
        call.timeout = exchange.timeout()
    except TrackerError as error:
        return refusing(error)
    return read


async def _answer_nothing(_request: object, _call: Call) -> None:
    """Answer a request that is refused earlier, or that asks for headers only."""
