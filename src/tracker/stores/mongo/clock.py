"""The database's clock: the one that all servers on it share."""

from __future__ import annotations

import time
from datetime import UTC
from typing import TYPE_CHECKING

from tracker.domain.times import MICROS, micros_of

if TYPE_CHECKING:
    from tracker.stores.mongo.connections import Connections

MEASURE_SECONDS = 2.0
"""Time between two measurements."""

_RESOLUTION = 1_000
"""`localTime` is whole milliseconds."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def _elapsed() -> int:
    """Return microseconds on a clock of this machine that nobody sets, and that goes on while it sleeps."""
    return time.clock_gettime_ns(_CLOCK) // 1_000


class DatabaseClock:
    """Tells the time of the primary's wall clock, from how far it is off a clock of this machine.

    The primary tells its time in the middle of a round trip, more or less: half the round trip is how
    wrong that can be. Between two measurements the time never goes back.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._offset: int | None = None
        self._error = 0

    def now(self) -> int:
        """Return the time in microseconds since the epoch; needs a measurement before."""
        if self._offset is None:
            raise RuntimeError("the database's clock was never read")
        return _elapsed() + self._offset

    async def measure(self) -> None:
        """Read the primary's clock.

        What lies within the error of both measurements is no reason to change the time.
        """
        before = _elapsed()
        hello = await self._connections.admin.command("hello")
        after = _elapsed()
        offset = micros_of(hello["localTime"].replace(tzinfo=UTC)) - (before + after) // 2
        error = (after - before) // 2 + _RESOLUTION
        if (
            self._offset is None
            or abs(offset - self._offset) > error + self._error
            or error < self._error / 2
        ):
            self._offset, self._error = offset, min(error, MICROS)
