"""JSON values of requests, put into the strict form that the message library reads.

Each message type has a plan, compiled once from its descriptor, that knows both spellings of every
field and touches only what ProtoJSON is stricter about than Tracker: names of enums in any case and
numbers as text, empty timestamps, unknown keys. Fields are named by their proto names from here on.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Protocol

from protobuf import (
    DescEnum,
    DescFieldValueEnum,
    DescFieldValueList,
    DescFieldValueMap,
    DescFieldValueMessage,
    DescFieldValueScalar,
    DescMessage,
    ScalarType,
    message_from_json_value,
)

from tracker.errors import FieldViolation, invalid
from tracker.transcoding.expected import (
    TIMESTAMP,
    expected,
    expected_element,
    is_well_known,
    shown,
    wrapped_field,
)
from tracker.transcoding.json_text import RepeatedKeys

if TYPE_CHECKING:
    from protobuf import DescField, Message

    from tracker.transcoding.json_text import JsonValue

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"-?[0-9]{1,10}")
_INT32 = range(-(2**31), 2**31)
_NOT_NUMBERS = (ScalarType.STRING, ScalarType.BYTES, ScalarType.BOOL)
_WRONG = (ValueError, TypeError, OverflowError, RecursionError)
"""What the message library raises for a value it does not take."""


class _Convert(Protocol):
    """Puts one value other than null into the form that the library reads."""

    def __call__(self, value: JsonValue, /) -> JsonValue: ...


class _WrongValue(Exception):  # noqa: N818 - carries a finding, and never leaves this module
    """A value that no reading of the rules allows, and where it stands."""

    def __init__(self, path: str, description: str) -> None:
        super().__init__(description)
        self.path = path
        self.description = description


def normalise(message: DescMessage, value: JsonValue) -> dict[str, JsonValue]:
    """Return the fields of a message that a request's JSON object sets.

    Raises:
        TrackerError: INVALID_ARGUMENT, naming the field by its proto path.
    """
    try:
        return _plan(message)(value)
    except _WrongValue as wrong:
        raise invalid(FieldViolation(wrong.path, wrong.description)) from None


def normalise_field(field: DescField, value: JsonValue) -> JsonValue:
    """Return one field's value of a request, as `normalise` would have it.

    Raises:
        TrackerError: INVALID_ARGUMENT, naming the field by its proto path.
    """
    convert = _converter(field)
    if convert is None or value is None:
        return value
    try:
        return convert(value)
    except _WrongValue as wrong:
        raise invalid(FieldViolation(_join(field.name, wrong.path), wrong.description)) from None


def make_message(cls: type[Message], fields: dict[str, JsonValue]) -> Message:
    """Make a message of normalised fields.

    Raises:
        TrackerError: INVALID_ARGUMENT, naming the field by its proto path.
    """
    try:
        return message_from_json_value(cls, fields)
    except _WRONG:
        raise invalid(_find_wrong(cls.desc(), fields)) from None


def takes(field: DescField, value: JsonValue) -> bool:
    """Say whether the message library takes a normalised value for a field."""
    try:
        message_from_json_value(field.parent.type, {field.name: value})
    except _WRONG:
        return False
    return True


class _MessagePlan:
    """The fields of one message type by both spellings, each with its converter."""

    def __init__(self) -> None:
        self.fields: dict[str, tuple[str, _Convert | None]] = {}

    def compile(self, message: DescMessage) -> None:
        """Read the descriptor; apart from the constructor, so that a type may contain itself."""
        for field in message.fields:
            self.fields[field.name] = self.fields[field.json_name] = (field.name, _converter(field))

    def __call__(self, value: JsonValue, /) -> dict[str, JsonValue]:
        fields = self.fields
        if not isinstance(value, dict):
            raise _WrongValue("", f"expected an object, got {shown(value)}")
        if isinstance(value, RepeatedKeys):
            for key in value.repeated:
                if key in fields:
                    raise _WrongValue(fields[key][0], "duplicate field: give it once")
        made: dict[str, JsonValue] = {}
        for key, item in value.items():
            if key not in fields:
                continue
            name, convert = fields[key]
            if name in made:
                raise _WrongValue(name, "duplicate field: give it in one spelling")
            if convert is None or item is None:
                made[name] = item
                continue
            try:
                made[name] = convert(item)
            except _WrongValue as wrong:
                raise _WrongValue(_join(name, wrong.path), wrong.description) from None
        return made


_PLANS: dict[DescMessage, _MessagePlan] = {}


def _plan(message: DescMessage) -> _MessagePlan:
    plan = _PLANS.get(message)
    if plan is None:
        plan = _PLANS[message] = _MessagePlan()
        plan.compile(message)
    return plan


@cache
def _converter(field: DescField) -> _Convert | None:
    match field.value:
        case DescFieldValueScalar(scalar=kind):
            return _element_converter(kind, field)
        case DescFieldValueEnum(enum=enum):
            return _element_converter(enum, field)
        case DescFieldValueMessage(message=message):
            return _element_converter(message, field)
        case DescFieldValueList(element=element):
            return _list_converter(_element_converter(element, field), field)
        case DescFieldValueMap(value=element):
            return _map_converter(_element_converter(element, field), field)
    raise TypeError(f"{field} holds nothing known")


def _element_converter(element: ScalarType | DescEnum | DescMessage, field: DescField) -> _Convert | None:
    if isinstance(element, DescEnum):
        return _enum_converter(element)
    if isinstance(element, ScalarType):
        return None if element in _NOT_NUMBERS else _number_converter(field)
    if element.type_name == TIMESTAMP:
        return _unset_if_empty
    wrapped = wrapped_field(element)
    if wrapped is not None:
        return _converter(wrapped)
    if is_well_known(element):
        return None
    return _plan(element)


def _unset_if_empty(value: JsonValue) -> JsonValue:
    return None if value == "" else value


def _number_converter(field: DescField) -> _Convert:
    """Hold text to the grammar of JSON numbers; the library alone would take `1_000` and `NaN`."""

    def convert(value: JsonValue) -> JsonValue:
        if isinstance(value, str) and not _NUMBER.fullmatch(value):
            raise _WrongValue("", f"expected {expected_element(field)}, got {shown(value)}")
        return value

    return convert


def _enum_converter(enum: DescEnum) -> _Convert:
    """Take names in any case, whole numbers, and whole numbers as text; count unknown names as the first."""
    numbers = {value.name.lower(): value.number for value in enum.values}
    numbers |= {value.name: value.number for value in enum.values}
    unspecified = enum.values[0].number

    def convert(value: JsonValue) -> JsonValue:
        number: JsonValue = value
        if isinstance(value, str):
            number = numbers.get(value)
            if number is None:
                number = int(value) if _WHOLE.fullmatch(value) else numbers.get(value.lower(), unspecified)
        elif isinstance(value, float) and value.is_integer():
            number = int(value)
        if type(number) is not int or number not in _INT32:
            raise _WrongValue("", f"expected a name or a number of {enum.name}, got {shown(value)}")
        return number

    return convert


def _list_converter(convert: _Convert | None, field: DescField) -> _Convert | None:
    if convert is None:
        return None

    def convert_list(value: JsonValue) -> JsonValue:
        if not isinstance(value, list):
            raise _WrongValue("", f"expected a list, got {shown(value)}")
        made: list[JsonValue] = []
        for index, item in enumerate(value):
            if item is None:
                raise _WrongValue(f"[{index}]", f"expected {expected_element(field)}, got null")
            try:
                made.append(convert(item))
            except _WrongValue as wrong:
                raise _WrongValue(_join(f"[{index}]", wrong.path), wrong.description) from None
        return made

    return convert_list


def _map_converter(convert: _Convert | None, field: DescField) -> _Convert:
    def convert_map(value: JsonValue) -> JsonValue:
        if not isinstance(value, dict):
            raise _WrongValue("", f"expected an object, got {shown(value)}")
        if isinstance(value, RepeatedKeys):
            raise _WrongValue(f"[{value.repeated[0]}]", "duplicate field: give it once")
        made: dict[str, JsonValue] = {}
        for key, item in value.items():
            if item is None:
                raise _WrongValue(f"[{key}]", f"expected {expected_element(field)}, got null")
            try:
                made[key] = item if convert is None else convert(item)
            except _WrongValue as wrong:
                raise _WrongValue(_join(f"[{key}]", wrong.path), wrong.description) from None
        return made

    return convert_map


def _join(path: str, below: str) -> str:
    return f"{path}.{below}" if below and not below.startswith("[") else path + below


def _find_wrong(message: DescMessage, fields: dict[str, JsonValue]) -> FieldViolation:
    """Find the field that the library did not take, by giving it one at a time."""
    for field in message.fields:
        value = fields.get(field.name)
        if takes(field, value):
            continue
        match field.value, value:
            case DescFieldValueMessage(message=inner), dict() if not is_well_known(inner):
                found = _find_wrong(inner, value)
                return FieldViolation(_join(field.name, found.field), found.description)
            case DescFieldValueList(element=element), list():
                index, item = next((i, v) for i, v in enumerate(value) if not takes(field, [v]))
                return _wrong_item(field, element, f"[{index}]", item)
            case DescFieldValueMap(value=element), dict():
                key, item = next((k, v) for k, v in value.items() if not takes(field, {k: v}))
                return _wrong_item(field, element, f"[{key}]", item)
            case _:
                return FieldViolation(field.name, f"expected {expected(field)}, got {shown(value)}")
    raise TypeError(f"every field of {message} is right by itself, but not the whole")


def _wrong_item(
    field: DescField, element: ScalarType | DescEnum | DescMessage, subscript: str, item: JsonValue
) -> FieldViolation:
    path = field.name + subscript
    if isinstance(element, DescMessage) and isinstance(item, dict) and not is_well_known(element):
        found = _find_wrong(element, item)
        return FieldViolation(_join(path, found.field), found.description)
    return FieldViolation(path, f"expected {expected_element(field)}, got {shown(item)}")
