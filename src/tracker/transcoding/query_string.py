"""Query strings and path variables: the JSON values of the fields they name, and the way back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import parse_qsl, urlencode

from protobuf import (
    DescEnum,
    DescFieldValueList,
    DescFieldValueMap,
    DescFieldValueMessage,
    DescMessage,
    ScalarType,
)

from tracker.errors import FieldViolation, Reason, TrackerError, invalid, nearest
from tracker.pb.options import number_named, numbers
from tracker.time_text import hint
from tracker.transcoding.fields import (
    DURATION,
    TIMESTAMP,
    duration_json,
    element_of,
    expected_element,
    fields_by_name,
    message_of,
    wrapped_field,
)
from tracker.transcoding.json_request import accepts
from tracker.transcoding.unknown import MAX_UNKNOWN, unknown_parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from protobuf import DescField

    from tracker.transcoding.json_text import JsonValue
    from tracker.transcoding.unknown import Unknown

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
_GRAMMARS: Mapping[ScalarType | str, re.Pattern[str]] = {
    **dict.fromkeys(ScalarType, _WHOLE),
    **dict.fromkeys((ScalarType.FLOAT, ScalarType.DOUBLE), _NUMBER),
    **dict.fromkeys((ScalarType.STRING, ScalarType.BYTES, ScalarType.BOOL, TIMESTAMP, DURATION), _ANY),
}
"""The grammars of what can be text: scalars, and messages by their names."""
_HUGE = re.compile(r"^0*([1-9][0-9]{9,})$")
_INT32_MAX = 2**31 - 1
_RESPELLED: Mapping[ScalarType | str, Callable[[str], str]] = {
    # A plus sign that was not escaped came as a space; nothing else in a timestamp can be one.
    TIMESTAMP: lambda text: _LOST_PLUS.sub("+", text),
    DURATION: duration_json,
    # The number of a page: whatever is beyond the last one is as good as any other.
    ScalarType.INT32: lambda text: _HUGE.sub(lambda huge: str(min(int(huge[1][:11]), _INT32_MAX)), text),
}


@dataclass(frozen=True, slots=True, eq=False)
class TextField:
    """A field that a query string or a path can set.

    `path` leads to it from the request message; `proto_path` (`attributes.start_date`) is the same in proto
    names. `read` returns the JSON value of a text, or None for an invalid text.
    """

    path: tuple[DescField, ...]
    proto_path: str
    repeated: bool
    read: Callable[[str], JsonValue]

    def put(self, fields: dict[str, JsonValue], value: JsonValue) -> None:
        """Set the field in a tree of normalised fields, whatever stood there."""
        _put(fields, [field.name for field in self.path], value)

    def pop(self, fields: dict[str, JsonValue]) -> str:
        """Remove the field from a message's JSON, and return its value as text: empty where it is unset."""
        *parents, last = self.path
        for field in parents:
            below = fields.get(field.json_name)
            fields = below if isinstance(below, dict) else {}
        return text_of(fields.pop(last.json_name, ""))


