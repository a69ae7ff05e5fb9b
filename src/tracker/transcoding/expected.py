"""What a field takes, in words for the person who got it wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from protobuf import (
    DescEnum,
    DescFieldValueEnum,
    DescFieldValueList,
    DescFieldValueMap,
    DescFieldValueMessage,
    DescFieldValueScalar,
    DescMessage,
    ScalarType,
)

if TYPE_CHECKING:
    from protobuf import DescField

    from tracker.transcoding.json_text import JsonValue

_SHOWN = 60
"""Characters of a wrong value that an error repeats."""

_SIGNED_32 = "a whole number from -2147483648 to 2147483647"
_SIGNED_64 = "a whole number from -9223372036854775808 to 9223372036854775807"
_UNSIGNED_32 = "a whole number from 0 to 4294967295"
_UNSIGNED_64 = "a whole number from 0 to 18446744073709551615"

_SCALARS = {
    ScalarType.DOUBLE: "a number",
    ScalarType.FLOAT: "a number",
    ScalarType.INT32: _SIGNED_32,
    ScalarType.SINT32: _SIGNED_32,
    ScalarType.SFIXED32: _SIGNED_32,
    ScalarType.INT64: _SIGNED_64,
    ScalarType.SINT64: _SIGNED_64,
    ScalarType.SFIXED64: _SIGNED_64,
    ScalarType.UINT32: _UNSIGNED_32,
    ScalarType.FIXED32: _UNSIGNED_32,
    ScalarType.UINT64: _UNSIGNED_64,
    ScalarType.FIXED64: _UNSIGNED_64,
    ScalarType.BOOL: "true or false",
    ScalarType.STRING: "a string",
    ScalarType.BYTES: "a base64 string",
}

TIMESTAMP = "google.protobuf.Timestamp"
DURATION = "google.protobuf.Duration"


def expected(field: DescField) -> str:
    """Say what a field takes: `a string`, `one of deployment, operation`."""
    match field.value:
        case DescFieldValueList():
            return "a list"
        case DescFieldValueMap():
            return "an object"
        case _:
            return expected_element(field)


def expected_element(field: DescField) -> str:
    """Say what a field takes, or each item of it where it is a list or a map."""
    match field.value:
        case DescFieldValueScalar(scalar=kind) | DescFieldValueList(element=ScalarType() as kind):
            return _SCALARS[kind]
        case DescFieldValueMap(value=ScalarType() as kind):
            return _SCALARS[kind]
        case DescFieldValueEnum(enum=enum) | DescFieldValueList(element=DescEnum() as enum):
            return _names(enum)
        case DescFieldValueMap(value=DescEnum() as enum):
            return _names(enum)
        case DescFieldValueMessage(message=message) | DescFieldValueList(element=DescMessage() as message):
            return _message(message)
        case DescFieldValueMap(value=DescMessage() as message):
            return _message(message)
    raise TypeError(f"{field} holds nothing known")


def is_well_known(message: DescMessage) -> bool:
    """Say whether a message is one of Google's, most of whose JSON is not an object of their fields."""
    return message.type_name.startswith("google.protobuf.")


def wrapped_field(message: DescMessage) -> DescField | None:
    """Return the field that a `google.protobuf` wrapper such as `UInt32Value` wraps."""
    if message.file.name != "google/protobuf/wrappers.proto":
        return None
    return message.fields[0]


def shown(value: JsonValue) -> str:
    """Return a wrong value as JSON, cut to a length that fits a message."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _names(enum: DescEnum) -> str:
    return f"one of {', '.join(value.name for value in enum.values)}"


def _message(message: DescMessage) -> str:
    if message.type_name == TIMESTAMP:
        return "an RFC 3339 timestamp such as 2026-01-31T12:00:00Z"
    if message.type_name == DURATION:
        return "a duration in seconds such as 3.5s"
    wrapped = wrapped_field(message)
    return "an object" if wrapped is None else expected_element(wrapped)
