"""Runs `tracker` in processes that begin with its imports, which take longer than most commands.

As a program: forks for every message on the socket whose number it is given. The child is in every other way
like the installed `tracker` started anew; its parent reports its process id, and its exit code.
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
import threading
import time
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

from tracker import __main__ as tracker
from tracker import cli
from tracker.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MOST_BYTES = 200_000

_IMPORTED = (
    *("httpcore2", "httpx2", "orjson", "protovalidate", "rich.console", "rich.table", "uvloop", "yaml"),
    *("tracker.app", "tracker.client.connection", "tracker.stores.mongo.store", "tracker.telemetry.logs"),
)

_ENVIRON = dict(os.environ)
_LAUNCHER = Path(__file__).with_name("launcher.py")


def _read_at_start(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are read before a module is imported."""
    return {name: value for name, value in environ.items() if name.startswith(("LD_", "PYTHON"))}


class Forked:
    """A process, as `subprocess.Popen` has it."""

    def __init__(self, arguments: Sequence[str], reports: int) -> None:
        self._arguments = arguments
        self._reports = os.fdopen(reports)
        self.pid = int(self._reports.readline())
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code, negative for a signal, once the process has ended."""
        if self.returncode is None:
            if not select.select([self._reports], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self._arguments, timeout or 0)
            self.returncode = int(self._reports.readline())
            self._reports.close()
        return self.returncode

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End the process without a warning."""
        self.send_signal(signal.SIGKILL)


class Forks:
    """The program at work."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.set_inheritable(True)
        number = theirs.fileno()
        self._program = subprocess.Popen(
            [sys.executable, "-m", "tests.forks", str(number)],
            pass_fds=[number],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        theirs.close()

    def close(self) -> None:
        """End the program."""
        self._socket.close()
        self._program.wait()

    @property
    def number(self) -> int:
        """The descriptor that takes requests, for processes that inherit it."""
        return self._socket.fileno()

    def command(self, folder: Path) -> dict[str, str]:
        """Return the environment of a shell whose `tracker`, which is made in a folder, is forked too."""
        command = folder / "tracker"
        command.write_text(f"#!{sys.executable} -IS\n{_LAUNCHER.read_text('utf-8')}", "utf-8")
        command.chmod(0o755)
        path = (str(folder), str(Path(sys.executable).parent), os.environ["PATH"])
        return {"PATH": os.pathsep.join(path), "FORKS": str(self.number)}

    def start(
        self,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        folder: Path | None,
        streams: tuple[int, int, int],
    ) -> Forked | subprocess.Popen[bytes]:
        """Start `tracker` with descriptors as its standard streams."""
        if _read_at_start(environ) != _read_at_start(_ENVIRON):
            command = [sys.executable, "-m", "tracker", *arguments]
            given, out, err = streams
            return subprocess.Popen(command, env=environ, cwd=folder, stdin=given, stdout=out, stderr=err)
        reports, report = os.pipe()
        request = json.dumps([arguments, dict(environ), str(folder or Path.cwd())]).encode()
        assert len(request) < _MOST_BYTES
        socket.send_fds(self._socket, [request], [*streams, report])
        os.close(report)
        return Forked(arguments, reports)


@cache
def forks() -> Forks:
    """Return the program of this process, which ends with it."""
    program = Forks()
    atexit.register(program.close)
    return program


def _serve(requests: socket.socket) -> None:
    """Return in each process that is to be a `tracker`, and exit once nobody can ask for another."""
    assert len([*Path("/proc/self/task").iterdir()]) == 1, "a child would lack the other threads"
    while True:
        request, numbers, _, _ = socket.recv_fds(requests, _MOST_BYTES, 4)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass  # its time counts as that of the tests
        if not request:
            sys.exit()
        if os.fork():
            for number in numbers:
                os.close(number)
            continue
        requests.close()
        *streams, report = numbers
        pid = os.fork()
        if pid:
            for number in streams:
                os.close(number)
            os.write(report, f"{pid}\n".encode())
            os.write(report, f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n".encode())
            os._exit(0)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        for number in numbers:
            os.close(number)
        arguments, environ, folder = json.loads(request)
        os.environ.clear()
        os.environ.update(environ)
        time.tzset()
        os.chdir(folder)
        sys.argv = ["tracker", *arguments]
        sys.modules["__main__"] = ModuleType("__main__")
        return


def _end(code: int) -> NoReturn:
    """End as Python does, but for the destruction of modules, whose memory would be copied for it."""
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - what Python calls
    atexit._run_exitfuncs()  # noqa: SLF001 - the same
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    for name in (*_IMPORTED, *(each.name for each in walk_packages(cli.__path__, "tracker.cli."))):
        import_module(name)
    with contextlib.suppress(SystemExit):
        app(["event", "list", "--help"])  # imports what it takes to read arguments
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))
    try:
        tracker.main()
    except SystemExit as end:
        if isinstance(end.code, str):
            raise
        _end(end.code or 0)
    _end(0)
