"""Exports of Datadog: answers of its Events API v1 and v2, and files of its Events Explorer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tracker.intakes import datadog
from tracker.intakes.archives.records import Product, imported, listed
from tracker.intakes.requests import LONGEST_LABEL, optional, part, since_1970, text, zoned

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from protobuf.wkt import Timestamp

    from tracker.intakes.archives.records import Record
    from tracker.pb import event_pb

_NAME: Final = "datadog"
_ALERT_TYPES: Final = {"failure": "error", "warn": "warning", "ok": "success"}
"""The types of alerts that the API v2 has under other names."""
_ALIASES: Final = {
    "date": "timestamp",
    "time": "timestamp",
    "content": "text",
    "message": "text",
    "event_id": "id",
    "alert_type": "status",
    "hostname": "host",
}
_BECOMES: Final = {
    "title": "title",
    "text": "message",
    "message": "message",
    "content": "message",
    "date_happened": "start",
    "timestamp": "start",
    "date": "start",
    "time": "start",
    "tags": "service, environment, version, owner and other fields; labels",
    "service": "service",
    "source": "source",
    "source_type_name": "source",
    "priority": "priority, if low",
    "alert_type": "status",
    "status": "status",
    "host": "label host",
    "hostname": "label host",
    "device_name": "label device_name",
    "aggregation_key": "label aggregation_key",
    "handle": "owner",
    "id": "external id",
    "event_id": "external id",
    "evt": "external id, or title",
}


def _records(value: Any) -> Iterator[Record]:  # noqa: ANN401 - JSON is of any shape
    for each in listed(value, "events", "data", "event"):
        if isinstance(each.get("attributes"), dict):
            yield _flat(each)
        else:
            yield each


def _flat(record: Record) -> Record:
    """Return a record of the API v2 with the fields that a record of v1 has."""
    outer = part(record, "attributes")
    inner = part(outer, "attributes")
    flat = {name: value for name, value in {**inner, **outer}.items() if name != "attributes"}
    return {"id": part(inner, "evt").get("id") or record.get("id"), **flat}


def _event(record: Record) -> event_pb.Event:
    given = {_ALIASES.get(name.lower(), name.lower()): value for name, value in record.items()}
    message = text(given, "text")
    title = text(given, "title") or text(_object(given, "evt"), "name") or message.strip().partition("\n")[0]
    status = text(given, "status").lower()
    alert_type = _ALERT_TYPES.get(status, status)
    content = {
        "title": title,
        "text": message,
        "source_type_name": text(given, "source_type_name") or text(given, "source"),
        "tags": _tags(given.get("tags")),
        "service": text(given, "service"),
        "priority": "low" if text(given, "priority").lower() == "low" else "normal",
        "alert_type": alert_type if alert_type in datadog.STATUSES else "info",
        "host": text(given, "host")[:LONGEST_LABEL],
        "device_name": given.get("device_name"),
        "aggregation_key": text(given, "aggregation_key"),
        "handle": text(given, "handle"),
    }
    request = datadog.event_request(content)
    if request.attributes is not None:
        request.attributes.start_date = _start(given)
    return imported(request, _NAME, text(given, "id"), record)


def _start(given: Mapping[str, Any]) -> Timestamp | None:
    """Return the time of a record: a text, or seconds in the API v1, and milliseconds in v2."""
    for name in ("timestamp", "date_happened"):
        at = given.get(name)
        if isinstance(at, str) and at and not at.isdecimal():
            return zoned(name, at)
        if at not in (None, ""):
            return since_1970(name, int(at) if isinstance(at, str) else at)
    return None


def _object(given: Mapping[str, Any], name: str) -> Record:
    value = given.get(name)
    return value if isinstance(value, dict) else {}


def _tags(given: object) -> list[str]:
    """Return tags: a list, JSON of one, or a text with commas between them."""
    if isinstance(given, str):
        if given.startswith("["):
            return _tags(json.loads(given))
        return [each.strip() for each in given.split(",") if each.strip()]
    return [str(each) for each in optional({"tags": given}, "tags", list) or ()]


DATADOG: Final = Product(_NAME, _records, _event, _BECOMES)
