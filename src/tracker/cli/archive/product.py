"""What is imported of another product, wherever it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tracker.pb import event_pb

PRODUCTS = ("alerta", "datadog", "go", "grafana", "newrelic")
"""Where events can be imported from, besides files of Tracker."""


class Foreign(NamedTuple):
    """Records of another product, their number if that is known, how much was read, and how to read one."""

    records: Iterator[tuple[int, dict[str, Any] | ValueError]]
    total: int | None
    size: int | None
    position: Callable[[], int]
    event: Callable[[dict[str, Any]], event_pb.Event]
    fields: Callable[[dict[str, Any]], Mapping[str, tuple[str, object]]]
    """What becomes of each field of a record, and its value."""
