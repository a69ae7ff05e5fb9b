"""A server's clock that stands still until a test moves it forward."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from tests.patience import PATIENCE

from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Callable


class StoppedClock:
    """The clock of one server, on which one task sleeps: the one that keeps leases.

    Its time of day is the store's, and as far ahead of it as the clock was moved forward.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._store_now: Callable[[], int] = int
        self._due = 0.0
        self._asleep = asyncio.Event()
        self._wake = asyncio.Event()

    def __call__(self, store_now: Callable[[], int]) -> Self:
        self._store_now = store_now
        return self

    def now(self) -> int:
        return self._store_now() + round(self.seconds * MICROS)

    def elapsed(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self._due = self.seconds + seconds
        self._wake.clear()
        self._asleep.set()
        await self._wake.wait()

    async def forward(self, seconds: float) -> None:
        """Let time go by; the sleeper wakes whenever it is due, and sleeps again before time goes on."""
        end = self.seconds + seconds
        async with asyncio.timeout(PATIENCE):
            await self._asleep.wait()
            while self._due <= end:
                self.seconds = self._due
                self._asleep.clear()
                self._wake.set()
                await self._asleep.wait()
        self.seconds = end
