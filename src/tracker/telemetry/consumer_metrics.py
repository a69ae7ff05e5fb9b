"""Metrics of the consumers of the change log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class ConsumerMetrics:
    """The metrics of the consumers that a server runs, on its registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lag = Gauge(
            "tracker_changes_consumer_lag",
            "Changes that a consumer has yet to handle, on the server that runs it.",
            ("consumer",),
            registry=registry,
        )

    def consumer_lag(self, consumer: str, changes: int) -> None:
        """Set how many changes a consumer has still to handle."""
        self._lag.labels(consumer).set(changes)

    def consumer_left(self, consumer: str) -> None:
        """Report a consumer no longer."""
        self._lag.remove(consumer)
