"""Exports of Alerta: the answer of `GET /api/alerts`, or what `mongoexport` writes of its alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracker.domain.times import timestamp
from tracker.intakes import tags
from tracker.intakes.archives.records import Product, imported, listed
from tracker.intakes.requests import (
    LONGEST,
    LONGEST_LABEL,
    divided,
    first_text,
    optional,
    part,
    refused,
    shortened,
    text,
    zoned,
)
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from protobuf.wkt import Timestamp

    from tracker.intakes.archives.records import Record

_NAME: Final = "alerta"
_ENDED: Final = frozenset({"closed", "expired"})
_PRIORITIES: Final = {
    **dict.fromkeys(("security", "critical"), event_pb.Priority.P1),
    "major": event_pb.Priority.P2,
    "minor": event_pb.Priority.P3,
    "warning": event_pb.Priority.P4,
}
"""Of severities; https://docs.alerta.io/api/alert.html#alert-severities. The others are P5."""
_LABELS: Final = ("resource", "event", "severity", "group", "value", "origin", "customer")
_BECOMES: Final = {
    "id": "external id",
    "_id": "external id",
    "resource": "title; label resource; service, without one",
    "event": "title; label event",
    "environment": "environment, or label environment",
    "severity": "priority; label severity",
    "status": "status: close if closed or expired, else open",
    "service": "service: the first; label services: all",
    "text": "message",
    "tags": "environment, version, owner and other fields; labels",
    "createTime": "start",
    "history": "changelog; end, of what is closed",
    "lastReceiveTime": "end, of what is closed without a history",
    **{name: f"label {name}" for name in ("group", "value", "origin", "customer")},
}


def _event(record: Record) -> event_pb.Event:
    own, resource, event = first_text(record, ("id", "_id")), text(record, "resource"), text(record, "event")
    if not event:
        raise refused("event", "expected a text")
    title, message = divided(f"{event} on {resource}" if resource else event, text(record, "text"))
    given = optional(record, "service", list) or ()
    services = [each for each in given if isinstance(each, str) and each]
    ended = text(record, "status").lower() in _ENDED
    history = list(_history(record))
    attributes = event_pb.EventAttributes(
        type=event_pb.Type.incident,
        source=_NAME,
        service=(services[0] if services else resource)[:LONGEST] or "unknown",
        status=event_pb.Status.close if ended else event_pb.Status.open,
        priority=_PRIORITIES.get(text(record, "severity").lower(), event_pb.Priority.P5),
        message=shortened(message),
        start_date=_moment(record, "createTime"),
    )
    labels = {name: text(record, name)[:LONGEST_LABEL] for name in _LABELS}
    labels["services"] = ",".join(services)[:LONGEST_LABEL] if len(services) > 1 else ""
    attributes.labels = {name: value for name, value in labels.items() if value}
    words = [each for each in optional(record, "tags", list) or () if isinstance(each, str)]
    tags.apply(
        [f"environment:{text(record, 'environment')}", *words] if text(record, "environment") else words,
        attributes,
    )
    if ended:
        last = history[-1].timestamp if history else _moment(record, "lastReceiveTime")
        attributes.end_date = last
    request = event_pb.CreateEventRequest(title=title, attributes=attributes)
    made = imported(request, _NAME, own, record)
    made.changelog = history
    return made


def _history(record: Record) -> Iterator[event_pb.ChangelogEntry]:
    """Yield the changes of an alert, the oldest first."""
    entries = [each for each in optional(record, "history", list) or () if isinstance(each, dict)]
    before = ""
    for each in sorted(entries, key=lambda each: str(_plain(each.get("updateTime")))):
        status, at = text(each, "status"), _moment(each, "updateTime")
        if at is None:
            continue
        changed = bool(status) and status != before
        yield event_pb.ChangelogEntry(
            timestamp=at,
            user=text(each, "user")[:LONGEST],
            change_type=event_pb.ChangeType.status_changed if changed else event_pb.ChangeType.commented,
            field="status" if changed else "",
            old_value=before if changed else "",
            new_value=status if changed else "",
            comment=shortened(text(each, "text")),
        )
        before = status or before


def _moment(record: Mapping[str, Any], name: str) -> Timestamp | None:
    given = _plain(record.get(name))
    if isinstance(given, int):
        return timestamp(given * 1_000)
    return zoned(name, given) if isinstance(given, str) and given else None


def _plain(value: object) -> object:
    """Return a time as the API writes it, for one of `mongoexport`: a text, or milliseconds."""
    if isinstance(value, dict):
        inner = value.get("$date")
        return int(part({"of": inner}, "of")["$numberLong"]) if isinstance(inner, dict) else inner
    return value


ALERTA: Final = Product(_NAME, lambda value: listed(value, "alerts", "alert"), _event, _BECOMES)
