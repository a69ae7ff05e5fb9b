"""The messages between the process that renews a lease and its guardian: JSON, one a line.

The end of the socket shows each that the other is gone. What a guardian imports, it imports each time that a
command is run: neither `dataclasses` nor `pathlib`, which take as long as all else that it needs.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import socket


SECOND = 1_000_000_000
"""In nanoseconds."""

_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS's monotonic clock does not stop


def lease_clock() -> int:
    """Return nanoseconds of a monotonic clock that all processes share, and that runs during suspension."""
    return time.clock_gettime_ns(_BOOTTIME)


class Deadlines(NamedTuple):
    """When the command gets SIGTERM, and when SIGKILL: nanoseconds of `lease_clock`."""

    term: int
    kill: int


class Start(NamedTuple):
    """To the guardian: run a command, with these variables added to the guardian's.

    With `terminal`, the command is in the foreground of the terminal that is standard input.
    """

    argv: list[str]
    environ: dict[str, str]
    deadlines: Deadlines
    terminal: bool


class Renewed(NamedTuple):
    """To the guardian: the lease was renewed."""

    deadlines: Deadlines


class Signal(NamedTuple):
    """To the guardian: pass a signal on to the command's process group."""

    number: int


class Foreground(NamedTuple):
    """To the guardian: put the command into the foreground of the terminal, and continue it."""


class End(NamedTuple):
    """To the guardian: the lock is lost, end the command now."""


class Ready(NamedTuple):
    """From the guardian: it is ready to start a command."""


class Started(NamedTuple):
    """From the guardian: the command runs, in the process group of this id."""

    group: int


class Failed(NamedTuple):
    """From the guardian: the command can't be started; `error` is the `errno`."""

    error: int


class Stopped(NamedTuple):
    """From the guardian: the command has been stopped by a signal, as by Ctrl-Z."""


class Gone(NamedTuple):
    """From the guardian: the command and all its descendants have ended.

    `status` is the command's as `waitpid` reports it, None where it never ran. `ended` means that the
    guardian ended it, because the lease was over or on request; `leftovers`, that the guardian ended
    processes that the command had left behind.
    """

    status: int | None
    ended: bool = False
    leftovers: bool = False


Message: TypeAlias = Start | Renewed | Signal | Foreground | End | Ready | Started | Failed | Stopped | Gone


_KINDS: tuple[type[Message], ...] = (
    *(Start, Renewed, Signal, Foreground, End),
    *(Ready, Started, Failed, Stopped, Gone),
)
_KINDS_BY_NAME = {kind.__name__: kind for kind in _KINDS}
_PIECE = 65_536


class Channel:
    """One end of the connection."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self._received = b""

    def send(self, message: Message) -> bool:
        """Send a message; return whether the other side is still there."""
        line = json.dumps([type(message).__name__, *message]).encode() + b"\n"
        try:
            self.socket.sendall(line)
        except OSError:
            return False
        return True

    def receive(self) -> list[Message] | None:
        """Wait for bytes, and return the messages complete by then; None once the other side is gone."""
        try:
            piece = self.socket.recv(_PIECE)
        except OSError:
            piece = b""
        if not piece:
            return None
        *lines, self._received = (self._received + piece).split(b"\n")
        return [_read(*json.loads(line)) for line in lines]


def _read(kind: str, *fields: Any) -> Message:  # noqa: ANN401 - of whatever types its fields have
    message = _KINDS_BY_NAME[kind](*fields)
    if isinstance(message, Start | Renewed):
        message = message._replace(deadlines=Deadlines(*message.deadlines))
    return message
