"""Where log lines go: a stream that may stall, fill up or vanish without harm to the server."""

from __future__ import annotations

import asyncio
import os
import select
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Line: TypeAlias = Callable[[], bytes]
"""Makes a line, without its end; must not raise, nor write a line itself."""

_ROOM: Final = select.PIPE_BUF
"""Bytes that a pipe reported writable takes without blocking, in one write or in several."""

_PATIENCE: Final = 1000
"""Milliseconds that a line waits for a reader who has stopped reading; the lines after it don't wait."""


class LineWriter:
    """Writes whole lines to a file descriptor, and drops those that it can't take.

    A reader that stalls costs the process one second, once: further lines are dropped at once until
    the descriptor takes one again, then `notice` makes the line that tells how many are missing.
    Lines written from an event loop are made and go out together at the end of its next turn, since a system
    call for each would cost a busy server more than making the line, and behind the answers of this turn,
    for which somebody waits. Safe to use from several threads.
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
        self._waiting: list[Line] = []

    def write(self, line: Line) -> None:
        """Write one line, unless the descriptor can't take it."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        with self._lock:
            self._waiting.append(line)
            if loop is not None and len(self._waiting) == 1:
                loop.call_soon(loop.call_soon, self.flush)
        if loop is None:
            self.flush()

    def flush(self) -> None:
        """Write the lines that wait for the end of the event loop's turn."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
            for piece in _pieces([line() for line in waiting]):
                if not self._send(b"\n".join(piece)):
                    self._dropped += len(piece)
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


def _pieces(lines: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Split lines into pieces that one write takes, and lines that are longer by themselves."""
    piece: list[bytes] = []
    size = 0
    for line in lines:
        if piece and size + len(line) >= _ROOM:
            yield piece
            piece, size = [], 0
        piece.append(line)
        size += len(line) + 1
    if piece:
        yield piece
