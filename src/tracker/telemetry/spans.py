"""Spans of calls, of operations of the store and of outgoing requests, sent over OTLP.

The SDK of OpenTelemetry, an extra, samples, queues and sends them; its environment variables say how:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/. Names and attributes are
those of https://opentelemetry.io/docs/specs/semconv/. Queries, bodies, paths with values, headers and the
messages of errors may have secrets, and are in no span.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import INVALID_SPAN, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tracker import __version__
from tracker.errors import Code, TrackerError
from tracker.traces import HEADER, SpanIds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextvars import Token

    from opentelemetry.trace import Span

_VERBS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_FAILURES: Final = frozenset(
    (Code.DEADLINE_EXCEEDED, Code.UNIMPLEMENTED, Code.INTERNAL, Code.UNAVAILABLE, Code.DATA_LOSS)
)
"""Codes that are failures of a server, by the conventions for gRPC."""
_FIRST_FAILURE: Final = 500
_FIRST_REFUSAL: Final = 400
_OK: Final = 200
_OTHER: Final = "_OTHER"
_CLOSE_SECONDS: Final = 3.0

_CURRENT: ContextVar[Context | None] = ContextVar("tracker_span", default=None)
"""The context of the call or the attempt under way, if its span is sent."""


class Spans:
    """Makes spans, and sends them in batches from a queue, which drops those that it can't take."""

    def __init__(self, scheme: str) -> None:
        """Begin to send what is made; `scheme` is that of addresses of the server."""
        resource = Resource.create({"service.version": __version__})
        if str(resource.attributes["service.name"]).startswith("unknown_service"):
            resource = resource.merge(Resource({"service.name": "tracker"}))
        self._exporter = OTLPSpanExporter()
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._start = self._provider.get_tracer("tracker", __version__).start_span
        self._scheme = scheme
        self._propagator = TraceContextTextMapPropagator()

    def call(self, wire: str, method: str, route: str, verb: str, headers: Mapping[str, str]) -> CallSpan:
        """Begin the span of a call, as a part of the trace that its headers name.

        `method` is the name of its endpoint, `route` the template of its path, and `verb` that of HTTP.
        """
        if wire == "grpc":
            name = method if "/" in method else ""
            attributes = {"rpc.system.name": "grpc", "rpc.method": name or _OTHER}
            name = name or "grpc"
        else:
            route = route or (method if method.startswith("/") else "")
            name = f"{verb if verb in _VERBS else 'HTTP'} {route}".strip() if verb else method
            attributes = {"http.route": route} if route else {}
            if verb:
                attributes["http.request.method"] = verb if verb in _VERBS else _OTHER
                attributes["url.scheme"] = self._scheme
            if route and "{" not in route:
                attributes["url.path"] = route
        if agent := headers.get("user-agent"):
            attributes["user_agent.original"] = agent
        span = self._start(name, self._parent(headers), SpanKind.SERVER, attributes)
        return CallSpan(span, wire)

    def part_of_store(self, part: object, name: str, system: str) -> object:
        """Return a part of a store whose operations have spans, within those of calls."""
        return _Part(part, name, system, self._start)

    async def around(
        self, verb: str, url: str, headers: Mapping[str, str], send: Callable[[Mapping[str, str]], Any]
    ) -> Any:  # noqa: ANN401 - an answer with a status
        """Return the answer to a request that `send` sends with the headers of its span."""
        address = urlsplit(url)
        attributes: dict[str, str | int] = {
            "http.request.method": verb,
            "url.scheme": address.scheme,
            "server.address": address.hostname or "",
            "server.port": address.port or (443 if address.scheme == "https" else 80),
        }
        parent = self._parent(headers) if HEADER in headers else _CURRENT.get() or Context()
        span = self._start(verb, parent, SpanKind.CLIENT, attributes)
        carrier = dict(headers)
        self._propagator.inject(carrier, set_span_in_context(span, Context()))
        try:
            answer = await send(carrier)
        except Exception as error:
            _fail(span, type(error).__name__)
            raise
        else:
            span.set_attribute("http.response.status_code", answer.status)
            if answer.status >= _FIRST_REFUSAL:
                _fail(span, str(answer.status))
            return answer
        finally:
            span.end()

    async def attempt(self, name: str, parent: str, send: Callable[[], Any]) -> Any:  # noqa: ANN401 - the same
        """Return what became of an attempt to send a message, whose requests are in the trace of `parent`.

        With a name, the attempt itself has a span.
        """
        context = self._parent({HEADER: parent} if parent else {})
        token = _CURRENT.set(context)
        span = self._start(name, context, SpanKind.CLIENT) if name else INVALID_SPAN
        try:
            sent = await send()
        except Exception as error:
            _fail(span, type(error).__name__)
            raise
        else:
            if sent.problem:
                _fail(span, _OTHER)
            return sent
        finally:
            span.end()
            _CURRENT.reset(token)

    async def close(self) -> None:
        """Send what waits to be sent, for three seconds at most."""
        sending = threading.Thread(target=self._provider.shutdown, name="tracker-spans-close", daemon=True)
        sending.start()
        await asyncio.to_thread(sending.join, _CLOSE_SECONDS)
        if sending.is_alive():
            self._exporter.shutdown()  # type: ignore[no-untyped-call]  # which ends the pauses between its attempts

    def _parent(self, headers: Mapping[str, str]) -> Context:
        """Return the context that headers name, or an empty one."""
        return self._propagator.extract(headers, Context()) if HEADER in headers else Context()


