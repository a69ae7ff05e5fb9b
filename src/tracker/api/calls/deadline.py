"""The step that ends a call once its deadline has passed."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Any

from protobuf import DescMessage

from tracker.domain.times import MICROS, duration_micros
from tracker.errors import Reason, TrackerError
from tracker.transcoding.fields import DURATION

if TYPE_CHECKING:
    from tracker.api.calls.endpoint import Endpoint, Handler, Read
    from tracker.services.call import Call


class Deadline:
    """Reads the request, then ends its call if that takes too long.

    A call may take as long as its caller is willing to wait, and at most the limit of its endpoint or else
    of the server (seconds), plus the field `wait` of the request. A stream has no limit but its caller's.
    The wire limits how long a request takes to arrive.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def wrap(self, endpoint: Endpoint, then: Handler) -> Handler:
        own = inf if endpoint.streams else endpoint.limits.seconds or self._seconds
        waits = _has_wait(endpoint)
        if own == inf and not endpoint.streams:

            async def unlimited(read: Read, call: Call) -> Any:  # noqa: ANN401 - whatever the handler returns
                return await then(await read(), call)

            return unlimited

        async def limited(read: Read, call: Call) -> Any:  # noqa: ANN401 - whatever the handler returns
            request = await read()
            seconds = own + _wait_seconds(request) if waits else own
            if call.timeout is not None and call.timeout < seconds:
                seconds = call.timeout
            timer = _Timer(seconds)
            try:
                return await then(request, call)
            except asyncio.CancelledError:
                if not timer.passed():
                    raise
                raise TrackerError(Reason.DEADLINE_EXCEEDED, "the deadline passed") from None
            finally:
                timer.disarm()

        return limited


def _has_wait(endpoint: Endpoint) -> bool:
    """Return whether requests have a field `wait`: for how long a call may wait."""
    if endpoint.rpc is None:
        return False
    wait = next((field.value for field in endpoint.rpc.input.fields if field.name == "wait"), None)
    message = getattr(wait, "message", None)
    return isinstance(message, DescMessage) and message.type_name == DURATION


def _wait_seconds(request: Any) -> float:  # noqa: ANN401 - a message with a field `wait`
    return duration_micros(request.wait) / MICROS if request.wait is not None else 0.0


class _Timer:
    """Cancels the current task after a number of seconds, unless disarmed before; `inf` is never.

    A bare timer: `asyncio.timeout` costs five times as much, and most calls take a fraction of a millisecond.
    """

    __slots__ = ("_expired", "_task", "_timer")

    def __init__(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(loop)
        self._timer = None if seconds == inf else loop.call_later(seconds, self._expire)
        self._expired = False

    def _expire(self) -> None:
        self._expired = True
        if self._task is not None:
            self._task.cancel()

    def passed(self) -> bool:
        """Return whether the deadline has cancelled the task; if so, revoke that cancellation."""
        if self._expired and self._task is not None:
            self._task.uncancel()
        return self._expired

    def disarm(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
