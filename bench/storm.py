"""Memory of a server, and the latency of its probe, while callers do not read their answers, or vanish.

    python -m bench.storm [--against HEAD~1] [--unread 20] [--vanishing 2000]

Two storms, each on a server and a store of its own, on the loopback interface only:

- unread: callers ask for a page of 1,000 events of 63 KB, and read nothing of it;
- vanishing: callers ask for a list of 1.5 MB, 200 at a time, and close their connections.

Meanwhile `/livez` is asked 50 times a second, each time on a new connection. With `--against`, the build of
another revision, or of a folder with a source tree, is measured beside this one, in turns.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import socket
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple, Self

import psutil
from bench.load import http_request
from bench.server import ROOT, serving, source_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.server import Server

_EVENTS = 1_000
_BODY_BYTES = 3_000_000
_LARGE, _SMALL = 63_000, 1_000
_LIST = http_request("GET", f"/api/v1alpha1/events/list?perPage={_EVENTS}")
_LIVEZ = http_request("GET", "/livez")
_PAUSE = 0.02
_UNREAD_SECONDS = 8.0
_AT_A_TIME = 200
_SETTLED_SECONDS = 2.0
_BOUND = 300.0


class Measured(NamedTuple):
    """What one storm did to one server: MiB, and seconds that `/livez` took."""

    before: float
    peak: float
    livez: Sequence[float]
    statuses: Counter[str]


def _fill(server: Server, message_bytes: int) -> None:
    """Store events by imports."""
    at_once = max(1, min(_EVENTS, _BODY_BYTES // (message_bytes + 500)))
    attributes = {"service": "payments", "type": "deployment", "message": "x" * message_bytes}
    for start in range(0, _EVENTS, at_once):
        events = [
            {"title": f"Deploy {number}", "attributes": attributes}
            for number in range(start, min(start + at_once, _EVENTS))
        ]
        request = urllib.request.Request(
            f"http://127.0.0.1:{server.http_port}/api/v1alpha1/events/import",
            json.dumps({"events": events}).encode(),
        )
        with urllib.request.urlopen(request, timeout=_BOUND):
            pass


def _connections(port: int, number: int, opened: contextlib.ExitStack) -> list[socket.socket]:
    sockets = []
    for _ in range(number):
        caller = opened.enter_context(socket.socket())
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.settimeout(_BOUND)
        caller.connect(("127.0.0.1", port))
        sockets.append(caller)
    return sockets


def _unread(port: int, number: int, results: multiprocessing.Queue[Counter[str]]) -> None:
    """Ask for lists and read nothing but, in the end, the status of each answer."""
    with contextlib.ExitStack() as opened:
        callers = _connections(port, number, opened)
        for caller in callers:
            caller.sendall(_LIST)
        time.sleep(_UNREAD_SECONDS)
        statuses: Counter[str] = Counter()
        for caller in callers:
            caller.settimeout(0.1)
            try:
                statuses[caller.recv(12)[9:].decode()] += 1
            except OSError:
                statuses["none"] += 1
    results.put(statuses)


def _vanishing(port: int, number: int, results: multiprocessing.Queue[Counter[str]]) -> None:
    """Ask for lists, and close the connections."""
    for start in range(0, number, _AT_A_TIME):
        with contextlib.ExitStack() as opened:
            for caller in _connections(port, min(_AT_A_TIME, number - start), opened):
                caller.sendall(_LIST)
    results.put(Counter())


class _Probes:
    """Asks `/livez` from a thread, and watches the server's memory."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.latencies: list[float] = []
        self.peak = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_PAUSE):
            began = time.perf_counter()
            with socket.create_connection(("127.0.0.1", self._server.http_port), _BOUND) as probe:
                probe.sendall(_LIVEZ)
                if not probe.recv(4096).startswith(b"HTTP/1.1 200"):
                    raise SystemExit("/livez failed")
            self.latencies.append(time.perf_counter() - began)
            self.peak = max(self.peak, self._server.memory())


def _measure(source: Path, message_bytes: int, storm: Callable[..., None], callers: int) -> Measured:
    results: multiprocessing.Queue[Counter[str]] = multiprocessing.Queue()
    with tempfile.TemporaryDirectory() as folder:
        environment = {"PYTHONPATH": str(source / "src"), "LOG_LEVEL": "info"}
        with serving(Path(folder) / "tracker.db", **environment) as server:
            _fill(server, message_bytes)
            time.sleep(_SETTLED_SECONDS)
            before = server.memory()
            with _Probes(server) as probes:
                process = multiprocessing.Process(target=storm, args=(server.http_port, callers, results))
                process.start()
                statuses = results.get(timeout=_BOUND)
                process.join(_BOUND)
                time.sleep(_SETTLED_SECONDS)
                server.settle(_BOUND)
            return Measured(before, probes.peak, sorted(probes.latencies), statuses)


def _print(storm: str, build: str, measured: Measured) -> None:
    livez = [1e3 * seconds for seconds in measured.livez]
    p99 = livez[int(len(livez) * 0.99)]
    statuses = " ".join(f"{status}: {number}" for status, number in sorted(measured.statuses.items()))
    print(
        f"{storm:24} {build:10} {measured.before:7.0f} {measured.peak:7.0f} MiB"
        f" {median(livez):8.1f} {p99:8.1f} {livez[-1]:8.1f} ms   {statuses}",
        flush=True,
    )


def main() -> None:
    """Measure both storms, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--against", help="a revision, or a folder with a source tree, to measure too")
    parser.add_argument("--unread", type=int, default=20, help="callers that do not read")
    parser.add_argument("--vanishing", type=int, default=2_000, help="callers that vanish")
    given = parser.parse_args()
    _, hard = resource_limit = psutil.Process().rlimit(psutil.RLIMIT_NOFILE)
    psutil.Process().rlimit(psutil.RLIMIT_NOFILE, (max(resource_limit), hard))
    storms = (
        (f"{given.unread} unread lists", _LARGE, _unread, given.unread),
        (f"{given.vanishing} vanishing callers", _SMALL, _vanishing, given.vanishing),
    )
    print(f"{'':24} {'build':10} {'memory':>7} {'peak':>7}     {'livez p50':>9} {'p99':>8} {'max':>8}")
    with contextlib.ExitStack() as opened:
        builds = {"this": ROOT}
        if given.against:
            builds = {given.against: opened.enter_context(source_of(given.against)), **builds}
        for name, message_bytes, storm, callers in storms:
            for build, source in builds.items():
                _print(name, build[-10:], _measure(source, message_bytes, storm, callers))


if __name__ == "__main__":
    main()
