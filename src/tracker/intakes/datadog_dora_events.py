"""Deployments and failures of Datadog's DORA Metrics API: the events for them, and their JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracker.domain.events import attributes_of, event_time, metadata_of
from tracker.domain.times import micros, timestamp
from tracker.intakes import tags
from tracker.intakes.requests import LONGEST, LONGEST_LABEL, divided, optional, part, refused, text
from tracker.pb import event_pb
from tracker.pb.options import wire_name
from tracker.time_text import LATEST, MICROS, datetime_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from protobuf.wkt import Timestamp

SENDER: Final = "datadog"
FIELD: Final = "data.attributes."
ID: Final = re.compile(r"[\w.:-]{1,128}", re.ASCII)
_UNITS: Final = ((10**11, MICROS, 1), (10**14, 1000, 1), (10**17, 1, 1), (10**20, 1, 1000))
"""Times below the first are in a unit of so many microseconds, or a part of one: s, ms, µs or ns."""
GIT: Final = {"repository_url": "repository_url", "commit_sha": "sha"}
_OWN: Final = (*GIT.values(), "severity", "services", "change_failure", "remediation", "remediation_type")
_PRIORITIES: Final = {
    **{f"SEV-{n}": event_pb.Priority(n) for n in range(1, 6)},
    **{f"SEV{n}": event_pb.Priority(n) for n in range(1, 6)},
    "CRITICAL": event_pb.Priority.P1,
    "HIGH": event_pb.Priority.P2,
    "NORMAL": event_pb.Priority.P3,
    "MEDIUM": event_pb.Priority.P3,
    "LOW": event_pb.Priority.P4,
}


@dataclass(frozen=True, slots=True)
class Kind:
    """What one half of the API is about: `kind` and `word` are its names in answers and in paths."""

    kind: str
    word: str
    type: event_pb.Type


DEPLOYMENT: Final = Kind("dora_deployment", "deployment", event_pb.Type.deployment)
FAILURE: Final = Kind("dora_failure", "failure", event_pb.Type.incident)


def deployment_request(content: Mapping[str, Any]) -> event_pb.CreateEventRequest:
    """Return the request that records a deployment.

    Raises:
        TrackerError: INVALID_ARGUMENT; a field is missing, or is not of its kind.
    """
    service, version = text(content, "service"), text(content, "version")
    if not service.strip():
        raise refused(f"{FIELD}service", "expected a text")
    attributes = event_pb.EventAttributes(
        type=event_pb.Type.deployment,
        status=event_pb.Status.success,
        service=service[:LONGEST],
        end_date=_moment(content, "finished_at"),
    )
    title = f"Deployed {service} {version}".strip()
    return _event_request(content, attributes, title)


def failure_request(content: Mapping[str, Any]) -> event_pb.CreateEventRequest:
    """Return the request that records a failure as an incident.

    Raises:
        TrackerError: INVALID_ARGUMENT; a field is missing, or is not of its kind.
    """
    services = [each for each in optional(content, "services", list) or () if isinstance(each, str) and each]
    if not services and not text(content, "team"):
        raise refused(f"{FIELD}services", "expected services or a team")
    severity, ended = text(content, "severity"), _moment(content, "finished_at")
    attributes = event_pb.EventAttributes(
        type=event_pb.Type.incident,
        status=event_pb.Status.open if ended is None else event_pb.Status.close,
        service=services[0][:LONGEST] if services else "unknown",
        priority=_PRIORITIES.get(severity.upper(), event_pb.Priority(0)),
        end_date=ended,
    )
    several = ",".join(services) if len(services) > 1 else ""
    labels = {"severity": severity, "services": several}
    attributes.labels = {name: of[:LONGEST_LABEL] for name, of in labels.items() if of}
    return _event_request(content, attributes, text(content, "name") or f"Failure of {attributes.service}")


def _event_request(
    content: Mapping[str, Any], attributes: event_pb.EventAttributes, title: str
) -> event_pb.CreateEventRequest:
    """Return the request for what both kinds have; `attributes` are what one of them adds."""
    given = text(content, "id")
    if given and not ID.fullmatch(given):
        raise refused(f"{FIELD}id", "expected up to 128 letters, digits and - _ . :")
    attributes.source, attributes.external_id = SENDER, given
    attributes.start_date = _moment(content, "started_at")
    if attributes.start_date is None:
        raise refused(f"{FIELD}started_at", "expected a time in ns, ms or s since 1970")
    attributes.version = text(content, "version")[:LONGEST]
    attributes.owner = text(content, "team")[:LONGEST]
    git = part(content, "git")
    labels = {own: text(git, name)[:LONGEST_LABEL] for name, own in GIT.items()}
    attributes.labels = attributes.labels | {name: of for name, of in labels.items() if of}
    custom = [each for each in optional(content, "custom_tags", list) or () if isinstance(each, str)]
    environment = text(content, "env")
    tags.apply(([f"env:{environment}"] if environment else []) + custom, attributes)
    line, message = divided(title, "")
    attributes.message = message
    return event_pb.CreateEventRequest(title=line, attributes=attributes)


def _moment(content: Mapping[str, Any], name: str) -> Timestamp | None:
    """Return the time of a field in s, ms, µs or ns since 1970, or None where it has none."""
    given = optional(content, name, int)
    if given is None:
        return None
    for below, times, parts in _UNITS:
        if 0 <= given < below and given * times // parts <= LATEST:
            return timestamp(given * times // parts)
    raise refused(f"{FIELD}{name}", "expected a time in ns, ms or s since 1970")


def id_of(event: event_pb.Event) -> str:
    """Return the id by which clients know an event: the one that they gave it, else its own."""
    attributes = attributes_of(event)
    return (
        attributes.external_id
        if attributes.source == SENDER and attributes.external_id
        else metadata_of(event).id
    )


def env_of(attributes: event_pb.EventAttributes) -> str:
    """Return the environment of an event, also one that is none of Tracker's."""
    environment = attributes.environment
    return wire_name(environment) if environment else attributes.labels.get("env", "")


def as_json(event: event_pb.Event, kind: Kind) -> dict[str, object]:
    """Return a deployment or a failure in Datadog's form."""
    attributes = attributes_of(event)
    labels = attributes.labels
    shown = event_pb.EventAttributes(labels={name: of for name, of in labels.items() if name not in _OWN})
    ended = attributes.end_date
    services = labels.get("services", attributes.service).split(",")
    sha, repository = (labels.get(GIT[name]) for name in ("commit_sha", "repository_url"))
    own: dict[str, object] = {
        "started_at": _shown(event_time(event)),
        "finished_at": None if ended is None else _shown(micros(ended)),
        "env": env_of(attributes) or None,
        "version": attributes.version or None,
        "team": attributes.owner or None,
        "custom_tags": tags.tags_of(shown) or None,
        "git": {"commit_sha": sha, "repository_url": repository, "repository_id": repository}
        if sha
        else None,
    }
    if kind is DEPLOYMENT:
        own["service"] = attributes.service
        failed = labels.get("change_failure")
        own["change_failure"] = None if failed is None else failed == "true"
    else:
        own |= {"services": services, "name": event.title, "severity": labels.get("severity")}
    given = {name: of for name, of in own.items() if of is not None}
    return {"id": id_of(event), "type": kind.kind, "attributes": given}


def _shown(at: int) -> str:
    return datetime_of(at).isoformat().replace("+00:00", "Z")
