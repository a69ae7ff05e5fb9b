"""The steps of the chain: observe, limit, validate, and answer repeated calls.

How large a request may be is checked where it is read, in the `Read` of its wire, by `Endpoint.limits`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from tracker.api.calls.endpoint import current_task
from tracker.api.wires import internal_error
from tracker.domain.access import PrincipalKind
from tracker.domain.times import duration_seconds
from tracker.errors import Reason, TrackerError
from tracker.pb.options import only_reads
from tracker.transcoding.fields import fields_by_name
from tracker.transcoding.rules import check_rules, compile_rules

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from protobuf import Message
    from structlog.typing import FilteringBoundLogger

    from tracker.api.calls.endpoint import Endpoint, Handler, Read
    from tracker.domain.access import Principal
    from tracker.services.context import Call, Send
    from tracker.services.idempotency import IdempotencyKeys


class CallObserver(Protocol):
    """What is reported of calls, for metrics."""

    def calls_under_way(self, change: int) -> None:
        """So many calls more, or less, are under way; calls of quiet endpoints are left out."""

    def call_finished(self, method: str, wire: str, code: str, seconds: float) -> None:
        """A call has ended; `code` is a name of `Code`, or OK."""

    def call_authorized(self, principal: str, reason: Reason | None) -> None:
        """A call of a kind of principal has ended, with an error of this reason if any."""


_CALL: tuple[str, dict[str, object]] = ("call", {})
"""What the line of a call says that did nothing worth a message."""


class Observe:
    """Observes calls from their start to their end."""

    def __init__(self, observer: CallObserver, log: FilteringBoundLogger) -> None:
        self._observer = observer
        self._log = log

    def wrap(self, endpoint: Endpoint, then: Handler) -> Handler:
        clock, log = time.perf_counter, self._log
        under_way, finish = self._observer.calls_under_way, self._finish
        weight = 0 if endpoint.quiet else 1

        async def observed(read: Read, call: Call) -> Any:  # noqa: ANN401 - whatever the handler returns
            start = clock()
            under_way(weight)
            error: TrackerError | None = None
            try:
                return await then(read, call)
            except TrackerError as raised:
                error = raised
                raise
            except asyncio.CancelledError:
                error = TrackerError(Reason.CANCELLED, "the caller went away")
                raise
            except Exception as defect:
                log.exception("defect", request_id=call.request_id, method=endpoint.name)
                error = internal_error(call.request_id)
                raise error from defect
            finally:
                under_way(-weight)
                finish(endpoint, call, error, clock() - start)
                del error  # whose traceback has this frame, and with it all that the call has read

        return observed

    def _finish(self, endpoint: Endpoint, call: Call, error: TrackerError | None, seconds: float) -> None:
        code = "OK" if error is None else error.code.name
        self._observer.call_finished(endpoint.name, call.wire, code, seconds)
        principal: Principal | None = getattr(call, "principal", None)
        kind = PrincipalKind.ANONYMOUS if principal is None else principal.kind
        self._observer.call_authorized(kind, None if error is None else error.reason)
        message, done = call.did or _CALL
        call.did = _CALL  # what is reported from now on has a line of its own
        line: dict[str, object] = {
            "request_id": call.request_id,
            "method": endpoint.name,
            "wire": call.wire,
            "peer": call.peer,
            "user_agent": call.user_agent,
            "code": code,
            "duration_ms": round(seconds * 1000, 3),
            **done,
        }
        if call.span is not None:
            line |= call.span._asdict()
        elif trace_id := call.trace_id:
            line["trace_id"] = trace_id
        if error is not None:
            line |= {"reason": error.reason, "error": error.message}
        write = self._log.debug if endpoint.quiet and error is None else self._log.info
        write(message, **line)


class Validate:
    """Refuses requests that break the rules."""

    def wrap(self, endpoint: Endpoint, then: Handler) -> Handler:
        if endpoint.rpc is None:
            return then
        compile_rules(endpoint.rpc.input.type)  # type: ignore[arg-type]  # now, for the first call; a class can be hashed

        def validated(request: Message, call: Call) -> Awaitable[Any]:
            check_rules(request)
            return then(request, call)

        return validated


class Idempotency:
    """Looks up the idempotency keys of calls that may change something."""

    def __init__(self, keys: IdempotencyKeys) -> None:
        self._keys = keys

    def wrap(self, endpoint: Endpoint, then: Handler) -> Handler:
        rpc = endpoint.rpc
        if rpc is None or endpoint.streams or only_reads(rpc):
            return then
        answer = self._keys.answer

        def once(request: Message, call: Call) -> Awaitable[Any]:
            if call.idempotency_key is None:
                return then(request, call)
            return answer(rpc, request, call, then)

        return once


MAX_STREAMS = 5_000
"""How many streams a server keeps open at a time."""
MAX_STREAMS_OF_ONE = 500
"""How many of them may be a principal's; callers without credentials have no limit of their own."""

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
    """The streams that are open: so many at most, and each can be ended from outside."""

    def __init__(self, gauge: Callable[[Callable[[], float]], object] = callable) -> None:
        """Take what is given a function that returns the number of streams of RPCs, for metrics."""
        self._open: set[_Stream] = set()
        gauge(lambda: sum(each.endpoint.rpc is not None for each in self._open))
        self._of_each = Counter[str]()
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
                self._leave(stream)

        return opened

    def end(self, why: Callable[[Endpoint, Call], TrackerError | None]) -> None:
        """End the streams for which `why` returns an error, and refuse further ones, with that error."""
        self._refused = why
        self._end(why)

    def end_those(self, why: Callable[[Call], TrackerError | None]) -> None:
        """End the streams for which `why` returns an error, with that error."""
        self._end(lambda _, call: why(call))

    def _end(self, why: Callable[[Endpoint, Call], TrackerError | None]) -> None:
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
        principal = call.principal
        if self._of_each[principal.known_id] >= MAX_STREAMS_OF_ONE and not principal.is_anonymous:
            message = f"{principal.id} has {MAX_STREAMS_OF_ONE} watches"
            raise TrackerError(Reason.TOO_MANY_WATCHES, message)
        stream = _Stream(endpoint, call, current_task(), call.send)
        call.send = stream.send
        self._open.add(stream)
        self._of_each[principal.known_id] += 1
        return stream

    def _leave(self, stream: _Stream) -> None:
        self._open.discard(stream)
        principal_id = stream.call.principal.known_id
        self._of_each[principal_id] -= 1
        if not self._of_each[principal_id]:
            del self._of_each[principal_id]


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
        waits = endpoint.rpc is not None and "wait" in fields_by_name(endpoint.rpc.input)
        if own == inf and not endpoint.streams:

            async def unlimited(read: Read, call: Call) -> Any:  # noqa: ANN401 - whatever the handler returns
                return await then(await read(), call)

            return unlimited

        async def limited(read: Read, call: Call) -> Any:  # noqa: ANN401 - whatever the handler returns
            request: Any = await read()
            seconds = own + duration_seconds(request.wait) if waits else own
            if call.timeout is not None and call.timeout < seconds:
                seconds = call.timeout
                if seconds <= 0:
                    raise _deadline_exceeded()
            task, passed = current_task(), False

            def expire() -> None:
                nonlocal passed
                passed = True
                task.cancel()

            # A bare timer: `asyncio.timeout` costs five times as much, and most calls take less than 1 ms.
            timer = None if seconds == inf else asyncio.get_running_loop().call_later(seconds, expire)
            try:
                return await then(request, call)
            except asyncio.CancelledError:
                if not passed:
                    raise
                task.uncancel()
                raise _deadline_exceeded() from None
            finally:
                if timer is not None:
                    timer.cancel()

        return limited


def _deadline_exceeded() -> TrackerError:
    return TrackerError(Reason.DEADLINE_EXCEEDED, "the deadline passed")
