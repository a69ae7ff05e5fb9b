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
    from collections.abc import Iterator, Mapping, Sequence

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
    "createTime": "start, without a history",
    "history": "changelog; start: when it last opened; end, of what is closed",
    "lastReceiveTime": "end, of what is closed without a history",
    **{name: f"label {name}" for name in ("group", "value", "origin", "customer")},
}


def _event(record: Record) -> event_pb.Event:
    own, entries = first_text(record, ("id", "_id")), _entries(record)
    ended, lately = text(record, "status").lower() in _ENDED, _since_opened(entries)
    told = {**record, **_worst(lately)} if ended else record
    resource, event = text(told, "resource"), text(told, "event")
    if not event:
        raise refused("event", "expected a text")
    title, message = divided(f"{event} on {resource}" if resource else event, text(told, "text"))
    given = optional(record, "service", list) or ()
    services = [each for each in given if isinstance(each, str) and each]
    attributes = event_pb.EventAttributes(
        type=event_pb.Type.incident,
        source=_NAME,
        service=(services[0] if services else resource)[:LONGEST] or "unknown",
        status=event_pb.Status.close if ended else event_pb.Status.open,
        priority=_priority(told),
        message=shortened(message),
        start_date=_moment(lately[0], "updateTime") if lately else _moment(record, "createTime"),
    )
    labels = {name: text(told, name)[:LONGEST_LABEL] for name in _LABELS}
    labels["services"] = ",".join(services)[:LONGEST_LABEL] if len(services) > 1 else ""
    attributes.labels = {name: value for name, value in labels.items() if value}
    words = [each for each in optional(record, "tags", list) or () if isinstance(each, str)]
    tags.apply(
        [f"environment:{text(record, 'environment')}", *words] if text(record, "environment") else words,
        attributes,
    )
    history = list(_history(entries))
    if ended:
        changes = [each.timestamp for each in history if each.field]
        attributes.end_date = changes[-1] if changes else _moment(record, "lastReceiveTime")
    request = event_pb.CreateEventRequest(title=title, attributes=attributes)
    made = imported(request, _NAME, own, record)
    made.changelog = history
    return made


def _priority(told: Mapping[str, Any]) -> event_pb.Priority:
    return _PRIORITIES.get(text(told, "severity").lower(), event_pb.Priority.P5)


def _entries(record: Record) -> list[Record]:
    """Return the entries of the history that have a time, the oldest first."""
    given = optional(record, "history", list) or ()
    entries = [each for each in given if isinstance(each, dict) and _plain(each.get("updateTime"))]
    return sorted(entries, key=lambda each: str(_plain(each["updateTime"])))


def _since_opened(entries: Sequence[Record]) -> list[Record]:
    """Return the entries since the alert last opened.

    Alerta keeps one alert for all times that something happened, and sets `createTime` whenever its severity
    changes.
    """
    kept: list[Record] = []
    ended = False
    for each in entries:
        status = text(each, "status").lower()
        if ended and status and status not in _ENDED:
            kept = []
        ended = status in _ENDED if status else ended
        kept.append(each)
    return kept


def _worst(entries: Sequence[Record]) -> dict[str, str]:
    """Return what the alert said when its severity was the worst: at its end, it says that all is well."""
    named = [each for each in entries if text(each, "event") and text(each, "severity")]
    if not named:
        return {}
    worst = min(named, key=_priority)
    return {name: text(worst, name) for name in ("event", "severity", "value", "text")}


def _history(entries: Sequence[Record]) -> Iterator[event_pb.ChangelogEntry]:
    """Yield the changes of an alert, the oldest first."""
    before = ""
    for each in entries:
        status = text(each, "status")
        changed = bool(status) and status != before
        yield event_pb.ChangelogEntry(
            timestamp=_moment(each, "updateTime"),
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
