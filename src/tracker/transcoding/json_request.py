"""JSON values of requests, converted to the strict form that the message library reads.

Each message type has a plan, compiled once from its descriptor, that knows both spellings of every field. It
changes only what ProtoJSON is stricter about than Tracker: names of enums in any case, their aliases, numbers
as text, empty timestamps, unknown keys. The result names fields by their proto names.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from protobuf import DescEnum, DescFieldValueList, DescFieldValueMap, ScalarType, message_from_json_value

from tracker.errors import FieldViolation, invalid, nearest
from tracker.pb.options import number_named, numbers
from tracker.time_text import hint
from tracker.transcoding.fields import (
    DURATION,
    TIMESTAMP,
    duration_json,
    element_of,
    expected_element,
    fields_by_name,
    is_well_known,
    message_of,
    wrapped_field,
)
from tracker.transcoding.json_text import RepeatedKeys, shown
from tracker.transcoding.unknown import drop_unknown_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from protobuf import DescField, DescMessage, Message

    from tracker.transcoding.json_text import JsonValue
    from tracker.transcoding.unknown import Unknown

    Convert: TypeAlias = Callable[[JsonValue], JsonValue]
    """Converts one value other than null to the form that the library reads."""

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"-?[0-9]{1,10}")
_INT32 = range(-(2**31), 2**31)
_NOT_NUMBERS = (ScalarType.STRING, ScalarType.BYTES, ScalarType.BOOL)
_WRONG = (ValueError, TypeError, OverflowError, RecursionError)
"""What the message library raises for a value that it does not accept."""


class _WrongValue(Exception):  # noqa: N818 - carries a finding, and never leaves this module
    """A value that no rule accepts, and where it stands."""

    def __init__(self, path: str, description: str) -> None:
        super().__init__(description)
        self.violation = FieldViolation(path, description)

    def within(self, parent: str) -> _WrongValue:
        """Return the same finding, seen from the message, list or map that holds `parent`."""
        return _WrongValue(_join(parent, self.violation.field), self.violation.description)


class _UnknownKey(Exception):  # noqa: N818 - a request may have some; never leaves this module
    """An object has a key that is not a field of its message."""


def normalise(message: DescMessage, value: JsonValue) -> tuple[dict[str, JsonValue], Sequence[Unknown]]:
    """Return the fields of a message that a request's JSON object sets, and its unknown keys.

    The unknown keys are removed from `value`.

    Raises:
        TrackerError: INVALID_ARGUMENT, naming the field by its proto path.
    """
    convert = _plan(message).convert
    try:
        try:
            return convert(value), ()
        except _UnknownKey:
            unknown = drop_unknown_keys(message, value)
            return convert(value), unknown
    except _WrongValue as wrong:
        raise invalid(wrong.violation) from None


def make_message(cls: type[Message], fields: dict[str, JsonValue]) -> Message:
    """Make a message of normalised fields.

    Raises:
        TrackerError: INVALID_ARGUMENT, naming the field by its proto path.
    """
    try:
        return message_from_json_value(cls, fields)
    except _WRONG:
        raise invalid(_find_wrong(cls.desc(), fields)) from None


def accepts(field: DescField, value: JsonValue) -> bool:
    """Return whether the message library accepts a normalised value for a field."""
    try:
        message_from_json_value(field.parent.type, {field.name: value})
    except _WRONG:
        return False
    return True


class _MessagePlan:
    """The fields of one message type by both spellings, each with its converter."""

    def __init__(self, message: DescMessage) -> None:
        _PLANS[message] = self  # before its fields are read, since a type may contain itself
        self._fields = {name: (f.name, _converter(f)) for name, f in fields_by_name(message).items()}

    def convert(self, value: JsonValue) -> dict[str, JsonValue]:
        fields = self._fields
        if not isinstance(value, dict):
            raise _WrongValue("", f"expected an object, got {shown(value)}")
        if isinstance(value, RepeatedKeys):
            for key in value.repeated:
                if key in fields:
                    raise _WrongValue(fields[key][0], "duplicate field: give it once")
        made: dict[str, JsonValue] = {}
        for key, item in value.items():
            if key not in fields:
                raise _UnknownKey
            name, convert = fields[key]
            if name in made:
                raise _WrongValue(name, "duplicate field: give it in one spelling")
            if convert is None or item is None:
                made[name] = item
                continue
            try:
                made[name] = convert(item)
            except _WrongValue as wrong:
                raise wrong.within(name) from None
        return made


_PLANS: dict[DescMessage, _MessagePlan] = {}


def _plan(message: DescMessage) -> _MessagePlan:
    return _PLANS.get(message) or _MessagePlan(message)


@cache
def _converter(field: DescField) -> Convert | None:
    convert = _element_converter(field)
    match field.value:
        case DescFieldValueList():
            return None if convert is None else _list_converter(convert, field)
        case DescFieldValueMap():
            return _map_converter(convert, field)
        case _:
            return convert


def _element_converter(field: DescField) -> Convert | None:
    element = element_of(field)
    if isinstance(element, DescEnum):
        return _enum_converter(element, field)
    if isinstance(element, ScalarType):
        return None if element in _NOT_NUMBERS else _number_converter(field)
    if element.type_name == TIMESTAMP:
        return _unset_if_empty
    if element.type_name == DURATION:
        return _duration_converter(field)
    wrapped = wrapped_field(element)
    if wrapped is not None:
        return _converter(wrapped)
    return None if is_well_known(element) else _plan(element).convert


def _unset_if_empty(value: JsonValue) -> JsonValue:
    return None if value == "" else value


def _duration_converter(field: DescField) -> Convert:
    """Accept durations with units; the library alone would accept seconds only."""

    def convert(value: JsonValue) -> JsonValue:
        if not isinstance(value, str):
            return value
        if why := hint(value):
            raise _WrongValue("", f"expected {expected_element(field)}, got {shown(value)}{why}")
        return duration_json(value)

    return convert


def _number_converter(field: DescField) -> Convert:
    """Hold text to the grammar of JSON numbers; the library alone would accept `1_000` and `NaN`."""

    def convert(value: JsonValue) -> JsonValue:
        if isinstance(value, str) and not _NUMBER.fullmatch(value):
            raise _WrongValue("", f"expected {expected_element(field)}, got {shown(value)}")
        return value

    return convert


def _enum_converter(enum: DescEnum, field: DescField) -> Convert:
    """Accept names and aliases in any case, whole numbers, also as text, and "" for the first value."""
    names = {**numbers(enum), "": enum.values[0].number}

    def convert(value: JsonValue) -> JsonValue:
        number: JsonValue = value
        if isinstance(value, str):
            number = names.get(value)
            if number is None:
                number = int(value) if _WHOLE.fullmatch(value) else number_named(enum, value)
            if number is None:
                expected = expected_element(field)
                raise _WrongValue("", f"expected {expected}, got {shown(value)}{nearest(value, names)}")
        elif isinstance(value, float) and value.is_integer():
            number = int(value)
        if type(number) is not int or number not in _INT32:
            raise _WrongValue("", f"expected a name or a number of {enum.name}, got {shown(value)}")
        return number

    return convert


def _list_converter(convert: Convert, field: DescField) -> Convert:
    def convert_list(value: JsonValue) -> JsonValue:
        if not isinstance(value, list):
            raise _WrongValue("", f"expected a list, got {shown(value)}")
        return [_convert_item(convert, field, index, item) for index, item in enumerate(value)]

    return convert_list


def _map_converter(convert: Convert | None, field: DescField) -> Convert:
    def convert_map(value: JsonValue) -> JsonValue:
        if not isinstance(value, dict):
            raise _WrongValue("", f"expected an object, got {shown(value)}")
        if isinstance(value, RepeatedKeys):
            raise _WrongValue(f"[{value.repeated[0]}]", "duplicate field: give it once")
        return {key: _convert_item(convert, field, key, item) for key, item in value.items()}

    return convert_map


def _convert_item(convert: Convert | None, field: DescField, key: int | str, item: JsonValue) -> JsonValue:
    if item is None:
        raise _WrongValue(f"[{key}]", f"expected {expected_element(field)}, got null")
    if convert is None:
        return item
    try:
        return convert(item)
    except _WrongValue as wrong:
        raise wrong.within(f"[{key}]") from None


def _join(path: str, below: str) -> str:
    return f"{path}.{below}" if below and not below.startswith("[") else path + below


def _find_wrong(message: DescMessage, fields: dict[str, JsonValue]) -> FieldViolation:
    """Find the field that the library did not accept, by giving it one at a time."""
    for field in message.fields:
        value = fields.get(field.name)
        if accepts(field, value):
            continue
        path, item = field.name, value
        match field.value, value:
            case DescFieldValueList(), list():
                index, item = next((i, v) for i, v in enumerate(value) if not accepts(field, [v]))
                path += f"[{index}]"
            case DescFieldValueMap(), dict():
                key, item = next((k, v) for k, v in value.items() if not accepts(field, {k: v}))
                path += f"[{key}]"
            case DescFieldValueList() | DescFieldValueMap() as kind, _:
                expected = "a list" if isinstance(kind, DescFieldValueList) else "an object"
                return FieldViolation(path, f"expected {expected}, got {shown(value)}")
        inner = message_of(field)
        if inner is not None and isinstance(item, dict) and not is_well_known(inner):
            found = _find_wrong(inner, item)
            return FieldViolation(_join(path, found.field), found.description)
        return FieldViolation(path, f"expected {expected_element(field)}, got {shown(item)}")
    raise TypeError(f"every field of {message} is right by itself, but not the whole")
