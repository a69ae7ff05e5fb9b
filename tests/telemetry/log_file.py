"""A log file that a test reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tracker.telemetry.logs import make_logger

if TYPE_CHECKING:
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

    from tracker.telemetry.logs import Format


class LogFile:
    """A file, loggers that write to it, and what is in it since it was last read."""

    def __init__(self, path: Path) -> None:
        self._writing = path.open("wb")
        self._reading = path.open("rb")

    def logger(self, level: str = "info", form: Format = "json") -> FilteringBoundLogger:
        return make_logger(level, form, self._writing)

    def text(self) -> str:
        return self._reading.read().decode()

    def line(self) -> dict[str, Any]:
        """Return the only line that came since the last call."""
        text = self.text()
        assert text.endswith("\n")
        assert len(text.splitlines()) == 1, text
        line = json.loads(text)
        assert isinstance(line, dict)
        return line

    def close(self) -> None:
        self._writing.close()
        self._reading.close()
