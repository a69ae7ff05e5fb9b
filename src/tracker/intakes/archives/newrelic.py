"""Exports of New Relic: results of NRQL queries, as JSON of its APIs or as files of its query builder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracker.intakes import newrelic
from tracker.intakes.archives.records import Product, imported, listed
from tracker.intakes.requests import refused, text, zoned
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.intakes.archives.records import Record

_NAME: Final = "newrelic"
_WRAPPERS: Final = ("data", "actor", "account", "nrql", "results", "events", "rawResponse")
_BECOMES: Final = {
    "eventType": "type, or label event_type; status: success, of a deployment without one",
    "timestamp": "start",
    "title": "title",
    "summary": "title",
    "message": "message",
    "description": "message",
    "appName": "service",
    "applicationName": "service",
    "service.name": "service",
    "entity.name": "service",
    "user": "owner",
    "revision": "version",
    "accountId": "",
}


def _records(value: Any) -> Iterator[Record]:  # noqa: ANN401 - JSON is of any shape
    kind = _event_type(value)
    for each in listed(value, *_WRAPPERS):
        yield each if each.get("eventType") or not kind else {"eventType": kind, **each}


def _event_type(value: object) -> str:
    """Return the type of all results, as the metadata of a query names it."""
    if not isinstance(value, dict):
        return ""
    for name, each in value.items():
        if name in ("eventTypes", "eventType"):
            found = each[0] if isinstance(each, list) and each else each
            return found if isinstance(found, str) else ""
        if isinstance(each, dict) and (kind := _event_type(each)):
            return kind
    return ""


def _event(record: Record) -> event_pb.Event:
    content = {name: value for name, value in record.items() if value not in (None, "")}
    if not text(content, "eventType"):
        raise refused(
            "eventType", "the query selects none: add eventType() AS 'eventType', or give --event-type"
        )
    at = content.get("timestamp")
    if isinstance(at, str):
        content["timestamp"] = _millis(at)
    request = newrelic.event_request(content)
    attributes = request.attributes
    if attributes and attributes.type == event_pb.Type.deployment and not attributes.status:
        attributes.status = event_pb.Status.success  # as of a deployment marker
    return imported(request, _NAME, "", record)


def _millis(at: str) -> float:
    """Return milliseconds since 1970 for a time as a file has it."""
    if at.replace(".", "", 1).isdecimal():
        return float(at)
    return zoned("timestamp", at.replace(" ", "T", 1)).to_datetime().timestamp() * 1000


NEWRELIC: Final = Product(_NAME, _records, _event, _BECOMES, "the field of that name, or a label")
