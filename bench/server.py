"""A server to measure, as a process of its own on free ports of the loopback interface."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from bench.http2 import GrpcConnection
from bench.load import RestConnection, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
_NEEDED = "requirements/runtime.txt"
_READY_WITHIN = 30
_ENDS_WITHIN = 40


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is ready; `ready` is after how many seconds it was."""

    process: psutil.Process
    grpc_port: int
    http_port: int
    ready: float

    async def rest(self) -> RestConnection:
        """Open a connection to the REST port."""
        return await RestConnection.open("127.0.0.1", self.http_port)

    async def grpc(self) -> GrpcConnection:
        """Open a connection to the gRPC port."""
        return await GrpcConnection.open("127.0.0.1", self.grpc_port)

    def memory(self) -> float:
        """Return the MiB that it has resident."""
        return float(self.process.memory_info().rss / 2**20)

    def cpu(self) -> float:
        """Return the seconds of CPU that it has used."""
        if sys.platform == "linux":  # as clock_getcpuclockid(3): psutil counts in steps of 10 ms
            return time.clock_gettime((~self.process.pid << 3) | 2)
        return float(sum(self.process.cpu_times()[:2]))

    def settle(self, within: float) -> None:
        """Wait until it has no more work, or the time is over."""
        end = time.monotonic() + within
        while self.process.cpu_percent(0.5) > 20 and time.monotonic() < end:
            pass


@contextlib.contextmanager
def serving(database: Path, **settings: str) -> Iterator[Server]:
    """Start a server, and end it with the `with` block."""
    ports = dict(zip(("GRPC_PORT", "HTTP_PORT", "METRICS_PORT"), free_ports(3), strict=True))
    env = {name: str(port) for name, port in ports.items()}
    env |= {"HOST": "127.0.0.1", "DATABASE_PATH": str(database), "RATE_LIMIT_ENABLED": "off"}
    env |= settings
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "tracker", "serv"], env=os.environ | env, stdout=subprocess.DEVNULL
    )
    try:
        while not _is_ready(ports["HTTP_PORT"]):
            if process.poll() is not None or time.perf_counter() - began > _READY_WITHIN:
                raise SystemExit("the server did not become ready")
            time.sleep(0.01)
        ready = time.perf_counter() - began
        yield Server(psutil.Process(process.pid), ports["GRPC_PORT"], ports["HTTP_PORT"], ready)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_ENDS_WITHIN)


@contextlib.contextmanager
def source_of(against: str) -> Iterator[Path]:
    """Give the source tree of a folder or of a revision, which gets what it needs beside its source."""
    if Path(against).is_dir():
        yield Path(against).resolve()
        return
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(
            ["git", "archive", against, "src", _NEEDED],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
        )
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        if Path(folder, _NEEDED).read_bytes() != (ROOT / _NEEDED).read_bytes():
            pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install")
            options = ("--require-hashes", "--no-deps", "--target", "src", "--requirement", _NEEDED)
            subprocess.run((*pip, *options), cwd=folder, check=True)
        yield Path(folder)


def _is_ready(http_port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{http_port}/readyz", timeout=1):
            return True
    except OSError:
        return False
