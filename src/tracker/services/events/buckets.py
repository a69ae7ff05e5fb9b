"""The intervals of a histogram, as answers have them."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from tracker.domain.times import duration, timestamp
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def bucket_of(
    start: int, counted: Mapping[str | int, int], values: Mapping[str | int, str] | None
) -> event_pb.HistogramBucket:
    """Return the events from a moment, counted by values as they are shown, if they are counted by any."""
    bucket = event_pb.HistogramBucket(start=timestamp(start), count=sum(counted.values()))
    if values is not None:
        bucket.values = [
            event_pb.FacetValue(value=shown, count=counted.get(value, 0)) for value, shown in values.items()
        ]
        bucket.other_count = bucket.count - sum(each.count for each in bucket.values)
    return bucket


def percentiles(durations: Sequence[int]) -> event_pb.DurationPercentiles | None:
    """Return the percentiles, by nearest rank, of sorted durations."""
    if not durations:
        return None
    p50, p90, p95, p99, longest = (
        duration(durations[ceil(len(durations) * rank / 100) - 1]) for rank in (50, 90, 95, 99, 100)
    )
    return event_pb.DurationPercentiles(count=len(durations), p50=p50, p90=p90, p95=p95, p99=p99, max=longest)
