"""The clock of leases: monotonic, also while the machine is suspended."""

from __future__ import annotations

import time

_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS's monotonic clock does not stop


def now() -> int:
    """Return nanoseconds since a moment that is the same for all processes."""
    return time.clock_gettime_ns(_BOOTTIME)
