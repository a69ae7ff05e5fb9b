"""Freeze windows that ended before an incident: what they held back began after them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.domain.causes.features import NOT_BEGUN, age_features, where_features
from tracker.domain.events import attributes_of, event_time
from tracker.domain.freezes import in_effect, is_for
from tracker.domain.scopes import subject_of
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracker.domain.causes.history import Place
    from tracker.domain.freezes import Occurrence
    from tracker.domain.scopes import Subject
    from tracker.pb import freeze_pb

_MOST: Final = 20
"""Freeze windows that are compared, the last that ended."""


@dataclass(frozen=True, slots=True)
class LiftedFreeze:
    """A freeze window that ended before an incident, and its features.

    `service` is the nearest that it was for: the incident's, or one that this calls. `age` is the time from
    its end to the incident, in microseconds; `begun` are the deployments since then that it would have held
    back.
    """

    occurrence: Occurrence
    service: str
    place: Place
    age: int
    features: Mapping[str, float]
    begun: int


def lifted_before(
    incident: event_pb.Event,
    windows: Sequence[freeze_pb.FreezeWindow],
    subjects: Mapping[Subject, Place],
    events: Sequence[event_pb.Event],
    period: tuple[int, int],
) -> Sequence[LiftedFreeze]:
    """Return the freeze windows that ended in a period before an incident, the last one first.

    Of one that repeats, that is the last time. `subjects` are the services that may matter, in the incident's
    environment: a window counts if it was for that of the incident or one that this calls, unless another one
    went on there that is as strict. `events` are the changes that are compared.
    """
    since, until = period
    deployments = _deployments(events, subjects)
    calls = sorted(
        (each for each in subjects.items() if each[0].service and not each[1].caller),
        key=lambda each: (each[1].distance, each[0]),
    )
    found: dict[str, LiftedFreeze] = {}
    for subject, place in calls:
        any_unnamed = not subject.environment
        covering = [each for each in windows if is_for(each, subject, any_unnamed=any_unnamed)]
        times = in_effect(covering, since, until + 1)
        nearest: dict[str, LiftedFreeze] = {}
        for each in times:
            if since < each.end <= until and not any(_continues(other, each) for other in times):
                nearest[each.window.id] = _lifted(each, subject.service, place, incident, deployments)
        found = nearest | found
    return sorted(found.values(), key=lambda each: (each.age, each.occurrence.window.id))[:_MOST]


def _continues(other: Occurrence, ended: Occurrence) -> bool:
    return other.start <= ended.end < other.end and (other.is_hard or not ended.is_hard)


def _deployments(
    events: Sequence[event_pb.Event], subjects: Iterable[Subject]
) -> Sequence[tuple[int, Subject]]:
    """Return when each deployment began, and of what it is; the team is that of the catalog if it has one."""
    teams = {each.service: each.team for each in subjects if each.team}
    found = []
    for event in events:
        attributes, subject = attributes_of(event), subject_of(event)
        if attributes.type == event_pb.Type.deployment and attributes.status not in NOT_BEGUN:
            subject = subject._replace(team=teams.get(subject.service, subject.team))
            found.append((event_time(event), subject))
    return found


def _lifted(
    occurrence: Occurrence,
    service: str,
    place: Place,
    incident: event_pb.Event,
    deployments: Sequence[tuple[int, Subject]],
) -> LiftedFreeze:
    own, at = attributes_of(incident), event_time(incident)
    age = at - occurrence.end
    features = {
        **where_features(place, event_pb.EventAttributes(environment=own.environment), own),
        "freeze_lifted": 1.0,
        **age_features(age),
    }
    begun = sum(
        occurrence.end <= began <= at and is_for(occurrence.window, subject) for began, subject in deployments
    )
    given = {name: value for name, value in features.items() if value}
    return LiftedFreeze(occurrence, service, place, age, given, begun)
