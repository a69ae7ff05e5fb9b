"""The step that limits how many streams are open, and can end them.

How large a request may be is checked where it is read, in the `Read` of its wire, by `Endpoint.limits`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracker.errors import Reason, TrackerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.api.calls.endpoint import Endpoint, Handler, Read
    from tracker.services.call import Call, Send

MAX_STREAMS = 5_000
"""How many streams a server keeps open at a time."""

_CANCEL_AGAIN = 0.1
"""Seconds after which a stream that has not ended is cancelled again."""


@dataclass(eq=False, slots=True)
class _Stream:
    endpoint: Endpoint
    call: Call
    task: asyncio.Task[object]
    deliver: Send
    sending: bool = False
    why: TrackerError | None = None

    async def send(self, message: object) -> None:
        """Send a message without being cancelled meanwhile: gRPC could then not send the error."""
        self.sending = True
        try:
            await self.deliver(message)
        finally:
            self.sending = False
        if self.why is not None:
            raise self.why


class OpenStreams:
    """The streams that are open: at most `MAX_STREAMS`, and each can be ended from outside."""

    def __init__(self) -> None:
        self._open: set[_Stream] = set()
        self._refused: Callable[[Endpoint, Call], TrackerError | None] = lambda *_: None

    def wrap(self, endpoint: Endpoint, then: Handler) -> Handler:
        if not endpoint.streams:
            return then

        async def opened(read: Read, call: Call) -> Any:  # noqa: ANN401 - whatever the handler returns
            stream = self._enter(endpoint, call)
            try:
                return await then(read, call)
            except asyncio.CancelledError:
                if stream.why is None:
                    raise
                while stream.task.cancelling():
                    stream.task.uncancel()
                raise stream.why from None
            finally:
                self._open.discard(stream)

        return opened

    def end(self, why: Callable[[Endpoint, Call], TrackerError | None]) -> None:
        """End the streams for which `why` returns an error, and refuse further ones, with that error."""
        self._refused = why
        for stream in self._open:
            error = why(stream.endpoint, stream.call)
            if error is not None and stream.why is None:
                stream.why = error
                self._cancel(stream)

    def _cancel(self, stream: _Stream) -> None:
        """Cancel a stream, again and again until it ends: a driver may swallow a cancellation."""
        if stream in self._open:
            if not stream.sending:
                stream.task.cancel()
            asyncio.get_running_loop().call_later(_CANCEL_AGAIN, self._cancel, stream)

    def _enter(self, endpoint: Endpoint, call: Call) -> _Stream:
        refused = self._refused(endpoint, call)
        if refused is not None:
            raise refused
        if len(self._open) >= MAX_STREAMS:
            raise TrackerError(Reason.TOO_MANY_WATCHES, f"{MAX_STREAMS} watches are under way")
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call runs in a task")
        stream = _Stream(endpoint, call, task, call.send)
        call.send = stream.send
        self._open.add(stream)
        return stream
