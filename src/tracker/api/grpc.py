"""The gRPC wire: a server of RPCs, health and reflection."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import grpc
from protobuf import Message

from tracker.api.calls.answers import PART
from tracker.api.calls.endpoint import UNKNOWN, Endpoint, current_task
from tracker.api.grpc_methods import GrpcMethod, rpc_method
from tracker.api.grpc_standard import Health, reflection_methods
from tracker.api.handling import PREFER, handle
from tracker.api.wires import (
    REQUEST_ID_HEADER,
    address,
    binary_error,
    internal_error,
    listen,
    request_id_of,
    short,
)
from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.services.context import Call
from tracker.transcoding.unknown import MAX_UNKNOWN, unknown_numbers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator
    from typing import Never

    from structlog.typing import FilteringBoundLogger

    from tracker.api.calls.endpoint import Chain, Handler
    from tracker.api.calls.steps import OpenStreams
    from tracker.services.context import AnswerMemory

    _Context = grpc.aio.ServicerContext[bytes, bytes]

_STATUS = {status.value[0]: status for status in grpc.StatusCode}
_COPIES = 2
"""How often an answer is in memory until it is sent: gRPC makes a copy of what it is given."""
_LAST_WORDS = 0.1
"""Seconds between GOAWAY and the end of streams."""
_LINGER = 0.05
"""Seconds between the end of a wait and its answer: once sent, nothing says that an answer is lost.

What ends one job, such as the cancellation of a pipeline, often ends those that wait for it a moment later.
"""
_HOLD = 0.1
"""Seconds for which a stopping server holds answers back, before and after it has sent GOAWAY."""


async def _refuse(_request: object, _call: Call) -> Never:
    raise TrackerError(Reason.UNKNOWN_METHOD, "there is no such method")


_UNKNOWN = GrpcMethod(Endpoint(UNKNOWN, _refuse), bytes, bytes)
"""What answers unknown methods."""


@dataclass(frozen=True, slots=True)
class GrpcLimits:
    """What one connection may take: seconds, and bytes."""

    handshake_seconds: float = 10
    """From the start of a connection to the end of the HTTP/2 handshake."""
    message_seconds: float = 30
    """From the end of a call's metadata to the end of its message."""
    message_bytes: int = 4 * 1024 * 1024
    metadata_bytes: int = 16 * 1024
    streams: int = 1000
    """Concurrent calls on one connection; further ones wait in the client."""
    idle_seconds: float = 900
    """After which a connection without calls is closed; clients reconnect on their own."""
    ping_seconds: float = 60
    """After which a silent client is pinged, and given 20 seconds to answer."""


