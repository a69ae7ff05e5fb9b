"""The command that a guardian runs: whether it exists, what it inherits, and the meaning of its end."""

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
"""Variables about a lock: its token, and those that the command of its holder gets."""


def inherited(*but: str) -> dict[str, str]:
    """Return the variables that a command inherits: all but those about another event or lock."""
    return {name: value for name, value in os.environ.items() if name not in but}


def require_program(name: str) -> None:
    """Check that there is such a command.

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
    """Return the exit code after a command; a Ctrl-C that ended it on its terminal ends this process too."""
    interrupted = end.status is not None and os.WIFSIGNALED(end.status)
    if interrupts and interrupted and exit_code(end) == SIGNALLED + signal.SIGINT:
        _die_of_interrupt()
    return exit_code(end)


def say(text: str) -> None:
    """Print a message to the user, apart from the output of the command."""
    typer.echo(f"tracker: {printable(text)}", err=True)


def _die_of_interrupt() -> None:
    """End the whole job, as Ctrl-C would have done if the command had not had the terminal to itself."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(0, signal.SIGINT)
