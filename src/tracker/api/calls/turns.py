"""Turns for callers that make calls at the same time."""

from __future__ import annotations

import asyncio
from collections import deque
from heapq import heappop, heappush
from math import inf
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracker.api.calls.endpoint import Handler, Read
    from tracker.services.context import Call

AT_ONCE = 6
"""Calls that are under way at a time, while several callers make some."""
AHEAD = 16
"""Calls that a caller may have started in a row, after others had more."""

MOST_CALLERS = 10_000
"""Callers whose calls are counted, at most."""

_SHARED_SECONDS = 1.0
"""How long the calls of two callers count as made at the same time."""
_SLOW_SECONDS = 0.2
"""After which a call counts no longer as under way: it waits for a lock, or for a store that is slow."""


class Turns:
    """Starts the calls of several callers in turns, one in each round of the event loop.

    However many calls a caller makes at once, it delays those of another by a few, and callers that always
    have a call waiting have the same number started (start-time fair queuing). While only one caller makes
    calls, they start at once.
    """

    def __init__(self) -> None:
        self._last = ""
        self._shared_until = -inf
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._order: list[tuple[int, str]] = []
        """The callers with waiting calls, and how many calls each has had started: a heap."""
        self._started: dict[str, int] = {}
        self._now_at = 0
        """How many calls the caller of the last call that was started has had started."""
        self._under_way = 0
        self._has_started = False
        """Whether a call has started in this round."""

    def are_shared(self, caller: str, now: float) -> bool:
        """Note a call at `now`, in seconds of a monotonic clock; return whether it must wait for its turn."""
        if caller != self._last:
            self._shared_until = now + _SHARED_SECONDS if self._last else -inf
            self._last = caller
        return now < self._shared_until

    async def start(self, caller: str, then: Handler, read: Read, call: Call) -> Any:  # noqa: ANN401 - whatever the handler returns
        """Run a call when it is the turn of its caller."""
        loop = asyncio.get_running_loop()
        if self._has_started or self._under_way >= AT_ONCE:
            await self._wait(caller)
        else:
            self._begin_round()
            self._count(caller, self._place(caller))
        self._under_way += 1
        slow = loop.call_later(_SLOW_SECONDS, self._end)
        try:
            return await then(read, call)
        finally:
            if slow.when() > loop.time():
                slow.cancel()
                self._end()

    def _wait(self, caller: str) -> asyncio.Future[None]:
        """Return what is done when it is the turn of the caller."""
        turn = asyncio.get_running_loop().create_future()
        turns = self._waiting.get(caller)
        if turns is None:
            turns = self._waiting[caller] = deque()
            heappush(self._order, (self._place(caller), caller))
        turns.append(turn)
        return turn

    def _place(self, caller: str) -> int:
        return max(self._started.get(caller, 0), self._now_at - AHEAD)

    def _count(self, caller: str, place: int) -> None:
        if len(self._started) >= MOST_CALLERS:
            self._started.clear()
        self._now_at = place
        self._started[caller] = place + 1

    def _end(self) -> None:
        self._under_way -= 1
        if self._waiting and not self._has_started:
            self._begin_round()

    def _begin_round(self) -> None:
        self._has_started = True
        asyncio.get_running_loop().call_soon(self._next_round)

    def _next_round(self) -> None:
        """Start the next call; if none waits, the next one to come starts at once."""
        self._has_started = False
        if self._under_way < AT_ONCE and self._start_next():
            self._begin_round()

    def _start_next(self) -> bool:
        while self._order:
            place, caller = heappop(self._order)
            turns = self._waiting[caller]
            while turns and turns[0].done():  # its call was cancelled
                turns.popleft()
            turn = turns.popleft() if turns else None
            if turn is not None:
                self._count(caller, place)
            if turns:
                heappush(self._order, (place + 1, caller))
            else:
                del self._waiting[caller]
            if turn is not None:
                turn.set_result(None)
                return True
        return False
