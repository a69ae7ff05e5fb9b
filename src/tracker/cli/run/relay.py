"""Passes the output of a command on as it arrives, and keeps its last lines.

Output to a terminal is not relayed, so that colours, progress bars and prompts work, and none of it is kept.
"""

from __future__ import annotations

import os
import re
import select
import selectors
import threading
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, Self

from tracker.telemetry.clean import redacted

_BYTES = 4_096
"""Bytes of the text."""

_KEPT = 65_536
"""Bytes of output kept: colours and progress bars take much more room than the text."""

_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # OSC and the like: titles, links
    r"|[ -/]*[0-~])"
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

_STDOUT, _STDERR = 1, 2
_PIECE = 65_536

_SETTLING = 5.0
"""Seconds to wait for the last output of a command that has ended: its reader may be blocked."""


class Tail:
    """Keeps the end of what is added to it."""

    def __init__(self, lines: int) -> None:
        self._lines = lines
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._cut = False

    def add(self, piece: bytes) -> None:
        """Add what the command wrote next."""
        self._pieces.append(piece)
        self._size += len(piece)
        while self._size - len(self._pieces[0]) >= _KEPT:
            self._size -= len(self._pieces.popleft())
            self._cut = True

    def text(self) -> str:
        """Return the last lines, without control sequences and credentials."""
        text = b"".join(self._pieces).decode(errors="replace")
        if self._cut:
            text = text.partition("\n")[2] or text
        lines = [_shown(line) for line in redacted(_ESCAPE.sub("", text)).split("\n")]
        while lines and not lines[-1]:
            lines.pop()
        last = "\n".join(lines[-self._lines :]).encode()
        return last.decode() if len(last) <= _BYTES else f"…{last[3 - _BYTES :].decode(errors='ignore')}"


def _shown(line: str) -> str:
    """Return what a terminal shows of a line that was overwritten."""
    parts = [part for part in line.split("\r") if part]
    return _CONTROL.sub("", parts[-1]).rstrip() if parts else ""


class _Pipe(NamedTuple):
    """A pipe that the command writes to, and the file descriptor that it leads to."""

    reading: int
    writing: int
    target: int


class Relay:
    """Relays the output of a command to standard output and error if these are not terminals.

    The command writes to `stdout` and `stderr`; None are those of this process.
    """

    def __init__(self, lines: int) -> None:
        """Keep the last `lines`; 0 relays nothing."""
        self.stdout: int | None = None
        self.stderr: int | None = None
        self._tail = Tail(lines)
        self._pipes: Sequence[_Pipe] = ()
        self._thread = threading.Thread(target=self._pass_on, name="relay", daemon=True)
        if lines:
            self._put_between()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Pass the rest on."""
        if self._thread.is_alive():
            self._thread.join()

    def begin(self) -> None:
        """Start to pass output on, until the command, which must have been started, has ended."""
        for pipe in self._pipes:
            os.close(pipe.writing)
        self._thread.start()

    def text(self) -> str:
        """Return the last lines of a command that has ended."""
        self._thread.join(_SETTLING)
        return self._tail.text()

    def _put_between(self) -> None:
        captured = [each for each in (_STDOUT, _STDERR) if _is_open(each) and not os.isatty(each)]
        if len(captured) > 1 and os.path.sameopenfile(_STDOUT, _STDERR):
            captured = [_STDOUT]  # one pipe for both, so that what is written stays in its order
        pipes = {target: _Pipe(*os.pipe(), target) for target in captured}
        self._pipes = list(pipes.values())
        if _STDOUT in pipes:
            self.stdout = pipes[_STDOUT].writing
        if _STDERR in pipes:
            self.stderr = pipes[_STDERR].writing
        elif self.stdout is not None and _is_open(_STDERR) and not os.isatty(_STDERR):
            self.stderr = self.stdout

    def _pass_on(self) -> None:
        with selectors.DefaultSelector() as selector:
            for pipe in self._pipes:
                selector.register(pipe.reading, selectors.EVENT_READ, pipe.target)
            while selector.get_map():
                for key, _ in selector.select():
                    piece = os.read(key.fd, _PIECE)
                    self._tail.add(piece)
                    if not piece or not _written(key.data, piece):
                        selector.unregister(key.fd)
                        os.close(key.fd)  # a writer gets EPIPE


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _written(target: int, piece: bytes) -> bool:
    """Write all of a piece; return whether the target is still open."""
    left = memoryview(piece)
    while left:
        try:
            left = left[os.write(target, left) :]
        except BlockingIOError:
            select.select([], [target], [])
        except OSError:
            return False
    return True