class CallSpan:
    """The span of a call under way. `ids` are those of the span, for the log."""

    __slots__ = ("_span", "_token", "_wire", "ids")

    def __init__(self, span: Span, wire: str) -> None:
        context = span.get_span_context()
        self.ids = SpanIds(f"{context.trace_id:032x}", f"{context.span_id:016x}")
        self._span = span
        self._wire = wire
        self._token: Token[Context | None] = _CURRENT.set(
            set_span_in_context(span, Context()) if span.is_recording() else None
        )

    def end(self, client: str, error: TrackerError | None, status: int = _OK) -> None:
        """End the span of a call from an address; `status` is that of an HTTP answer without an error."""
        _CURRENT.reset(self._token)
        span = self._span
        if span.is_recording():
            span.set_attribute("client.address", client)
            if error is not None:
                status = error.reason.http_status
                span.set_attribute("tracker.reason", error.reason.value)
            if self._wire == "grpc":
                code = "OK" if error is None else error.code.name
                span.set_attribute("rpc.response.status_code", code)
                if error is not None and error.code in _FAILURES:
                    _fail(span, code)
            else:
                span.set_attribute("http.response.status_code", int(status))
                if status >= _FIRST_FAILURE:
                    _fail(span, str(int(status)) if error is None else error.reason.value)
        span.end()


class _Part:
    """A part of a store, whose operations have spans within those of calls."""

    def __init__(self, part: object, name: str, system: str, start: Callable[..., Span]) -> None:
        self._part = part
        self._name = name
        self._system = system
        self._start = start

    def __getattr__(self, operation: str) -> Any:  # noqa: ANN401 - whatever the part has
        member = getattr(self._part, operation)
        if not inspect.iscoroutinefunction(member):
            return member
        name, start = f"{operation} {self._name}", self._start
        attributes = {
            "db.system.name": self._system,
            "db.operation.name": operation,
            "db.collection.name": self._name,
        }

        async def observed(*given: object, **named: object) -> Any:  # noqa: ANN401 - the same
            context = _CURRENT.get()
            if context is None:
                return await member(*given, **named)
            span = start(name, context, SpanKind.CLIENT, attributes)
            try:
                return await member(*given, **named)
            except TrackerError as error:
                if error.code in _FAILURES:
                    _fail(span, error.reason.value)
                raise
            except Exception as error:
                _fail(span, type(error).__name__)
                raise
            finally:
                span.end()

        self.__dict__[operation] = observed
        return observed


def _fail(span: Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR))
