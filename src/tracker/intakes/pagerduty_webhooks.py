"""The intake of PagerDuty's webhooks v3: https://developer.pagerduty.com/docs/webhooks-overview."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracker.domain.times import micros
from tracker.intakes.integrations import PONG, Integration, Record, event_request, identity, time_of
from tracker.intakes.requests import json_object, optional, part, text
from tracker.intakes.signatures import hexadecimal
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.intakes.integrations import Received
    from tracker.intakes.recorder import Recorder

is_signed: Final = hexadecimal("x-pagerduty-signature", {"v1=": "sha256"})

_STATUSES: Final = {
    "triggered": event_pb.Status.open,
    "acknowledged": event_pb.Status.in_progress,
    "resolved": event_pb.Status.close,
}
_PRIORITIES: Final = {each.name: each for each in event_pb.Priority if each}


def pagerduty(recorder: Recorder) -> Integration:
    """Return the intake of incidents."""
    return Integration(recorder, "pagerduty", received, is_signed, delivery=_message_id)


def _message_id(body: bytes) -> str:
    return text(part(json_object(body), "event"), "id")


def received(body: bytes, _headers: Mapping[str, str]) -> Received:
    """Return what a message records, or why it records nothing.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is malformed.
    """
    event = part(json_object(body), "event")
    kind, incident = text(event, "event_type"), part(event, "data")
    if kind == "pagey.ping":
        return PONG
    if not kind.startswith("incident.") or text(incident, "type") != "incident":
        return "unsupported event"
    status = _STATUSES.get(text(incident, "status"))
    if status is None:
        return "unsupported status"
    at, service = time_of(event, "occurred_at"), part(incident, "service")
    priority = text(part(incident, "priority"), "summary")
    reopened = kind == "incident.reopened"
    own = identity(incident, "id")
    attributes = event_pb.EventAttributes(
        source="pagerduty",
        external_id=f"incident:{own}",
        type=event_pb.Type.incident,
        status=status,
        priority=_PRIORITIES.get(priority, event_pb.Priority(0)),
        service=text(service, "summary"),
        owner=_first(incident, "teams") or _first(incident, "assignees"),
        start_date=time_of(incident, "created_at"),
    )
    asked = event_request(
        attributes,
        text(incident, "title") or f"Incident {text(incident, 'number') or own}",
        "",
        {
            "incident": text(incident, "number"),
            "urgency": text(incident, "urgency"),
            "priority": "" if attributes.priority else priority,
            "pagerduty_service": text(service, "id"),
            "reopened": "true" if reopened else "",
            "url": text(incident, "html_url"),
        },
        at if kind == "incident.resolved" else None,
    )
    return [Record(asked, event, micros(at) if reopened and at is not None else None)]


def _first(incident: Mapping[str, Any], name: str) -> str:
    """Return the name of the first of some teams or people."""
    found = optional(incident, name, list) or [None]
    return text(found[0], "summary") if isinstance(found[0], dict) else ""
