"""What a server counts and measures, and the page on which Prometheus reads it."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder

from tracker import __version__
from tracker.telemetry.consumer_metrics import ConsumerMetrics
from tracker.telemetry.lock_metrics import LockMetrics
from tracker.telemetry.task_metrics import TaskMetrics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client.metrics_core import Metric

OTHER: Final = "other"
"""The label that all services share which came after the label had as many values as it may."""

_EVENT_LABELS: Final = ("service", "status", "environment")
_EVENT_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_RPC_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_COMMIT_SECONDS: Final = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    5,
)
_COMMIT_CHANGES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """The metrics of one server, on a registry of their own.

    It is what the chain, the services and the store report to; `locks` has those of locks, `tasks` those
    of background tasks, `consumers` those of consumers of changes. At most `max_services` values of the label
    `service` are kept apart; further ones are counted as `other`.
    """

    def __init__(self, *, max_services: int) -> None:
        self.registry = registry = CollectorRegistry()
        self._max_services = max_services
        self._services: set[str] = set()
        self._event_status = Counter(
            "tracker_event_status",
            "Events stored with a status or changed to it.",
            _EVENT_LABELS,
            registry=registry,
        )
        self._event_duration = Histogram(
            "tracker_event_duration_seconds",
            "Duration of events, by final status.",
            _EVENT_LABELS,
            buckets=_EVENT_SECONDS,
            registry=registry,
        )
        self._rpc_seconds = Histogram(
            "tracker_rpc_seconds",
            "Duration of calls, by method or route, wire (grpc, rest, http) and code.",
            ("method", "wire", "code"),
            buckets=_RPC_SECONDS,
            registry=registry,
        )
        self._under_way = 0  # a number, since a gauge takes longer to count than some calls to answer
        inflight = Gauge("tracker_inflight", "Calls under way, without probes.", registry=registry)
        inflight.set_function(lambda: self._under_way)
        self._commit_seconds = Histogram(
            "tracker_store_commit_seconds",
            "Duration of each commit of the store, until its changes are durable.",
            buckets=_COMMIT_SECONDS,
            registry=registry,
        )
        self._commit_changes = Histogram(
            "tracker_store_commit_changes",
            "Changes in each commit of the store.",
            buckets=_COMMIT_CHANGES,
            registry=registry,
        )
        self._queue = Gauge("tracker_store_queue", "Changes that wait for a commit.", registry=registry)
        self.locks = LockMetrics(registry)
        self.tasks = TaskMetrics(registry)
        self.consumers = ConsumerMetrics(registry)
        build = Info("tracker_build", "Version of Tracker and of Python.", registry=registry)
        build.info({"version": __version__, "python": platform.python_version()})
        self._own = tuple(_exposed_names(registry))
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self._calls: dict[tuple[str, str, str], Histogram] = {}

    @property
    def names(self) -> Sequence[str]:
        """The names of Tracker's own metrics, as they are exposed."""
        return self._own

    def event_status(self, service: str, status: str, environment: str) -> None:
        """Count an event that was stored with a status, or whose status changed to it."""
        self._event_status.labels(self._service(service), status, environment).inc()

    def event_duration(self, service: str, status: str, environment: str, seconds: float) -> None:
        """Measure an event that ended after `seconds`."""
        self._event_duration.labels(self._service(service), status, environment).observe(seconds)

    def calls_under_way(self, change: int) -> None:
        """Count so many calls more, or less, as under way."""
        self._under_way += change

    def call_finished(self, method: str, wire: str, code: str, seconds: float) -> None:
        """Measure a call that ended; `code` is a name of `Code`, or OK."""
        key = (method, wire, code)
        series = self._calls.get(key)
        if series is None:
            series = self._calls[key] = self._rpc_seconds.labels(*key)
        series.observe(seconds)

    def committed(self, seconds: float, changes: int) -> None:
        """Measure a commit of the store."""
        self._commit_seconds.observe(seconds)
        self._commit_changes.observe(changes)

    def queued(self, changes: int) -> None:
        """Set how many changes wait for a commit."""
        self._queue.set(changes)

    def _service(self, name: str) -> str:
        if name in self._services:
            return name
        if len(self._services) >= self._max_services:
            return OTHER
        self._services.add(name)
        return name


def exposition(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """Return all that a registry holds, in a format that the header `Accept` names, and its media type."""
    encode, media_type = choose_encoder(accept)
    return encode(_WithoutCreationTimes(registry)), media_type


class _WithoutCreationTimes:
    """The metrics of a registry without the `_created` series, which no rule or dashboard of ours reads."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [s for s in metric.samples if not s.name.endswith("_created")]
            yield metric


def _exposed_names(registry: CollectorRegistry) -> Iterator[str]:
    suffixes = {"counter": "_total", "info": "_info"}
    for metric in registry.collect():
        yield metric.name + suffixes.get(metric.type, "")
