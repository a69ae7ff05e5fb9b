"""Query strings and path parameters, as the JSON values of the fields they name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import parse_qsl

from protobuf import (
    DescEnum,
    DescFieldValueEnum,
    DescFieldValueList,
    DescFieldValueMessage,
    DescFieldValueScalar,
    DescMessage,
    ScalarType,
)

from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.transcoding.expected import DURATION, TIMESTAMP, expected_element, wrapped_field
from tracker.transcoding.json_request import takes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from protobuf import DescField

    from tracker.transcoding.json_text import JsonValue

Pairs: TypeAlias = "list[tuple[str, str]]"
"""A query string's keys and values, decoded, in the order of the client."""

_BOOLEANS = dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True) | dict.fromkeys(
    ("0", "f", "F", "FALSE", "false", "False"), False
)
_WHOLE = re.compile(r"-?[0-9]{1,20}")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_LOST_PLUS = re.compile(r" (?=[0-9]{2}:[0-9]{2}$)")
_ANY = re.compile(r".*")


@dataclass(frozen=True, slots=True, eq=False)
class TextField:
    """A field that text can set.

    `path` leads to it from the request message, `proto_path` is the same in proto names
    (`attributes.start_date`). `read` makes the JSON value of a text, or None of one that is not valid.
    """

    path: tuple[DescField, ...]
    proto_path: str
    repeated: bool
    read: Callable[[str], JsonValue]

    def put(self, fields: dict[str, JsonValue], value: JsonValue) -> None:
        """Set the field in a tree of normalised fields, whatever stood there."""
        for field in self.path[:-1]:
            below = fields.get(field.name)
            if not isinstance(below, dict):
                below = fields[field.name] = {}
            fields = below
        fields[self.path[-1].name] = value


@lru_cache(maxsize=4096)
def find_field(message: DescMessage, key: str) -> TextField | None:
    """Return the field that a key such as `attributes.startDate` names, or None where there is none.

    `value` below a wrapper names the wrapper.
    """
    path: list[DescField] = []
    below: DescMessage | None = message
    for name in key.split("."):
        field = None if below is None else _names(below).get(name)
        if field is None or below is None:
            return None
        if wrapped_field(below) is not None:
            break
        path.append(field)
        below = field.value.message if isinstance(field.value, DescFieldValueMessage) else None
    last = path[-1]
    return TextField(
        path=tuple(path),
        proto_path=".".join(field.name for field in path),
        repeated=isinstance(last.value, DescFieldValueList),
        read=_reader(last),
    )


def parse_query(query: bytes) -> Pairs:
    """Split a query string; an empty value counts as not given.

    Raises:
        TrackerError: INVALID_ARGUMENT where the escapes are broken or do not spell UTF-8.
    """
    if _BROKEN_ESCAPE.search(query):
        raise invalid(FieldViolation("", "the query string has a % that no two hexadecimal digits follow"))
    try:
        return parse_qsl(query.decode(), errors="strict")
    except UnicodeDecodeError:
        raise invalid(FieldViolation("", "the query string is not UTF-8")) from None


def read_query(message: DescMessage, pairs: Pairs, bound: Collection[str]) -> dict[str, JsonValue]:
    """Return the fields that a query string sets; keys that name no field are ignored.

    `bound` holds the proto paths that the route takes from elsewhere; the query can't set them.

    Raises:
        TrackerError: INVALID_ARGUMENT, with the field's name as the client wrote it.
    """
    values: dict[str, tuple[TextField, str, list[str]]] = {}
    for key, text in pairs:
        found = find_field(message, key)
        if found is None or (path := found.proto_path) in bound:
            continue
        values.setdefault(path, (found, key, []))[2].append(text)
    fields: dict[str, JsonValue] = {}
    for found, key, texts in values.values():
        if found.repeated:
            found.put(fields, [read_text(found, key, text) for text in texts])
        elif len(texts) == 1:
            found.put(fields, read_text(found, key, texts[0]))
        else:
            raise _refusal(found, f'too many values for field "{key}": {", ".join(texts)}', "give one value")
    return fields


def read_text(found: TextField, key: str, text: str) -> JsonValue:
    """Return the JSON value of a field, or of one item of a list, that is given as text.

    Raises:
        TrackerError: INVALID_ARGUMENT, with the field's name as the client wrote it in `key`.
    """
    value = found.read(text)
    if value is None:
        what = "list" if found.repeated else "field"
        valid = f"expected {expected_element(found.path[-1])}"
        raise _refusal(found, f'parsing {what} "{key}": "{text}" is not a valid value: {valid}', valid)
    return value


def _reader(field: DescField) -> Callable[[str], JsonValue]:
    match field.value:
        case DescFieldValueScalar(scalar=kind) | DescFieldValueList(element=ScalarType() as kind):
            return _scalar_reader(kind, field)
        case DescFieldValueEnum(enum=enum) | DescFieldValueList(element=DescEnum() as enum):
            return lambda text: _enum_numbers(enum).get(text.lower())
        case DescFieldValueMessage(message=message) | DescFieldValueList(element=DescMessage() as message):
            return _message_reader(message, field)
        case _:
            return _refuse


def _scalar_reader(kind: ScalarType, field: DescField) -> Callable[[str], JsonValue]:
    if kind is ScalarType.STRING:
        return str
    if kind is ScalarType.BOOL:
        return _BOOLEANS.get
    if kind is ScalarType.BYTES:
        return _checked(field, _ANY)
    return _checked(field, _NUMBER if kind in (ScalarType.FLOAT, ScalarType.DOUBLE) else _WHOLE)


def _message_reader(message: DescMessage, field: DescField) -> Callable[[str], JsonValue]:
    if message.type_name == DURATION:
        return _checked(field, _ANY)
    if message.type_name == TIMESTAMP:
        read = _checked(field, _ANY)
        # A plus sign that was not escaped came as a space; nothing else can stand there.
        return lambda text: read(_LOST_PLUS.sub("+", text))
    wrapped = wrapped_field(message)
    if wrapped is not None and isinstance(wrapped.value, DescFieldValueScalar):
        return _scalar_reader(wrapped.value.scalar, field)
    return _refuse


def _checked(field: DescField, grammar: re.Pattern[str]) -> Callable[[str], JsonValue]:
    """Read a text that fits a grammar and that the message library takes for the field."""
    repeated = isinstance(field.value, DescFieldValueList)

    def read(text: str) -> JsonValue:
        fits = grammar.fullmatch(text) and takes(field, [text] if repeated else text)
        return text if fits else None

    return read


def _refuse(_text: str) -> JsonValue:
    """Read nothing: messages and maps have no text."""
    return None


@cache
def _enum_numbers(enum: DescEnum) -> dict[str, JsonValue]:
    """Return the numbers that names in lower case, and numbers as text, stand for."""
    numbers: dict[str, JsonValue] = {str(value.number): value.number for value in enum.values}
    return numbers | {value.name.lower(): value.number for value in enum.values}


@cache
def _names(message: DescMessage) -> dict[str, DescField]:
    return {field.json_name: field for field in message.fields} | {
        field.name: field for field in message.fields
    }


def _refusal(found: TextField, message: str, description: str) -> TrackerError:
    violation = FieldViolation(found.proto_path, description)
    return TrackerError(Reason.INVALID_FIELD, message, violations=(violation,))
