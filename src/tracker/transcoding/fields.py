"""What the descriptors say of a message's fields, and what a field accepts, in words."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, TypeAlias

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

from tracker.time_text import MICROS, read_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from protobuf import DescField

Element: TypeAlias = ScalarType | DescEnum | DescMessage
"""The type of one value."""

TIMESTAMP = "google.protobuf.Timestamp"
DURATION = "google.protobuf.Duration"

_SCALARS = {
    **dict.fromkeys((ScalarType.DOUBLE, ScalarType.FLOAT), "a number"),
    **dict.fromkeys(
        (ScalarType.INT32, ScalarType.SINT32, ScalarType.SFIXED32),
        "a whole number from -2147483648 to 2147483647",
    ),
    **dict.fromkeys(
        (ScalarType.INT64, ScalarType.SINT64, ScalarType.SFIXED64),
        "a whole number from -9223372036854775808 to 9223372036854775807",
    ),
    **dict.fromkeys((ScalarType.UINT32, ScalarType.FIXED32), "a whole number from 0 to 4294967295"),
    **dict.fromkeys((ScalarType.UINT64, ScalarType.FIXED64), "a whole number from 0 to 18446744073709551615"),
    ScalarType.BOOL: "true or false",
    ScalarType.STRING: "a string",
    ScalarType.BYTES: "a base64 string",
}


@cache
def fields_by_name(message: DescMessage) -> Mapping[str, DescField]:
    """Return the fields of a message by their JSON names and by their proto names."""
    return {name: field for field in message.fields for name in (field.json_name, field.name)}


def element_of(field: DescField) -> Element:
    """Return the type of a field's value, or of each item where the field is a list or a map."""
    match field.value:
        case DescFieldValueScalar(scalar=scalar):
            return scalar
        case DescFieldValueEnum(enum=enum):
            return enum
        case DescFieldValueMessage(message=message):
            return message
        case DescFieldValueList(element=element) | DescFieldValueMap(value=element):
            return element


def message_of(field: DescField) -> DescMessage | None:
    """Return the message type of a field's value, or of each item; None where it is not a message."""
    element = element_of(field)
    return element if isinstance(element, DescMessage) else None


def is_well_known(message: DescMessage) -> bool:
    """Return whether a message is one of Google's, most of which have a JSON form of their own."""
    return message.type_name.startswith("google.protobuf.")


def wrapped_field(message: DescMessage) -> DescField | None:
    """Return the field that a `google.protobuf` wrapper such as `UInt32Value` wraps."""
    if message.file.name != "google/protobuf/wrappers.proto":
        return None
    return message.fields[0]


def expected_element(field: DescField) -> str:
    """Return what a field accepts, or each item of it where it is a list or a map."""
    element = element_of(field)
    if isinstance(element, ScalarType):
        return _SCALARS[element]
    if isinstance(element, DescEnum):
        return f"one of {', '.join(value.name for value in element.values)}"
    if element.type_name == TIMESTAMP:
        return "an RFC 3339 timestamp such as 2026-01-31T12:00:00Z"
    if element.type_name == DURATION:
        return "a duration in seconds such as 3.5s, or with units such as 1h30m"
    wrapped = wrapped_field(element)
    return "an object" if wrapped is None else expected_element(wrapped)


def duration_json(text: str) -> str:
    """Return the ProtoJSON of a duration with units such as `1h30m`, and any other text as it is."""
    found = None if text.removesuffix("s").replace(".", "").isdecimal() else read_duration(text)
    return text if found is None else f"{found.low // MICROS}.{found.low % MICROS:06d}s"
