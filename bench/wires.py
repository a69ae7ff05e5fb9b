"""Both wires of this build beside those of another revision, and locks beside etcd's, in turns.

    python -m bench.wires --against 0a9532b [--rounds 3] [--seconds 1.5] [--only lock] [--events 100000]

Runs a server of each build at the same time, each on a store of its own with the same events, and etcd
(Debian's package `etcd-server`), all on the loopback interface. The other build is the source of a revision
in the environment of this one. Each operation is measured in slices: the other build, this one, etcd, and
the same backwards, so that whatever else the machine does is shared by all; the median of the slices counts.
`CPU` is what the server's process takes for one operation. `load` is the share of a core that the clients
take: near 100 %, they and not the server are the limit. A lock is a lock and its release; its target is a
multiple of etcd's rate, every other one of the other build's figure.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from contextlib import ExitStack
from functools import partial
from operator import methodcaller
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import uvloop
from bench.api import grpc_scripts, rest_scripts
from bench.etcd import EtcdGrpcLock, EtcdRestLock, etcd_server
from bench.events import NEEDLE, believable
from bench.load import http_request, run
from bench.locks import TTL, GrpcLock, RestLock
from bench.server import ROOT, serving, source_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

    from bench.load import Closable, Result
    from bench.server import Server

    Connect = Callable[[], Awaitable[Closable]]

_NOW, _ETCD = "now", "etcd"
_AT_ONCE = 1_000
"""Events in one import."""
_SETTLED_WITHIN = 60
"""Seconds in which a server must have indexed what was imported."""


class Target(NamedTuple):
    """What a figure must be: a multiple of another one, or a bound in a unit."""

    bound: float
    at_most: bool = False
    unit: str = "x"

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.bound:g}{self.unit}"

    def met(self, figure: float) -> str:
        """Say whether a figure is good enough."""
        return "yes" if (figure <= self.bound if self.at_most else figure >= self.bound) else "no"


class Operation(NamedTuple):
    """What a number of clients do again and again; a way to connect for each server."""

    name: str
    clients: int
    connects: Mapping[str, Connect]
    script: Callable[[Any], Awaitable[object]]
    rate: Target
    cpu: Target | None = None


def _calls(servers: Mapping[str, Server], event_id: str) -> Iterator[Operation]:
    """Yield the operations that are a single call."""
    by_grpc: dict[str, Connect] = {build: server.grpc for build, server in servers.items()}
    by_rest: dict[str, Connect] = {build: server.rest for build, server in servers.items()}
    grpc, rest = grpc_scripts(event_id, NEEDLE), rest_scripts(event_id, NEEDLE)
    grpc_cpu, rest_cpu = Target(0.3, at_most=True), Target(0.65, at_most=True)
    yield Operation("gRPC no-op", 16, by_grpc, grpc["no-op"], Target(5))
    yield Operation("gRPC get", 16, by_grpc, grpc["get"], Target(4))
    yield Operation("gRPC create", 16, by_grpc, grpc["create"], Target(3), grpc_cpu)
    yield Operation("gRPC create", 64, by_grpc, grpc["create"], Target(3), grpc_cpu)
    yield Operation("REST create", 16, by_rest, rest["create"], Target(1.5), rest_cpu)
    yield Operation("REST get", 16, by_rest, rest["get"], Target(1.25))


def _locks(servers: Mapping[str, Server], etcd: int) -> Iterator[Operation]:
    """Yield the operations that are a lock and its release, for each build and for etcd."""
    numbers = itertools.count()

    def one() -> str:
        return "payments"

    def own() -> str:
        return f"service-{next(numbers)}"

    def operation(wire: str, what: str, clients: int, bound: float, name: Callable[[], str]) -> Operation:
        ours, theirs = (GrpcLock, EtcdGrpcLock) if wire == "gRPC" else (RestLock, EtcdRestLock)

        async def tracker(server: Server) -> Closable:
            return await ours.open(server, name())

        async def other() -> Closable:
            return await theirs.open(etcd, name(), TTL)

        builds = {build: partial(tracker, server) for build, server in servers.items()}
        connects: dict[str, Connect] = {**builds, _ETCD: other}
        return Operation(f"{wire} lock, {what}", clients, connects, methodcaller("pair"), Target(bound))

    yield operation("gRPC", "alone", 1, 1.0, one)
    yield operation("REST", "alone", 1, 1.6, one)
    yield operation("gRPC", "contending", 16, 4.5, one)
    yield operation("REST", "contending", 16, 4.5, one)
    yield operation("gRPC", "one each", 16, 1.2, own)


class Comparison:
    """Measures the servers of two builds in turns, and prints a table."""

    def __init__(self, against: str, servers: Mapping[str, Server], rounds: int, seconds: float) -> None:
        self._against = against
        self._servers = servers
        self._rounds = rounds
        self._seconds = seconds
        print(
            f"{'':28}{'clients':>8}{against:>10}{_NOW:>10}{_ETCD:>10}"
            f"{'/' + against:>10}{'/' + _ETCD:>7}{'target':>11}{'met':>5}{'load':>6}"
        )

    async def run(self, operation: Operation) -> None:
        """Measure an operation at each server in turns, and print its rates and CPU."""
        slices: dict[str, list[Result]] = {party: [] for party in operation.connects}
        for _ in range(self._rounds):
            for party in (*slices, *reversed(slices)):
                slices[party].append(
                    await run(
                        operation.connects[party],
                        operation.script,
                        connections=operation.clients,
                        seconds=self._seconds,
                        server=self._servers.get(party),
                    )
                )
        rates = {party: median(result.rate for result in results) for party, results in slices.items()}
        cpu = {party: median(result.server for result in slices[party]) * 1e6 for party in self._servers}
        load = max(result.cpu for results in slices.values() for result in results)
        self.line(operation.name, rates, operation.rate, str(operation.clients), f"{load:.0%}")
        self.line("  CPU µs", cpu, operation.cpu, str(operation.clients))

    def memory(self, at_rest: Mapping[str, float]) -> None:
        """Print the memory of both servers."""
        self.line("MiB at rest", at_rest, Target(110, at_most=True, unit=" MiB"))

    def line(
        self,
        name: str,
        figures: Mapping[str, float],
        target: Target | None,
        clients: str = "",
        load: str = "",
    ) -> None:
        """Print the figures and what this build's is of the others'."""
        now = figures[_NOW]
        ratios = {party: now / figure for party, figure in figures.items() if party != _NOW}
        parties = (self._against, _NOW, _ETCD)
        columns = [f"{figures[party]:.0f}" if party in figures else "" for party in parties]
        multiples = [f"{ratios[party]:.2f}" if party in ratios else "" for party in (self._against, _ETCD)]
        judged = now if target and target.unit != "x" else [*ratios.values()][-1]
        print(
            f"{name:28}{clients:>8}"
            + "".join(f"{column:>10}" for column in columns)
            + f"{multiples[0]:>10}{multiples[1]:>7}"
            + (f"{target!s:>11}{target.met(judged):>5}" if target else f"{'':16}")
            + f"{load:>6}",
            flush=True,
        )


async def _fill(servers: Iterable[Server], number: int) -> str:
    """Import the same events at each server, and return the id of the last."""
    connections = [await server.rest() for server in servers]
    events, last = believable(number), ""
    while batch := [*itertools.islice(events, _AT_ONCE)]:
        texts = ",".join(event.to_json() for event in batch)
        request = http_request("POST", "/api/v1alpha1/events/import", f'{{"events":[{texts}]}}'.encode())
        for connection in connections:
            await connection.send(request)
        last = batch[-1].metadata.id if batch[-1].metadata else ""
    for connection in connections:
        await connection.close()
    return last


async def _measure(comparison: Comparison, operations: Iterable[Operation]) -> None:
    for operation in operations:
        await comparison.run(operation)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--against", required=True, help="a revision, or a folder with a source tree")
    parser.add_argument("--rounds", type=int, default=3, help="slices of each server, forth and back")
    parser.add_argument("--seconds", type=float, default=1.5, help="length of each slice")
    parser.add_argument("--events", type=int, default=100_000, help="events in the stores beforehand")
    parser.add_argument("--only", default="", help="what the names of the operations to measure contain")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, source_of(given.against) as other:
        against = Path(given.against).name[-9:]
        sources = {against: other, _NOW: ROOT}

        def servers(opened: ExitStack) -> dict[str, Server]:
            """Start a server of each build on its store."""
            return {
                build: opened.enter_context(
                    serving(Path(folder, f"{build}.db"), PYTHONPATH=str(source / "src"))
                )
                for build, source in sources.items()
            }

        with ExitStack() as opened:
            event_id = uvloop.run(_fill(servers(opened).values(), given.events))
        with ExitStack() as opened:
            started = servers(opened)
            for server in started.values():
                server.settle(_SETTLED_WITHIN)
            etcd = opened.enter_context(etcd_server(Path(folder, "etcd")))
            comparison = Comparison(against, started, given.rounds, given.seconds)
            comparison.memory({build: server.memory() for build, server in started.items()})
            operations = (*_calls(started, event_id), *_locks(started, etcd))
            chosen = (each for each in operations if given.only in each.name)
            uvloop.run(_measure(comparison, chosen))


if __name__ == "__main__":
    main()
