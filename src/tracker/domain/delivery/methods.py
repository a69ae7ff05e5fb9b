"""The methods, and what they make of the records of a period."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.domain.delivery import datadog, devlake, four_keys
from tracker.domain.delivery.facts import METRICS, Facts
from tracker.pb import delivery_pb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

    from tracker.domain.delivery.calendar import Period
    from tracker.domain.delivery.facts import Records
    from tracker.domain.delivery.figures import Figure
    from tracker.domain.delivery.records import Place

METHODS: Final[Mapping[delivery_pb.Method, ModuleType]] = {
    delivery_pb.Method.four_keys: four_keys,
    delivery_pb.Method.devlake: devlake,
    delivery_pb.Method.datadog: datadog,
}


class Bucket(NamedTuple):
    """The metrics of an interval; durations are in seconds, None where none is known."""

    start: int
    deployments: int
    failures: int
    lead_time: float | None
    time_to_restore: float | None


@dataclass(frozen=True, slots=True)
class Measured:
    """What a method finds in a period, and how it makes numbers of that."""

    facts: Facts
    period: Period
    _figure: Callable[[int, Facts, Period], Figure]

    def figures(self, facts: Facts | None = None) -> Sequence[Figure]:
        """Return the numbers of all metrics, of some of the facts or of all."""
        return [
            self._figure(metric, self.facts if facts is None else facts, self.period) for metric in METRICS
        ]

    def groups(self, name: Callable[[Place], str]) -> dict[str, Facts]:
        """Return the facts of each group of places."""
        places: defaultdict[str, Facts] = defaultdict(Facts)
        for kind in ("deployments", "lead_times", "failures", "restores", "rework", "left_out"):
            for each in getattr(self.facts, kind):
                getattr(places[name(each.place)], kind).append(each)
        return places

    def buckets(self, starts: Sequence[int]) -> Sequence[Bucket]:
        """Return the metrics of intervals, each up to the next start."""
        parts: list[Facts] = [Facts() for _ in starts]
        for kind in ("deployments", "lead_times", "failures", "restores"):
            for each in getattr(self.facts, kind):
                getattr(parts[_place(starts, each.at)], kind).append(each)
        return [self._bucket(start, part) for start, part in zip(starts, parts, strict=True)]

    def _bucket(self, start: int, part: Facts) -> Bucket:
        lead, restore = (
            self._figure(metric, part, self.period).value
            for metric in (delivery_pb.Metric.lead_time, delivery_pb.Metric.time_to_restore)
        )
        failures = round(sum(each.value or 0 for each in part.failures))
        return Bucket(start, len(part.deployments), failures, lead, restore)


def measured(method: delivery_pb.Method, records: Records) -> Measured:
    """Return what a method finds in records."""
    module = METHODS[method]
    figure = module.figure
    if module is devlake:
        figure = partial(devlake.figure, incidents_known=records.incidents_known)
    return Measured(module.facts(records), records.period, figure)


def _place(starts: Sequence[int], at: int) -> int:
    return max(0, bisect_right(starts, at) - 1)
