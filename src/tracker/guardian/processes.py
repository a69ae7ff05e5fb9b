"""Processes of the operating system: their descendants, signals and ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LINUX = sys.platform == "linux"

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

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
    """Return the descendants of a process that `/proc` shows."""
    children = defaultdict(list)
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it may end meanwhile
            after_name = entry.read_bytes().rpartition(b")")[2].split()
            children[int(after_name[_PARENT])].append(int(entry.parent.name))
    found = list(children[ancestor])
    for pid in found:  # grows while it is walked
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
