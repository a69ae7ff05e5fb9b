"""The clock of leases: it goes on while the machine is suspended, and nobody can set it."""

from __future__ import annotations

import time

_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS's monotonic clock does not stop


def now() -> int:
    """Return nanoseconds since some moment before all processes, the same for all of them."""
    return time.clock_gettime_ns(_BOOTTIME)
