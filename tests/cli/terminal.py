"""A terminal with a shell in it, and somebody who types."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import time
from typing import TYPE_CHECKING, Self

from tests.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


CTRL_C, CTRL_Z = b"\x03", b"\x1a"


BASH = ("bash", "--norc", "--noprofile", "--noediting", "-i")


class Terminal:
    """An interactive shell on a terminal of its own."""

    def __init__(self, environ: Mapping[str, str], shell: Sequence[str] = BASH) -> None:
        self._shell = shell
        self._environ = dict(environ) | {"TERM": "dumb", "PS1": "shell> ", "PS2": ""}

    def __enter__(self) -> Self:
        self._pid, self._file = pty.fork()
        if self._pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # which one in the background would ignore
            os.execvpe(self._shell[0], list(self._shell), self._environ)
        self._seen = ""
        self.expect("shell> ")
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)  # hangs up
        os.waitpid(self._pid, 0)

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._file, keys)

    def expect(self, pattern: str) -> re.Match[str]:
        """Wait until the screen shows something new, and return it; what is before it has been seen."""
        deadline = time.monotonic() + PATIENCE
        while (found := re.search(pattern, self._seen)) is None:
            assert time.monotonic() < deadline, self._seen
            if select.select([self._file], [], [], 0.1)[0]:
                self._seen += os.read(self._file, 4096).decode().replace("\r\n", "\n")
        self._seen = self._seen[found.end() :]
        return found
