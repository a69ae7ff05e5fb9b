"""Runs `tracker` in processes that begin with the imports of most commands, which take longer than a command.

As a program: forks for every message on the socket whose number it is given. The child is in every other way
like `python -m tracker` started anew; its parent passes on what has become of it.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import typer.main

from tracker import __main__ as tracker
from tracker.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MOST_BYTES = 200_000

_IMPORTED = (
    *("httpx2", "protovalidate", "rich.console", "rich.table", "yaml"),
    "tracker.client.connection",
)


class Forks:
    """The program at work."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        number = theirs.fileno()
        self._program = subprocess.Popen(
            [sys.executable, "-m", "tests.cli.forks", str(number)],
            pass_fds=[number],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        theirs.close()

    def close(self) -> None:
        """End the program."""
        self._socket.close()
        self._program.wait()

    def run(
        self, arguments: Sequence[str], environ: Mapping[str, str], folder: Path | None, timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run `tracker` to its end."""
        told, tell = os.pipe()
        with (
            tempfile.TemporaryFile("w+") as out,
            tempfile.TemporaryFile("w+") as err,
            os.fdopen(told) as fate,
        ):
            request = json.dumps([arguments, dict(environ), str(folder or Path.cwd())]).encode()
            assert len(request) < _MOST_BYTES
            socket.send_fds(self._socket, [request], [out.fileno(), err.fileno(), tell])
            os.close(tell)
            pid = int(fate.readline())
            if not select.select([fate], [], [], timeout)[0]:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(arguments, timeout)
            code = int(fate.readline())
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(arguments, code, out.read(), err.read())


@cache
def forks() -> Forks:
    """Return the program of this process, which ends with it."""
    program = Forks()
    atexit.register(program.close)
    return program


def _serve(requests: socket.socket) -> None:
    """Return in each process that is to be a `tracker`, and exit once nobody can ask for another."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        request, numbers, _, _ = socket.recv_fds(requests, _MOST_BYTES, 3)
        if not request:
            sys.exit()
        if os.fork():
            for number in numbers:
                os.close(number)
            continue
        requests.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        out, err, tell = numbers
        pid = os.fork()
        if pid:
            os.write(tell, f"{pid}\n".encode())
            os.write(tell, f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n".encode())
            os._exit(0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        for number in numbers:
            os.close(number)
        arguments, environ, folder = json.loads(request)
        os.environ.clear()
        os.environ.update(environ)
        time.tzset()
        os.chdir(folder)
        sys.argv = [tracker.__file__, *arguments]
        sys.modules["__main__"] = tracker
        return


if __name__ == "__main__":
    for name in _IMPORTED:
        import_module(name)
    typer.main.get_command = cache(typer.main.get_command)  # half of the time of a short command
    with contextlib.suppress(SystemExit):
        app(["event", "list", "--help"])  # imports what it takes to read arguments
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))
    tracker.main()
