"""Metrics of background tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class TaskMetrics:
    """The metrics of background tasks, on the registry of a server."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._healthy = Gauge(
            "tracker_background_task_healthy",
            "1 while a background task works, 0 while it fails.",
            ("task",),
            registry=registry,
        )
        self._failures = Counter(
            "tracker_background_task_failures",
            "Failed attempts of a background task.",
            ("task",),
            registry=registry,
        )

    def task_healthy(self, task: str, healthy: bool) -> None:  # noqa: FBT001 - what is reported
        """Set whether a task works."""
        self._failures.labels(task)  # so that the first failure is an increase
        self._healthy.labels(task).set(healthy)

    def task_failed(self, task: str) -> None:
        """Count an attempt that failed."""
        self._failures.labels(task).inc()

    def task_stopped(self, task: str) -> None:
        """Report a task no longer."""
        self._healthy.remove(task)
