"""Starts a guardian, from the process that renews the lease."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

from .protocol import Channel

if TYPE_CHECKING:
    from collections.abc import Mapping


def launch(
    environ: Mapping[str, str], *, stdout: int | None = None, stderr: int | None = None
) -> tuple[subprocess.Popen[bytes], Channel]:
    """Start a guardian, and return the channel to it.

    It has a process group of its own, so that signals to the renewer's group don't reach it. The command
    inherits `environ` from it, every file that this process inherited itself, and the given standard output
    and error.
    """
    ours, its = socket.socketpair()
    with its:
        os.set_inheritable(its.fileno(), True)  # noqa: FBT003  # positional only
        command = [sys.executable, "-P", "-m", "tracker.guardian", str(its.fileno())]
        process = subprocess.Popen(  # noqa: S603  # our own program
            command, env=dict(environ), close_fds=False, process_group=0, stdout=stdout, stderr=stderr
        )
    return process, Channel(ours)
