"""The command that a guardian runs, and all that comes from it."""

from __future__ import annotations

import contextlib
import os
import signal
import struct

from .processes import LINUX, descendants, die_with_parent, reap, send_signal

_ERRNO = struct.Struct("i")
_NOT_STARTED = 127


class Command:
    """A process in a group of its own, with its descendants; it dies when the process that made it does."""

    def __init__(self) -> None:
        self.group = 0
        """Number of its process, which is that of its group; 0 before it was started."""
        self.status: int | None = None
        """What `waitpid` told of its end."""
        self.stopped = False
        """Whether a signal has just stopped it; who reads it sets it back."""
        self.left = False
        """Whether anything of it is left, the command itself or what came from it."""

    def start(self, argv: list[str], environ: dict[str, str], *, terminal: bool) -> None:
        """Start it.

        Raises:
            OSError: There is no such command, or it can't be run.
        """
        reading, writing = os.pipe()  # closed by exec, or told why there was none
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
                os.execvpe(argv[0], argv, environ)  # noqa: S606  # the user's command, as it was given
            except OSError as error:
                os.write(writing, _ERRNO.pack(error.errno or 0))
            finally:
                os._exit(_NOT_STARTED)
        os.close(writing)
        with os.fdopen(reading, "rb") as failure:
            if told := failure.read():
                os.waitpid(pid, 0)
                (number,) = _ERRNO.unpack(told)
                raise OSError(number, os.strerror(number))
        self.group, self.left = pid, True

    def look(self) -> None:
        """See what has become of it since."""
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
        """Send a signal to it and to all that came from it, wherever they hid."""
        # While the command is not reaped, no other group can have its number; as a group, none can fork away.
        own_group = [-self.group] if self.status is None or not LINUX else []
        send_signal([*own_group, *descendants(os.getpid())], number)

    def _has_group(self) -> bool:
        try:
            os.kill(-self.group, 0)
        except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of the dead
            return False
        return True


def take_terminal(group: int) -> None:
    """Make a process group the foreground of the terminal that is standard input, if there still is one."""
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # sent to whoever does so from the background
    with contextlib.suppress(OSError):
        os.tcsetpgrp(0, group)
    signal.signal(signal.SIGTTOU, before)
