"""What the recorded deployments of one service say about the versions that run."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from protobuf.wkt import UInt32Value

from tracker.domain.events import ENDED_BADLY, ENDED_WELL, RUNNING
from tracker.domain.times import micros, timestamp
from tracker.domain.versions.schemes import places_of
from tracker.pb import event_pb, version_pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tracker.domain.event_briefs import EventBrief

_Status: Final = event_pb.Status
BEGUN: Final = (*sorted(ENDED_WELL | RUNNING | ENDED_BADLY), _Status.warning)
"""Statuses of deployments that say what was deployed, or tried."""


class Place(NamedTuple):
    """Where a version runs."""

    environment: event_pb.Environment
    region: str
    cluster: str


@dataclass(frozen=True, slots=True)
class Promotion:
    """In which order versions reach environments: as `declared`, or else as events number them."""

    declared: tuple[event_pb.Environment, ...] = ()

    def place(self, environment: event_pb.Environment) -> tuple[bool, int]:
        """Return the place of an environment; those that are not declared come first."""
        is_declared = environment in self.declared
        return is_declared, self.declared.index(environment) if is_declared else int(environment)

    def before(
        self, environment: event_pb.Environment, others: Iterable[event_pb.Environment]
    ) -> event_pb.Environment | None:
        """Return the nearest of others from which versions come to an environment."""
        if self.declared and environment not in self.declared:
            return None
        earlier = [
            each
            for each in others
            if each
            and (not self.declared or each in self.declared)
            and self.place(each) < self.place(environment)
        ]
        return max(earlier, key=self.place, default=None)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What to compare with: a moment (microseconds since the epoch), or one environment with another.

    Only places that differ are returned, or also the `unchanged` ones.
    """

    moment: int | None = None
    environments: tuple[event_pb.Environment, event_pb.Environment] | None = None
    unchanged: bool = False


class _Other(NamedTuple):
    """What a place is compared with: a version or several, and the last deployment if it is one."""

    version: str = ""
    event_id: str = ""


class _Span(NamedTuple):
    """A deployment, with the moment when it was over."""

    deployment: EventBrief
    place: Place
    end: int


class _Run(NamedTuple):
    """A version that runs: since when (microseconds since the epoch), and the last deployment of it."""

    version: str
    since: int
    last: EventBrief


def deployed_versions(  # noqa: PLR0913, PLR0917 - what is known, and what is asked
    service: str,
    events: Iterable[EventBrief],
    scheme: version_pb.Scheme,
    as_of: int,
    comparison: Comparison | None = None,
    promotion: Promotion = Promotion(),
) -> list[version_pb.DeployedVersion]:
    """Return what runs of a service at a moment (microseconds since the epoch), place by place.

    `events` are its deployments. With a comparison, those places are returned whose versions differ from what
    it names.
    """
    spans = [
        _Span(each, Place(each.environment, each.region, each.cluster), each.over(as_of))
        for each in _with_versions([*events])
    ]
    spans.sort(key=lambda each: (max(each.end, each.deployment.time + 1), each.deployment.time))
    runs = _runs(spans, as_of)
    order = places_of((each.version for each in _first_runs(runs)), scheme)
    current = {place: found[-1] for place, found in runs.items()}
    last = _last(spans, as_of)
    others = None if comparison is None else _others(comparison, spans, current, order)
    answer = []
    for place in sorted({*current, *(others or ())}, key=lambda each: (promotion.place(each[0]), each)):
        run, other = current.get(place), (others or {}).get(place, _Other())
        if comparison is not None and not _is_wanted(comparison, place, run, other):
            continue
        shown = version_pb.DeployedVersion(
            service=service,
            **place._asdict(),
            compared_version=other.version,
            compared_event_id=other.event_id,
        )
        if run is not None:
            _describe(shown, runs[place], order)
            shown.scheme = scheme
            before = promotion.before(place.environment, {each.environment for each in current})
            if before is not None:
                shown.previous_environment = before
                shown.behind_previous_environment = _behind(run, before, current, order)
            shown.later = _later(last[place], run, as_of)
        answer.append(shown)
    return answer


def _with_versions(events: Sequence[EventBrief]) -> Iterator[EventBrief]:
    """Yield deployments; one without a version that ends one under way there has the version of that."""
    begun = {(each.id, each.environment): each.version for each in events if each.status in RUNNING}
    for each in events:
        version = each.version or begun.get((each.related_id, each.environment), "")
        yield each if version == each.version else each._replace(version=version)