class GrpcServer:
    """Serves RPCs, health and reflection on one address."""

    def __init__(  # noqa: PLR0913 - what a server is made of
        self,
        chain: Chain,
        methods: Iterable[Endpoint],
        host: str,
        port: int,
        *,
        streams: OpenStreams,
        log: FilteringBoundLogger,
        limits: GrpcLimits | None = None,
    ) -> None:
        """Prepare a server; port 0 stands for any that is free, host `::` for every interface."""
        self._limits = limits or GrpcLimits()
        self._chain = chain
        self._methods = tuple(methods)
        self._log = log
        self._host = host
        self._port = port
        self._streams = streams
        self._services = tuple(dict.fromkeys(method.name.partition("/")[0] for method in self._methods))
        self._health = Health(self._services)
        self._server: grpc.aio.Server | None = None
        self._may_answer = asyncio.Event()
        self._may_answer.set()
        self.bound: tuple[str, int] = (host, port)
        """Address that the server listens on, once it has started."""

    async def start(self) -> None:
        """Listen, and return when calls are accepted.

        Raises:
            OSError: The address is not available.
        """
        server = grpc.aio.server(options=_options(self._limits))
        server.add_generic_rpc_handlers((_Handlers(self._answerers()),))
        # A socket of our own first: gRPC does not report why an address is not available.
        with listen(self._host, self._port) as listener:
            host, port = listener.getsockname()[:2]
        try:
            server.add_insecure_port(address(host, port))
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address(host, port)}: {error}") from None
        await server.start()
        self.bound = (host, port)
        self._server = server

    def drain(self) -> None:
        """Report NOT_SERVING from now on, to checks and to watches."""
        self._health.drain()

    async def stop(self, grace: float) -> None:
        """Accept no more, answer what is under way for up to `grace` seconds, then cut off the rest.

        gRPC cancels the calls that reach it while it stops, and clients make their next call as soon as
        they have an answer. With any grace, answers are therefore held back until GOAWAY has sent clients
        elsewhere.
        """
        if self._server is None:
            return
        hold = _HOLD if grace else 0.0
        self.drain()
        self._may_answer.clear()
        await asyncio.sleep(hold)
        stopping = asyncio.ensure_future(self._server.stop(grace))
        await asyncio.sleep(hold)
        self._may_answer.set()
        asyncio.get_running_loop().call_later(_LAST_WORDS, self._streams.end, _stopping)
        await stopping

    def _answerers(self) -> Iterator[tuple[str, grpc.RpcMethodHandler[bytes, bytes]]]:
        """Yield the handler of each RPC, with its path."""
        own = map(rpc_method, self._methods)
        standard = (*self._health.methods(), *reflection_methods(self._services))
        for method in (*own, *standard, _UNKNOWN):
            composed = self._chain.compose(method.endpoint)
            seconds = self._limits.message_seconds
            answerer = _Answerer(method, composed, self._log, seconds, self._may_answer)
            # A stream of requests, which bounds the wait for the first one; probes do without.
            handler: grpc.RpcMethodHandler[bytes, bytes]
            if method.endpoint.streams:
                handler = grpc.stream_stream_rpc_method_handler(answerer.stream)
            elif method.endpoint.quiet:
                handler = grpc.unary_unary_rpc_method_handler(answerer.answer)
            else:
                handler = grpc.stream_unary_rpc_method_handler(answerer.answer)
            yield f"/{method.endpoint.name}", handler


class _Handlers(grpc.GenericRpcHandler):
    """Finds the handler of a call."""

    def __init__(self, handlers: Iterable[tuple[str, grpc.RpcMethodHandler[bytes, bytes]]]) -> None:
        self._handlers = dict(handlers)
        self._unknown = self._handlers[f"/{UNKNOWN}"]

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        return self._handlers.get(handler_call_details.method, self._unknown)


