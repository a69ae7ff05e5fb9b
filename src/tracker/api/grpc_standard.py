"""The standard services of the gRPC port: health and reflection."""

from __future__ import annotations

import asyncio
from functools import cache, partial
from math import inf
from operator import methodcaller
from typing import TYPE_CHECKING

from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from tracker import pb
from tracker.api.calls.endpoint import Endpoint, Limits, sending
from tracker.api.grpc_methods import GrpcMethod
from tracker.errors import FieldViolation, Reason, TrackerError, invalid

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence

    from google.protobuf.message import Message
    from protobuf import DescFile

    from tracker.services.context import Call

REFLECTION_SERVICES = (
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
)
"""Both versions, whose messages are the same."""
HEALTH_SERVICE = "grpc.health.v1.Health"

_encode = methodcaller("SerializeToString")
_Status = health_pb2.HealthCheckResponse


class Health:
    """`grpc.health.v1`: the server and each of its services are SERVING until the server drains."""

    def __init__(self, services: Iterable[str]) -> None:
        self._services = {"", *services}
        self._draining = asyncio.Event()

    def drain(self) -> None:
        """Report NOT_SERVING from now on, to checks and to watches."""
        self._draining.set()

    def methods(self) -> Sequence[GrpcMethod]:
        check = Endpoint(f"{HEALTH_SERVICE}/Check", self._check, limits=Limits(seconds=inf), quiet=True)
        watch = Endpoint(f"{HEALTH_SERVICE}/Watch", sending(self._watch), streams=True, quiet=True)
        decode = partial(_decode, health_pb2.HealthCheckRequest)
        return (GrpcMethod(check, decode, _encode), GrpcMethod(watch, decode, _encode))

    async def _check(self, request: health_pb2.HealthCheckRequest, _call: Call) -> _Status:
        if request.service not in self._services:
            raise TrackerError(Reason.UNKNOWN_PATH, "there is no such service")
        return self._status()

    async def _watch(
        self, request: health_pb2.HealthCheckRequest, _call: Call
    ) -> AsyncGenerator[_Status, None]:
        if request.service in self._services:
            if not self._draining.is_set():
                yield self._status()
                await self._draining.wait()
            yield self._status()
        else:
            yield _Status(status=_Status.SERVICE_UNKNOWN)
        await asyncio.Event().wait()

    def _status(self) -> _Status:
        return _Status(status=_Status.NOT_SERVING if self._draining.is_set() else _Status.SERVING)


def reflection_methods(services: Iterable[str]) -> Sequence[GrpcMethod]:
    """Return both versions of server reflection, for `services` and the standard ones."""
    names = (*services, HEALTH_SERVICE, *REFLECTION_SERVICES)
    servicer = reflection.aio.ReflectionServicer(names, _pool())

    async def answer(
        requests: AsyncIterator[reflection_pb2.ServerReflectionRequest], _call: Call
    ) -> AsyncGenerator[reflection_pb2.ServerReflectionResponse, None]:
        answers = servicer.ServerReflectionInfo(requests, None)
        async for response in answers:  # type: ignore[attr-defined] # an async generator, not a coroutine
            yield response

    decode = partial(_decode, reflection_pb2.ServerReflectionRequest)
    endpoints = (
        Endpoint(f"{name}/ServerReflectionInfo", sending(answer), streams=True)
        for name in REFLECTION_SERVICES
    )
    return [GrpcMethod(endpoint, decode, _encode, takes_stream=True) for endpoint in endpoints]


@cache
def _pool() -> DescriptorPool:
    """Return all services of the gRPC port and their imports, in the pool that Google's library needs."""
    pool = DescriptorPool()
    added: set[str] = set()
    for file in pb.FILES:
        _add(pool, file, added)
    pool.AddSerializedFile(health_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(reflection_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(_reflection_v1().SerializeToString())
    return pool


def _add(pool: DescriptorPool, file: DescFile, added: set[str]) -> None:
    if file.name in added:
        return
    added.add(file.name)
    for dependency in file.dependencies:
        _add(pool, dependency, added)
    pool.AddSerializedFile(file.proto.to_binary())


def _reflection_v1() -> FileDescriptorProto:
    """Return the descriptor of reflection v1: that of v1alpha in another package."""
    file = FileDescriptorProto.FromString(reflection_pb2.DESCRIPTOR.serialized_pb)
    file.name = "grpc/reflection/v1alpha/reflection.proto"
    text = text_format.MessageToString(file).replace("v1alpha", "v1")
    return text_format.Parse(text, FileDescriptorProto())


def _decode(kind: type[Message], request: bytes) -> Message:
    try:
        return kind.FromString(request)
    except DecodeError as error:
        raise invalid(
            FieldViolation("", f"the request is not a {kind.DESCRIPTOR.full_name}: {error}")
        ) from None
