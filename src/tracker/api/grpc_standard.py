"""The standard services of the gRPC port: health and reflection."""

from __future__ import annotations

import asyncio
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from tracker.api.calls.endpoint import Endpoint, Limits
from tracker.api.calls.streams import sending
from tracker.api.descriptor_pool import HEALTH_SERVICE, REFLECTION_SERVICES, make_pool
from tracker.errors import FieldViolation, Reason, TrackerError, invalid

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence

    from google.protobuf.message import Message

    from tracker.services.call import Call

_Status = health_pb2.HealthCheckResponse


class GrpcMethod(NamedTuple):
    """An endpoint as gRPC has it: how its messages are decoded and encoded.

    One that `takes_stream` is given an iterator of requests.
    """

    endpoint: Endpoint
    decode: Callable[[bytes], object]
    encode: Callable[[Any], bytes]
    takes_stream: bool = False


class Health:
    """`grpc.health.v1`: the server, and each of its services, is well until the server drains."""

    def __init__(self, services: Iterable[str]) -> None:
        self._services = {"", *services}
        self._draining = asyncio.Event()

    def drain(self) -> None:
        """Say NOT_SERVING from now on, to those who ask and to those who watch."""
        self._draining.set()

    def methods(self) -> Sequence[GrpcMethod]:
        """Return the RPCs."""
        check = Endpoint(f"{HEALTH_SERVICE}/Check", self._check, limits=Limits(seconds=inf), quiet=True)
        watch = Endpoint(f"{HEALTH_SERVICE}/Watch", sending(self._watch), streams=True)
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
    """Return server reflection, in both versions, of `services` and of the standard ones."""
    names = (*services, HEALTH_SERVICE, *REFLECTION_SERVICES)
    servicer = reflection.aio.ReflectionServicer(names, make_pool())

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


def _decode(kind: type[Message], request: bytes) -> Message:
    try:
        return kind.FromString(request)
    except DecodeError as error:
        raise invalid(
            FieldViolation("", f"the request is not a {kind.DESCRIPTOR.full_name}: {error}")
        ) from None


def _encode(message: Message) -> bytes:
    return message.SerializeToString()
