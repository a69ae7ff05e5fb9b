"""The table of the fields of events that commands read: it takes no time to load, as the messages do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protobuf import (
    DescFieldValueEnum,
    DescFieldValueList,
    DescFieldValueMap,
    DescFieldValueMessage,
    DescFieldValueScalar,
    ScalarType,
)
from tools.openapi.comments import description, summary

from tracker.pb.options import query_of

if TYPE_CHECKING:
    from protobuf import DescField, DescFile


def build_table(file: DescFile) -> list[dict[str, object]]:
    """Return a row for each field of an event that its client fills, or that queries ask for."""
    messages = {message.name: message for message in file.messages}
    parts = {"": "Event", "attributes": "EventAttributes", "links": "EventLinks", "metadata": "EventMetadata"}
    rows = [_row(part, field) for part, name in parts.items() for field in messages[name].fields]
    return [row for row in rows if row["part"] in {"attributes", "links"} or "query" in row]


def _row(part: str, field: DescField) -> dict[str, object]:
    row: dict[str, object] = {"name": field.name, "part": part, "kind": _kind(field)}
    help_ = summary(description(field))
    if isinstance(field.value, DescFieldValueEnum):
        row["enum"] = field.value.enum.name
        help_ += f": {', '.join(value.name for value in field.value.enum.values if value.number)}"
    row["help"] = f"{help_}."
    if (query := query_of(field)) is not None:
        row["query"] = query.name or field.name
        row["facet"] = query.facet
    return row


def _kind(field: DescField) -> str:
    kind = "message"
    match field.value:
        case DescFieldValueEnum():
            kind = "choice"
        case DescFieldValueScalar(scalar=ScalarType.BOOL):
            kind = "flag"
        case DescFieldValueScalar():
            kind = "text"
        case DescFieldValueList():
            kind = "texts"
        case DescFieldValueMap():
            kind = "pairs"
        case DescFieldValueMessage(message=message) if message.type_name == "google.protobuf.Timestamp":
            kind = "time"
    return kind
