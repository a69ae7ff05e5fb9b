"""Shares of two callers that call as often as they can, one over ten times as many connections.

    python -m bench.fair [--seconds 3] [--events 10000]

Callers are anonymous, and told apart by their addresses, both on the loopback interface. Each should get half
of the calls. `alone` is what the caller with fewer connections gets while the other one does nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from bench.api import grpc_scripts, rest_scripts
from bench.events import fill
from bench.http2 import GrpcConnection
from bench.load import RestConnection, run
from bench.server import serving

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
        with serving(database) as server:
            uvloop.run(measure(server, event_id, source, options.seconds))


if __name__ == "__main__":
    main()
