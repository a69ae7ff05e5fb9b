"""Where log lines go: a stream that may stall, fill up or vanish without harm to the server."""

from __future__ import annotations

import os
import select
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_ROOM: Final = select.PIPE_BUF
"""Bytes that a pipe reported writable takes without blocking, in one write or in several."""

_PATIENCE: Final = 1000
"""Milliseconds that a line waits for a reader who has stopped reading; the lines after it don't wait."""


class LineWriter:
    """Writes whole lines to a file descriptor, and drops those that it can't take.

    A reader that stalls costs the process one second, once: further lines are dropped at once until
    the descriptor takes one again, then `notice` makes the line that tells how many are missing.
    Safe to use from several threads.
    """

    def __init__(self, descriptor: int, notice: Callable[[int], bytes]) -> None:
        self._descriptor = descriptor
        self._notice = notice
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._lock = threading.Lock()
        self._room = 0
        self._stalled = False
        self._torn = False
        self._dropped = 0

    def write(self, line: bytes) -> None:
        """Write one line, given without its end, unless the descriptor can't take it."""
        with self._lock:
            if not self._send(line):
                self._dropped += 1
            elif self._dropped and self._send(self._notice(self._dropped)):
                self._dropped = 0

    def _send(self, line: bytes) -> bool:
        rest = b"\n" + line + b"\n" if self._torn else line + b"\n"
        try:
            while True:
                part = rest[:_ROOM]
                if len(part) > self._room and not self._wait():
                    return False
                sent = os.write(self._descriptor, part)
                self._room -= sent
                self._torn = sent < len(rest)
                if not self._torn:
                    return True
                rest = rest[sent:]
        except OSError:  # closed pipe, full disk, lost terminal
            return False

    def _wait(self) -> bool:
        self._stalled = not self._poll.poll(0 if self._stalled else _PATIENCE)
        self._room = 0 if self._stalled else _ROOM
        return not self._stalled
