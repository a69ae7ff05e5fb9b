"""Whether a server grows under full load that changes but doesn't add up.

    python -m bench.soak [--minutes 30] [--connections 16]

Fills a store, starts a server on it, and loads it from this process, on the loopback interface only: half
of the connections over REST, half over gRPC. Each connection records an event, reads, ends and deletes it,
lists a page, searches, takes and releases a lock, and now and then leaves while it waits for an answer, and
comes back. So the store keeps its size but for the log of changes, which is bounded too (`CHANGES_KEPT` is
small here).

A line a minute: calls a second, memory, open files, threads, and the size of the store's files. In the end,
how much more memory there was in the second half than in the first, without the first fifth, in which
caches fill. A call that fails ends the run.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

import uvloop
from bench.api import BODY, EVENTS, LOCKS
from bench.events import fill
from bench.load import http_request
from bench.server import serving
from protobuf import message_from_json_value
from protobuf.wkt import UInt32Value

from tracker.pb import event_pb, lock_pb

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bench.load import Connection
    from bench.server import Server

    _Round = Callable[[Connection, Counter[str]], Awaitable[None]]

_LEAVING = 0.02
"""The share of rounds that end with a connection that is closed while an answer is awaited."""
_CHANGES_KEPT = "1000"
_API = "/api/v1alpha1"
_names = (f"soak-{number}" for number in itertools.count())


async def _rest_round(connection: Connection, calls: Counter[str]) -> None:
    async def ask(verb: str, path: str, body: object = None) -> dict[str, Any]:
        calls["rest"] += 1
        sent = b"" if body is None else json.dumps(body).encode()
        answer: dict[str, Any] = json.loads(await connection.send(http_request(verb, _API + path, sent)))
        return answer

    identity = (await ask("POST", "/event", BODY))["event"]["metadata"]["id"]
    await ask("GET", f"/event/{identity}")
    await ask("PUT", "/event", {"id": identity, "merge": True, "attributes": {"status": "failure"}})
    await ask("GET", "/events/list?perPage=20")
    await ask("GET", "/events/search?query=service:payments%20status:failure&perPage=5")
    lock = (await ask("POST", "/lock", {"service": next(_names), "who": "soak", "ttl": "60s"}))["lock"]
    await ask("GET", f"/unlock/{lock['id']}")
    await ask("DELETE", f"/event/{identity}")


async def _grpc_round(connection: Connection, calls: Counter[str]) -> None:
    async def ask(method: str, request: bytes) -> bytes:
        calls["grpc"] += 1
        return await connection.send((method, request))

    create = message_from_json_value(event_pb.CreateEventRequest, BODY)
    made = event_pb.CreateEventResponse.from_binary(await ask(EVENTS + "CreateEvent", create.to_binary()))
    assert made.event
    assert made.event.metadata
    identity = made.event.metadata.id
    await ask(EVENTS + "GetEvent", event_pb.GetEventRequest(id=identity).to_binary())
    ending = event_pb.EventAttributes(status=event_pb.Status.failure)
    update = event_pb.UpdateEventRequest(id=identity, merge=True, attributes=ending)
    await ask(EVENTS + "UpdateEvent", update.to_binary())
    await ask(EVENTS + "ListEvents", event_pb.ListEventsRequest(per_page=UInt32Value(value=20)).to_binary())
    lock = lock_pb.CreateLockRequest(service=next(_names), who="soak")
    held = lock_pb.CreateLockResponse.from_binary(await ask(LOCKS + "CreateLock", lock.to_binary()))
    assert held.lock
    await ask(LOCKS + "UnLock", lock_pb.UnLockRequest(id=held.lock.id).to_binary())
    await ask(EVENTS + "DeleteEvents", event_pb.DeleteEventRequest(id=identity).to_binary())


_LEFT: dict[_Round, object] = {
    _rest_round: http_request("GET", _API + "/events/list?perPage=1000"),
    _grpc_round: (
        EVENTS + "ListEvents",
        event_pb.ListEventsRequest(per_page=UInt32Value(value=1000)).to_binary(),
    ),
}


async def _work(
    connect: Callable[[], Awaitable[Connection]],
    a_round: _Round,
    calls: Counter[str],
) -> None:
    """Make one round after another, until cancelled."""
    connection = await connect()
    try:
        while True:
            await a_round(connection, calls)
            if random.random() < _LEAVING:
                leaving = asyncio.ensure_future(connection.send(_LEFT[a_round]))
                await asyncio.sleep(0)
                leaving.cancel()
                await connection.close()
                await asyncio.gather(leaving, return_exceptions=True)
                calls["left"] += 1
                connection = await connect()
    finally:
        await connection.close()


def _bytes_of(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.iterdir()) / 2**20


async def _soak(server: Server, folder: Path, connections: int, minutes: float) -> list[float]:
    """Load a server; return its memory, in MiB, as it was every second."""
    calls: Counter[str] = Counter()
    memory: list[float] = []
    workers = [
        asyncio.ensure_future(
            _work(server.rest, _rest_round, calls) if number % 2 else _work(server.grpc, _grpc_round, calls)
        )
        for number in range(connections)
    ]
    try:
        began = time.monotonic()
        for second in itertools.count(1):
            done, _ = await asyncio.wait(
                workers, timeout=began + second - time.monotonic(), return_when=asyncio.FIRST_EXCEPTION
            )
            for failed in done:
                failed.result()
            memory.append(server.memory())
            if second % 60 == 0:
                rate = calls.total() / 60
                process = server.process
                print(
                    f"{second // 60:6} min {rate:8.0f}/s {calls['left']:5} left {mean(memory[-60:]):8.1f} MiB"
                    f" {process.num_fds():5} files {process.num_threads():4} threads"
                    f" {_bytes_of(folder):8.1f} MiB stored",
                    flush=True,
                )
                calls.clear()
            if second >= minutes * 60:
                return memory
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    raise AssertionError("the loop returns")


def main() -> None:
    """Run it, and print how much the server has grown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--events", type=int, default=10_000, help="events in the store before")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(fill(folder / "tracker.db", given.events))
        with serving(folder / "tracker.db", LOG_LEVEL="warning", CHANGES_KEPT=_CHANGES_KEPT) as server:
            memory = uvloop.run(_soak(server, folder, given.connections, given.minutes))
    memory = memory[len(memory) // 5 :]
    before, after = memory[: len(memory) // 2], memory[len(memory) // 2 :]
    print(f"memory {mean(before):.1f} MiB, then {mean(after):.1f} MiB: {mean(after) - mean(before):+.1f} MiB")


if __name__ == "__main__":
    main()
