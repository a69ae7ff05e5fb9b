"""The last lines of the output of a command, as a text that can be stored."""

from __future__ import annotations

import re
from collections import deque

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
