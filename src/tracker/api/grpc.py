"""The gRPC wire: a server whose methods are the pipeline's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health_pb2
from protobuf import DescMessage

from tracker.api import request_id as request_ids
from tracker.api.error_details import binary_error, internal_error, short
from tracker.api.grpc_standard import OpenStreams, add_standard_services
from tracker.api.listening import address, listen
from tracker.api.pipeline import refusing
from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.services.call import Call
from tracker.transcoding.fields import DURATION, TIMESTAMP

if TYPE_CHECKING:
    from typing import Never

    from protobuf import Message
    from structlog.typing import FilteringBoundLogger

    from tracker.api.pipeline import Decode, Method, Pipeline

    _Context = grpc.aio.ServicerContext[bytes, bytes]

_STATUS = {status.value[0]: status for status in grpc.StatusCode}
_LAST_WORDS = 0.1
"""Seconds for which streams stay open after they were told that the server stops."""
_UNREADABLE = (ValueError, TypeError, OverflowError, RecursionError)
"""What the message library raises for bytes that are no message."""
_HOLD = 0.1
"""Seconds for which a server that stops holds answers back, and again once clients have been told."""


@dataclass(frozen=True, slots=True)
class GrpcLimits:
    """What one connection may take: seconds, and bytes."""

    handshake_seconds: float = 10
    """From a connection's start to the end of HTTP/2's handshake."""
    message_seconds: float = 30
    """From the end of a call's metadata to the end of its message."""
    message_bytes: int = 4 * 1024 * 1024
    metadata_bytes: int = 16 * 1024
    streams: int = 1000
    """Calls at a time on one connection; more wait in the client."""
    idle_seconds: float = 900
    """After which a connection without calls is closed; clients reconnect by themselves."""
    ping_seconds: float = 60
    """After which a silent client is asked whether it is still there, and given 20 seconds to answer."""


class GrpcServer:
    """Serves the pipeline's methods, health and reflection on one address."""

    def __init__(
        self,
        pipeline: Pipeline,
        host: str,
        port: int,
        *,
        log: FilteringBoundLogger,
        limits: GrpcLimits | None = None,
    ) -> None:
        """Prepare a server; port 0 stands for any that is free, host `::` for every interface."""
        self._limits = limits or GrpcLimits()
        self._pipeline = pipeline
        self._log = log
        self._host = host
        self._port = port
        self._streams = OpenStreams()
        self._server: grpc.aio.Server | None = None
        self._may_answer = asyncio.Event()
        self._may_answer.set()
        self.bound: tuple[str, int] = (host, port)
        """Address that the server listens on, once it has started."""

    async def start(self) -> None:
        """Listen, and return when calls are accepted.

        Raises:
            OSError: the address can't be had.
        """
        server = grpc.aio.server(options=_options(self._limits))
        services: dict[str, dict[str, grpc.RpcMethodHandler[bytes, bytes]]] = {}
        for method in self._pipeline.methods:
            service, _, name = method.full_name.partition("/")
            answerer = _Answerer(
                self._pipeline, method, self._log, self._limits.message_seconds, self._may_answer
            )
            # As a stream of requests, since the wait for the first one can then be bounded.
            services.setdefault(service, {})[name] = (
                grpc.stream_stream_rpc_method_handler(answerer.stream)
                if method.streams
                else grpc.stream_unary_rpc_method_handler(answerer.answer)
            )
        for service, handlers in services.items():
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self._health = add_standard_services(server, tuple(services), self._streams)
        for service in services:
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        # Tried first with a socket of our own, as gRPC does not say why it can't have an address.
        with listen(self._host, self._port) as listener:
            host, port = listener.getsockname()[:2]
        try:
            server.add_insecure_port(address(host, port))
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address(host, port)}: {error}") from None
        await server.start()
        self.bound = (host, port)
        self._server = server

    async def drain(self) -> None:
        """Say NOT_SERVING from now on, to those who ask and to those who watch."""
        if self._server is not None:
            await self._health.enter_graceful_shutdown()

    async def stop(self, grace: float) -> None:
        """Accept no more, answer what is under way for up to `grace` seconds, then cut off the rest.

        gRPC cancels the calls that reach it while it stops, and clients make their next call as soon as
        they have an answer. So with any grace, answers are held back for a moment, until whoever waits for
        one has made its call, and given once clients have been told to call elsewhere.
        """
        if self._server is None:
            return
        hold = _HOLD if grace else 0.0
        await self.drain()
        self._may_answer.clear()
        await asyncio.sleep(hold)
        stopping = asyncio.ensure_future(self._server.stop(grace))
        await asyncio.sleep(hold)
        self._may_answer.set()
        asyncio.get_running_loop().call_later(_LAST_WORDS, self._streams.end)
        await stopping


