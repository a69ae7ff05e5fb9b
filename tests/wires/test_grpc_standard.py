"""Health and reflection, asked by the clients that exist for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from tests.wires.standin import BOUND, unary

from tracker import pb
from tracker.pb import event_pb, health_pb

if TYPE_CHECKING:
    from tests.wires.standin import StandIn

    from tracker.api.grpc import GrpcServer

HEALTH = "/grpc.health.v1.Health"
TRACKER = {service.type_name for file in pb.FILES for service in file.services}
STANDARD = {
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
}
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
GET = event_pb.GetEventRequest(id="1").to_binary()


def status(answer: object) -> int:
    assert isinstance(answer, bytes)
    return health_pb2.HealthCheckResponse.FromString(answer).status


async def health(channel: grpc.aio.Channel, service: str) -> int:
    request = health_pb2.HealthCheckRequest(service=service).SerializeToString()
    return status(await unary(channel, f"{HEALTH}/Check")(request))


async def test_a_client_that_knows_no_protos_lists_describes_and_calls_everything(
    grpc_server: GrpcServer, stand_in: StandIn
) -> None:
    host, port = grpc_server.bound

    def explore() -> None:
        with grpc.insecure_channel(f"{host}:{port}") as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            assert set(database.get_services()) == TRACKER | STANDARD
            pool = DescriptorPool(database)
            for name in TRACKER | STANDARD:
                assert pool.FindServiceByName(name).methods
            method = pool.FindServiceByName("tracker.event.v1alpha1.EventService").methods_by_name[
                "CreateEvent"
            ]
            request = GetMessageClass(method.input_type)(title="t", attributes={"service": "s", "type": 1})
            call = channel.unary_unary(
                "/tracker.event.v1alpha1.EventService/CreateEvent",
                request_serializer=GetMessageClass(method.input_type).SerializeToString,
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
            assert not call(request, timeout=BOUND).HasField("event")

    await asyncio.wait_for(asyncio.to_thread(explore), BOUND)
    attributes = event_pb.EventAttributes(service="s", type=event_pb.Type.deployment)
    assert stand_in.request == event_pb.CreateEventRequest(title="t", attributes=attributes)


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_both_versions_of_reflection_answer_the_same(channel: grpc.aio.Channel, version: str) -> None:
    ask = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    requests = [
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="tracker.lock.v1alpha1.Lock"),
        reflection_pb2.ServerReflectionRequest(file_by_filename="google/api/http.proto"),
        reflection_pb2.ServerReflectionRequest(file_by_filename="buf/validate/validate.proto"),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="nothing.at.All"),
        reflection_pb2.ServerReflectionRequest(
            file_containing_extension=reflection_pb2.ExtensionRequest(
                containing_type="google.protobuf.MethodOptions", extension_number=72295728
            )
        ),
    ]
    answers = [answer async for answer in ask(iter(requests), timeout=BOUND)]
    names = [
        {
            FileDescriptorProto.FromString(file).name
            for file in answer.file_descriptor_response.file_descriptor_proto
        }
        for answer in answers
    ]
    assert "proto/lock/v1alpha1/lock.proto" in names[0]
    assert "google/protobuf/timestamp.proto" in names[0]
    assert names[1] >= {"google/api/http.proto"}
    assert names[2] >= {"buf/validate/validate.proto"}
    assert answers[3].error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
    assert names[4] >= {"google/api/annotations.proto"}


async def test_the_server_and_each_service_are_healthy(channel: grpc.aio.Channel) -> None:
    for service in ("", *TRACKER):
        assert await health(channel, service) == SERVING
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health(channel, "nothing")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_clients_list_the_health_of_all_services_at_once(
    grpc_server: GrpcServer, channel: grpc.aio.Channel
) -> None:
    for state in (SERVING, NOT_SERVING):
        listed = health_pb.HealthListResponse.from_binary(await unary(channel, f"{HEALTH}/List")(b""))
        assert {name: int(each.status) for name, each in listed.statuses.items()} == dict.fromkeys(
            ("", *TRACKER), state
        )
        grpc_server.drain()


async def test_watching_an_unknown_service_says_so_and_goes_on(channel: grpc.aio.Channel) -> None:
    watch: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(f"{HEALTH}/Watch")
    watching = watch(health_pb2.HealthCheckRequest(service="nothing").SerializeToString(), timeout=BOUND)
    assert status(await watching.read()) == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    assert not watching.done()
    watching.cancel()


async def test_a_draining_server_says_so_and_still_answers(
    grpc_server: GrpcServer, channel: grpc.aio.Channel
) -> None:
    grpc_server.drain()
    for service in ("", *TRACKER):
        assert await health(channel, service) == NOT_SERVING
    assert await unary(channel, "/tracker.event.v1alpha1.EventService/GetEvent")(GET) == b""


async def test_those_who_watch_or_explore_do_not_keep_a_server_from_stopping(
    grpc_server: GrpcServer, channel: grpc.aio.Channel
) -> None:
    watch: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(f"{HEALTH}/Watch")
    explore: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
    )
    watching = watch(b"", timeout=BOUND)
    exploring = explore(timeout=BOUND)
    await exploring.write(reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString())
    async with asyncio.timeout(BOUND / 2):
        assert status(await watching.read()) == SERVING
        assert await exploring.read()
        await grpc_server.stop(BOUND)
        assert status(await watching.read()) == NOT_SERVING
    for stream in (watching, exploring):
        assert await stream.code() is grpc.StatusCode.UNAVAILABLE
        assert await stream.details() == "the server is stopping"
