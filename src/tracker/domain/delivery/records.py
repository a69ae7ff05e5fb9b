"""What metrics of delivery are made of: the deployments, incidents and merges in recorded events."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.domain.events import FINISHED, attributes_of, event_end, event_id, event_time, metadata_of
from tracker.domain.overlaps import timed_event
from tracker.domain.times import duration_micros
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_Status: Final = event_pb.Status
ENDED_WELL: Final = (_Status.success, _Status.done)
"""Statuses of a deployment that reached users."""
ENDED_BADLY: Final = (_Status.failure, _Status.error)
"""Statuses of one that did not."""
COMMIT: Final = "sha"
"""The label of the commit that is deployed."""
MERGE: Final = "pull_request:"
"""How the external id of the event of a merged pull request begins."""

_ROOT_CAUSE: Final = re.compile(r"root cause: ([0-9A-Za-z]+)")
_HOTFIX: Final = re.compile(r"hotfix|incident", re.IGNORECASE)
_REVERT: Final = re.compile(r'\bRevert "(.+)"', re.IGNORECASE)
_TOLD_BY: Final = ("branch", "pr_title", "pr_labels", "change", "change_type", "kind", "category")
"""Labels that may say why there is a deployment."""


class Place(NamedTuple):
    """Where an event belongs; texts are empty and `environment` is 0 where it names none."""

    service: str
    team: str
    environment: int


class Deployment(NamedTuple):
    """A deployment that has ended; times are in microseconds since the epoch.

    `marked` is whether somebody called it a failure, or None. `remedy` and `remedies` are the ids of the
    deployment that put it right, and of the one that it put right, as somebody recorded them. `hotfix`,
    `revert` and `rollback` are what its texts and labels say.
    """

    id: str
    place: Place
    started: int
    finished: int
    ended_well: bool
    title: str
    version: str = ""
    commit: str = ""
    marked: bool | None = None
    remedy: str = ""
    remedies: str = ""
    hotfix: bool = False
    revert: str = ""
    rollback: bool = False

    @property
    def build(self) -> tuple[str, str]:
        """What was deployed: the commit, or the version where none is known; empty for neither."""
        return (self.commit, "") if self.commit else ("", self.version)


class Incident(NamedTuple):
    """An incident; `ended` is None while it is not over. The others are ids of events and commits."""

    id: str
    place: Place
    began: int
    ended: int | None
    title: str
    caused_by: tuple[str, ...] = ()
    not_caused_by: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()


class Merge(NamedTuple):
    """A merged pull request, by its merge commit."""

    id: str
    place: Place
    commit: str
    created: int
    merged: int
    title: str


def deployment_of(event: event_pb.Event, place: Callable[[event_pb.Event], Place]) -> Deployment | None:
    """Return the deployment that an event says has ended; None for any other event."""
    attributes = attributes_of(event)
    ended_well = attributes.status in ENDED_WELL
    if not ended_well and attributes.status not in ENDED_BADLY:
        return None
    labels, own, related = attributes.labels, attributes.service, attributes.related_id
    told = [event.title, attributes.version, *(labels.get(name, "") for name in _TOLD_BY)]
    text = " ".join(told).replace(own, " ") if own else " ".join(told)
    revert = _REVERT.search(text)
    rollback = labels.get("rollback") == "true"
    remedies = related if rollback or labels.get("rollforward") == "true" else ""
    marked = labels.get("change_failure")
    span = timed_event(event, 0)
    return Deployment(
        event_id(event),
        place(event),
        span.start,
        span.end,
        ended_well,
        event.title,
        sys.intern(attributes.version),
        labels.get(COMMIT, ""),
        None if marked is None else marked == "true",
        labels.get("remediation", ""),
        remedies,
        _HOTFIX.search(text) is not None,
        revert[1] if revert else "",
        rollback,
    )


def incidents_of(
    events: Iterable[event_pb.Event], place: Callable[[event_pb.Event], Place]
) -> Sequence[Incident]:
    """Return the incidents that events tell of: one that ends another, which it links to, is none itself."""
    events = list(events)
    ids = {event_id(event) for event in events}
    ends: defaultdict[str, list[int]] = defaultdict(list)
    own = []
    for event in events:
        attributes = attributes_of(event)
        if attributes.related_id in ids and attributes.status in FINISHED:
            ends[attributes.related_id].append(event_time(event))
        else:
            own.append(event)
    return [_incident(event, place(event), min(ends[event_id(event)], default=None)) for event in own]


def _incident(event: event_pb.Event, place: Place, reported_end: int | None) -> Incident:
    attributes, metadata = attributes_of(event), metadata_of(event)
    ended = event_end(event)
    if ended is None and attributes.status in FINISHED and metadata.elapsed is not None:
        ended = event_time(event) + duration_micros(metadata.elapsed)
    related = (attributes.related_id,) if attributes.related_id else ()
    return Incident(
        event_id(event),
        place,
        event_time(event),
        reported_end if ended is None else ended,
        event.title,
        tuple(metadata.caused_by) or related,
        tuple(metadata.not_caused_by),
        (*metadata.rolled_back_by, *metadata.remediated_by),
        tuple(_ROOT_CAUSE.findall(f"{event.title}\n{attributes.message}")),
    )


def merge_of(event: event_pb.Event, place: Callable[[event_pb.Event], Place]) -> Merge | None:
    """Return the merged pull request that an event tells of; None for any other event."""
    attributes = attributes_of(event)
    ended, commit = event_end(event), attributes.labels.get(COMMIT, "")
    if not attributes.external_id.startswith(MERGE) or ended is None or not commit:
        return None
    return Merge(event_id(event), place(event), commit, event_time(event), ended, event.title)