@lru_cache(maxsize=4096)
def find_field(message: DescMessage, key: str) -> TextField | None:
    """Return the field that a key such as `attributes.startDate` names, or None where there is none.

    `value` below a wrapper is the wrapper itself.
    """
    path: list[DescField] = []
    below: DescMessage | None = message
    for name in key.split("."):
        field = None if below is None else fields_by_name(below).get(name)
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
    """Split a query string.

    Raises:
        TrackerError: INVALID_ARGUMENT where the escapes are broken or do not spell UTF-8.
    """
    if _BROKEN_ESCAPE.search(query):
        raise invalid(FieldViolation("", "the query string has a % that no two hexadecimal digits follow"))
    try:
        return parse_qsl(query.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise invalid(FieldViolation("", "the query string is not UTF-8")) from None


def read_query(
    message: DescMessage, pairs: Pairs, bound: Collection[str]
) -> tuple[dict[str, JsonValue], Sequence[Unknown]]:
    """Return the fields that a query string sets, and its keys that name no field.

    An empty value counts as not given. `bound` holds the proto paths that the route takes from elsewhere; the
    query can't set them.

    Raises:
        TrackerError: INVALID_ARGUMENT, with the field's name as the client wrote it.
    """
    values: dict[str, tuple[TextField, str, list[str]]] = {}
    unknown: dict[str, None] = {}
    for key, text in pairs:
        found = find_field(message, key)
        if found is None:
            unknown[key] = None
        elif text and (path := found.proto_path) not in bound:
            values.setdefault(path, (found, key, []))[2].append(text)
    fields: dict[str, JsonValue] = {}
    for found, key, texts in values.values():
        if found.repeated:
            found.put(fields, [read_text(found, key, text) for text in texts])
        elif len(texts) == 1:
            found.put(fields, read_text(found, key, texts[0]))
        else:
            raise _refusal(found, f'too many values for field "{key}": {", ".join(texts)}', "give one value")
    return fields, tuple(unknown_parameter(message, key) for key in islice(unknown, MAX_UNKNOWN))


def read_text(found: TextField, key: str, text: str) -> JsonValue:
    """Return the JSON value of a field, or of one item of a list, that is given as text.

    Raises:
        TrackerError: INVALID_ARGUMENT, with the field's name as the client wrote it in `key`.
    """
    value = found.read(text)
    if value is None:
        what = "list" if found.repeated else "field"
        element = element_of(found.path[-1])
        meant = ""
        if isinstance(element, DescEnum):
            meant = nearest(text, numbers(element))
        elif isinstance(element, DescMessage) and element.type_name == DURATION:
            meant = hint(text)
        valid = f"expected {expected_element(found.path[-1])}{meant}"
        raise _refusal(found, f'parsing {what} "{key}": "{text}" is not a valid value: {valid}', valid)
    return value


def nested(pairs: Pairs) -> dict[str, JsonValue]:
    """Return a query string in the shape of a JSON body, `a.b=1` as `{"a": {"b": "1"}}`; the first wins."""
    tree: dict[str, JsonValue] = {}
    for key, text in reversed(pairs):
        _put(tree, key.split("."), text)
    return tree


def write_query(fields: Mapping[str, JsonValue]) -> str:
    """Return the query string that sets what a message's JSON sets."""
    return urlencode([*_pairs(fields, "")])


def text_of(value: JsonValue) -> str:
    """Return the text of a value that is neither a list nor an object."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _pairs(fields: Mapping[str, JsonValue], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield from _pairs(item, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", text_of(item)


def _put(tree: dict[str, JsonValue], path: Sequence[str], value: JsonValue) -> None:
    for name in path[:-1]:
        below = tree.get(name)
        if not isinstance(below, dict):
            below = tree[name] = {}
        tree = below
    tree[path[-1]] = value


def _reader(field: DescField) -> Callable[[str], JsonValue]:
    inner = message_of(field)
    element = element_of((inner and wrapped_field(inner)) or field)
    if isinstance(element, DescEnum):
        declared: Mapping[str, JsonValue] = {str(value.number): value.number for value in element.values}
        return lambda text: declared.get(text, number_named(element, text))
    kind: ScalarType | str = element if isinstance(element, ScalarType) else element.type_name
    if isinstance(field.value, DescFieldValueMap) or kind not in _GRAMMARS:
        return lambda _: None  # maps and messages have no text
    if kind is ScalarType.STRING:
        return str
    if kind is ScalarType.BOOL:
        return _BOOLEANS.get
    read = _checked(field, _GRAMMARS[kind])
    respelled = _RESPELLED.get(kind)
    return read if respelled is None else lambda text: read(respelled(text))


def _checked(field: DescField, grammar: re.Pattern[str]) -> Callable[[str], JsonValue]:
    """Read a text that fits a grammar and that the message library accepts for the field."""
    repeated = isinstance(field.value, DescFieldValueList)

    def read(text: str) -> JsonValue:
        fits = grammar.fullmatch(text) and accepts(field, [text] if repeated else text)
        return text if fits else None

    return read


def _refusal(found: TextField, message: str, description: str) -> TrackerError:
    violation = FieldViolation(found.proto_path, description)
    return TrackerError(Reason.INVALID_FIELD, message, violations=(violation,))
