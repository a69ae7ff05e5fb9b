"""The clock of the embedded store: that of the one machine which has its file."""

from __future__ import annotations

import time


def now() -> int:
    """Return the time in microseconds since the epoch."""
    return time.time_ns() // 1_000
