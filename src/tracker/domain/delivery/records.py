"""What metrics of delivery are computed from: the deployments, incidents and merges in recorded events."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.domain.events import (
    ENDED_BADLY,
    ENDED_WELL,
    FINISHED,
    attributes_of,
    event_id,
    event_time,
    metadata_of,
)
from tracker.domain.overlaps import ended_at
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.event_briefs import EventBrief

_Status: Final = event_pb.Status
COMMIT: Final = "sha"
"""The label of the commit that is deployed."""
MERGE: Final = "pull_request:"
"""How the external id of the event of a merged pull request begins."""

_ROOT_CAUSE: Final = re.compile(r"root cause: ([0-9A-Za-z]+)")
_HOTFIX: Final = ("hotfix", "incident")
_REVERT: Final = re.compile(r'\bRevert "(.+)"', re.IGNORECASE)
_TOLD_BY: Final = ("branch", "pr_title", "pr_labels", "change", "change_type", "kind", "category")
"""Labels that may say why there is a deployment."""


class Place(NamedTuple):
    """Where an event belongs; texts are empty and `environment` is 0 where it names none."""

    service: str
    team: str
    environment: int


class Deployment(NamedTuple):
    """A deployment that has ended, `finished` in microseconds since the epoch.

    `marked` is whether somebody called it a failure, or None. `remedy` and `remedies` are the ids of the
    deployment that fixed it, and of the one that it fixed, as somebody recorded them. `hotfix`,
    `revert` and `rollback` are what its texts and labels say.
    """

    id: str
    place: Place
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


def deployment_of(event: EventBrief, place: Place) -> Deployment | None:
    """Return the deployment that an event says has ended; None for any other event."""
    ended_well = event.status in ENDED_WELL
    if not ended_well and event.status not in ENDED_BADLY:
        return None
    label, title, version = event.labels.get, event.title, sys.intern(event.version)
    told = " ".join((title, version, *(label(name, "") for name in _TOLD_BY)))
    text = told.replace(place.service, " ") if place.service else told
    revert = _REVERT.search(text) if '"' in text else None
    lowered = text.lower()
    rollback, marked = label("rollback") == "true", label("change_failure")
    return Deployment(
        event.id,
        place,
        event.over(0),
        ended_well,
        title,
        version,
        label(COMMIT, ""),
        None if marked is None else marked == "true",
        label("remediation", ""),
        event.related_id if rollback or label("rollforward") == "true" else "",
        any(word in lowered for word in _HOTFIX),
        revert[1] if revert else "",
        rollback,
    )


class Told(NamedTuple):
    """An incident as one event tells of it, and when that event ends the one that it links to, if it does."""

    incident: Incident
    related: str
    ends_at: int | None


def told_by(event: event_pb.Event, place: Place) -> Told:
    """Return what an event tells of an incident."""
    attributes, metadata = attributes_of(event), metadata_of(event)
    related = (attributes.related_id,) if attributes.related_id else ()
    incident = Incident(
        event_id(event),
        place,
        event_time(event),
        ended_at(event),
        event.title,
        tuple(metadata.caused_by) or related,
        tuple(metadata.not_caused_by),
        (*metadata.rolled_back_by, *metadata.remediated_by),
        tuple(_ROOT_CAUSE.findall(f"{event.title}\n{attributes.message}")),
    )
    return Told(incident, attributes.related_id, event_time(event) if attributes.status in FINISHED else None)


def incidents_of(told: Sequence[Told]) -> Sequence[Incident]:
    """Return the incidents that events tell of: one that ends another, which it links to, is none itself."""
    ids = {each.incident.id for each in told}
    ends: dict[str, int] = {}
    own = []
    for incident, related, ends_at in told:
        if related in ids and ends_at is not None:
            ends[related] = min(ends_at, ends.get(related, ends_at))
        else:
            own.append(incident)
    return [each if each.ended is not None else each._replace(ended=ends.get(each.id)) for each in own]


def merge_of(event: event_pb.Event, place: Place) -> Merge | None:
    """Return the merged pull request that an event tells of; None for any other event."""
    attributes = attributes_of(event)
    ended, commit = ended_at(event), attributes.labels.get(COMMIT, "")
    if not attributes.external_id.startswith(MERGE) or ended is None or not commit:
        return None
    return Merge(event_id(event), place, commit, event_time(event), ended, event.title)
