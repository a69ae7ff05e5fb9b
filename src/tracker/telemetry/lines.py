"""Writes log lines to a stream that may stall, fill up or close without harm to the server."""

from __future__ import annotations

import asyncio
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from structlog.typing import EventDict

Record: TypeAlias = "tuple[int, str, EventDict]"
"""When a line was logged in nanoseconds since the epoch, its level and its fields."""

Render: TypeAlias = Callable[[int, str, "EventDict"], bytes]
"""Renders a record as a line, without its end; must not raise, nor log."""

_PIPE_SPACE: Final = select.PIPE_BUF
"""Bytes that a pipe reported as writable takes without blocking, in one write or in several."""

_NEWLINE: Final = ord("\n")

_PATIENCE: Final = 1000
"""Milliseconds that a line waits for a stalled reader; further lines do not wait."""


class LineWriter:
    """Writes whole lines to a file descriptor, and drops those that it can't take.

    A stalled reader costs the process one second, once: further lines are dropped immediately until the
    descriptor takes one again, and a line then reports how many are missing.

    Lines logged in an event loop are rendered and written together at the end of its next iteration: a system
    call for each would cost more than its rendering, and answers are sent first. Thread-safe.
    """

    def __init__(self, descriptor: int, render: Render) -> None:
        self._descriptor = descriptor
        self._render = render
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._lock = threading.Lock()
        self._space = 0
        self._stalled = False
        self._torn = False
        self._dropped = 0
        self._waiting: deque[Record] = deque()
        self._scheduled = False

    def write(self, *record: *Record) -> None:
        """Write one line, unless the descriptor can't take it."""
        self._waiting.append(record)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(loop.call_soon, self.flush)

    debug = info = warning = error = critical = write

    def flush(self) -> None:
        """Write the waiting lines."""
        self._scheduled = False
        with self._lock:
            lines = [self._render(*self._waiting.popleft()) for _ in range(len(self._waiting))]
            if dropped := self._send(b"\n".join([*lines, b""])):
                self._dropped += dropped
            elif self._dropped:
                fields = {"event": "log lines dropped", "count": self._dropped}
                if not self._send(self._render(time.time_ns(), "warning", fields) + b"\n"):
                    self._dropped = 0

    def _send(self, lines: bytes) -> int:
        """Write whole lines, as many at a time as a pipe takes; return how many could not be written."""
        data = b"\n" + lines if self._torn else lines
        start = 0
        try:
            while start < len(data):
                end = start + _PIPE_SPACE
                part = data[start : data.rfind(b"\n", start, end) + 1 or end]
                if len(part) > self._space and not self._wait():
                    break
                sent = os.write(self._descriptor, part)
                self._space -= sent
                self._torn = part[sent - 1] != _NEWLINE
                start += sent
        except OSError:  # closed pipe, full disk, lost terminal
            pass
        return min(data.count(b"\n", start), lines.count(b"\n"))

    def _wait(self) -> bool:
        self._stalled = not self._poll.poll(0 if self._stalled else _PATIENCE)
        self._space = 0 if self._stalled else _PIPE_SPACE
        return not self._stalled
