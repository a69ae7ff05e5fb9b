"""The standard services of the gRPC port: health and reflection."""

from __future__ import annotations

import asyncio
from functools import cache, partial
from math import inf
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from protobuf import DescService, Oneof, Registry

from tracker import pb
from tracker.api.calls.endpoint import Endpoint, Limits, sending
from tracker.api.grpc_methods import GrpcMethod, decode
from tracker.errors import Code, Reason, TrackerError
from tracker.pb import health_pb, reflection_pb

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence

    from protobuf import DescFile

    from tracker.services.context import Call

REFLECTION_SERVICES = (
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
)
"""Both versions, whose messages are the same."""
HEALTH_SERVICE = "grpc.health.v1.Health"

_encode = methodcaller("to_binary")
_Status = health_pb.HealthCheckResponse.ServingStatus


class Health:
    """`grpc.health.v1`: the server and each of its services are SERVING until the server drains."""

    def __init__(self, services: Iterable[str]) -> None:
        self._services = {"", *services}
        self._draining = asyncio.Event()

    def drain(self) -> None:
        """Report NOT_SERVING from now on, to checks and to watches."""
        self._draining.set()

    def methods(self) -> Sequence[GrpcMethod]:
        check = Endpoint(f"{HEALTH_SERVICE}/Check", self._check, None, limits=Limits(seconds=inf), quiet=True)
        list_ = Endpoint(f"{HEALTH_SERVICE}/List", self._list, None, limits=Limits(seconds=inf), quiet=True)
        watch = Endpoint(f"{HEALTH_SERVICE}/Watch", sending(self._watch), None, streams=True, quiet=True)
        return (
            GrpcMethod(check, partial(decode, health_pb.HealthCheckRequest), _encode),
            GrpcMethod(list_, partial(decode, health_pb.HealthListRequest), _encode),
            GrpcMethod(watch, partial(decode, health_pb.HealthCheckRequest), _encode),
        )

    async def _check(
        self, request: health_pb.HealthCheckRequest, _call: Call
    ) -> health_pb.HealthCheckResponse:
        if request.service not in self._services:
            raise TrackerError(Reason.UNKNOWN_PATH, "there is no such service")
        return self._status()

    async def _list(self, _request: health_pb.HealthListRequest, _call: Call) -> health_pb.HealthListResponse:
        return health_pb.HealthListResponse(statuses=dict.fromkeys(self._services, self._status()))

    async def _watch(
        self, request: health_pb.HealthCheckRequest, _call: Call
    ) -> AsyncGenerator[health_pb.HealthCheckResponse, None]:
        if request.service in self._services:
            if not self._draining.is_set():
                yield self._status()
                await self._draining.wait()
            yield self._status()
        else:
            yield health_pb.HealthCheckResponse(status=_Status.SERVICE_UNKNOWN)
        await asyncio.Event().wait()

    def _status(self) -> health_pb.HealthCheckResponse:
        draining = self._draining.is_set()
        return health_pb.HealthCheckResponse(status=_Status.NOT_SERVING if draining else _Status.SERVING)


@cache
def _registry() -> Registry:
    return Registry(*pb.FILES, *pb.STANDARD_FILES)


class Reflection:
    """Both versions of server reflection."""

    def __init__(self, services: Iterable[str]) -> None:
        """Describe `services` and the standard ones."""
        self._services = sorted((*services, HEALTH_SERVICE, *REFLECTION_SERVICES))
        self._registry = _registry()

    def methods(self) -> Sequence[GrpcMethod]:
        endpoints = (
            Endpoint(f"{name}/ServerReflectionInfo", sending(self._answer_all), None, streams=True)
            for name in REFLECTION_SERVICES
        )
        read = partial(decode, reflection_pb.ServerReflectionRequest)
        return [GrpcMethod(endpoint, read, _encode, takes_stream=True) for endpoint in endpoints]

    async def _answer_all(
        self, requests: AsyncIterator[reflection_pb.ServerReflectionRequest], _call: Call
    ) -> AsyncGenerator[reflection_pb.ServerReflectionResponse, None]:
        async for request in requests:
            yield reflection_pb.ServerReflectionResponse(
                valid_host=request.host, original_request=request, message_response=self._answer(request)
            )

    def _answer(self, request: reflection_pb.ServerReflectionRequest) -> Oneof[Any, Any]:
        match request.message_request:
            case Oneof("list_services"):
                services = [reflection_pb.ServiceResponse(name=name) for name in self._services]
                return Oneof("list_services_response", reflection_pb.ListServiceResponse(service=services))
            case Oneof("all_extension_numbers_of_type", str(name)) if message := self._registry.message(name):
                numbers = sorted(each.number for each in self._registry.extensions_for(message))
                found = reflection_pb.ExtensionNumberResponse(base_type_name=name, extension_number=numbers)
                return Oneof("all_extension_numbers_response", found)
            case Oneof("file_by_filename", str(name)):
                file = self._registry.file(name)
            case Oneof("file_containing_symbol", str(name)):
                file = self._file_of(name)
            case Oneof("file_containing_extension", reflection_pb.ExtensionRequest() as asked):
                extension = self._registry.extension_for(asked.containing_type, asked.extension_number)
                file = extension and extension.file
            case _:
                file = None
        if file is None:
            return Oneof(
                "error_response",
                reflection_pb.ErrorResponse(error_code=Code.NOT_FOUND, error_message="not found"),
            )
        files = {each.name: each.proto.to_binary() for each in _with_imports(file)}
        return Oneof(
            "file_descriptor_response",
            reflection_pb.FileDescriptorResponse(file_descriptor_proto=[*files.values()]),
        )

    def _file_of(self, name: str) -> DescFile | None:
        """Return the file that declares a type, a service, an extension, or a member of one of them."""
        registry = self._registry
        for find in (registry.service, registry.message, registry.enum, registry.extension):
            if (found := find(name)) is not None:
                return found.file
        parent, _, last = name.rpartition(".")
        owner = registry.service(parent) or registry.message(parent)
        if owner is None:
            return None
        if isinstance(owner, DescService):
            names = {method.name for method in owner.methods}
        else:
            names = {field.name for field in owner.fields} | {oneof.name for oneof in owner.oneofs}
        return owner.file if last in names else None


def _with_imports(file: DescFile) -> Iterator[DescFile]:
    yield file
    for imported in file.dependencies:
        yield from _with_imports(imported)
