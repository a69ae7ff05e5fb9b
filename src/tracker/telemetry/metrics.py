"""The metrics of a server, and their text for Prometheus."""

from __future__ import annotations

import platform
import re
import time
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Final

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import choose_encoder

from tracker import __version__
from tracker.errors import Reason
from tracker.telemetry.histograms import Counts, Histogram, Moments

if TYPE_CHECKING:
    from collections.abc import Mapping

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call] # the library has no annotation; nobody reads them

OTHER: Final = "other"
"""The label of all services beyond the limit of values."""

_ESCAPING: Final = re.compile(r";\s*escaping=[^;,]*")

_EVENT_LABELS: Final = ("service", "status", "environment")
_EVENT_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_RPC_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_COMMIT_MILLISECONDS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 5_000)
_WAIT_SECONDS: Final = (0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_HOLD_SECONDS: Final = (0.1, 1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400)
_REFUSALS: Final = (Reason.LOCK_HELD, Reason.LOCK_WAIT_TIMEOUT, Reason.LOCK_DELAY, Reason.LOCK_TOKEN_USED)
_ACCESS: Final = {
    Reason.AUTHENTICATION_REQUIRED: "unauthenticated",
    Reason.INVALID_CREDENTIALS: "unauthenticated",
    Reason.TOO_MANY_FAILED_ATTEMPTS: "unauthenticated",
    Reason.PERMISSION_REQUIRED: "denied",
}
"""The results of calls that were refused because of who made them."""
_PRINCIPALS: Final = ("anonymous", "user", "apikey", "job")
_FIRST_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_COMMIT_CHANGES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


_DATAGRAM_KINDS = ("event", "metric", "check", "malformed", "refused", "dropped", "lost")


class LockMetrics:
    """The metrics of locks."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, registry=registry)
        self.locks_held = Gauge("tracker_locks_held", "Locks held.", registry=registry).set
        waiting = Gauge("tracker_locks_waiting", "Calls that wait for a lock.", registry=registry)
        self.locks_waiting = waiting.set
        self.lock_acquired = counter("tracker_lock_acquired", "Locks taken, by calls or events.").inc
        self.lock_expired = counter("tracker_lock_expired", "Locks whose lease expired.").inc
        self.lock_forced = counter("tracker_lock_forced", "Locks released by force.").inc
        text = "Locks refused to calls or events, by reason of the error."
        self._refused = counter("tracker_lock_refused", text, ("reason",))
        for reason in _REFUSALS:
            self._refused.labels(reason)
        histogram = partial(Histogram, registry=registry)
        text = "Time that calls with `wait` took to get their lock or give up."
        self.lock_waited = histogram("tracker_lock_wait_seconds", text, buckets=_WAIT_SECONDS).observe
        text = "Time that locks were held, without those of deleted events."
        self.lock_ended = histogram("tracker_lock_hold_seconds", text, buckets=_HOLD_SECONDS).observe

    def lock_refused(self, reason: str) -> None:
        self._refused.labels(reason).inc()


class AuthMetrics:
    """The metrics of access control."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counts = partial(Counts, registry=registry)
        text = "Calls, by kind of principal, and whether it was allowed to make them."
        results = ("allowed", "unauthenticated", "denied")
        self._requests = counts(
            "tracker_auth_requests", text, ("principal", "result"), product(_PRINCIPALS, results)
        )
        text = "Logins, by method and result."
        results = ("success", "failure", "rate_limited")
        self.login_finished = counts(
            "tracker_auth_logins", text, ("method", "result"), product(("local", "oidc"), results)
        ).count
        text = "Calls refused because of who made them, by reason of the error."
        self._failures = counts("tracker_auth_failures", text, ("reason",), ((word,) for word in _ACCESS))

    def call_authorized(self, principal: str, reason: Reason | None) -> None:
        result = "allowed" if reason is None else _ACCESS.get(reason)
        self._requests.count(principal, result or "allowed")
        if reason is not None and result is not None:
            self._failures.count(reason)


class TaskMetrics:
    """The metrics of background tasks."""

    def __init__(self, registry: CollectorRegistry) -> None:
        text = "1 while a background task works, 0 while it fails."
        self._healthy = Gauge("tracker_background_task_healthy", text, ("task",), registry=registry)
        text = "Failed attempts of a background task."
        self._failures = Counter("tracker_background_task_failures", text, ("task",), registry=registry)
        self.task_stopped = self._healthy.remove

    def task_healthy(self, task: str, healthy: bool) -> None:  # noqa: FBT001 - what is reported
        self._failures.labels(task)  # from zero: the first failure is an increase
        self._healthy.labels(task).set(healthy)

    def task_failed(self, task: str) -> None:
        self._failures.labels(task).inc()


class ConsumerMetrics:
    """The metrics of the consumers of the change log that a server runs."""

    def __init__(self, registry: CollectorRegistry) -> None:
        text = "Changes that a consumer has yet to handle, on the server that runs it."
        self._lag = Gauge("tracker_changes_consumer_lag", text, ("consumer",), registry=registry)
        self.consumer_left = self._lag.remove

    def consumer_lag(self, consumer: str, changes: int) -> None:
        self._lag.labels(consumer).set(changes)


class WebhookMetrics:
    """The metrics of webhooks."""

    def __init__(self, registry: CollectorRegistry) -> None:
        text = "Attempts to send messages of webhooks, by result."
        results = (("delivered",), ("failed",), ("given_up",))
        counts = Counts("tracker_webhook_attempts", text, ("result",), results, registry=registry)
        self.webhook_attempted = counts.count
        text = "Time from a change until its message was first sent."
        first = Histogram(
            "tracker_webhook_first_attempt_seconds", text, buckets=_FIRST_SECONDS, registry=registry
        )
        self.webhook_waited = first.observe


class RetentionMetrics:
    """The metrics of retention."""

    def __init__(self, registry: CollectorRegistry) -> None:
        text = "Events that retention policies deleted on this server."
        self._deleted = Counter("tracker_retention_deleted_events", text, ("policy",), registry=registry)

    def events_aged_out(self, policy: str, events: int) -> None:
        self._deleted.labels(policy).inc(events)


class Metrics:
    """The metrics of one server, on a registry of their own.

    The chain, the services and the store report to it, through Protocols of their own. At most `max_services`
    values of the label `service` are distinguished; further ones are counted as `other`.
    """

    def __init__(self, *, max_services: int) -> None:
        self.registry = registry = CollectorRegistry()
        self._max_services = max_services
        self._services: set[str] = set()
        text = "Events stored with a status or changed to it."
        self._event_status = Counter("tracker_event_status", text, _EVENT_LABELS, registry=registry)
        text = (
            "When an event last got a status, in milliseconds since the epoch: Grafana's annotations read it."
        )
        moments = Moments(
            "tracker_event_status_timestamp_milliseconds", text, _EVENT_LABELS, registry=registry
        )
        self._moments = moments.at
        self._statuses: dict[tuple[str, str, str], Counter] = {}  # looking one up in `Counter` costs 3 us
        histogram = partial(Histogram, registry=registry)
        name, text = "tracker_event_duration_seconds", "Duration of events, by final status."
        self._event_duration = histogram(name, text, _EVENT_LABELS, buckets=_EVENT_SECONDS)
        text = "Duration of calls, by method or route, wire (grpc, rest, http) and code."
        labels = ("method", "wire", "code")
        self._rpc_seconds = histogram("tracker_rpc_seconds", text, labels, buckets=_RPC_SECONDS)
        text = "Memory of answers that are not yet sent."
        self.unsent_bytes = Gauge("tracker_unsent_answer_bytes", text, registry=registry).set_function
        text = "Calls refused because that memory was in use."
        self.answer_refused = Counter("tracker_unsent_answer_refused", text, registry=registry).inc
        self._under_way = 0  # plain numbers: a gauge is slower than some calls
        inflight = Gauge("tracker_inflight", "Calls under way, without probes.", registry=registry)
        inflight.set_function(lambda: self._under_way)
        watches = Gauge("tracker_watches", "Watches under way.", registry=registry)
        self.watches = watches.set_function
        text = "Duration of each commit of the store, until its changes are durable."
        buckets = [each / 1_000 for each in _COMMIT_MILLISECONDS]
        self._commit_seconds = histogram("tracker_store_commit_seconds", text, buckets=buckets)
        text = "Changes in each commit of the store."
        self._commit_changes = histogram("tracker_store_commit_changes", text, buckets=_COMMIT_CHANGES)
        queue = Gauge("tracker_store_queue", "Changes that wait for a commit.", registry=registry)
        self._queued = 0
        queue.set_function(lambda: self._queued)
        self.locks = LockMetrics(registry)
        self.auth = AuthMetrics(registry)
        self.webhooks = WebhookMetrics(registry)
        self.retention = RetentionMetrics(registry)
        self.call_authorized = self.auth.call_authorized
        self.tasks = TaskMetrics(registry)
        self.consumers = ConsumerMetrics(registry)
        text = "Messages in datagrams of DogStatsD, by what they are or what became of them."
        kinds = ((kind,) for kind in _DATAGRAM_KINDS)
        self._datagrams = Counts("tracker_dogstatsd_messages", text, ("kind",), kinds, registry=registry)
        build = prometheus_client.Info(
            "tracker_build", "Version of Tracker and of Python.", registry=registry
        )
        build.info({"version": __version__, "python": platform.python_version()})
        prometheus_client.ProcessCollector(registry=registry)
        prometheus_client.PlatformCollector(registry=registry)
        prometheus_client.GCCollector(registry=registry)

    def dogstatsd_messages(self, counts: Mapping[str, int]) -> None:
        for kind, number in counts.items():
            self._datagrams.add(number, kind)

    def event_status(self, service: str, status: str, environment: str) -> None:
        key = (self._service(service), status, environment)
        series = self._statuses.get(key)
        if series is None:
            series = self._statuses[key] = self._event_status.labels(*key)
        series.inc()
        self._moments[key] = time.time()

    def event_duration(self, service: str, status: str, environment: str, seconds: float) -> None:
        self._event_duration.observe(seconds, self._service(service), status, environment)

    def calls_under_way(self, change: int) -> None:
        self._under_way += change

    def call_finished(self, method: str, wire: str, code: str, seconds: float) -> None:
        self._rpc_seconds.observe(seconds, method, wire, code)

    def queued(self, changes: int) -> None:
        self._queued = changes

    def committed(self, seconds: float, changes: int) -> None:
        self._commit_seconds.observe(seconds)
        self._commit_changes.observe(changes)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics, in a format that the header `Accept` names, and its media type.

        No name needs escaping, and prometheus-client 0.26 escapes samples, but not their types, if asked to.
        """
        encode, media_type = choose_encoder(_ESCAPING.sub("", accept))
        return encode(self.registry), media_type

    def _service(self, name: str) -> str:
        if name in self._services:
            return name
        if len(self._services) >= self._max_services:
            return OTHER
        self._services.add(name)
        return name
