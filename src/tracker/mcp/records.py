"""Messages as the records that tools return: short, flat and typed.

Names are those of the protos. What a record does not have is left out; an event has the fields of its
`attributes`, `links` and `metadata` itself. Enums are words, times RFC 3339, and durations such as `1h30m`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from protobuf import (
    DescEnum,
    DescFieldValueList,
    DescFieldValueMap,
    DescFieldValueScalar,
    Message,
    ScalarType,
    message_to_json_value,
)
from protobuf.wkt import Duration

from tracker.pb import event_pb
from tracker.pb.options import wire_name
from tracker.time_text import rounded_text
from tracker.transcoding.fields import (
    DURATION,
    TIMESTAMP,
    element_of,
    is_well_known,
    message_of,
    wrapped_field,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from protobuf import DescField, DescMessage

    from tracker.transcoding.fields import Element

Schema: TypeAlias = dict[str, Any]
"""A JSON Schema, 2020-12."""

_FLAT = frozenset(
    field
    for field in event_pb.Event.desc().fields
    if message_of(field) is not None and field.name in ("attributes", "links", "metadata")
)
"""Fields whose own fields take their place."""
_NUMBERS = {
    **dict.fromkeys((ScalarType.DOUBLE, ScalarType.FLOAT), "number"),
    ScalarType.BOOL: "boolean",
    **dict.fromkeys((ScalarType.STRING, ScalarType.BYTES), "string"),
}
_DIGITS = 4
"""Digits after the point of a number that is not whole."""


class Records:
    """Makes records of messages, without some fields, and with long texts cut.

    `left_out` are the names of fields at any depth. A text of more than `longest` characters is cut, unless
    that is 0.
    """

    def __init__(self, left_out: Collection[str] = (), longest: int = 0) -> None:
        self._left_out = frozenset(left_out)
        self._longest = longest

    def record(self, answer: Message) -> dict[str, Any]:
        """Return the record of an answer; it has its own lists, numbers and flags even if they are empty."""
        made = self._fields(answer)
        for field in self._kept(answer.desc()):
            if field.name not in made and _is_always_there(field):
                made[field.name] = [] if isinstance(field.value, DescFieldValueList) else answer[field]
        return made

    def schema(self, answer: DescMessage) -> Schema:
        """Return the schema of the records of a kind of answer."""
        defined: dict[str, Schema] = {}
        schema = self._object(answer, defined)
        schema["required"] = [field.name for field in self._kept(answer) if _is_always_there(field)]
        return schema | ({"$defs": defined} if defined else {})

    def _kept(self, message: DescMessage) -> list[DescField]:
        return [field for field in message.fields if field.name not in self._left_out]

    def _fields(self, message: Message) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for field in self._kept(message.desc()):
            if field not in message and not _is_number(field):
                continue
            value: Any = message[field]
            match field.value:
                case DescFieldValueList():
                    made[field.name] = [self._value(field, each) for each in value]
                case DescFieldValueMap():
                    items = value.items()
                    made[field.name] = {_inert(str(key)): self._value(field, each) for key, each in items}
                case _ if field in _FLAT:
                    made |= self._fields(value)
                case _:
                    made[field.name] = self._value(field, value)
        return made

    def _value(self, field: DescField, value: Any) -> Any:  # noqa: ANN401 - of any type that a field may have
        match value:
            case str():
                text = value[: self._longest] + "…" if 0 < self._longest < len(value) else value
                return _inert(text)
            case float():
                return round(value, _DIGITS)
            case Duration():
                return rounded_text(timedelta(seconds=value.seconds, microseconds=value.nanos // 1_000))
            case Message():
                return message_to_json_value(value) if is_well_known(value.desc()) else self._fields(value)
            case _:
                return wire_name(value) if isinstance(element_of(field), DescEnum) else value

    def _object(self, message: DescMessage, defined: dict[str, Schema]) -> Schema:
        properties: Schema = {}
        for field in self._kept(message):
            below = message_of(field)
            if field in _FLAT and below is not None:
                properties |= self._object(below, defined)["properties"]
                continue
            item = self._element(element_of(field), defined)
            match field.value:
                case DescFieldValueList():
                    properties[field.name] = {"type": "array", "items": item}
                case DescFieldValueMap():
                    properties[field.name] = {"type": "object", "additionalProperties": item}
                case _:
                    properties[field.name] = item
        return {"type": "object", "properties": properties}

    def _element(self, element: Element, defined: dict[str, Schema]) -> Schema:
        if isinstance(element, DescEnum):  # a newer server may know further words
            return {"type": "string"}
        if isinstance(element, ScalarType):
            return {"type": _NUMBERS.get(element, "integer")}
        if element.type_name == TIMESTAMP:
            return {"type": "string", "format": "date-time"}
        wrapped = wrapped_field(element)
        if wrapped is not None:
            return self._element(element_of(wrapped), defined)
        if element.type_name == DURATION:
            return {"type": "string", "description": "such as 1h30m"}
        name = element.type_name.rpartition(".")[2]
        if name not in defined:
            defined[name] = {}  # so that a type may contain itself
            defined[name] = self._object(element, defined)
        return {"$ref": f"#/$defs/{name}"}


def words_of(enum: DescEnum) -> list[str]:
    """Return the names of an enum's values, without that for what is not said."""
    return [value.name for value in enum.values if value.number]


def _is_number(field: DescField) -> bool:
    """Return whether a field is a fraction that always has a value: 0 of it says something."""
    is_double = isinstance(field.value, DescFieldValueScalar) and field.value.scalar is ScalarType.DOUBLE
    return is_double and not field.proto.proto3_optional


def _is_always_there(field: DescField) -> bool:
    match field.value:
        case DescFieldValueList():
            return True
        case DescFieldValueScalar(scalar=scalar):
            text = scalar in (ScalarType.STRING, ScalarType.BYTES)
            return not text and not field.proto.proto3_optional
        case _:
            return False


def _inert(text: str) -> str:
    """Return a text without characters that nobody sees: they could carry what only a model reads."""
    if text.isprintable():
        return text
    kept = (each if each.isprintable() or each in "\n\t" else "\N{REPLACEMENT CHARACTER}" for each in text)
    return "".join(kept)
