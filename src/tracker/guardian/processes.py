"""The command that a guardian runs, and processes in general: their descendants, signals and ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import struct
import sys
import time
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LINUX = sys.platform == "linux"

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_ERRNO = struct.Struct("i")
_NOT_STARTED = 127

_PARENT = 1
"""Index of the parent in `/proc/PID/stat`, counted after the name, which may hold any characters."""

KILL_AGAIN = 0.01
"""Seconds between two rounds of killing; the next round finds what was forked during one."""

if LINUX:
    _libc = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Become the parent of all descendants whose own parent ends (Linux only)."""
    if LINUX:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Have this process killed when its parent ends, or at once if it already has (Linux only)."""
    if LINUX:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl: {os.strerror(number)}")


def descendants(ancestor: int) -> list[int]:
    """Return the descendants of a process that `/proc` shows (Linux only)."""
    children = defaultdict(list)
    for name in filter(str.isdecimal, os.listdir("/proc") if LINUX else ()):  # noqa: PTH208 - pathlib is slow to import
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - the same
            after_name = file.read().rpartition(b")")[2].split()
            children[int(after_name[_PARENT])].append(int(name))
    found = list(children[ancestor])
    for pid in found:  # grows during the loop
        found += children[pid]
    return found


def send_signal(targets: Iterable[int], number: int) -> None:
    """Send a signal to processes, or to groups (negative); ignore those that are gone or not ours."""
    for target in targets:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(target, number)


def reap() -> tuple[dict[int, int], bool]:
    """Return the `waitpid` status of each child that has changed, and whether any child is left.

    A process that adopts orphans has no descendants once it has no children.
    """
    changed: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
        except ChildProcessError:
            return changed, False
        if pid == 0:
            return changed, True
        changed[pid] = status


def end_all(group: int) -> None:
    """Kill a process group and all descendants, and wait until none is left.

    This is for when a guardian is gone: the process that called `adopt_orphans` then has its descendants.
    """
    if not LINUX:
        send_signal([-group] if group else [], signal.SIGKILL)
        return
    while reap()[1]:
        send_signal(descendants(os.getpid()), signal.SIGKILL)
        time.sleep(KILL_AGAIN)


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
                os.execvpe(argv[0], argv, environ)  # noqa: S606 - the user's command, as given
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
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: the latter for zombies
            os.kill(-self.group, 0)
            return True
        return False


def take_terminal(group: int) -> None:
    """Make a process group the foreground of the terminal that is standard input, if it is still there."""
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # which tcsetpgrp sends to a background process
    with contextlib.suppress(OSError):
        os.tcsetpgrp(0, group)
    signal.signal(signal.SIGTTOU, before)
