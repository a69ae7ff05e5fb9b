"""How delivery metrics are written for people, on pages and by commands alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracker.number_text import number_of
from tracker.time_text import MICROS, short_text

if TYPE_CHECKING:
    from tracker.pb import delivery_pb

NAMES: Final = {
    "deployment_frequency": "Deployment frequency",
    "lead_time": "Lead time for changes",
    "change_failure_rate": "Change failure rate",
    "time_to_restore": "Time to restore",
    "rework_rate": "Rework rate",
}
"""What people call the metrics."""


def value_text(metric: delivery_pb.DeliveryMetric) -> str:
    """Return a number with its unit."""
    if not metric.has_field("value"):
        return "no data"
    if metric.unit == "share":
        return f"{metric.value:.1%}"
    if metric.unit == "seconds":
        return seconds_text(metric.value)
    return f"{metric.value:.2f}".rstrip("0").rstrip(".") + f" {metric.unit}"


def seconds_text(seconds: float) -> str:
    """Return a duration in its two largest units."""
    return short_text(round(seconds * MICROS))


def counted_text(metric: delivery_pb.DeliveryMetric) -> str:
    """Return how many events a number counts, and of how many if these are not all."""
    counted, among = metric.counted, metric.among
    return f"{counted:,}" if counted == among else f"{counted:,} of {among:,}"


def totals_text(group: delivery_pb.DeliveryGroup) -> str:
    """Return how many events a group has."""
    failed = f"{group.failed_attempts:,} that failed to deploy"
    return f"{number_of(group.deployments, 'deployment')}, {failed}, {number_of(group.incidents, 'incident')}"
