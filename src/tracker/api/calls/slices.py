"""The step that bounds how long calls that arrive together keep the event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tracker.api.calls.endpoint import Endpoint, Handler, Read
    from tracker.services.context import Call

SECONDS = 0.010
"""How long calls may take to start in one round of the event loop."""
NEXT = 16
"""Calls that had to wait, of which so many start in a later round."""
UNTIMED = 8
"""One call in so many begins a slice: each one costs the loop another round."""


class Slices:
    """Starts calls in slices: when many arrive at once, the loop does other work in between.

    Probes and other quiet calls do not wait. A call that is cancelled while it waits costs little.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._in_slice = False
        self._ends = 0.0
        self._untimed = 0

    def wrap(self, endpoint: Endpoint, then: Handler) -> Handler:
        if endpoint.quiet:
            return then

        def sliced(read: Read, call: Call) -> Awaitable[Any]:
            return then(read, call) if self._may_start() else self._start_later(then, read, call)

        return sliced

    def _may_start(self) -> bool:
        if not self._in_slice:
            self._untimed += 1
            if self._untimed >= UNTIMED:
                self._begin()
            return True
        return not self._waiting and perf_counter() < self._ends

    async def _start_later(self, then: Handler, read: Read, call: Call) -> Any:  # noqa: ANN401 - whatever the handler returns
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn
        return await then(read, call)

    def _begin(self) -> None:
        self._in_slice = True
        self._untimed = 0
        self._ends = perf_counter() + SECONDS
        asyncio.get_running_loop().call_soon(self._next_round)

    def _next_round(self) -> None:
        """Start the next calls of those that wait."""
        self._in_slice = False
        started = 0
        while self._waiting and started < NEXT:
            turn = self._waiting.popleft()
            if not turn.done():  # its call was cancelled
                turn.set_result(None)
                started += 1
        if started:
            self._begin()
