"""Whether this server should be sent calls now."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tracker.errors import Reason, TrackerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_GOOD_FOR = 5.0
"""Seconds for which a store that took a write counts as one that takes writes."""


class Readiness:
    """Answers the readiness probe: asks the store, at most every few seconds while all is well."""

    def __init__(self, check: Callable[[], Awaitable[None]]) -> None:
        self._check = check
        self._proven = -_GOOD_FOR
        self._draining = False

    def drain(self) -> None:
        """Say no from now on: the server is about to stop."""
        self._draining = True

    async def __call__(self) -> None:
        """Return where the server is ready.

        Raises:
            TrackerError: UNAVAILABLE, with the reason why it is not.
        """
        if self._draining:
            raise TrackerError(Reason.DRAINING, "the server is stopping")
        if time.monotonic() - self._proven >= _GOOD_FOR:
            await self._check()
            self._proven = time.monotonic()
