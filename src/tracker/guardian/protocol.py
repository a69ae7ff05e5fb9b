"""The messages between the process that renews a lease and its guardian: JSON, one a line.

The end of the socket shows each that the other is gone.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, ClassVar, TypeAlias, get_args

if TYPE_CHECKING:
    import socket


SECOND = 1_000_000_000
"""In nanoseconds."""

_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS's monotonic clock does not stop


def lease_clock() -> int:
    """Return nanoseconds of a monotonic clock that all processes share, and that runs during suspension."""
    return time.clock_gettime_ns(_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """When the command gets SIGTERM, and when SIGKILL: nanoseconds of `lease_clock`."""

    term: int
    kill: int


@dataclass(frozen=True, slots=True)
class Start:
    """To the guardian: run a command, with these variables added to the guardian's.

    With `terminal`, the command is in the foreground of the terminal that is standard input.
    """

    argv: list[str]
    environ: dict[str, str]
    deadlines: Deadlines
    terminal: bool


@dataclass(frozen=True, slots=True)
class Renewed:
    """To the guardian: the lease was renewed."""

    deadlines: Deadlines


@dataclass(frozen=True, slots=True)
class Signal:
    """To the guardian: pass a signal on to the command's process group."""

    number: int


@dataclass(frozen=True, slots=True)
class Foreground:
    """To the guardian: put the command into the foreground of the terminal, and continue it."""


@dataclass(frozen=True, slots=True)
class End:
    """To the guardian: the lock is lost, end the command now."""


@dataclass(frozen=True, slots=True)
class Ready:
    """From the guardian: it is ready to start a command."""


@dataclass(frozen=True, slots=True)
class Started:
    """From the guardian: the command runs, in the process group of this id."""

    group: int


@dataclass(frozen=True, slots=True)
class Failed:
    """From the guardian: the command can't be started; `error` is the `errno`."""

    error: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """From the guardian: the command has been stopped by a signal, as by Ctrl-Z."""


@dataclass(frozen=True, slots=True)
class Gone:
    """From the guardian: the command and all its descendants have ended.

    `status` is the command's as `waitpid` reports it, None where it never ran. `ended` means that the
    guardian ended it, because the lease was over or on request; `leftovers`, that the guardian ended
    processes that the command had left behind.
    """

    status: int | None
    ended: bool = False
    leftovers: bool = False


Message: TypeAlias = Start | Renewed | Signal | Foreground | End | Ready | Started | Failed | Stopped | Gone


@dataclass(slots=True)
class Channel:
    """One end of the connection."""

    socket: socket.socket
    _received: bytes = field(default=b"", init=False)

    _KINDS: ClassVar[dict[str, type[Message]]] = {kind.__name__: kind for kind in get_args(Message)}
    _PIECE: ClassVar[int] = 65_536

    def send(self, message: Message) -> bool:
        """Send a message; return whether the other side is still there."""
        line = json.dumps({type(message).__name__: asdict(message)}).encode() + b"\n"
        try:
            self.socket.sendall(line)
        except OSError:
            return False
        return True

    def receive(self) -> list[Message] | None:
        """Wait for bytes, and return the messages complete by then; None once the other side is gone."""
        try:
            piece = self.socket.recv(self._PIECE)
        except OSError:
            piece = b""
        if not piece:
            return None
        *lines, self._received = (self._received + piece).split(b"\n")
        return [self._message(line) for line in lines]

    def _message(self, line: bytes) -> Message:
        ((name, fields),) = json.loads(line).items()
        if "deadlines" in fields:
            fields["deadlines"] = Deadlines(**fields["deadlines"])
        return self._KINDS[name](**fields)
