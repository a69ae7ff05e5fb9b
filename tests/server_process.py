"""A whole server as a process of its own, on free ports of the loopback interface."""

from __future__ import annotations

import os
import signal
import time
import urllib.request
from pathlib import Path
from typing import Self

from bench.load import free_ports
from tests.forks import forks
from tests.patience import PATIENCE


class ServerEndedError(Exception):
    """A server ended before it was ready; the message is what it has written."""


class ServerProcess:
    """`tracker serv` on one store; ends with the `with` block, by SIGKILL if it must."""

    def __init__(self, database: Path, **settings: str) -> None:
        self.grpc_port, self.http_port, self.metrics_port = free_ports(3)
        self._env = os.environ | {
            "HOST": "127.0.0.1",
            "GRPC_PORT": str(self.grpc_port),
            "HTTP_PORT": str(self.http_port),
            "METRICS_PORT": str(self.metrics_port),
            "DATABASE_PATH": str(database),
            "LOG_FORMAT": "json",
            "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
            **settings,
        }
        self.database = database
        self._log = database.with_suffix(".log")

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Start the process, or start it again on the same ports, and wait until it is ready.

        Raises:
            ServerEndedError: It ended instead.
        """
        with self._log.open("ab") as log, Path(os.devnull).open("rb") as nothing:
            streams = (nothing.fileno(), log.fileno(), log.fileno())
            self.process = forks().start(["serv"], self._env, None, streams)
        deadline = time.monotonic() + PATIENCE
        while not self.ready():
            if self.process.poll() is not None:
                raise ServerEndedError(self.log())
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)  # between two polls

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def ready(self) -> bool:
        """Ask the readiness probe."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/readyz", timeout=5):
                return True
        except OSError:
            return False

    def kill(self) -> None:
        """End the process without a warning."""
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        """Stop the process where it is; its connections stay."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on."""
        self.process.send_signal(signal.SIGCONT)

    def terminate(self, timeout: float = 30) -> int:
        """Ask the process to stop and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def log(self) -> str:
        """Return what the server has written."""
        return self._log.read_text()
