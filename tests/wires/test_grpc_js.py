"""A client of another language: `@grpc/grpc-js`, which has its own HTTP/2."""

from __future__ import annotations

import asyncio
import itertools
import json
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from tests.npm import installed
from tests.wires.standin import BOUND

from tracker import pb
from tracker.errors import Reason, TrackerError
from tracker.pb import error_details_pb, event_pb, status_pb

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from protobuf import DescFile, Message
    from tests.wires.standin import StandIn

    from tracker.api.grpc import GrpcServer
    from tracker.services.context import Call

CLIENT = Path(__file__).parent / "grpc_js"
LARGE = 3_000_000
OK = 0
REFUSAL = "50 % of é is held"


@pytest.fixture(scope="module")
def client() -> Path:
    """Give the client's program, with what it needs installed from its lock file."""
    return installed(CLIENT) / "client.js"


def described(files: Iterable[DescFile]) -> dict[str, FileDescriptorProto]:
    """Return the descriptors of files by name, each after those that it imports."""
    found: dict[str, FileDescriptorProto] = {}
    for file in files:
        found |= described(file.dependencies)
        found[file.name] = FileDescriptorProto.FromString(file.proto.to_binary())
    return found


class Handlers:
    """What answers the client."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.stopped: asyncio.Queue[str] = asyncio.Queue()

    async def get_event(self, request: Message, _call: Call) -> Message:
        assert isinstance(request, event_pb.GetEventRequest)
        self.ids.append(request.id)
        if request.id == "refused":
            raise TrackerError(Reason.LOCK_HELD, REFUSAL, metadata={"who": "ana"})
        if request.id == "held":
            try:
                await asyncio.Event().wait()
            finally:
                self.stopped.put_nowait("call")
        title = "x" * LARGE if request.id == "large" else "a title"
        return event_pb.GetEventResponse(event=event_pb.Event(title=title))

    async def watch(self, _request: Message, _call: Call) -> AsyncGenerator[Message, None]:
        try:
            for number in itertools.count():
                yield event_pb.WatchEventsResponse(event=event_pb.Event(title=f"event {number}"))
                await asyncio.sleep(0)
        finally:
            self.stopped.put_nowait("watch")


async def test_a_client_of_another_language_is_served(
    client: Path, grpc_server: GrpcServer, stand_in: StandIn, tmp_path: Path
) -> None:
    handlers = Handlers()
    stand_in.answers["get_event"] = handlers.get_event
    stand_in.watch = handlers.watch
    descriptors = tmp_path / "descriptors"
    descriptors.write_bytes(FileDescriptorSet(file=described(pb.FILES).values()).SerializeToString())
    host, port = grpc_server.bound
    process = await asyncio.create_subprocess_exec(
        "node", client, f"{host}:{port}", descriptors, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(3 * BOUND):
            output, _ = await process.communicate()
            stopped = [await handlers.stopped.get() for _ in range(3)]
    finally:
        if process.returncode is None:
            process.kill()
    results: dict[str, Any] = json.loads(output)

    assert stopped == ["call", "call", "watch"]
    assert results["unary"]["code"] == OK
    assert results["unary"]["event"]["title"] == "a title"
    assert results["unary"]["metadata"]["x-request-id"] == "build-7"
    assert results["gzip"]["code"] == OK
    assert "found".ljust(150, "!") in handlers.ids
    assert results["large"] == LARGE
    assert results["late"]["code"] == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
    assert results["cancelled"]["code"] == grpc.StatusCode.CANCELLED.value[0]
    assert results["together"] == [OK] * 50
    assert results["watched"] == {
        "code": grpc.StatusCode.CANCELLED.value[0],
        "titles": ["event 0", "event 1", "event 2"],
    }
    refused = results["refused"]
    assert (refused["code"], refused["details"]) == (grpc.StatusCode.ALREADY_EXISTS.value[0], REFUSAL)
    status = status_pb.Status.from_binary(b64decode(refused["metadata"]["grpc-status-details-bin"]))
    info = status.details[0].unpack(error_details_pb.ErrorInfo)
    assert info is not None
    assert (info.reason, info.metadata) == ("LOCK_HELD", {"who": "ana"})
