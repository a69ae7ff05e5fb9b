"""How fast locks with a lease are taken and released, beside etcd's on the same machine.

    python -m bench.locks [--rounds 3] [--seconds 3]

Needs `etcd` (Debian's package `etcd-server`). Each server is a process with its data on the disk of this
folder, as durable as it is by default: each change is synced before it is answered. They are measured in
turns. The clients are the same: one connection a client, over plain HTTP with JSON
or over gRPC. A pair is an acquisition, which waits until the lock is free, and its release. Alone, a
client takes its lock again and again; contending, all clients want one lock, so that the pairs are
hand-overs from one to the next.
"""

from __future__ import annotations

import argparse
import itertools
import json
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import uvloop
from bench.api import LOCKS, bare_commit_rate
from bench.etcd import EtcdGrpcLock, EtcdRestLock, etcd_server
from bench.load import http_request, middle, run
from bench.server import serving
from protobuf.wkt import Duration

from tracker.pb import lock_pb

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from bench.http2 import GrpcConnection
    from bench.load import RestConnection, Result
    from bench.server import Server

    Connect = Callable[[], Awaitable["Lock"]]

CLIENTS = (1, 16)
TTL = 60
"""Seconds that a lease lasts: longer than any measurement."""
_NAME = "payments"


class Lock(Protocol):
    """One client's way to one lock."""

    async def pair(self) -> None:
        """Take the lock, as soon as it is free, and release it."""

    async def close(self) -> None:
        """Close the connection."""


class RestLock:
    """One lock, by Tracker's REST API."""

    def __init__(self, connection: RestConnection, name: str) -> None:
        self._connection = connection
        self._name = name
        self.close = connection.close

    @classmethod
    async def open(cls, server: Server, name: str) -> RestLock:
        """Connect."""
        return cls(await server.rest(), name)

    async def pair(self) -> None:
        """Take the lock, as soon as it is free, and release it."""
        token = secrets.token_urlsafe(16)
        body = {
            "service": self._name,
            "who": "bench",
            "ttl": f"{TTL}s",
            "wait": f"{TTL}s",
            "lock_token": token,
        }
        lock = json.loads(await self._send("/api/v1alpha1/lock", body))["lock"]
        await self._send(f"/api/v1alpha1/lock/{lock['id']}/unlock", {"lock_token": token})

    async def _send(self, path: str, body: Mapping[str, str]) -> bytes:
        return await self._connection.send(http_request("POST", path, json.dumps(body).encode()))


class GrpcLock:
    """One lock, by Tracker's gRPC API."""

    def __init__(self, connection: GrpcConnection, name: str) -> None:
        self._connection = connection
        self._name = name
        self.close = connection.close

    @classmethod
    async def open(cls, server: Server, name: str) -> GrpcLock:
        """Connect."""
        return cls(await server.grpc(), name)

    async def pair(self) -> None:
        """Take the lock, as soon as it is free, and release it."""
        token, time = secrets.token_urlsafe(16), Duration(seconds=TTL)
        create = lock_pb.CreateLockRequest(
            service=self._name, who="bench", ttl=time, wait=time, lock_token=token
        )
        answer = await self._connection.send((LOCKS + "CreateLock", create.to_binary()))
        lock = lock_pb.CreateLockResponse.from_binary(answer).lock
        assert lock is not None
        unlock = lock_pb.UnLockRequest(id=lock.id, lock_token=token)
        await self._connection.send((LOCKS + "UnLock", unlock.to_binary()))


class Contest:
    """Measures servers in turns, so that whatever else the machine does is shared by all."""

    def __init__(self, rounds: int, seconds: float) -> None:
        self._rounds = rounds
        self._seconds = seconds

    async def run(self, ways: Mapping[str, Mapping[str, Connect]]) -> None:
        """Measure and print each wire and number of clients for each server."""
        print(f"{'':22}{'clients':>8}{'pairs/s':>10}{'p50 ms':>9}{'p99 ms':>9}{'load':>7}{'/etcd':>8}")
        for (wire, connects), clients in itertools.product(ways.items(), CLIENTS):
            results = await self._turns(connects, clients)
            for server, result in results.items():
                print(
                    f"{f'{server} over {wire}':22}{clients:8}{result.rate:10.0f}{result.p50 * 1e3:9.2f}"
                    f"{result.p99 * 1e3:9.2f}{result.cpu:7.0%}{result.rate / results['etcd'].rate:8.2f}",
                    flush=True,
                )

    async def _turns(self, connects: Mapping[str, Connect], clients: int) -> dict[str, Result]:
        results: dict[str, list[Result]] = {server: [] for server in connects}
        for _ in range(self._rounds):
            for server, connect in connects.items():
                result = await run(
                    connect, lambda lock: lock.pair(), connections=clients, seconds=self._seconds
                )
                results[server].append(result)
        return {server: middle(of) for server, of in results.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements, of which the middle one counts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        print(f"bare commits of one row: {bare_commit_rate(folder, options.seconds):.0f} a second")
        with etcd_server(folder / "etcd") as etcd, serving(folder / "tracker.db") as server:
            ways: dict[str, dict[str, Connect]] = {
                "REST": {
                    "Tracker": lambda: RestLock.open(server, _NAME),
                    "etcd": lambda: EtcdRestLock.open(etcd, _NAME, TTL),
                },
                "gRPC": {
                    "Tracker": lambda: GrpcLock.open(server, _NAME),
                    "etcd": lambda: EtcdGrpcLock.open(etcd, _NAME, TTL),
                },
            }
            uvloop.run(Contest(options.rounds, options.seconds).run(ways))


if __name__ == "__main__":
    main()
