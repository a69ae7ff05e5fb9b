"""Answers as JSON: every field present, in the order of its declaration.

The message library leaves out unset messages, which clients expect as `null`; each message type has
a plan, compiled once from its descriptor, that puts them in. Fields that are declared `optional` are
left out while unset.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, TypeAlias, cast

import orjson
from protobuf import (
    DescFieldValueList,
    DescFieldValueMap,
    DescFieldValueMessage,
    DescFieldValueScalar,
    DescMessage,
    ScalarType,
    message_to_json_value,
)

from tracker.transcoding.expected import is_well_known

if TYPE_CHECKING:
    from collections.abc import Callable

    from protobuf import DescField, Message

    from tracker.transcoding.json_text import JsonValue

    Finish: TypeAlias = Callable[[JsonValue], JsonValue]

_FLOAT32_DIGITS = range(6, 10)
"""Nine significant digits tell all 32-bit floating point numbers apart."""


def json_answer(message: Message, response_body: DescField | None) -> bytes:
    """Return an answer's JSON: the whole message, or the one field that the route answers with."""
    answer = _plan(message.desc()).finish(message_to_json_value(message, always_emit_implicit=True))
    if response_body is not None and isinstance(answer, dict):
        answer = answer[response_body.json_name]
    return orjson.dumps(answer)


class _MessagePlan:
    """What one message type's JSON lacks."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._nullable: frozenset[str] = frozenset()
        self._below: tuple[tuple[str, Finish], ...] = ()
        self._nulls: dict[str, JsonValue] | None = None

    def compile(self, message: DescMessage) -> None:
        """Read the descriptor; apart from the constructor, so that a type may contain itself."""
        self._names = tuple(field.json_name for field in message.fields)
        self._nullable = frozenset(
            field.json_name
            for field in message.fields
            if isinstance(field.value, DescFieldValueMessage)
            and field.value.oneof is None
            and not field.proto.proto3_optional
        )
        self._below = tuple(
            (field.json_name, finish) for field in message.fields if (finish := _finish(field)) is not None
        )
        if all(f.json_name in self._nullable or _is_always_there(f) for f in message.fields):
            self._nulls = dict.fromkeys(self._names)

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
    plan = _PLANS.get(message)
    if plan is None:
        plan = _PLANS[message] = _MessagePlan()
        plan.compile(message)
    return plan


def _is_always_there(field: DescField) -> bool:
    """Whether the library gives a field in every answer: lists, maps and fields without presence."""
    if isinstance(field.value, DescFieldValueList | DescFieldValueMap):
        return True
    return not field.proto.proto3_optional and field.value.oneof is None


def _finish(field: DescField) -> Finish | None:
    match field.value:
        case DescFieldValueScalar(scalar=ScalarType.FLOAT):
            return _shortest_float32
        case DescFieldValueList(element=ScalarType.FLOAT):
            return _each(_shortest_float32)
        case DescFieldValueMessage(message=message) if not is_well_known(message):
            return _plan(message).finish
        case DescFieldValueList(element=DescMessage() as message) if not is_well_known(message):
            return _each(_plan(message).finish)
        case DescFieldValueMap(value=DescMessage() as message) if not is_well_known(message):
            return _each_value(_plan(message).finish)
        case _:
            return None


def _each(finish: Finish) -> Finish:
    return lambda items: [finish(item) for item in cast("list[JsonValue]", items)]


def _each_value(finish: Finish) -> Finish:
    return lambda items: {key: finish(item) for key, item in cast("dict[str, JsonValue]", items).items()}


def _shortest_float32(value: JsonValue) -> JsonValue:
    """Return the shortest decimal that reads back as the same 32-bit number."""
    if not isinstance(value, float):
        return value
    single = struct.pack("f", value)
    (exact,) = struct.unpack("f", single)
    shorter = (float(f"{exact:.{digits}g}") for digits in _FLOAT32_DIGITS)
    return next(short for short in shorter if struct.pack("f", short) == single)
