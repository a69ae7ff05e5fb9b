"""The descriptors that gRPC reflection shows, in a pool of Google's kind, which its library asks for."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from tracker import pb

if TYPE_CHECKING:
    from protobuf import DescFile

_V1ALPHA = "grpc.reflection.v1alpha"
_V1 = "grpc.reflection.v1"

REFLECTION_SERVICES = (f"{_V1}.ServerReflection", f"{_V1ALPHA}.ServerReflection")
"""Both versions, whose messages are the same."""
HEALTH_SERVICE = "grpc.health.v1.Health"


@cache
def make_pool() -> DescriptorPool:
    """Return a pool of its own with all services of the gRPC port and their imports."""
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
    """Return the descriptor of reflection's v1, which is v1alpha in another package."""
    file = FileDescriptorProto.FromString(reflection_pb2.DESCRIPTOR.serialized_pb)
    file.name = "grpc/reflection/v1/reflection.proto"
    file.package = _V1
    for message in file.message_type:
        for field in message.field:
            if field.type_name:  # a scalar field must not have one, not even an empty one
                field.type_name = _renamed(field.type_name)
    for service in file.service:
        for method in service.method:
            method.input_type = _renamed(method.input_type)
            method.output_type = _renamed(method.output_type)
    return file


def _renamed(type_name: str) -> str:
    return type_name.replace(f".{_V1ALPHA}.", f".{_V1}.")
