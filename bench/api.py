"""Throughput and latency of the API, beside a handler that does nothing and the store's bare commit rate.

Fills a store, starts a server on it, and loads it from this process, on the loopback interface only:

    python -m bench.api [--events 100000] [--seconds 3]

Each figure stands beside its ratio to the no-op of the same wire and number of connections (`/livez`
over REST, `grpc.health.v1.Health/Check` over gRPC). The load needs a core of its own: `load` is the
share of a core that it used, and where that is near 100 %, the load and not the server is the limit.

With `--token`, only what a token costs a get over REST, with its rate limit, beside one without, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import apsw
import uvloop
from bench.events import fill
from bench.load import http_request, run
from bench.server import serving
from protobuf import message_from_json_value
from protobuf.wkt import UInt32Value

from tracker.pb import event_pb, lock_pb

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bench.load import Connection, Result
    from bench.server import Server

    Script = Callable[[Connection], Awaitable[None]]

CONNECTIONS = (1, 16)

EVENTS = "/tracker.event.v1alpha1.EventService/"
LOCKS = "/tracker.lock.v1alpha1.LockService/"
BODY: dict[str, Any] = {
    "title": "Deployment of payments",
    "attributes": {
        "message": "version 1.42.0 by the pipeline",
        "source": "bench",
        "type": "deployment",
        "priority": "P3",
        "service": "payments",
        "status": "success",
        "environment": "production",
        "owner": "ana",
    },
    "links": {"pullRequestLink": "https://git.example/pull/1"},
}


def rest_scripts(event_id: str, source: str) -> dict[str, Script]:
    """Return what one connection does over REST, by what it measures."""
    service = itertools.count()
    create = http_request("POST", "/api/v1alpha1/event", json.dumps(BODY).encode())

    def once(request: bytes) -> Script:
        async def script(connection: Connection) -> None:
            await connection.send(request)

        return script

    async def lock_and_unlock(connection: Connection) -> None:
        body = json.dumps({"service": f"bench-{next(service)}", "who": "bench"}).encode()
        lock = json.loads(await connection.send(http_request("POST", "/api/v1alpha1/lock", body)))["lock"]
        await connection.send(http_request("GET", f"/api/v1alpha1/unlock/{lock['id']}"))

    return {
        "no-op": once(http_request("GET", "/livez")),
        "create": once(create),
        "get": once(http_request("GET", f"/api/v1alpha1/event/{event_id}")),
        "list of 100": once(http_request("GET", "/api/v1alpha1/events/list?perPage=100")),
        "search, 1 found": once(http_request("GET", f"/api/v1alpha1/events/search?source={source}")),
        "lock + unlock": lock_and_unlock,
    }


def grpc_scripts(event_id: str, source: str) -> dict[str, Script]:
    """Return what one connection does over gRPC, by what it measures."""
    service = itertools.count()
    create = message_from_json_value(event_pb.CreateEventRequest, BODY).to_binary()

    def once(method: str, message: bytes) -> Script:
        async def script(connection: Connection) -> None:
            await connection.send((method, message))

        return script

    async def lock_and_unlock(connection: Connection) -> None:
        message = lock_pb.CreateLockRequest(service=f"bench-{next(service)}", who="bench").to_binary()
        answer = lock_pb.CreateLockResponse.from_binary(
            await connection.send((LOCKS + "CreateLock", message))
        )
        assert answer.lock is not None
        await connection.send((LOCKS + "UnLock", lock_pb.UnLockRequest(id=answer.lock.id).to_binary()))

    page = event_pb.ListEventsRequest(per_page=UInt32Value(value=100)).to_binary()
    return {
        "no-op": once("/grpc.health.v1.Health/Check", b""),
        "create": once(EVENTS + "CreateEvent", create),
        "get": once(EVENTS + "GetEvent", event_pb.GetEventRequest(id=event_id).to_binary()),
        "list of 100": once(EVENTS + "ListEvents", page),
        "search, 1 found": once(
            EVENTS + "SearchEvents", event_pb.SearchEventsRequest(source=source).to_binary()
        ),
        "lock + unlock": lock_and_unlock,
    }


def bare_commit_rate(folder: Path, seconds: float) -> float:
    """Return how many one-row transactions a second the disk makes durable, one after another."""
    connection = apsw.Connection(str(folder / "bare.db"))
    connection.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(v TEXT)").fetchall()
    row = json.dumps(BODY)
    commits, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        connection.execute("INSERT INTO t VALUES (?)", (row,))
        commits += 1
    elapsed = time.perf_counter() - begun
    connection.close()
    return commits / elapsed


async def measure(server: Server, event_id: str, source: str, seconds: float, commits: float) -> None:
    """Run every script over both wires and print the figures."""
    wires: list[tuple[str, Any, dict[str, Script]]] = [
        ("REST", server.rest, rest_scripts(event_id, source)),
        ("gRPC", server.grpc, grpc_scripts(event_id, source)),
    ]
    print(
        f"{'':22}{'conns':>6}{'per s':>9}{'p50 ms':>9}{'p99 ms':>9}{'/no-op':>8}{'/commits':>10}{'load':>7}"
    )
    for (wire, connect, scripts), connections in itertools.product(wires, CONNECTIONS):
        noop: Result | None = None
        for name, script in scripts.items():
            result = await run(connect, script, connections=connections, seconds=seconds)
            noop = noop or result
            print(
                f"{wire + ' ' + name:22}{connections:6}{result.rate:9.0f}{result.p50 * 1e3:9.2f}"
                f"{result.p99 * 1e3:9.2f}{result.rate / noop.rate:8.2f}{result.rate / commits:10.2f}"
                f"{result.cpu:7.0%}",
                flush=True,
            )


_PAIRS = 12
_SHARED_SECONDS = 1.2
_UNLIMITED = {
    "RATE_LIMIT_ENABLED": "on",
    "RATE_LIMIT_REQUESTS_PER_SECOND": "1000000",
    "RATE_LIMIT_BURST": "1000000",
}
"""Limits that are counted and never reached: those of callers with a token; others here have none."""


async def measure_token(server: Server, event_id: str, seconds: float) -> None:
    """Print what a get over REST with a token costs beside one without: medians of pairs of short turns.

    For a second after the caller has changed, the server would let both take turns, which is waited for.
    """
    body = json.dumps({"name": "bench", "permissions": ["event:read", "event:write"]}).encode()
    rest = await server.rest()
    secret = json.loads(await rest.send(http_request("POST", "/api/v1alpha1/auth/api-keys", body)))["secret"]
    await rest.close()
    path = f"/api/v1alpha1/event/{event_id}"
    without, having = http_request("GET", path), http_request("GET", path, authorization=f"Bearer {secret}")

    async def turn(request: bytes, connections: int) -> float:
        first = await server.rest()
        await first.send(request)
        await first.close()
        await asyncio.sleep(_SHARED_SECONDS)

        async def script(connection: Connection) -> None:
            await connection.send(request)

        result = await run(server.rest, script, connections=connections, seconds=seconds, server=server)
        return result.server * 1e6

    print(f"{'':6}{'conns':>6}{'anonymous':>12}{'with token':>12}  CPU us of the server, a call; their ratio")
    for connections in CONNECTIONS:
        pairs: list[tuple[float, float]] = []
        for number in range(_PAIRS):
            used = {
                each: await turn(each, connections) for each in (without, having)[:: 1 - 2 * (number % 2)]
            }
            pairs.append((used[without], used[having]))
        anonymous, token = (median(each) for each in zip(*pairs, strict=True))
        ratio = median(one / other for other, one in pairs) - 1
        print(f"{'get':6}{connections:6}{anonymous:12.1f}{token:12.1f}  {ratio:+.1%}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000, help="events in the store beforehand")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement")
    parser.add_argument("--token", action="store_true", help="measure only what a token costs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        commits = bare_commit_rate(Path(folder), options.seconds)
        print(f"bare commits of one row: {commits:.0f} a second")
        database = Path(folder, "tracker.db")
        event_id, source, filled = asyncio.run(fill(database, options.events))
        print(f"filled with {options.events} events: {options.events / filled:.0f} a second")
        with serving(database, **(_UNLIMITED if options.token else {})) as server:
            print(f"from start to ready: {server.ready:.2f} s; memory at rest: {server.memory():.0f} MiB")
            if options.token:
                uvloop.run(measure_token(server, event_id, options.seconds / 3))
                return
            uvloop.run(measure(server, event_id, source, options.seconds, commits))
            print(f"memory after the load: {server.memory():.0f} MiB")


if __name__ == "__main__":
    main()
