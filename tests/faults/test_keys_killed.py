"""A server that is killed under load: every call that is repeated with its key has its effect once."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

import grpc.aio
from bench.load import RestConnection, http_request
from tests.faults.load import CREATE, WRITERS, stored
from tests.patience import PATIENCE
from tests.server_process import ServerProcess
from tests.soak import size, soaks

from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KILLS = size(3, soak=10)
GRPC_REQUEST = event_pb.CreateEventRequest(
    title="an event", attributes=event_pb.EventAttributes(service="payments", type=event_pb.Type.drift)
).to_binary()
REST_REQUEST = json.dumps(
    {"title": "an event", "attributes": {"service": "payments", "type": "drift"}}
).encode()

Answers = dict[str, str | None]
"""The id that each key's call was answered with; None for no answer."""


def keys(writer: int, answers: Answers) -> Iterator[str]:
    """Give new keys, and note each as not answered before it is used."""
    while True:
        key = f"writer-{writer}-{len(answers)}"
        answers[key] = None
        yield key


async def create_over_rest(port: int, keys: Iterator[str], answers: Answers) -> None:
    """Create an event for each key, until there is none left or the server is gone."""
    with contextlib.suppress(OSError):
        async with await RestConnection.open("127.0.0.1", port) as connection:
            for key in keys:
                head = http_request("POST", "/api/v1alpha1/event", REST_REQUEST)
                request = head.replace(b"\r\n", f"\r\nidempotency-key: {key}\r\n".encode(), 1)
                answers[key] = json.loads(await connection.send(request))["event"]["metadata"]["id"]
                if connection.closing:
                    return


async def create_over_grpc(port: int, keys: Iterator[str], answers: Answers) -> None:
    """Create an event for each key, until there is none left or the server is gone."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        create: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(CREATE)
        for key in keys:
            try:
                answer = await create(GRPC_REQUEST, metadata=(("idempotency-key", key),))
            except grpc.aio.AioRpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE:
                    raise
                return
            event = event_pb.CreateEventResponse.from_binary(answer).event
            assert event is not None
            assert event.metadata is not None
            answers[key] = event.metadata.id


@soaks
async def test_as_many_events_as_keys_come_of_calls_that_are_repeated_after_a_kill(tmp_path: Path) -> None:
    database = tmp_path / "tracker.db"
    answers: Answers = {}
    unanswered = 0
    with ServerProcess(database) as server:
        for _ in range(KILLS):
            before = len(answers)
            async with asyncio.TaskGroup() as writers:
                for writer in range(WRITERS // 2):
                    new = keys(writer, answers)
                    writers.create_task(create_over_rest(server.http_port, new, answers))
                    writers.create_task(create_over_grpc(server.grpc_port, new, answers))
                await written_keys(answers, before + 150)
                server.kill()
            server.start()
            used = list(answers)[before:]
            unanswered += sum(answers[key] is None for key in used)
            known = {key: answers[key] for key in used}
            await create_over_rest(server.http_port, iter(used[::2]), answers)
            await create_over_grpc(server.grpc_port, iter(used[1::2]), answers)
            assert {key: answers[key] for key in used} == {key: known[key] or answers[key] for key in used}
    assert unanswered > 0
    assert None not in answers.values()
    assert stored(database) == set(answers.values())
    assert len(set(answers.values())) == len(answers)


async def written_keys(answers: Answers, number: int) -> None:
    """Wait until so many keys have been used."""
    async with asyncio.timeout(PATIENCE):
        while len(answers) < number:
            await asyncio.sleep(0.01)  # between two polls
