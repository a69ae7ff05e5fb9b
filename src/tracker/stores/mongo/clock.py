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
    """Return microseconds of a clock that is never set and goes on while this machine is suspended."""
    return time.clock_gettime_ns(_CLOCK) // 1_000


class DatabaseClock:
    """The primary's wall clock, computed from its offset to a clock of this machine.

    The primary reads its clock at some moment of a round trip: the error is at most half the round trip.
    Between two measurements the time never goes back.
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

        A difference within the error of both measurements does not change the time.
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
