"""The step of the chain that makes spans of calls."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Protocol

from tracker.errors import Reason, TrackerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.api.calls.endpoint import Endpoint, Handler, Read
    from tracker.services.context import Call
    from tracker.traces import SpanIds

_OK: Final = 200


class CallSpan(Protocol):
    """The span of a call under way."""

    @property
    def ids(self) -> SpanIds:
        """The ids of the span and of its trace."""

    def end(self, client: str, error: TrackerError | None, status: int = ...) -> None:
        """End the span of a call from an address; `status` is that of an HTTP answer without an error."""


class CallSpans(Protocol):
    """Makes spans of calls."""

    def call(self, wire: str, method: str, route: str, verb: str, headers: Mapping[str, str], /) -> CallSpan:
        """Begin the span of a call, as a part of the trace that its headers name."""


class Trace:
    """Makes spans of calls, but of those of quiet endpoints."""

    def __init__(self, spans: CallSpans) -> None:
        self._spans = spans

    def wrap(self, endpoint: Endpoint, then: Handler) -> Handler:
        """Return a handler whose calls have spans."""
        if endpoint.quiet:
            return then
        begin, method = self._spans.call, endpoint.name

        async def traced(read: Read, call: Call) -> Any:  # noqa: ANN401 - whatever the handler returns
            route = call.route
            path = "" if route is None else route.path
            span = begin(call.wire, method, path, call.verb, call.headers)
            call.span = span.ids
            try:
                answer = await then(read, call)
            except TrackerError as error:
                span.end(call.address, error)
                raise
            except asyncio.CancelledError:
                span.end(call.address, TrackerError(Reason.CANCELLED, "the caller went away"))
                raise
            span.end(call.address, None, getattr(answer, "status", _OK) if route is None else route.success)
            return answer

        return traced
