"""Reflection answers as Google's own implementation does about the same files."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection, reflection_pb2
from tests.wires.standin import BOUND

from tracker import pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import grpc.aio
    from protobuf import DescFile

Request = reflection_pb2.ServerReflectionRequest
Response = reflection_pb2.ServerReflectionResponse
FILES = (*pb.FILES, *pb.STANDARD_FILES)
OPTIONS = [f"google.protobuf.{kind}Options" for kind in ("File", "Message", "Field", "Method", "EnumValue")]


def with_imports(files: Iterable[DescFile]) -> dict[str, DescFile]:
    """Return files by name, each after those that it imports."""
    found: dict[str, DescFile] = {}
    for file in files:
        found |= with_imports(file.dependencies)
        found[file.name] = file
    return found


def symbols(file: DescFile) -> Iterator[str]:
    """Yield names that a file declares: of fields only the last of each message."""
    yield from (service.type_name for service in file.services)
    yield from (enum.type_name for enum in file.enums)
    yield from (extension.type_name for extension in file.extensions)
    messages = [*file.messages]
    while messages:
        message = messages.pop()
        yield message.type_name
        yield from (f"{message.type_name}.{field.name}" for field in message.fields[-1:])
        yield from (f"{message.type_name}.{oneof.name}" for oneof in message.oneofs)
        yield from (enum.type_name for enum in message.nested_enums)
        messages += message.nested_messages


def requests() -> Iterator[Request]:
    yield Request(list_services="")
    for name, file in with_imports(FILES).items():
        yield Request(file_by_filename=name)
        for symbol in symbols(file):
            yield Request(file_containing_symbol=symbol)
    for unknown in ("", "nothing", "tracker.event.v1alpha1", "tracker.event.v1alpha1.EventService.Nothing"):
        yield Request(file_by_filename=unknown)
        yield Request(file_containing_symbol=unknown)
        yield Request(all_extension_numbers_of_type=unknown)
    for name in OPTIONS:
        yield Request(all_extension_numbers_of_type=name)
        for number in (1, 1159, 72295728):
            asked = reflection_pb2.ExtensionRequest(containing_type=name, extension_number=number)
            yield Request(file_containing_extension=asked)


@cache
def read(file: bytes) -> FileDescriptorProto:
    return FileDescriptorProto.FromString(file)


def told(response: Response) -> object:
    """Return what an answer says, whatever the order of files and texts of errors."""
    kind = response.WhichOneof("message_response")
    if kind == "error_response":
        return response.error_response.error_code
    if kind == "file_descriptor_response":
        files = [read(file) for file in response.file_descriptor_response.file_descriptor_proto]
        if response.original_request.HasField("file_by_filename"):
            return files[0].name, {file.name: file for file in files}
        return files[0].name, {file.name for file in files}
    return response.list_services_response, response.all_extension_numbers_response


async def test_everything_is_described_as_by_the_reference(channel: grpc.aio.Channel) -> None:
    pool = DescriptorPool()
    for file in with_imports(FILES).values():
        pool.AddSerializedFile(file.proto.to_binary())
    names = [service.type_name for file in FILES for service in file.services]
    reference = reflection.ReflectionServicer(names, pool)
    asked = [*requests(), Request(file_containing_symbol=f"{names[0]}.CreateEvent")]
    ask = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=Request.SerializeToString,
        response_deserializer=Response.FromString,
    )
    answers = [answer async for answer in ask(iter(asked), timeout=BOUND)]
    method = FileDescriptorProto.FromString(answers.pop().file_descriptor_response.file_descriptor_proto[0])
    assert method.service[0].name == "EventService"  # which the reference does not find by its methods
    asked.pop()
    expected = reference.ServerReflectionInfo(iter(asked), None)  # type: ignore[arg-type] # it uses no context
    for request, answer, right in zip(asked, answers, expected, strict=True):
        assert answer.original_request == request
        assert told(answer) == told(right), request
