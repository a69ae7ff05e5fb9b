"""Processes as the operating system shows them: who descends from whom, and what ends with whom."""

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
"""Which field of `/proc/PID/stat` is the parent, counted behind the name (which may hold anything)."""

KILL_AGAIN = 0.01
"""Seconds between two rounds of killing; what is forked during one is found by the next."""

if LINUX:
    _libc = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Become the parent of all descendants whose own parent ends (Linux only)."""
    if LINUX:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Have this process killed when its parent ends, at once if it is no longer `parent` (Linux only)."""
    if LINUX:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl: {os.strerror(number)}")


def descendants(ancestor: int) -> list[int]:
    """Return the processes that descend from one, as far as `/proc` shows them."""
    children = defaultdict(list)
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it may end meanwhile
            behind_name = entry.read_bytes().rpartition(b")")[2].split()
            children[int(behind_name[_PARENT])].append(int(entry.parent.name))
    found = list(children[ancestor])
    for pid in found:  # grows while it is walked
        found += children[pid]
    return found


def send_signal(targets: Iterable[int], number: int) -> None:
    """Send a signal to processes, or groups (negative); those that are gone or not ours are passed over."""
    for target in targets:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(target, number)


def reap() -> tuple[dict[int, int], bool]:
    """Return what `waitpid` tells of children that have changed, and whether any are left.

    Of a process that adopts orphans, no children left means no descendants left.
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

    For when a guardian is gone: its descendants are then those of the process that called `adopt_orphans`.
    """
    if not LINUX:
        send_signal([-group] if group else [], signal.SIGKILL)
        return
    while reap()[1]:
        send_signal(descendants(os.getpid()), signal.SIGKILL)
        time.sleep(KILL_AGAIN)
