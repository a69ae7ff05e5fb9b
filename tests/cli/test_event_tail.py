"""`tracker event tail`, beside a server that comes and goes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING

from tests.cli.commands import at, tracker
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server_process import ServerProcess


class Tail:
    """A `tracker event tail` that runs, and its lines as they come."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: Queue[str] = Queue()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def line(self) -> str:
        return self._lines.get(timeout=PATIENCE)

    def interrupted(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=PATIENCE)


@contextmanager
def tail(server: ServerProcess, *arguments: str) -> Iterator[Tail]:
    command = [sys.executable, "-m", "tracker", "event", "tail", *arguments]
    environ = {**os.environ, **at(server), "TZ": "UTC"}
    with subprocess.Popen(
        command,
        env=environ,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    ) as process:
        try:
            yield Tail(process)
        finally:
            process.kill()


def create(server: ServerProcess, title: str, service: str, *options: str) -> str:
    arguments = ("create", title, "--service", service, "--type", "drift", *options)
    done = tracker("event", *arguments, environ=at(server))
    assert not done.returncode, done.stderr
    return done.stdout.strip()


def test_tail_begins_with_the_last_events_and_goes_on_with_what_happens(
    server: ServerProcess, service: str
) -> None:
    for title in ("one", "two", "three"):
        create(server, title, service)
    with tail(server, f"service:{service}", "--last", "2") as running:
        assert [running.line().split()[4:7] for _ in range(2)] == [
            [service, "-", "two"],
            [service, "-", "three"],
        ]
        id_ = create(server, "four", service, "--status", "failure", "--environment", "production")
        date, time, kind, status, named, environment, *rest = running.line().split()
        assert (kind, status, named, environment) == ("created", "failure", service, "production")
        assert (len(date), len(time), rest) == (10, 8, ["four", "drift", "-", id_])
        tracker("event", "delete", id_, "--yes", environ=at(server))
        assert running.line().split()[2] == "deleted"
        assert running.interrupted() == 130


def test_tail_for_scripts_can_be_resumed_by_a_token(server: ServerProcess, service: str) -> None:
    create(server, "before", service)
    with tail(server, f"service:{service}", "--output", "ndjson", "-n", "1") as running:
        assert json.loads(running.line()).keys() == {"event"}
        create(server, "unheard", "another")
        create(server, "one", service)
        first = json.loads(running.line())
        assert (first["kind"], first["event"]["title"]) == ("created", "one")
    create(server, "two", service)
    with tail(
        server, f"service:{service}", "--output", "ndjson", "--resume", first["resumeToken"]
    ) as running:
        assert json.loads(running.line())["event"]["title"] == "two"


def test_tail_goes_on_when_a_killed_server_is_back(server: ServerProcess, service: str) -> None:
    create(server, "before", service)
    with tail(server, f"service:{service}", "-n", "1") as running:
        assert " before " in running.line()
        server.kill()
        server.start()
        create(server, "after", service)
        assert " after " in running.line()
        running.process.kill()
        assert running.process.stderr is not None
        told = running.process.stderr.read().splitlines()
    assert len(told) == 1
    assert "continues when the server is back" in told[0]


def test_tail_says_what_is_wrong_in_a_line(server: ServerProcess) -> None:
    done = tracker("event", "tail", "stat:us", environ=at(server))
    assert (done.returncode, done.stderr.count("\n")) == (64, 1)
    assert "column 1" in done.stderr
    done = tracker("event", "tail", "--server", "http://127.0.0.1:1", environ={})
    assert (done.returncode, done.stderr.count("\n")) == (69, 1)
