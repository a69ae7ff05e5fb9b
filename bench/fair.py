"""Shares of two callers that call as often as they can, one over ten times as many connections.

    python -m bench.fair [--seconds 3] [--events 10000]

First with API keys and the default limits: each caller should get what its rate and its burst allow, within
1 %. Then without limits: each should get half of the calls. Callers are anonymous there, and told apart by
their addresses, both on the loopback interface. `alone` is what the caller with fewer connections gets while
the other one does nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from bench.api import grpc_scripts, rest_scripts
from bench.events import fill
from bench.http2 import GrpcConnection
from bench.load import RestConnection, http_request, run
from bench.server import serving

from tracker.config.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bench.server import Server

    _Protocol = RestConnection | GrpcConnection

FEW, MANY = "127.0.0.2", "127.0.0.3"
CONNECTIONS = (1, 5, 10)
OPERATIONS = ("get", "list of 100", "create")


def _from(address: str, wire: Callable[[], _Protocol], port: int) -> Callable[[], Awaitable[_Protocol]]:
    async def connect() -> _Protocol:
        loop = asyncio.get_running_loop()
        local = (address, 0)
        _, protocol = await loop.create_connection(wire, "127.0.0.1", port, local_addr=local)
        return protocol

    return connect


async def measure_limits(server: Server, seconds: float) -> None:
    """Run two callers beyond their rate, and print how many of their calls were answered."""
    rate, burst = (SETTINGS[f"rate_limit_{name}"].default for name in ("requests_per_second", "burst"))
    assert isinstance(rate, int)
    assert isinstance(burst, int)
    connection = await server.rest()
    keys = [
        json.loads(await connection.send(http_request("POST", "/api/v1alpha1/auth/api-keys", body)))["secret"]
        for body in (b'{"name": "few"}', b'{"name": "many"}')
    ]
    await connection.close()
    began = time.perf_counter()

    async def answered(key: str) -> int:
        request = http_request("GET", "/api/v1alpha1/locks/list")
        request = request.replace(b"\r\n", f"\r\nX-Api-Key: {key}\r\n".encode(), 1)
        connection, answers = await server.rest(), 0
        while time.perf_counter() < began + seconds:
            with suppress(RuntimeError):  # refused
                await connection.send(request)
                answers += 1
        await connection.close()
        return answers

    few = asyncio.gather(*(answered(keys[0]) for _ in range(5)))
    many = asyncio.gather(*(answered(keys[1]) for _ in range(50)))
    expected = burst + rate * seconds
    for name, number in (("few", sum(await few)), ("many", sum(await many))):
        print(f"{name:5}{number:6} of {expected:.0f} calls answered: {number / expected - 1:+.2%}")


async def measure(server: Server, event_id: str, source: str, seconds: float) -> None:
    """Run every operation over both wires and print the shares."""
    wires = (
        ("REST", RestConnection, server.http_port, rest_scripts(event_id, source)),
        ("gRPC", GrpcConnection, server.grpc_port, grpc_scripts(event_id, source)),
    )
    print(f"{'':18}{'conns':>10}{'alone':>9}{'few':>8}{'many':>8}{'share':>8}{'p99 ms':>9}")
    for wire, protocol, port, scripts in wires:
        few, many = _from(FEW, protocol, port), _from(MANY, protocol, port)
        for name in OPERATIONS:
            script = scripts[name]
            for number in CONNECTIONS:
                alone = await run(few, script, connections=number, seconds=seconds / 3)
                first, second = await asyncio.gather(
                    run(few, script, connections=number, seconds=seconds),
                    run(many, script, connections=10 * number, seconds=seconds),
                )
                share = first.rate / (first.rate + second.rate)
                print(
                    f"{wire + ' ' + name:18}{f'{number}:{10 * number}':>10}{alone.rate:9.0f}{first.rate:8.0f}"
                    f"{second.rate:8.0f}{share:8.0%}{first.p99 * 1e3:9.2f}",
                    flush=True,
                )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement")
    parser.add_argument("--events", type=int, default=10_000, help="events in the store beforehand")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        database = Path(folder, "tracker.db")
        event_id, source, _ = asyncio.run(fill(database, options.events))
        with serving(database, RATE_LIMIT_ENABLED="on") as server:
            uvloop.run(measure_limits(server, 3 * options.seconds))
        with serving(database) as server:
            uvloop.run(measure(server, event_id, source, options.seconds))


if __name__ == "__main__":
    main()
