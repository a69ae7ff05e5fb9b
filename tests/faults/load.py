"""Writers over both wires."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import apsw
import grpc.aio
from bench.load import RestConnection, http_request
from tests.patience import PATIENCE

from tracker.pb import event_pb

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server_process import ServerProcess

WRITERS = 8


CREATE = "/tracker.event.v1alpha1.EventService/CreateEvent"


async def write_over_rest(port: int, writer: int, acknowledged: list[str]) -> None:
    """Create events one after another, until the server says that the connection ends or is gone."""
    body = {"title": f"writer {writer}", "attributes": {"service": "payments", "type": "drift"}}
    request = http_request("POST", "/api/v1alpha1/event", json.dumps(body).encode())
    with contextlib.suppress(OSError):
        async with await RestConnection.open("127.0.0.1", port) as connection:
            while not connection.closing:
                answer = json.loads(await connection.send(request))
                acknowledged.append(answer["event"]["metadata"]["id"])


async def write_over_grpc(port: int, writer: int, acknowledged: list[str]) -> None:
    """Create events one after another, until the server is gone."""
    request = event_pb.CreateEventRequest(
        title=f"writer {writer}",
        attributes=event_pb.EventAttributes(service="payments", type=event_pb.Type.drift),
    )
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        create: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(CREATE)
        while True:
            try:
                answer = event_pb.CreateEventResponse.from_binary(await create(request.to_binary()))
            except grpc.aio.AioRpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE:
                    raise
                return
            assert answer.event is not None
            assert answer.event.metadata is not None
            acknowledged.append(answer.event.metadata.id)


@contextlib.asynccontextmanager
async def load(server: ServerProcess, acknowledged: list[str]) -> Any:
    """Write over both wires until the server is gone."""
    async with asyncio.TaskGroup() as writers:
        for writer in range(WRITERS // 2):
            writers.create_task(write_over_rest(server.http_port, writer, acknowledged))
            writers.create_task(write_over_grpc(server.grpc_port, writer, acknowledged))
        yield


async def written(acknowledged: list[str], number: int) -> None:
    """Wait until a number of writes has been acknowledged."""
    async with asyncio.timeout(PATIENCE):
        while len(acknowledged) < number:
            await asyncio.sleep(0.01)  # between two polls


def stored(database: Path) -> set[str]:
    """Return the ids in a store nobody serves, after a check of the whole file."""
    connection = apsw.Connection(str(database))
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {id_ for (id_,) in connection.execute("SELECT id FROM events")}
    finally:
        connection.close()