class _Answerer:
    """Answers the calls of one method."""

    def __init__(
        self,
        pipeline: Pipeline,
        method: Method,
        log: FilteringBoundLogger,
        message_seconds: float,
        may_answer: asyncio.Event,
    ) -> None:
        self._pipeline = pipeline
        self._method = method
        self._log = log
        self._message_seconds = message_seconds
        self._may_answer = may_answer

    async def answer(self, _requests: object, context: _Context) -> bytes:
        """Answer one call."""
        request_id, key = _read_metadata(context)
        call = Call("grpc", request_id, context.peer(), context.time_remaining(), key)
        try:
            decode = await self._read(context)
            message = await self._pipeline.call(self._method, decode, call)
            answer = message.to_binary()
            await self._may_answer.wait()
        except TrackerError as error:
            await self._may_answer.wait()
            await _abort(context, error, request_id)
        except Exception:  # noqa: BLE001 - a defect of the wire: logged, and answered as what it is
            self._log.exception("defect", request_id=request_id, method=self._method.full_name)
            await _abort(context, internal_error(request_id), request_id)
        context.set_trailing_metadata(((request_ids.HEADER, request_id),))
        return answer

    async def stream(self, _requests: object, context: _Context) -> None:
        """Answer one call with a stream."""
        request_id, _ = _read_metadata(context)
        call = Call("grpc", request_id, context.peer(), context.time_remaining())

        async def send(message: Message) -> None:
            await context.write(message.to_binary())

        try:
            decode = await self._read(context)
            await self._pipeline.stream(self._method, decode, call, send)
        except TrackerError as error:
            await _abort(context, error, request_id)
        except Exception:  # noqa: BLE001 - a defect of the wire: logged, and answered as what it is
            self._log.exception("defect", request_id=request_id, method=self._method.full_name)
            await _abort(context, internal_error(request_id), request_id)
        context.set_trailing_metadata(((request_ids.HEADER, request_id),))

    async def _read(self, context: _Context) -> Decode:
        """Wait for the request, and return what decodes it, or what raises the error that it deserves."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call runs in a task")
        loop = asyncio.get_running_loop()
        # A bare timer: it costs a third of `asyncio.timeout`, and hardly ever fires.
        timer = loop.call_later(self._message_seconds, task.cancel)
        try:
            request = await context.read()
        except asyncio.CancelledError:
            if loop.time() < timer.when():
                raise
            return refusing(_too_slow())
        finally:
            timer.cancel()
        if not isinstance(request, bytes):
            return refusing(_no_message())
        return partial(_decode, self._method.request, request)


def _decode(cls: type[Message], request: bytes) -> Message:
    try:
        message = cls.from_binary(request)
        if _tells_time(cls.desc()):
            message.to_json()  # refuses the nanoseconds that no time has, which no rule in a proto can see
    except _UNREADABLE as error:
        raise invalid(FieldViolation("", f"the request is not a {cls.desc().type_name}: {error}")) from None
    return message


@cache
def _tells_time(message: DescMessage) -> bool:
    """Return whether a message, or one inside it, may hold a Timestamp or a Duration."""
    if message.type_name in (TIMESTAMP, DURATION):
        return True
    below = (field.value for field in message.fields)
    return any(
        isinstance(inner, DescMessage) and _tells_time(inner)
        for value in below
        for inner in (getattr(value, "message", None), getattr(value, "element", None))
    )


async def _abort(context: _Context, error: TrackerError, request_id: str) -> Never:
    metadata = (
        (request_ids.HEADER, request_id),
        ("grpc-status-details-bin", binary_error(error)),
    )
    await context.abort(_STATUS[int(error.code)], short(error.message), metadata)


def _read_metadata(context: _Context) -> tuple[str, str | None]:
    """Return the id of a request, and the idempotency key that it brought, or None."""
    given: str | None = None
    keys: list[str] = []
    for key, value in context.invocation_metadata() or ():
        if key == request_ids.HEADER and isinstance(value, str):
            given = given or value
        elif key == "idempotency-key" and isinstance(value, str):
            keys.append(value)
    return request_ids.request_id(given), ", ".join(keys) if keys else None


def _too_slow() -> TrackerError:
    message = "the request's message took too long to arrive"
    return TrackerError(Reason.REQUEST_TIMEOUT, message)


def _no_message() -> TrackerError:
    return invalid(FieldViolation("", "the call brought no message"))


def _options(limits: GrpcLimits) -> list[tuple[str, int]]:
    """Return gRPC core's names for the limits."""
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
