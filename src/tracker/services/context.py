"""What every service has: the clock, the source of ids and the log."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import FilteringBoundLogger

_BOOTTIME = time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC


class Clock(Protocol):
    """The time of day, elapsed time, and waiting."""

    def now(self) -> int:
        """Return microseconds since the epoch, on the clock that all servers of a store share."""

    def elapsed(self) -> float:
        """Return seconds of a monotonic clock that keeps running while the machine is suspended."""

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds of elapsed time."""


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
        """Return after so many seconds of the event loop's time."""
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Context:
    """What services share.

    `now` returns microseconds since the epoch, `new_id` a new UUIDv7 in canonical text.
    """

    now: Callable[[], int]
    new_id: Callable[[], str]
    log: FilteringBoundLogger