def in_use(
    versions: Sequence[version_pb.DeployedVersion], promotion: Promotion
) -> version_pb.DeployedVersion | None:
    """Return the version of a service that counts as the one in use, of those that run.

    It is the one that came last to the last environment of a declared order, or else to production, or else
    to the last environment that has one.
    """
    found = [each for each in versions if each.version and each.environment]
    places = {each.environment for each in found}
    last = [each for each in promotion.declared if each in places]
    if last:
        environment = last[-1]
    elif event_pb.Environment.production in places:
        environment = event_pb.Environment.production
    else:
        environment = max(places, key=promotion.place, default=event_pb.Environment(0))
    there = [each for each in found if each.environment == environment]
    return max(there, key=lambda each: 0 if each.since is None else micros(each.since), default=None)


def _others(
    comparison: Comparison,
    spans: Iterable[_Span],
    current: Mapping[Place, _Run],
    order: Mapping[str, int],
) -> Mapping[Place, _Other]:
    """Return what the places are compared with."""
    if comparison.environments is None:
        runs = {} if comparison.moment is None else _runs(spans, comparison.moment)
        return {place: _other([found[-1]], order) for place, found in runs.items()}
    here, there = comparison.environments
    found = [run for place, run in current.items() if place.environment == there]
    if not found:
        return {}
    places = [place for place in current if place.environment == here] or [Place(here, "", "")]
    return dict.fromkeys(places, _other(found, order))


def _other(runs: Sequence[_Run], order: Mapping[str, int]) -> _Other:
    versions = sorted({run.version for run in runs}, key=lambda each: (order.get(each, -1), each))
    return _Other(", ".join(versions), runs[-1].last.id if len(versions) == 1 else "")


def _is_wanted(comparison: Comparison, place: Place, run: _Run | None, other: _Other) -> bool:
    if comparison.environments is not None and place.environment != comparison.environments[0]:
        return False
    return comparison.unchanged or other.version != (run.version if run else "")


def _runs(spans: Iterable[_Span], as_of: int) -> Mapping[Place, Sequence[_Run]]:
    """Return what has run in each place up to a moment, in order; `spans` are in the order of their ends."""
    runs: defaultdict[Place, list[_Run]] = defaultdict(list)
    for deployment, place, end in spans:
        version = deployment.version
        if deployment.status not in ENDED_WELL or not version or end > as_of:
            continue
        of_place = runs[place]
        if of_place and of_place[-1].version == version:
            of_place[-1] = _Run(version, of_place[-1].since, deployment)
        else:
            of_place.append(_Run(version, end, deployment))
    return runs


def _last(spans: Iterable[_Span], as_of: int) -> Mapping[Place, _Span]:
    """Return the deployment of each place that began last, up to a moment."""
    last: dict[Place, _Span] = {}
    for span in spans:
        begun, before = span.deployment.time, last.get(span.place)
        if begun <= as_of and (before is None or begun > before.deployment.time):
            last[span.place] = span
    return last


def _first_runs(runs: Mapping[Place, Sequence[_Run]]) -> Sequence[_Run]:
    return sorted((run for of_place in runs.values() for run in of_place), key=lambda run: run.since)


def _describe(shown: version_pb.DeployedVersion, runs: Sequence[_Run], order: Mapping[str, int]) -> None:
    run = runs[-1]
    before = runs[-2].version if len(runs) > 1 else ""
    shown.version, shown.since, shown.event_id = run.version, timestamp(run.since), run.last.id
    shown.deployed_by = run.last.owner or run.last.created_by
    shown.previous_version = before
    came_back = any(each.version == run.version for each in runs[:-2])
    older = before in order and run.version in order and order[run.version] < order[before]
    shown.rolled_back = came_back or older
    if order:
        shown.newest_version = max(order, key=lambda version: order[version])
    if run.version in order:
        shown.behind_newest = UInt32Value(value=max(order.values()) - order[run.version])


def _behind(
    run: _Run, before: event_pb.Environment, current: Mapping[Place, _Run], order: Mapping[str, int]
) -> UInt32Value | None:
    """Return by how many versions one that runs is behind the newest in an environment."""
    own = order.get(run.version)
    there = [order.get(each.version) for place, each in current.items() if place.environment == before]
    known = [each for each in there if each is not None]
    return UInt32Value(value=max(0, max(known) - own)) if known and own is not None else None


def _later(last: _Span, run: _Run, as_of: int) -> version_pb.LaterDeployment | None:
    """Return the last deployment in a place if it began after the one that runs, and did not end well."""
    deployment = last.deployment
    if deployment.id == run.last.id or (deployment.status in ENDED_WELL and last.end <= as_of):
        return None
    return version_pb.LaterDeployment(
        event_id=deployment.id, version=deployment.version, status=deployment.status
    )