@dataclass(frozen=True, slots=True)
class _Answerer:
    """Answers the calls of one method."""

    _method: GrpcMethod
    _handle: Handler
    _log: FilteringBoundLogger
    _message_seconds: float
    _may_answer: asyncio.Event

    async def answer(self, given: object, context: _Context) -> bytes:
        call = _call(context)
        try:
            message = await self._handle(partial(self._read, context, given, call), call)
            answer = await self._encode(message, call.answer)
            await self._may_answer.wait()
            if call.waited:
                await context.send_initial_metadata(())
                await asyncio.sleep(_LINGER)  # the end of the call cancels it
        except TrackerError as error:
            await self._may_answer.wait()
            await _abort(context, error, call)
        except asyncio.CancelledError:
            if call.undo is not None:
                call.undo()
            raise
        except Exception:  # noqa: BLE001 - a defect of the wire: logged, and answered as what it is
            await self._fail(context, call)
        context.set_trailing_metadata(_trailers(call))
        return answer

    async def stream(self, requests: AsyncIterator[bytes], context: _Context) -> None:
        """Answer one call with a stream."""
        method = self._method

        async def send(message: object) -> None:
            encoded = method.encode(message)
            call.answer.hold(_COPIES * len(encoded))
            await context.write(encoded)
            call.answer.hold(0)

        async def read_all() -> AsyncIterator[object]:
            return (method.decode(request) async for request in requests)

        call = _call(context)
        call.send = send
        try:
            await self._handle(
                read_all if method.takes_stream else partial(self._read, context, requests, call), call
            )
        except TrackerError as error:
            await _abort(context, error, call)
        except Exception:  # noqa: BLE001 - a defect of the wire: logged, and answered as what it is
            await self._fail(context, call)
        context.set_trailing_metadata(_trailers(call))

    async def _encode(self, message: object, memory: AnswerMemory) -> bytes:
        if memory.bytes > PART:
            async with memory.turn():
                memory.hold(_COPIES * memory.bytes)
                encoded = self._method.encode(message)
        else:
            encoded = self._method.encode(message)
        memory.hold(_COPIES * len(encoded))
        return encoded

    async def _read(self, context: _Context, given: object, call: Call) -> object:
        """Wait for the request, unless it is given, and decode it.

        Raises:
            TrackerError: It took too long to arrive, or is malformed.
        """
        if isinstance(given, bytes):
            return self._method.decode(given)
        task, loop = current_task(), asyncio.get_running_loop()
        # A bare timer costs a third of `asyncio.timeout`, and hardly ever fires.
        timer = loop.call_later(self._message_seconds, task.cancel)
        try:
            request = await context.read()
        except asyncio.CancelledError:
            if loop.time() < timer.when():
                raise
            task.uncancel()
            why = "the request's message took too long to arrive"
            raise TrackerError(Reason.REQUEST_TIMEOUT, why) from None
        finally:
            timer.cancel()
        if not isinstance(request, bytes):
            raise invalid(FieldViolation("", "the call brought no message"))
        message = self._method.decode(request)
        if isinstance(message, Message):
            # Bytes beyond those of the known fields may be another encoding of these.
            more = len(message.to_binary(write_unknown_fields=False)) != len(request)
            if more or PREFER in call.headers:
                handle(call, [*islice(unknown_numbers(message), MAX_UNKNOWN)])
        return message

    async def _fail(self, context: _Context, call: Call) -> Never:
        self._log.exception("defect", request_id=call.request_id, method=self._method.endpoint.name)
        await _abort(context, internal_error(call.request_id), call)


def _trailers(call: Call) -> tuple[tuple[str, str], ...]:
    return ((REQUEST_ID_HEADER, call.request_id), *call.notes)


async def _abort(context: _Context, error: TrackerError, call: Call) -> Never:
    details = ("grpc-status-details-bin", binary_error(error))
    await context.abort(_STATUS[int(error.code)], short(error.message), (*_trailers(call), details))


def _call(context: _Context) -> Call:
    """Return the call that a request makes; its answer is sent, or never will be, when its task ends."""
    headers: dict[str, str] = {}
    for name, value in context.invocation_metadata() or ():
        if isinstance(value, str):
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    request_id = request_id_of(headers.get(REQUEST_ID_HEADER))
    call = Call("grpc", request_id, context.peer(), headers, context.time_remaining())
    current_task().add_done_callback(lambda _: call.answer.end())
    return call


def _stopping(_endpoint: Endpoint, _call: Call) -> TrackerError:
    return TrackerError(Reason.DRAINING, "the server is stopping")


def _options(limits: GrpcLimits) -> list[tuple[str, int]]:
    """Return the limits as channel arguments of gRPC core."""
    return [
        ("grpc.so_reuseport", 0),  # a second server on the same port is an error, not a half of the calls
        ("grpc.max_receive_message_length", limits.message_bytes),
        ("grpc.max_metadata_size", limits.metadata_bytes),
        ("grpc.absolute_max_metadata_size", limits.metadata_bytes),
        ("grpc.max_concurrent_streams", limits.streams),
        ("grpc.server_handshake_timeout_ms", round(limits.handshake_seconds * 1000)),
        ("grpc.max_connection_idle_ms", round(limits.idle_seconds * 1000)),
        ("grpc.keepalive_time_ms", round(limits.ping_seconds * 1000)),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ]
