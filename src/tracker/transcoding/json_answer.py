"""Answers as JSON: every field is present, in the order of its declaration.

The message library omits unset messages, which clients expect as `null`. Each message type has a plan,
compiled once from its descriptor, that adds them. Fields declared `optional` are omitted while unset.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, TypeAlias, cast

from protobuf import (
    DescFieldValueList,
    DescFieldValueMap,
    DescFieldValueMessage,
    ScalarType,
    message_to_json_value,
)

from tracker.transcoding.fields import element_of, is_well_known, message_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from protobuf import DescField, DescMessage, Message

    from tracker.transcoding.json_text import JsonValue

    Finish: TypeAlias = Callable[[JsonValue], JsonValue]

_FLOAT32_DIGITS = range(6, 10)
"""Nine significant digits distinguish all 32-bit floating point numbers."""


def json_answer(message: Message, response_body: DescField | None) -> bytes:
    """Return an answer's JSON: the whole message, or the one field that the route answers with."""
    answer = _plan(message.desc()).finish(message_to_json_value(message, always_emit_implicit=True))
    if response_body is not None and isinstance(answer, dict):
        answer = answer[response_body.json_name]
    import orjson  # noqa: PLC0415 - clients need not load it

    return orjson.dumps(answer)


class _MessagePlan:
    """What one message type's JSON lacks."""

    def __init__(self, message: DescMessage) -> None:
        _PLANS[message] = self  # before its fields are read, since a type may contain itself
        self._names = tuple(field.json_name for field in message.fields)
        self._nullable = frozenset(
            field.json_name
            for field in message.fields
            if isinstance(field.value, DescFieldValueMessage) and not _is_omitted_when_unset(field)
        )
        self._nulls: dict[str, JsonValue] | None = None
        if not any(map(_is_omitted_when_unset, message.fields)):
            self._nulls = dict.fromkeys(self._names)
        self._below = tuple(
            (field.json_name, finish) for field in message.fields if (finish := _finish(field)) is not None
        )

    def finish(self, value: JsonValue) -> JsonValue:
        """Return the JSON of a message with what it lacks."""
        made = cast("dict[str, JsonValue]", value)
        if len(made) < len(self._names):
            if self._nulls is not None:
                made = self._nulls | made
            else:
                made = {n: made.get(n) for n in self._names if n in made or n in self._nullable}
        for name, finish in self._below:
            item = made.get(name)
            if item:
                made[name] = finish(item)
        return made


_PLANS: dict[DescMessage, _MessagePlan] = {}


def _plan(message: DescMessage) -> _MessagePlan:
    return _PLANS.get(message) or _MessagePlan(message)


def _is_omitted_when_unset(field: DescField) -> bool:
    if isinstance(field.value, DescFieldValueList | DescFieldValueMap):
        return False
    return field.proto.proto3_optional or field.value.oneof is not None


def _finish(field: DescField) -> Finish | None:
    message = message_of(field)
    if element_of(field) is ScalarType.FLOAT:
        finish: Finish = _shortest_float32
    elif message is not None and not is_well_known(message):
        finish = _plan(message).finish
    else:
        return None
    match field.value:
        case DescFieldValueList():
            return lambda items: [finish(item) for item in cast("list[JsonValue]", items)]
        case DescFieldValueMap():
            return lambda items: {key: finish(i) for key, i in cast("dict[str, JsonValue]", items).items()}
        case _:
            return finish


def _shortest_float32(value: JsonValue) -> JsonValue:
    """Return the shortest decimal that reads back as the same 32-bit number."""
    if not isinstance(value, float):
        return value
    single = struct.pack("f", value)
    (exact,) = struct.unpack("f", single)
    shorter = (float(f"{exact:.{digits}g}") for digits in _FLOAT32_DIGITS)
    return next(short for short in shorter if struct.pack("f", short) == single)
