"""The command that a guardian runs, and its descendants."""

from __future__ import annotations

import contextlib
import os
import signal
import struct

from .processes import LINUX, descendants, die_with_parent, reap, send_signal

_ERRNO = struct.Struct("i")
_NOT_STARTED = 127


class Command:
    """A process in a group of its own, with its descendants; it dies with the process that started it."""

    def __init__(self) -> None:
        self.group = 0
        """Id of the process and of its group; 0 before the start."""
        self.status: int | None = None
        """Exit status, as `waitpid` reports it; None while it runs."""
        self.stopped = False
        """Whether a signal has just stopped it; the reader resets it."""
        self.left = False
        """Whether the command or a descendant is alive."""

    def start(self, argv: list[str], environ: dict[str, str], *, terminal: bool) -> None:
        """Start the command.

        Raises:
            OSError: The command does not exist, or can't be run.
        """
        reading, writing = os.pipe()  # closed by exec, or written to when exec fails
        guardian = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                die_with_parent(guardian)
                os.setpgid(0, 0)
                if terminal:
                    take_terminal(os.getpid())
                for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python has them ignored
                    signal.signal(number, signal.SIG_DFL)
                os.execvpe(argv[0], argv, environ)  # noqa: S606  # the user's command, as given
            except OSError as error:
                os.write(writing, _ERRNO.pack(error.errno or 0))
            finally:
                os._exit(_NOT_STARTED)
        os.close(writing)
        with os.fdopen(reading, "rb") as failure:
            if error_number := failure.read():
                os.waitpid(pid, 0)
                (number,) = _ERRNO.unpack(error_number)
                raise OSError(number, os.strerror(number))
        self.group, self.left = pid, True

    def look(self) -> None:
        """Update `status`, `stopped` and `left`."""
        changed, children = reap()
        status = changed.get(self.group)
        if status is not None and os.WIFSTOPPED(status):
            self.stopped = True
        elif status is not None:
            self.status = status
        self.left = children if LINUX else self.status is None or self._has_group()

    def signal(self, number: int) -> None:
        """Send a signal to its process group, unless the command has ended."""
        if self.status is None:
            send_signal([-self.group], number)

    def signal_all(self, number: int) -> None:
        """Send a signal to the command and all its descendants, in whatever process group."""
        # Until the command is reaped, its id can't be reused; a signal to the group misses no fork.
        own_group = [-self.group] if self.status is None or not LINUX else []
        send_signal([*own_group, *descendants(os.getpid())], number)

    def _has_group(self) -> bool:
        try:
            os.kill(-self.group, 0)
        except (ProcessLookupError, PermissionError):  # macOS raises the latter for a group of zombies
            return False
        return True


def take_terminal(group: int) -> None:
    """Make a process group the foreground of the terminal that is standard input, if it is still there."""
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # which tcsetpgrp sends to a background process
    with contextlib.suppress(OSError):
        os.tcsetpgrp(0, group)
    signal.signal(signal.SIGTTOU, before)
