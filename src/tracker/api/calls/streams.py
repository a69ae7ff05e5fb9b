"""Handlers whose answer is a stream of messages."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from tracker.errors import Reason, TrackerError

if TYPE_CHECKING:
    from tracker.api.calls.endpoint import Handler, StreamHandler
    from tracker.services.call import Call

UNREAD_SECONDS = 60.0
"""For how long a message of a stream may wait for its caller to read it."""


def sending(stream: StreamHandler) -> Handler:
    """Return a handler that hands message by message to `Call.send`, until the stream ends."""

    async def send_all(request: object, call: Call) -> None:
        async with aclosing(stream(request, call)) as messages:
            async for message in messages:
                try:
                    async with asyncio.timeout(UNREAD_SECONDS):
                        await call.send(message)
                except TimeoutError:
                    raise _too_slow() from None

    return send_all


def _too_slow() -> TrackerError:
    return TrackerError(
        Reason.CALLER_TOO_SLOW,
        f"the caller read nothing for {UNREAD_SECONDS:g} s; come back with the last resume_token",
    )
