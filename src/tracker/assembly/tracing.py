"""Traces of a server, where the variables of OpenTelemetry ask for them. They need the extra `otel`."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.api.calls.tracing import Trace
from tracker.services.webhooks.channels import traceparent
from tracker.stores.base import Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AsyncExitStack

    from structlog.typing import FilteringBoundLogger

    from tracker.api.calls.endpoint import Step
    from tracker.config.settings import Settings
    from tracker.services.webhooks.channels import Answer, Channel, Http, Sent
    from tracker.stores.webhooks import Delivery, StoredWebhook
    from tracker.telemetry.spans import Spans

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_EXPORTER: Final = "OTEL_TRACES_EXPORTER"
_PROTOCOL: Final = "http/protobuf"


class Tracing:
    """What makes spans in a server: `steps` of the chain; nothing where no traces are sent."""

    def __init__(self, spans: Spans | None = None) -> None:
        self._spans = spans
        self.steps: Sequence[Step] = () if spans is None else (Trace(spans),)

    def observe_store(self, store: Store, system: str) -> None:
        """Make spans of the operations of a store, of SQLite or MongoDB."""
        if self._spans is None:
            return
        for name in Store.__annotations__:
            setattr(store, name, self._spans.part_of_store(getattr(store, name), name, system))

    def over(self, http: Http) -> Http:
        """Return what sends requests, with a span of each."""
        return http if self._spans is None else _Traced(http, self._spans)

    def over_channel(self, channel: Channel, name: str = "") -> Channel:
        """Return what sends messages, whose requests are parts of the traces of their events.

        A name is that of a span of each message, where the channel makes no requests that have spans.
        """
        return channel if self._spans is None else _TracedChannel(channel, self._spans, name)


class _Traced:
    def __init__(self, http: Http, spans: Spans) -> None:
        self._http = http
        self._spans = spans
        self.errors = http.errors

    async def request(self, verb: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        answer: Answer = await self._spans.around(
            verb, url, headers, lambda traced: self._http.request(verb, url, traced, body)
        )
        return answer


class _TracedChannel(NamedTuple):
    channel: Channel
    spans: Spans
    name: str

    async def send(self, webhook: StoredWebhook, deliveries: Sequence[Delivery], receipt: str, /) -> Sent:
        first, *others = deliveries
        sent: Sent = await self.spans.attempt(
            self.name,
            "" if others else traceparent(first),  # a summary is about several events
            lambda: self.channel.send(webhook, deliveries, receipt),
        )
        return sent


def open_tracing(settings: Settings, log: FilteringBoundLogger, opened: AsyncExitStack) -> Tracing:
    """Begin to make spans, if the environment asks for it; say why not, if that is not possible."""
    if not is_asked(os.environ):
        return Tracing()
    if problem := problem_of(os.environ):
        log.warning("no traces are sent", reason=problem)
        return Tracing()
    from tracker.telemetry.spans import Spans  # noqa: PLC0415 - an extra, which may be missing

    spans = Spans("http" if settings.tls_cert is None else "https")
    opened.push_async_callback(spans.close)
    return Tracing(spans)


def is_asked(environ: Mapping[str, str]) -> bool:
    """Return whether the environment asks for traces: it names where to, and does not turn them off."""
    exporter = environ.get(_EXPORTER, "").strip()
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter == "none":
        return False
    return bool(exporter) or any(environ.get(name) for name in _ENDPOINTS)


def problem_of(environ: Mapping[str, str]) -> str:
    """Return why traces that are asked for can't be sent, or nothing."""
    if (exporter := environ.get(_EXPORTER, "").strip() or "otlp") != "otlp":
        return f"{_EXPORTER} is {exporter}, and traces are sent over otlp alone"
    for name in _PROTOCOLS:
        if protocol := environ.get(name, "").strip():
            if protocol != _PROTOCOL:
                return f"{name} is {protocol}, and traces are sent over {_PROTOCOL} alone"
            break
    for name in _ENDPOINTS:
        if address := environ.get(name, ""):
            if not address.startswith(("http://", "https://")):
                return f"{name}: expected an address such as http://localhost:4318"
            break
    if not all(map(_is_installed, ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"))):
        return (
            f"the extra `otel` of tracker-server is not installed: {sys.executable} -m pip install"
            " 'opentelemetry-sdk>=1.45' 'opentelemetry-exporter-otlp-proto-http>=1.45'"
        )
    return ""


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package above it
        return False
