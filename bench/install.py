"""What it costs to install and to start a server, beside Datasette, which serves SQLite too, in the same run.

    python -m bench.install [--pex dist/tracker-….pex]

Ours is installed as `make run` does, with the extras `mcp` and `oidc`, and as `pip install` does, without
any, Datasette by `pip install datasette`: all from the same package index, by way of pip's cache where that
has them.

- install: seconds until the command is there, and of those how many on a CPU
- size: MiB of the environment after the server has run, with the bytecode that this left
- ready: seconds from the start of the process until it answers; first without bytecode, then with it
- at rest: MiB resident, 5 seconds after that
- command: seconds of CPU of a command that asks the server for a list, and of the one that prints the version
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil
from bench.load import free_ports
from bench.server import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_READY_WITHIN = 60.0
_RESTS = 5.0
_COMMANDS = 5
_MIB = 2**20
_ENVIRON = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class Installed(NamedTuple):
    """An environment: its folder, and the seconds that it took, of which so many on a CPU."""

    environment: Path
    seconds: float
    cpu: float


class Served(NamedTuple):
    """A server: seconds until it was ready at the first and the second start, and MiB at rest."""

    first: float
    second: float
    resident: float
    commands: Sequence[float]


def measured(make: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that something took, and those of CPU of the processes that it ran."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    make()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, cpu


def _run(command: Sequence[object], folder: Path, **environ: str) -> None:
    quiet = subprocess.DEVNULL
    words = list(map(str, command))
    subprocess.run(words, cwd=folder, env=_ENVIRON | environ, stdout=quiet, stderr=quiet, check=True)


def _ours(folder: Path) -> Installed:
    """Install this tree as `make run` does."""
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    subprocess.run(["tar", "x", "-C", str(folder)], input=archive.stdout, check=True)
    return Installed(folder / ".venv", *measured(lambda: _run(["make", ".venv/.runtime"], folder)))


def _by_pip(folder: Path, what: object) -> Installed:
    environment = folder / "venv"

    def install() -> None:
        _run([sys.executable, "-m", "venv", environment], folder)
        _run([environment / "bin" / "pip", "install", what], folder)

    return Installed(environment, *measured(install))


def _size(folder: Path) -> float:
    files = (each for each in folder.rglob("*") if each.is_file() and not each.is_symlink())
    return sum(each.stat().st_blocks * 512 for each in files) / _MIB


def _serve(command: Sequence[object], folder: Path, url: str, asking: Sequence[Sequence[object]]) -> Served:
    """Start a server twice, and measure commands while the second one runs."""

    def start() -> tuple[psutil.Popen, float]:
        began = time.perf_counter()
        process = psutil.Popen(
            list(map(str, command)),
            cwd=folder,
            env=_ENVIRON,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while time.perf_counter() - began < _READY_WITHIN:
            with suppress(OSError), urllib.request.urlopen(url, timeout=5):
                return process, time.perf_counter() - began
            time.sleep(0.01)
        process.kill()
        raise SystemExit(f"{command[0]} did not become ready")

    process, first = start()
    process.terminate()
    process.wait()
    process, second = start()
    try:
        time.sleep(_RESTS)
        family = [process, *process.children(recursive=True)]
        resident = sum(each.memory_info().rss for each in family) / _MIB
        commands = [_cpu_of(each, folder) for each in asking]
    finally:
        process.terminate()
        process.wait()
    return Served(first, second, resident, commands)


def _cpu_of(command: Sequence[object], folder: Path) -> float:
    _run(command, folder)  # compiles
    return min(measured(lambda: _run(command, folder))[1] for _ in range(_COMMANDS))


def _ours_served(tracker: Path, folder: Path, environ: Mapping[str, str], port: int) -> Served:
    _ENVIRON.update(environ)
    asking = ([tracker, "event", "list", "--server", f"http://127.0.0.1:{port}"], [tracker, "version"])
    return _serve([tracker, "serv"], folder, f"http://127.0.0.1:{port}/readyz", asking)


def _row(name: str, installed: Installed | None, size: float, served: Served) -> None:
    install = "" if installed is None else f"{installed.seconds:.1f} s ({installed.cpu:.1f})"
    ready = f"{served.first:.2f}, {served.second:.2f} s"
    commands = ", ".join(f"{seconds:.2f}" for seconds in served.commands)
    print(
        f"{name:24} {install:>17} {size:>6.0f} MiB {ready:>14} {served.resident:>5.0f} MiB {commands:>14} s",
        flush=True,
    )


def main() -> None:
    """Install, start and ask, one after the other."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--pex", type=Path, help="the single file of a release, to measure it too")
    given = arguments.parse_args()
    print(f"{'':24} {'install (CPU)':>17} {'size':>10} {'ready':>14} {'at rest':>9} {'command, version':>16}")
    with tempfile.TemporaryDirectory() as root:
        folders = {name: Path(root, name) for name in ("make", "pip", "datasette", "pex")}
        for folder in folders.values():
            folder.mkdir()
        ports = free_ports(3)
        names = ("GRPC_PORT", "HTTP_PORT", "METRICS_PORT")
        environ = dict(zip(names, map(str, ports), strict=True)) | {"HOST": "127.0.0.1"}
        port = ports[1]

        made = _ours(folders["make"])
        served = _ours_served(made.environment / "bin" / "tracker", folders["make"], environ, port)
        _row("make run", made, _size(made.environment), served)

        made = _by_pip(folders["pip"], folders["make"])
        served = _ours_served(made.environment / "bin" / "tracker", folders["pip"], environ, port)
        _row("pip install, no extras", made, _size(made.environment), served)

        made = _by_pip(folders["datasette"], "datasette")
        program = made.environment / "bin" / "datasette"
        command = [program, "serve", "empty.db", "--create", "--port", port]
        asking = ([program, "inspect", "empty.db"], [program, "--version"])
        served = _serve(command, folders["datasette"], f"http://127.0.0.1:{port}/-/versions.json", asking)
        _row("Datasette", made, _size(made.environment), served)

        if given.pex is not None:
            file = folders["pex"] / "tracker.pex"
            shutil.copy(given.pex, file)
            _ENVIRON["PEX_ROOT"] = str(folders["pex"] / "root")
            served = _ours_served(file, folders["pex"], environ, port)
            _row("the single file", None, file.stat().st_size / _MIB, served)


if __name__ == "__main__":
    main()
