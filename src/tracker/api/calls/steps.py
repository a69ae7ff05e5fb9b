"""The steps that observe, authenticate, validate and authorize calls, and answer repeated ones."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Protocol

from tracker.api.error_details import internal_error
from tracker.errors import Reason, TrackerError
from tracker.pb.options import only_reads
from tracker.services.context import ANONYMOUS
from tracker.transcoding.rules import check_rules, compile_rules

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from protobuf import Message
    from structlog.typing import FilteringBoundLogger

    from tracker.api.calls.endpoint import Endpoint, Handler, Read
    from tracker.services.context import Call
    from tracker.services.idempotency import IdempotencyKeys


class CallObserver(Protocol):
    """What is reported of calls, for metrics."""

    def calls_under_way(self, change: int) -> None:
        """So many calls more, or less, are under way; calls of quiet endpoints are left out."""

    def call_finished(self, method: str, wire: str, code: str, seconds: float) -> None:
        """A call has ended; `code` is a name of `Code`, or OK."""


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

        return observed

    def _finish(self, endpoint: Endpoint, call: Call, error: TrackerError | None, seconds: float) -> None:
        code = "OK" if error is None else error.code.name
        self._observer.call_finished(endpoint.name, call.wire, code, seconds)
        details = {"reason": error.reason, "error": error.message} if error is not None else {}
        write = self._log.debug if endpoint.quiet and error is None else self._log.info
        write(
            "call",
            request_id=call.request_id,
            method=endpoint.name,
            wire=call.wire,
            peer=call.peer,
            user_agent=call.user_agent,
            code=code,
            duration_ms=round(seconds * 1000, 3),
            **details,
        )


class Authenticate:
    """Sets the principal of each call: the anonymous one, since there are no credentials yet."""

    def wrap(self, _endpoint: Endpoint, then: Handler) -> Handler:
        def authenticated(read: Read, call: Call) -> Awaitable[Any]:
            call.made_by(ANONYMOUS)
            return then(read, call)

        return authenticated


class Authorize:
    """Allows every principal, including the anonymous one, every endpoint: there is no access control yet."""

    def wrap(self, _endpoint: Endpoint, then: Handler) -> Handler:
        return then


class Validate:
    """Refuses requests that break the rules."""

    def wrap(self, endpoint: Endpoint, then: Handler) -> Handler:
        if endpoint.rpc is None:
            return then
        compile_rules(endpoint.rpc.input.type)  # now: the first call would wait for it

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
