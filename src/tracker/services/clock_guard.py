"""Nothing is deleted for its age by a clock that was set far ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracker.errors import SetupError
from tracker.time_text import DAY, MICROS

if TYPE_CHECKING:
    from tracker.services.context import Clock

_MOST: Final = DAY
"""How far the time of day may go ahead of elapsed time: nothing is kept for less."""


class ClockGuard:
    """Compares the time of day with what has elapsed since a server was started."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = self._difference()

    def require_steady(self) -> None:
        """Check that the time of day was not set ahead by more than a day; backwards, it deletes nothing.

        Raises:
            SetupError: It was.
        """
        ahead = self._difference() - self._offset
        if ahead > _MOST:
            raise SetupError(
                f"the clock was set {ahead / DAY:,.0f} days ahead while the server ran: nothing is deleted"
                " for its age; correct the clock, or restart the server if it is right"
            )

    def _difference(self) -> int:
        return self._clock.now() - round(self._clock.elapsed() * MICROS)
