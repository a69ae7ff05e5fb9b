"""Runs the command `tracker` as a user does."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import tempfile
import termios
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.forks import forks
from tests.patience import PATIENCE

from tracker.config.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.server_process import ServerProcess

_OURS = {setting.variable for setting in SETTINGS.values()}
CLEAN = {
    name: value
    for name, value in os.environ.items()
    if name not in _OURS | {"COLUMNS", "LINES"} and not name.startswith(("DB_", "GITHUB_", "TRACKER_"))
} | {"XDG_STATE_HOME": "/dev/null", "XDG_CONFIG_HOME": "/dev/null"}
"""The environment of this process without what would set up a server, find one, or size a terminal."""


def tracker(
    *arguments: str, environ: Mapping[str, str] | None = None, folder: Path | None = None, text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run `tracker` to its end, with a text on its standard input."""
    with (
        tempfile.TemporaryFile("w+") as given,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
    ):
        given.write(text)
        for file in (given, out, err):
            file.seek(0)
        streams = (given.fileno(), out.fileno(), err.fileno())
        process = forks().start(arguments, CLEAN | dict(environ or {}), folder, streams)
        try:
            code = process.wait(PATIENCE)
        finally:
            process.kill()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(arguments, code, out.read(), err.read())


def at(server: ServerProcess) -> dict[str, str]:
    """Return the environment that says where a server is."""
    return {"TRACKER_SERVER": f"http://127.0.0.1:{server.http_port}"}


def start(
    *arguments: str, environ: Mapping[str, str] | None = None, folder: Path | None = None
) -> subprocess.Popen[str]:
    """Start `tracker`, to be used in a `with` block."""
    return subprocess.Popen(
        [sys.executable, "-m", "tracker", *arguments],
        env=CLEAN | dict(environ or {}),
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def on_terminal(*arguments: str, columns: int, environ: Mapping[str, str]) -> str:
    """Run `tracker` on a terminal of that width, and return what is then on it."""
    terminal, its = pty.openpty()
    termios.tcsetwinsize(its, (50, columns))
    process = forks().start(arguments, CLEAN | dict(environ) | {"TERM": "xterm"}, None, (its, its, its))
    os.close(its)
    shown = shown_on(terminal)
    assert process.wait(PATIENCE) == 0, shown
    return shown


def shown_on(terminal: int) -> str:
    """Return what is on a terminal, once nobody has it open; close it."""
    shown = b""
    with suppress(OSError):  # EIO, once nobody has it open
        while read := os.read(terminal, 4_096):
            shown += read
    os.close(terminal)
    return shown.decode().replace("\r\n", "\n")
