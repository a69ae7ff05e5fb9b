"""The same endpoints behind `grpc.aio`, for comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import grpc.aio

from tracker.api.grpc_methods import rpc_method
from tracker.api.wires import REQUEST_ID_HEADER, binary_error, request_id_of, short
from tracker.errors import TrackerError
from tracker.services.context import Call

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracker.api.calls.endpoint import Chain, Endpoint, Handler
    from tracker.api.grpc_call import GrpcLimits
    from tracker.api.grpc_methods import GrpcMethod

    Context = grpc.aio.ServicerContext[bytes, bytes]

_STATUS = {status.value[0]: status for status in grpc.StatusCode}


class Reference:
    """A server of `grpc.aio` with the limits of ours."""

    def __init__(self, chain: Chain, methods: Iterable[Endpoint], limits: GrpcLimits) -> None:
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", limits.message_bytes),
                ("grpc.max_metadata_size", limits.metadata_bytes),
                ("grpc.absolute_max_metadata_size", limits.metadata_bytes),
                ("grpc.max_concurrent_streams", limits.streams),
                ("grpc.server_handshake_timeout_ms", round(limits.handshake_seconds * 1000)),
                ("grpc.max_connection_idle_ms", round(limits.idle_seconds * 1000)),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ]
        )
        handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {}
        for endpoint in methods:
            answerer = _Answerer(rpc_method(endpoint), chain.compose(endpoint))
            handlers[f"/{endpoint.name}"] = (
                grpc.unary_stream_rpc_method_handler(answerer.stream)
                if endpoint.streams
                else grpc.unary_unary_rpc_method_handler(answerer.answer)
            )
        self._server.add_generic_rpc_handlers((_Handlers(handlers),))

    async def start(self) -> None:
        self.bound = ("127.0.0.1", self._server.add_insecure_port("127.0.0.1:0"))
        await self._server.start()

    async def stop(self, grace: float) -> None:
        await self._server.stop(grace)


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]]) -> None:
        self._handlers = handlers

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        return self._handlers.get(handler_call_details.method)


class _Answerer:
    def __init__(self, method: GrpcMethod, handle: Handler) -> None:
        self._method = method
        self._handle = handle

    async def answer(self, request: bytes, context: Context) -> bytes:
        call = _call(context)
        message = await self._run(request, context, call)
        context.set_trailing_metadata(_trailers(call))
        return self._method.encode(message)

    async def stream(self, request: bytes, context: Context) -> None:
        async def send(message: object) -> None:
            await context.write(self._method.encode(message))

        call = _call(context)
        call.send = send
        await self._run(request, context, call)
        context.set_trailing_metadata(_trailers(call))

    async def _run(self, request: bytes, context: Context, call: Call) -> object:
        async def read() -> object:
            return self._method.decode(request)

        try:
            return await self._handle(read, call)
        except TrackerError as error:
            metadata: tuple[tuple[str, str | bytes], ...] = (
                *_trailers(call),
                ("grpc-status-details-bin", binary_error(error)),
            )
            await context.abort(_STATUS[int(error.code)], short(error.message), metadata)
            raise AssertionError from error


def _call(context: Context) -> Call:
    headers: dict[str, str] = {}
    for name, value in context.invocation_metadata() or ():
        if isinstance(value, str):
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    request_id = request_id_of(headers.get(REQUEST_ID_HEADER))
    return Call("grpc", request_id, context.peer(), headers, context.time_remaining())


def _trailers(call: Call) -> tuple[tuple[str, str], ...]:
    return ((REQUEST_ID_HEADER, call.request_id), *call.notes)
