"""The command that is run under a guardian: whether there is one, what it inherits, what its end means."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tracker.cli.errors import CommandError
from tracker.cli.exits import FAILED, NOT_EXECUTABLE, NOT_FOUND, SIGNALLED
from tracker.cli.output import printable

if TYPE_CHECKING:
    from tracker.guardian.protocol import Gone


LOCK_VARIABLES = ("TRACKER_LOCK_TOKEN", "TRACKER_LOCK_ID", "TRACKER_FENCING_TOKEN")
"""Variables that tell of a lock: a secret, and what the holder's command is told."""


def inherited(*but: str) -> dict[str, str]:
    """Return the variables that a command inherits: all but some, which are about something else."""
    return {name: value for name, value in os.environ.items() if name not in but}


def require_program(name: str) -> None:
    """Find out that there is no such command before anything is done for it.

    Raises:
        CommandError: There is none, or it can't be run.
    """
    if shutil.which(name) is None:
        if "/" in name and Path(name).exists():
            raise CommandError(f"{name} can't be run", NOT_EXECUTABLE)
        raise CommandError(f"there is no command {name}", NOT_FOUND)


def exit_code(end: Gone) -> int:
    """Return the exit code of a command that has ended, as shells count it."""
    if end.status is None:
        return FAILED
    if not os.WIFSIGNALED(end.status):
        return os.WEXITSTATUS(end.status)
    return SIGNALLED + os.WTERMSIG(end.status)


def end_as(end: Gone, *, interrupts: bool) -> int:
    """Return what to exit with after a command; the Ctrl-C that ended it on its terminal ends this, too."""
    interrupted = end.status is not None and os.WIFSIGNALED(end.status)
    if interrupts and interrupted and exit_code(end) == SIGNALLED + signal.SIGINT:
        _die_of_interrupt()
    return exit_code(end)


def say(text: str) -> None:
    """Tell the user something, apart from what the command prints."""
    typer.echo(f"tracker: {printable(text)}", err=True)


def _die_of_interrupt() -> None:
    """End with the whole job, as Ctrl-C would have ended it had not the command alone had the terminal."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(0, signal.SIGINT)
