"""What the metrics of a server say between two reads of them."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracker.transcoding.json_text import JsonValue

_CALLS = "tracker_rpc_seconds"
_COMMITS = "tracker_store_commit_seconds"
_SERVERS_FAULT = frozenset(("INTERNAL", "DATA_LOSS", "UNAVAILABLE", "UNKNOWN", "DEADLINE_EXCEEDED"))
"""Codes of calls that the server has failed; others are answers to what was asked."""
_NO_CALLS = ("/livez", "/readyz", "/metrics")


class Sample(NamedTuple):
    """A value of a metric, with its labels."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Scrape:
    """All metrics of a server at a moment; `at` is seconds of a clock that only moves forward."""

    at: float
    samples: Sequence[Sample]

    def named(self, name: str) -> Iterator[Sample]:
        """Yield the samples of a name."""
        return (each for each in self.samples if each.name == name)

    def value(self, name: str) -> float:
        """Return the sum of the samples of a name."""
        return sum(each.value for each in self.named(name))

    def label(self, name: str, label: str) -> str:
        """Return a label of the only sample of a name, or nothing."""
        return next((each.labels.get(label, "") for each in self.named(name)), "")


class Calls(NamedTuple):
    """Calls of a method in a second, and of those how many the server failed; quantiles are milliseconds."""

    method: str
    rate: float
    failed: float
    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Activity:
    """What happened between two scrapes of a server."""

    before: Scrape
    after: Scrape

    @property
    def seconds(self) -> float:
        """The time between them."""
        return max(1e-3, self.after.at - self.before.at)

    def rate(self, name: str) -> float:
        """Return by how much a counter grew in a second; one that was reset counts from zero."""
        before, after = self.before.value(name), self.after.value(name)
        return (after - before if after >= before else after) / self.seconds

    def principals(self) -> Mapping[str, float]:
        """Return the calls in a second of each kind of principal that made some."""
        grown = self._grown("tracker_auth_requests_total", "principal")
        return {value: count / self.seconds for value, count in sorted(grown.items()) if count}

    def calls(self) -> Sequence[Calls]:
        """Return the calls of each method that was called, the most frequent first."""
        counts = self._grown(f"{_CALLS}_count", "method")
        buckets = self._buckets(_CALLS, "method")
        failed: dict[str, float] = defaultdict(float)
        for (method, code), count in self._grown_by(f"{_CALLS}_count", ("method", "code")).items():
            failed[method] += count if code in _SERVERS_FAULT else 0
        calls = [
            Calls(
                method,
                count / self.seconds,
                failed[method] / self.seconds,
                1_000 * quantile(0.5, buckets[method]),
                1_000 * quantile(0.99, buckets[method]),
            )
            for method, count in counts.items()
            if count > 0 and not method.endswith(_NO_CALLS)
        ]
        return sorted(calls, key=lambda each: (-each.rate, each.method))

    def commit_p99(self) -> float:
        """Return within how many milliseconds 99 % of commits were durable."""
        return 1_000 * quantile(0.99, self._buckets(_COMMITS, "")[""])

    def document(self) -> dict[str, JsonValue]:
        """Return it as JSON."""
        after, calls = self.after, self.calls()
        return {
            "version": after.label("tracker_build_info", "version"),
            "seconds": round(self.seconds, 3),
            "callsPerSecond": _rounded(sum(each.rate for each in calls)),
            "failedPerSecond": _rounded(sum(each.failed for each in calls)),
            "callsUnderWay": round(after.value("tracker_inflight")),
            "watches": round(after.value("tracker_watches")),
            "locksHeld": round(after.value("tracker_locks_held")),
            "locksWaiting": round(after.value("tracker_locks_waiting")),
            "callsPerSecondByPrincipal": {kind: _rounded(rate) for kind, rate in self.principals().items()},
            "commitsPerSecond": _rounded(self.rate(f"{_COMMITS}_count")),
            "commitMillisecondsP99": _rounded(self.commit_p99()),
            "changesQueued": round(after.value("tracker_store_queue")),
            "cpu": _rounded(self.rate("process_cpu_seconds_total")),
            "memoryBytes": round(after.value("process_resident_memory_bytes")),
            "failingTasks": list(self.failing_tasks()),
            "calls": [
                {
                    "method": each.method,
                    "perSecond": _rounded(each.rate),
                    "failedPerSecond": _rounded(each.failed),
                    "millisecondsP50": _rounded(each.p50),
                    "millisecondsP99": _rounded(each.p99),
                }
                for each in calls
            ],
        }

    def failing_tasks(self) -> Sequence[str]:
        """Return the background tasks that fail."""
        tasks = self.after.named("tracker_background_task_healthy")
        return sorted(each.labels.get("task", "") for each in tasks if not each.value)

    def _grown(self, name: str, label: str) -> Mapping[str, float]:
        return {values[0]: count for values, count in self._grown_by(name, (label,)).items()}

    def _grown_by(self, name: str, labels: Sequence[str]) -> Mapping[tuple[str, ...], float]:
        """Return by how much samples of a name grew, summed up by some labels."""
        before = {tuple(sorted(each.labels.items())): each.value for each in self.before.named(name)}
        sums: dict[tuple[str, ...], float] = defaultdict(float)
        for each in self.after.named(name):
            was = before.get(tuple(sorted(each.labels.items())), 0.0)
            grown = each.value - was if each.value >= was else each.value
            sums[tuple(each.labels.get(label, "") for label in labels)] += grown
        return sums

    def _buckets(self, name: str, label: str) -> Mapping[str, Sequence[tuple[float, float]]]:
        """Return the cumulative buckets of a histogram by a label: upper bounds, and observations."""
        found: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for (value, bound), count in self._grown_by(f"{name}_bucket", (label, "le")).items():
            found[value].append((float(bound), count))
        return defaultdict(list, {value: sorted(each) for value, each in found.items()})


def scrape(text: str, at: float) -> Scrape:
    """Return the metrics in a text in the format of Prometheus.

    Raises:
        ValueError: It is in another format.
    """
    from prometheus_client.parser import text_string_to_metric_families

    families = text_string_to_metric_families(text)
    samples = [
        Sample(each.name, each.labels, float(each.value)) for family in families for each in family.samples
    ]
    return Scrape(at, samples)


def quantile(share: float, buckets: Sequence[tuple[float, float]]) -> float:
    """Return a quantile of a histogram, as `histogram_quantile` of Prometheus estimates it; 0 for none."""
    total = buckets[-1][1] if buckets else 0
    if not total:
        return 0.0
    low, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= share * total:
            if math.isinf(bound) or count == below:
                return low
            return low + (bound - low) * (share * total - below) / (count - below)
        low, below = bound, count
    return low


def _rounded(value: float) -> float:
    return round(value, 3)
