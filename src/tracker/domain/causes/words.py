"""The features of a change in words."""

from __future__ import annotations

from datetime import timedelta
from math import exp
from typing import TYPE_CHECKING

from tracker.domain.causes.features import Change, lines_of
from tracker.domain.events import attributes_of
from tracker.number_text import number_of
from tracker.pb import incident_pb
from tracker.pb.options import name_if_set, wire_name
from tracker.time_text import rounded_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.domain.causes.freezes import LiftedFreeze
    from tracker.pb import event_pb

_FIXED = {
    "same_service": "of the same service",
    "unknown_environment": "an environment is not known",
    "running": "still under way when it happened",
    "rolled_back": "rolled back afterwards",
    "configuration": "changes a configuration or a flag",
    "operation": "an operation",
    "drift": "a drift",
    "overlaps": "at the same time as another change of its service",
    "gradual": "the incident's text names what fills up slowly, so that its cause may be old",
    "also_failing": "its service has an incident too",
    "mentioned": "named in the text of the incident",
    "stranger_mentioned": "not known to be called, but named in the text of the incident",
    "linked": "linked to the incident, or of the same ticket",
    "other_place": "in another region or cluster",
}


def reasons(
    change: Change | LiftedFreeze, incident: event_pb.Event, weights: Mapping[str, float]
) -> list[incident_pb.Reason]:
    """Return the reasons for and against a change, the strongest first."""
    found = [
        incident_pb.Reason(
            feature=feature,
            value=value,
            weight=weights[feature],
            factor=exp(value * weights[feature]),
            text=_text(feature, change, incident)
            if isinstance(change, Change)
            else _freeze_text(feature, change, incident),
        )
        for feature, value in change.features.items()
    ]
    return sorted(found, key=lambda each: -abs(each.value * each.weight))


def _text(feature: str, change: Change, incident: event_pb.Event) -> str:
    """Return what a feature of a change says in words."""
    attributes = attributes_of(change.event)
    changes, incidents = change.history
    began = "began " if "running" in change.features else ""
    age = rounded_text(timedelta(microseconds=change.age))
    troubles = number_of(incidents, "incident") if incidents else "no incidents"
    others = f"{exp(change.features.get('shared', 0.0)):.0f}"
    words: Mapping[str, str] = {
        **_FIXED,
        "dependency_1": f"{_called(incident)} calls {attributes.service}",
        "dependency_2": f"{_called(incident)} calls {attributes.service} by way of another service",
        "caller_1": f"{attributes.service} calls {_called(incident)}",
        "caller_2": f"{attributes.service} calls {_called(incident)} by way of another service",
        "same_environment": f"in {_environment(attributes)} too",
        "age": f"{began}{age} before",
        "stranger_age": "of a service not known to be called",
        "running_age": "not ended by then",
        "shared": f"{others} services are as near to it",
        "old": f"{age} is long before",
        "failed": f"ended with {wire_name(attributes.status)}" if attributes.status else "",
        "size": f"{lines_of(attributes)} lines changed",
        "superseded": f"followed by {number_of(change.later, 'later change')} of the same service",
        "rare": f"its service had {number_of(changes, 'change')} in 14 days",
        "incident_prone": f"its service had {troubles} in {number_of(changes, 'change')}",
    }
    return words[feature]


def _freeze_text(feature: str, freeze: LiftedFreeze, incident: event_pb.Event) -> str:
    """Return what a feature of a freeze window that ended says in words."""
    age = rounded_text(timedelta(microseconds=freeze.age))
    others = f"{exp(freeze.features.get('shared', 0.0)):.0f}"
    words: Mapping[str, str] = {
        "same_service": "was for the same service",
        "dependency_1": f"was for {freeze.service}, which {_called(incident)} calls",
        "dependency_2": f"was for {freeze.service}, which {_called(incident)} calls by way of another",
        "same_environment": f"in {_environment(attributes_of(incident))} too",
        "unknown_environment": "an environment is not known",
        "shared": f"{others} services are as near to it",
        "freeze_lifted": f"the freeze ended, and {number_of(freeze.begun, 'compared deployment')}"
        " began since",
        "age": f"{age} before",
        "old": f"{age} is long before",
    }
    return words[feature]


def _called(incident: event_pb.Event) -> str:
    return attributes_of(incident).service or "the service"


def _environment(attributes: event_pb.EventAttributes) -> str:
    return name_if_set(attributes.environment)
