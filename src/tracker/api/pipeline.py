"""The one path that every call takes, whichever wire it came over.

Decode, validate, run the service's method within the deadline, or find what an earlier call with the same
idempotency key was answered, turn whatever goes wrong into a
`TrackerError`, count, time and log the call once.
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar, cast

from protobuf.wkt import Duration

from tracker import pb
from tracker.api.error_details import internal_error
from tracker.domain.times import MICROS, duration_micros
from tracker.errors import Reason, TrackerError
from tracker.pb.methods import only_reads
from tracker.transcoding.rules import Rules

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
    from typing import NoReturn

    from protobuf import DescMethod, Message
    from structlog.typing import FilteringBoundLogger

    from tracker.services.call import Call
    from tracker.services.idempotency import IdempotencyKeys

    Decode = Callable[[], Message]
    Handler = Callable[[Message, Call], Awaitable[Message]]
    StreamHandler = Callable[[Message, Call], AsyncGenerator[Message, None]]
    SendMessage = Callable[[Message], Awaitable[None]]

T = TypeVar("T")

UNREAD_SECONDS = 60.0
"""For how long a message of a stream may wait for its caller to read it."""


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """One RPC: its descriptor, its message types, and the service's method that answers it.

    `streams` says whether the answer is a stream of messages.
    """

    desc: DescMethod
    full_name: str
    request: type[Message]
    response: type[Message]
    handler: Handler | StreamHandler
    streams: bool


def refusing(error: TrackerError) -> Decode:
    """Return the `decode` of a call that its wire refuses; the pipeline logs and counts such calls too."""

    def refuse() -> NoReturn:
        raise error

    return refuse


class CallObserver(Protocol):
    """What the pipeline tells of calls, for metrics."""

    def call_started(self) -> None:
        """A call has begun."""

    def call_finished(self, method: str, wire: str, code: str, seconds: float) -> None:
        """A call has ended; `code` is a name of `Code`, or OK."""


Services: TypeAlias = "Mapping[str, Sequence[object]]"
"""The objects that answer each service, by its full name: an RPC by the method of its name in snake case."""


def methods_of(services: Services) -> Iterator[Method]:
    """Yield the RPCs of all services that the protos declare.

    Raises:
        ValueError: An RPC has no answer, or more than one.
    """
    for file in pb.FILES:
        for service in file.services:
            for desc in service.methods:
                name = re.sub(r"(?<=.)(?=[A-Z])", "_", desc.name).lower()
                yield Method(
                    desc=desc,
                    full_name=f"{service.type_name}/{desc.name}",
                    request=desc.input.type,
                    response=desc.output.type,
                    handler=_handler(services[service.type_name], name),
                    streams=desc.method_kind == "server_streaming",
                )


def _handler(service: Sequence[object], name: str) -> Handler | StreamHandler:
    handlers: list[Handler | StreamHandler] = [getattr(part, name) for part in service if hasattr(part, name)]
    if len(handlers) != 1:
        raise ValueError(f"{name} has {len(handlers)} answers")
    return handlers[0]


class _Deadline:
    """Cancels the task it is made in after a number of seconds, None for never, unless disarmed before.

    A bare timer, since `asyncio.timeout` costs five times as much and most calls are done in a
    fraction of a millisecond.
    """

    __slots__ = ("_expired", "_loop", "_task", "_timer")

    def __init__(self, seconds: float | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(self._loop)
        self._timer = self._begin(seconds)
        self._expired = False

    def _begin(self, seconds: float | None) -> asyncio.TimerHandle | None:
        return None if seconds is None else self._loop.call_later(seconds, self._expire)

    def _expire(self) -> None:
        self._expired = True
        if self._task is not None:
            self._task.cancel()

    def passed(self) -> bool:
        """Return whether the deadline is why the task was cancelled; if so, it no longer is."""
        if self._expired and self._task is not None:
            self._task.uncancel()
        return self._expired

    def rearm(self, seconds: float) -> None:
        """Begin to count anew."""
        self.disarm()
        self._timer = self._begin(seconds)

    def disarm(self) -> None:
        """Let the task be."""
        if self._timer is not None:
            self._timer.cancel()


class Pipeline:
    """Takes calls from the wires to the services."""

    def __init__(
        self,
        services: Services,
        keys: IdempotencyKeys,
        *,
        observer: CallObserver,
        log: FilteringBoundLogger,
        timeout: float,
    ) -> None:
        self.methods: Sequence[Method] = tuple(methods_of(services))
        self._keys = keys
        self._observer = observer
        self._log = log
        self._timeout = timeout
        self._rules = Rules()
        for method in self.methods:
            self._rules.compile(method.request)  # so that no first call is slower than the next

    async def call(self, method: Method, decode: Decode, call: Call) -> Message:
        """Answer a call.

        `decode` makes the request message of the bytes that a wire received. The call may take as
        long as the caller will wait, and never longer than the server's own limit (seconds); what its
        field `wait` says comes on top of that.

        Raises:
            TrackerError: For every answer other than success.
        """
        deadline = _Deadline(self._limit(call))
        return await self._observed(method, call, deadline, self._answer(method, decode, call, deadline))

    async def stream(self, method: Method, decode: Decode, call: Call, send: SendMessage) -> None:
        """Answer a call whose answer is a stream: hand each message to `send`, until its caller goes away.

        `send` returns once the caller can take another one, and may be cancelled where that takes too long.
        The call may take as long as the caller said, and for ever where it did not say.

        Raises:
            TrackerError: For every end but that of the stream.
        """
        deadline = _Deadline(call.timeout)
        await self._observed(method, call, deadline, self._tell(method, decode, call, send))

    async def _answer(self, method: Method, decode: Decode, call: Call, deadline: _Deadline) -> Message:
        request = decode()
        self._rules.check(request)
        wait = getattr(request, "wait", None)
        if isinstance(wait, Duration):
            deadline.rearm(self._limit(call, duration_micros(wait) / MICROS))
        handler = cast("Handler", method.handler)
        if call.idempotency_key is None or only_reads(method.desc):
            return await handler(request, call)
        return await self._keys.answer(method.desc, request, call, handler)

    async def _tell(self, method: Method, decode: Decode, call: Call, send: SendMessage) -> None:
        request = decode()
        self._rules.check(request)
        async with aclosing(cast("StreamHandler", method.handler)(request, call)) as messages:
            async for message in messages:
                try:
                    async with asyncio.timeout(UNREAD_SECONDS):
                        await send(message)
                except TimeoutError:
                    raise _too_slow() from None

    async def _observed(
        self, method: Method, call: Call, deadline: _Deadline, answering: Coroutine[None, None, T]
    ) -> T:
        """Await an answer; count, time and log it, and turn whatever goes wrong into a `TrackerError`."""
        started = time.perf_counter()
        self._observer.call_started()
        error: TrackerError | None = None
        try:
            return await answering
        except TrackerError as raised:
            error = raised
            raise
        except asyncio.CancelledError:
            if not deadline.passed():
                error = TrackerError(Reason.CANCELLED, "the caller went away")
                raise
            error = TrackerError(Reason.DEADLINE_EXCEEDED, "the deadline passed")
            raise error from None
        except Exception as defect:
            self._log.exception("defect", request_id=call.request_id, method=method.full_name)
            error = internal_error(call.request_id)
            raise error from defect
        finally:
            deadline.disarm()
            self._finish(method, call, error, time.perf_counter() - started)

    def _limit(self, call: Call, wait: float = 0.0) -> float:
        own = self._timeout + wait
        return own if call.timeout is None else min(call.timeout, own)

    def _finish(self, method: Method, call: Call, error: TrackerError | None, seconds: float) -> None:
        code = "OK" if error is None else error.code.name
        self._observer.call_finished(method.full_name, call.wire, code, seconds)
        details = {"reason": error.reason, "error": error.message} if error is not None else {}
        self._log.info(
            "call",
            request_id=call.request_id,
            method=method.full_name,
            wire=call.wire,
            peer=call.peer,
            code=code,
            duration_ms=round(seconds * 1000, 3),
            **details,
        )


def _too_slow() -> TrackerError:
    return TrackerError(
        Reason.CALLER_TOO_SLOW,
        f"the caller read nothing for {UNREAD_SECONDS:g} s; come back with the last resume_token",
    )
