"""What CDEvents 0.3 to 0.5 say, as events: https://github.com/cdevents/spec.

The version at the end of a type is not looked at. What happens to one pipeline run, incident, build or ticket
is one event, whose external id is that of the subject; what is done at once is an event of its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote

from tracker.domain.events import FINISHED
from tracker.intakes import tags
from tracker.intakes.requests import (
    LONGEST,
    LONGEST_LABEL,
    bounded,
    divided,
    moment,
    part,
    refused,
    shortened,
    text,
)
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX: Final = "dev.cdevents."
_TYPE = re.compile(r"dev\.cdevents\.([a-z]+)\.([a-z]+)(?:\..*)?")
_PURL = re.compile(
    r"pkg:[^/]+/(?:[^@?#]*/)?(?P<name>[^/@?#]+)(?:@(?P<version>[^?#]*))?(?:\?(?P<rest>[^#]*))?.*"
)
_LONGEST_PURL: Final = 2000
_Status = event_pb.Status

_BEGINNINGS: Final = {"queued": _Status.planned, "created": _Status.open, "started": _Status.start}
_STATUSES: Final = _BEGINNINGS | {
    "detected": _Status.open,
    "reported": _Status.open,
    "updated": _Status.in_progress,
}
_ENDS: Final = {"finished": _Status.success, "resolved": _Status.close, "closed": _Status.close}
_OUTCOMES: Final = {
    "success": _Status.success,
    "pass": _Status.success,
    "cancel": _Status.close,
    "error": _Status.error,
    "failure": _Status.failure,
    "fail": _Status.failure,
}
_DEPLOYMENTS: Final = ("deployed", "upgraded", "rolledback")
_LASTING: Final = (
    "pipelinerun",
    "taskrun",
    "build",
    "incident",
    "ticket",
    "testcaserun",
    "testsuiterun",
    "approval",
)
"""Subjects that begin and end."""
_NAMES: Final = ("name", "pipelineName", "taskName")


def as_cloudevent(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the attributes of the CloudEvent that has a CDEvent as its data.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is no CDEvent.
    """
    context, subject = part(content, "context"), part(content, "subject")
    if not text(context, "type").startswith(PREFIX):
        raise refused("context.type", f"expected {PREFIX}…")
    names = {"id": "id", "source": "source", "type": "type", "time": "timestamp"}
    return {
        **{name: text(context, other) for name, other in names.items()},
        "specversion": "1.0",
        "subject": text(subject, "id"),
        "data": content,
    }


def event_request(
    kind: str, content: Mapping[str, Any], attributes: event_pb.EventAttributes
) -> event_pb.CreateEventRequest:
    """Return the request that records a CDEvent, given the attributes of its CloudEvent.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is malformed.
    """
    found = _TYPE.fullmatch(kind)
    if found is None:
        raise refused("type", "expected dev.cdevents.SUBJECT.PREDICATE.VERSION")
    of, done = found.groups()
    context, subject = part(content, "context"), part(content, "subject")
    about, subject_id = part(subject, "content"), text(subject, "id")
    at = moment(context, "timestamp") or attributes.start_date
    attributes.start_date = at
    attributes.type = event_pb.Type.incident if of == "incident" else event_pb.Type.operation
    attributes.status = _Status.done
    if of == "service" and done in _DEPLOYMENTS:
        attributes.type, attributes.status = event_pb.Type.deployment, _Status.success
    if of in _LASTING:
        _set_stage(attributes, done, text(about, "outcome"))
        if subject_id:
            attributes.external_id = bounded(f"{of}:{subject_id}")
    labels = {"rollback": "true"} if done == "rolledback" else {}
    labels |= {name: value for name, value in _labels(context, about) if value}
    attributes.labels = attributes.labels | labels
    _name(attributes, of, subject_id, about)
    usual = f"{attributes.service} {of} {done}"
    told = (text(about, name) for name in ("description", "errors", "summary"))
    title, message = divided(usual, "\n".join(filter(None, told)))
    attributes.message = shortened(message)
    ticket = text(about, "ticketURI")[:2000]
    links = event_pb.EventLinks(ticket=ticket) if ticket else None
    return event_pb.CreateEventRequest(title=title, attributes=attributes, links=links)


def _set_stage(attributes: event_pb.EventAttributes, done: str, outcome: str) -> None:
    if done in _ENDS:
        attributes.status = _OUTCOMES.get(outcome.lower(), _ENDS[done])
    elif done in _STATUSES:
        attributes.status = _STATUSES[done]
    if attributes.status in FINISHED:
        attributes.end_date, attributes.start_date = attributes.start_date, None


def _name(attributes: event_pb.EventAttributes, of: str, subject_id: str, about: Mapping[str, Any]) -> None:
    """Set the service, its version and its environment."""
    purl = text(about, "artifactId") or (subject_id if of == "artifact" else "")
    artifact = _PURL.fullmatch(purl) if len(purl) <= _LONGEST_PURL else None
    service, environment = part(about, "service"), part(about, "environment")
    named = text(service, "id") or next((text(about, name) for name in _NAMES if about.get(name)), "")
    if not named and artifact is not None:
        named = unquote(artifact["name"]) if of != "service" else subject_id
    attributes.service = (named or subject_id or "unknown").rpartition("/")[2][:LONGEST] or "unknown"
    if artifact is not None:
        tag = parse_qs(artifact["rest"] or "").get("tag", [""])[0]
        attributes.version = (tag or unquote(artifact["version"] or ""))[:LONGEST]
    place = subject_id if of == "environment" else text(environment, "id")
    tags.apply([f"environment:{place}"] if place else [], attributes)


def _labels(context: Mapping[str, Any], about: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("chain_id", text(context, "chainId")[:LONGEST_LABEL]),
        ("url", (text(about, "url") or text(about, "uri"))[:LONGEST_LABEL]),
    ]
