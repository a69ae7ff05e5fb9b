"""The standard services of the gRPC port: health and reflection."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, TypeVar

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from tracker.api.descriptor_pool import HEALTH_SERVICE, REFLECTION_SERVICES, make_pool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from grpc_health.v1 import health_pb2

    HealthContext = grpc.aio.ServicerContext[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse]
    ReflectionContext = grpc.aio.ServicerContext[
        reflection_pb2.ServerReflectionRequest, reflection_pb2.ServerReflectionResponse
    ]
    Request = TypeVar("Request")
    Response = TypeVar("Response")


class OpenStreams:
    """The streams that clients keep open for as long as they like, and that end when the server stops."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()
        self._ending = False

    @contextlib.asynccontextmanager
    async def open(self, context: grpc.aio.ServicerContext[Request, Response]) -> AsyncIterator[None]:
        """Hold the stream of the current task open until it ends by itself or `end` ends it."""
        task = asyncio.current_task()
        if task is None or self._ending:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the server is stopping")
        self._tasks.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if not self._ending:
                raise
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the server is stopping")
        finally:
            self._tasks.discard(task)

    def end(self) -> None:
        """End all streams, and those to come."""
        self._ending = True
        for task in self._tasks:
            task.cancel()


class HealthServicer(health.aio.HealthServicer):
    """`grpc.health.v1`, whose watchers do not keep the server from stopping."""

    def __init__(self, streams: OpenStreams) -> None:
        super().__init__()
        self._streams = streams

    async def Watch(  # noqa: N802 - the name of the RPC
        self, request: health_pb2.HealthCheckRequest, context: HealthContext
    ) -> None:
        """Tell the status of a service, and every change of it."""
        async with self._streams.open(context):
            await super().Watch(request, context)


class Reflection:
    """Server reflection, whose clients do not keep the server from stopping."""

    def __init__(self, services: Sequence[str], streams: OpenStreams) -> None:
        self._servicer = reflection.aio.ReflectionServicer(services, make_pool())
        self._streams = streams

    async def answer(
        self, requests: AsyncIterator[reflection_pb2.ServerReflectionRequest], context: ReflectionContext
    ) -> AsyncIterator[reflection_pb2.ServerReflectionResponse]:
        """Answer questions about descriptors, each as it comes."""
        async with self._streams.open(context):
            answers = self._servicer.ServerReflectionInfo(requests, context)
            async for response in answers:  # type: ignore[attr-defined] # an async generator, not a coroutine
                yield response


def add_standard_services(
    server: grpc.aio.Server, services: Sequence[str], streams: OpenStreams
) -> HealthServicer:
    """Add health and reflection to a server that answers `services`; return its health."""
    names = (*services, HEALTH_SERVICE, *REFLECTION_SERVICES)
    servicer = HealthServicer(streams)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    reflect = grpc.stream_stream_rpc_method_handler(
        Reflection(names, streams).answer,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    for name in REFLECTION_SERVICES:
        handler = grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": reflect})
        server.add_generic_rpc_handlers((handler,))
    return servicer
