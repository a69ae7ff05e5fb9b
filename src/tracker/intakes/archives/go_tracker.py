"""Documents of the Go implementation, as its MongoDB driver stores its messages.

The name of a field is that of the proto in lower case, without underscores. Times and durations are
`{seconds, nanos}`, and values of enums their numbers: those are the same as here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID, uuid5

from protobuf import DescMessage, message_from_json_value
from protobuf.wkt import Duration, Timestamp

from tracker.errors import TrackerError
from tracker.intakes.requests import refused
from tracker.pb import catalog_pb, event_pb
from tracker.transcoding.fields import element_of

if TYPE_CHECKING:
    from protobuf import DescField, Message

    from tracker.transcoding.json_text import JsonValue

M = TypeVar("M", bound="Message")

_NAMESPACE: Final = UUID("2f7d3b0e-54a8-5d0a-8f0e-9b5f1c3a7d21")
_OTHERS: Final = frozenset({"_id", "state", "sizecache", "unknownfields"})
"""Fields of a document that are none of a message."""


def event_of(document: Mapping[str, Any]) -> event_pb.Event:
    """Return the event in a document; one without a service, a type or a title gets those of the unknown.

    Raises:
        TrackerError: INVALID_ARGUMENT; it can't be read.
    """
    event = _message(event_pb.Event, document)
    attributes = event.attributes = event.attributes or event_pb.EventAttributes()
    attributes.service = attributes.service or "unknown"
    attributes.type = attributes.type or event_pb.Type.operation
    event.title = event.title or "(no title)"
    metadata = event.metadata = event.metadata or event_pb.EventMetadata()
    if not metadata.id:
        metadata.id = str(uuid5(_NAMESPACE, str(document.get("_id"))))
    return event


def entry_of(document: Mapping[str, Any]) -> catalog_pb.Catalog:
    """Return the catalog entry in a document.

    Raises:
        TrackerError: INVALID_ARGUMENT; it can't be read, or has no name.
    """
    entry = _message(catalog_pb.Catalog, document)
    if not entry.name:
        raise refused("name", "expected a text")
    return entry


def left_out(kind: type[Message], document: Mapping[str, Any]) -> list[str]:
    """Return the fields of a document, also of those in it, that no field of a message has."""
    return [*_left_out(kind.desc(), document, "")]


def _left_out(kind: DescMessage, document: Mapping[str, Any], above: str) -> list[str]:
    fields = _fields(kind)
    found = []
    for name, value in document.items():
        if name in _OTHERS or value is None:
            continue
        if name not in fields:
            found.append(f"{above}{name}")
        elif isinstance(below := element_of(fields[name]), DescMessage) and not _is_time(below):
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, Mapping):
                    found += _left_out(below, each, f"{above}{name}.")
    return found


def _message(kind: type[M], document: Mapping[str, Any]) -> M:
    try:
        return message_from_json_value(kind, _json(kind.desc(), document), ignore_unknown_fields=True)
    except (ValueError, TypeError, TrackerError) as error:
        raise refused("", f"the document can't be read: {error}") from None


def _json(kind: DescMessage, document: Mapping[str, Any]) -> dict[str, JsonValue]:
    """Return the JSON of the message in a document."""
    found: dict[str, JsonValue] = {}
    fields = _fields(kind)
    for name, value in document.items():
        if name not in fields or value is None:
            continue
        field = fields[name]
        below = element_of(field)
        if not isinstance(below, DescMessage):
            found[field.json_name] = value
        elif isinstance(value, list):
            found[field.json_name] = [_json(below, each) for each in value if isinstance(each, Mapping)]
        elif isinstance(value, Mapping):
            found[field.json_name] = _time(below, value) if _is_time(below) else _json(below, value)
    return found


def _fields(kind: DescMessage) -> dict[str, DescField]:
    return {field.name.replace("_", "").lower(): field for field in kind.fields}


def _is_time(kind: DescMessage) -> bool:
    return kind.type_name in {Timestamp.desc().type_name, Duration.desc().type_name}


def _time(kind: DescMessage, value: Mapping[str, Any]) -> JsonValue:
    seconds, nanos = int(value.get("seconds") or 0), int(value.get("nanos") or 0)
    if kind.type_name == Timestamp.desc().type_name:
        return Timestamp(seconds=seconds, nanos=nanos).to_json().strip('"')
    return Duration(seconds=seconds, nanos=nanos).to_json().strip('"')
