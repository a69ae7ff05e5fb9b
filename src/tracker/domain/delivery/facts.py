"""What a method finds in the records: samples, each for an event that a number counts."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.pb import delivery_pb

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from tracker.domain.commits import Commit
    from tracker.domain.delivery.calendar import Period
    from tracker.domain.delivery.records import Deployment, Incident, Merge, Place

Metric: Final = delivery_pb.Metric
METRICS: Final = tuple(metric for metric in Metric if metric)


class Sample(NamedTuple):
    """An event that a number counts: when, what it contributes (None: not known), and why.

    A duration is in microseconds. `because_of` is the id of the event that is why.
    """

    id: str
    place: Place
    at: int
    title: str
    value: float | None = None
    reason: str = ""
    because_of: str = ""


class GivenCommits(NamedTuple):
    """When the commits of a deployment were made, and its merges, in microseconds since the epoch."""

    made: Sequence[int]
    merged: Sequence[int]


class Push(NamedTuple):
    """The commits of a push: the one before it, and when they were made, in microseconds, merges apart.

    `named` are the hashes of those that incidents or merged pull requests name.
    """

    base: str
    made: Sequence[int]
    merged: Sequence[int] = ()
    named: Sequence[str] = ()


def push_of(commits: Sequence[Commit], named: Container[str], known: Mapping[str, str]) -> Push:
    """Return the push that brought some commits; `known` has hashes that are in memory already."""
    base = commits[0].base
    return Push(
        known.get(base, base),
        tuple(each.committed_at for each in commits if not each.merge),
        tuple(each.committed_at for each in commits if each.merge),
        tuple(each.sha for each in commits if each.sha in named),
    )


@dataclass(frozen=True, slots=True)
class Records:
    """The records that a method measures.

    `deployments` ended well, and are in the order of their ends. `pushes` are by the newest
    commit of each, `known` single ones by their hash. `given` are commits by the ids of deployments; they
    count instead.
    `incidents_known` is whether any incident was ever recorded that the reader may see.
    """

    period: Period
    deployments: Sequence[Deployment]
    incidents: Sequence[Incident] = ()
    merges: Sequence[Merge] = ()
    pushes: Mapping[str, Push] = field(default_factory=dict)
    known: Mapping[str, Commit] = field(default_factory=dict)
    given: Mapping[str, GivenCommits] = field(default_factory=dict)
    incidents_known: bool = True

    def in_period(self) -> Iterator[Deployment]:
        """Yield the deployments that ended in the period."""
        return (each for each in self.deployments if self.period.has(each.finished))

    def by_service(self) -> Mapping[tuple[str, int], Sequence[Deployment]]:
        """Return the deployments of each service and environment, in the order of their ends."""
        found: defaultdict[tuple[str, int], list[Deployment]] = defaultdict(list)
        for each in self.deployments:
            found[each.place.service, each.place.environment].append(each)
        return found


@dataclass(slots=True)
class Facts:
    """The samples of each metric, by a method.

    `deployments` are those that count. Of `failures` and `rework`, the samples are what is counted of them.
    `left_out` are deployments that the method does not count, with why.
    """

    deployments: list[Sample] = field(default_factory=list)
    lead_times: list[Sample] = field(default_factory=list)
    failures: list[Sample] = field(default_factory=list)
    restores: list[Sample] = field(default_factory=list)
    rework: list[Sample] = field(default_factory=list)
    left_out: list[Sample] = field(default_factory=list)

    def of(self, metric: delivery_pb.Metric) -> Sequence[Sample]:
        """Return the samples of a metric."""
        return {
            Metric.deployment_frequency: self.deployments,
            Metric.lead_time: self.lead_times,
            Metric.change_failure_rate: self.failures,
            Metric.time_to_restore: self.restores,
            Metric.rework_rate: self.rework,
        }.get(metric, [])


def sample(each: Deployment, value: float | None = None, reason: str = "", because_of: str = "") -> Sample:
    """Return the sample for a deployment."""
    return Sample(each.id, each.place, each.finished, each.title, value, reason, because_of)


class Ties:
    """To which deployments incidents belong.

    One that people linked to deployments belongs to these: by `caused_by`, or else `related_id`. Any other
    belongs to the last deployment of its service, in its environment if it names one, that ended before it
    began, unless people said that this did not cause it: so DevLake ties the incidents of a project.
    """

    def __init__(self, records: Records) -> None:
        self._by_id = {each.id: each for each in records.deployments}
        self._series: defaultdict[str, list[Deployment]] = defaultdict(list)
        for each in records.deployments:
            self._series[each.place.service].append(each)
        self._ends = {service: [each.finished for each in of] for service, of in self._series.items()}

    def recorded(self, incident: Incident) -> Sequence[Deployment]:
        """Return the deployments that an incident is linked to."""
        return [self._by_id[each] for each in incident.caused_by if each in self._by_id]

    def by_time(self, incident: Incident) -> Sequence[Deployment]:
        """Return the deployment before an incident, as a list of at most one."""
        service, environment = incident.place.service, incident.place.environment
        series = self._series.get(service, ())
        number = bisect_left(self._ends.get(service, ()), incident.began + 1)
        for each in reversed(series[:number]):
            if not environment or each.place.environment == environment:
                return () if each.id in incident.not_caused_by else [each]
        return ()

    def all(self, incident: Incident) -> tuple[Sequence[Deployment], str]:
        """Return the deployments that an incident belongs to, and how that is known."""
        if incident.caused_by:
            return self.recorded(incident), "linked to this incident"
        return self.by_time(incident), "the last deployment before this incident"


def reasons(samples: Iterable[Sample]) -> Mapping[str, int]:
    """Return how many samples have no value, by why."""
    found: defaultdict[str, int] = defaultdict(int)
    for each in samples:
        if each.value is None:
            found[each.reason] += 1
    return found
