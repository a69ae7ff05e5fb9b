"""The clocks of one server."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

_BOOTTIME = time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC


class Clock(Protocol):
    """The time of day, elapsed time, and waiting."""

    def now(self) -> int:
        """Return microseconds since the epoch, on the clock that all servers of a store share."""

    def elapsed(self) -> float:
        """Return seconds on a clock that nobody sets, and that runs on while the machine is suspended."""

    async def sleep(self, seconds: float) -> None:
        """Return after some elapsed time."""


MakeClock: TypeAlias = "Callable[[Callable[[], int]], Clock]"
"""Makes the clock of a server from the store's time of day."""


class SystemClock:
    """The store's time of day, and elapsed time of this machine."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now

    def elapsed(self) -> float:
        """Return the seconds since the machine was started."""
        return time.clock_gettime(_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        """Return after some time of the event loop."""
        await asyncio.sleep(seconds)
