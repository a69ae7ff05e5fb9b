"""JSON of requests, as Python values, and of answers.

In an answer every field is present, in the order of its declaration. The message library omits unset
messages, which clients expect as `null`. Each message type has a plan, compiled once from its descriptor,
that adds them. Fields declared `optional` are omitted while unset.
"""

from __future__ import annotations

import json
import struct
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, TypeAlias, cast

from protobuf import (
    DescFieldValueList,
    DescFieldValueMap,
    ScalarType,
    message_to_json_value,
)

from tracker.errors import FieldViolation, invalid
from tracker.transcoding.fields import element_of, is_well_known, message_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from protobuf import DescField, DescMessage, Message

    from tracker.errors import TrackerError

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
_Finish: TypeAlias = "Callable[[JsonValue], JsonValue]"

MAX_DEPTH = 64
"""Maximum nesting of objects and lists."""

_SPACE = " \t\r\n"
_SHOWN = 60
"""Characters of a wrong value that an error repeats."""


class RepeatedKeys(dict[str, JsonValue]):
    """An object that gives a key more than once; `repeated` holds those keys.

    It is an error only where such a key is a field of the message.
    """

    __slots__ = ("repeated",)

    def __init__(self, pairs: list[tuple[str, JsonValue]]) -> None:
        super().__init__(pairs)
        times = Counter(name for name, _ in pairs)
        self.repeated = tuple(name for name in self if times[name] > 1)


def parse_json(body: bytes) -> JsonValue:
    """Return the JSON value that a body is; an empty body is `{}`.

    Raises:
        TrackerError: INVALID_ARGUMENT where the body is not UTF-8 or not one JSON value (NaN, Infinity and
            unpaired surrogates are not JSON), or nests deeper than `MAX_DEPTH`.
    """
    try:
        text = body.decode().strip(_SPACE)
    except UnicodeDecodeError as error:
        raise _not_json(f"invalid UTF-8 at byte {error.start}") from None
    if not text:
        return {}
    value: JsonValue
    try:
        value, end = _DECODER.raw_decode(text)
        if end < len(text):
            raise _not_json(f"text after the JSON value, at character {end + 1}")
    except json.JSONDecodeError as error:
        raise _not_json(str(error)) from None
    except ValueError:
        raise _not_json("NaN, Infinity and numbers of thousands of digits are no JSON numbers") from None
    except RecursionError:
        raise _too_deep() from None
    if "\\u" in text:
        _refuse_unpaired_surrogates(text)
    if text.count("{") + text.count("[") > MAX_DEPTH and _nests_too_deep(value):
        raise _too_deep()
    return value


def shown(value: JsonValue) -> str:
    """Return a wrong value as JSON, cut to a length that fits an error message."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _make_object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    made = dict(pairs)
    return made if len(made) == len(pairs) else RepeatedKeys(pairs)


def _refuse_constant(name: str) -> JsonValue:
    raise ValueError(name)


_DECODER = json.JSONDecoder(object_pairs_hook=_make_object, parse_constant=_refuse_constant)


def _refuse_unpaired_surrogates(text: str) -> None:
    """Check the escapes with a stricter parser: `json` accepts halves of surrogate pairs."""
    import orjson  # noqa: PLC0415 - clients need not load it

    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _not_json(str(error)) from None


def _nests_too_deep(value: JsonValue) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        below: list[JsonValue] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return False
        level = below
    return True


def _not_json(reason: str) -> TrackerError:
    return invalid(FieldViolation("", f"the body is not valid JSON: {reason}"))


def _too_deep() -> TrackerError:
    return invalid(FieldViolation("", f"the body nests deeper than {MAX_DEPTH} levels"))


_FLOAT32_DIGITS = range(6, 10)
"""Nine significant digits distinguish all 32-bit floating point numbers."""


def json_answer(message: Message, response_body: DescField | None) -> bytes:
    """Return an answer's JSON: the whole message, or the one field that the route answers with."""
    answer = _plan(message.desc()).finish(message_to_json_value(message, always_emit_implicit=True))
    if response_body is not None and isinstance(answer, dict):
        answer = answer[response_body.json_name]
    import orjson  # noqa: PLC0415 - clients need not load it

    return orjson.dumps(answer)


def json_parts(message: Message, response_body: DescField | None, size: int) -> Iterator[bytes]:
    """Yield the text of `json_answer` in parts of about so many bytes.

    The message's lists are emptied on the way: an answer is not kept twice.
    """
    import orjson  # noqa: PLC0415 - clients need not load it

    plan, lists = _plan(message.desc()), {}
    for field in lists_of(message.desc()):
        items: list[Message] = getattr(message, field.local_name)
        lists[field.json_name] = items[::-1]
        items.clear()
    answer = cast(
        "dict[str, JsonValue]", plan.finish(message_to_json_value(message, always_emit_implicit=True))
    )
    only = None if response_body is None else response_body.json_name
    text = bytearray()
    for place, (name, value) in enumerate(answer.items()):
        if only is None:
            text += b",%b:" % orjson.dumps(name) if place else b"{%b:" % orjson.dumps(name)
        elif name != only:
            continue
        if name not in lists:
            text += orjson.dumps(value)
            continue
        text += b"["
        while lists[name]:
            item = lists[name].pop()
            made = message_to_json_value(item, always_emit_implicit=True)
            text += orjson.dumps(_plan(item.desc()).finish(made))
            text += b"," if lists[name] else b""
            if len(text) >= size:
                yield bytes(text)
                text.clear()
        text += b"]"
    yield bytes(text if only is not None else text + b"}")


@cache
def lists_of(message: DescMessage) -> Sequence[DescField]:
    """Return the fields of a message that are lists of messages."""
    return [
        field
        for field in message.fields
        if isinstance(field.value, DescFieldValueList) and message_of(field) is not None
    ]


class _MessagePlan:
    """What one message type's JSON lacks."""

    def __init__(self, message: DescMessage) -> None:
        _PLANS[message] = self  # before its fields are read, since a type may contain itself
        self._names = tuple(field.json_name for field in message.fields)
        self._nulls: dict[str, JsonValue] = dict.fromkeys(
            field.json_name for field in message.fields if not _is_omitted_when_unset(field)
        )
        self._below = tuple(
            (field.json_name, finish) for field in message.fields if (finish := _finish(field)) is not None
        )

    def finish(self, value: JsonValue) -> JsonValue:
        made = cast("dict[str, JsonValue]", value)
        if len(made) < len(self._names):
            made = self._nulls | made
            if len(made) > len(self._nulls):  # a field that may be omitted is set, and now the last
                made = {name: made[name] for name in self._names if name in made}
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


def _finish(field: DescField) -> _Finish | None:
    message = message_of(field)
    if element_of(field) is ScalarType.FLOAT:
        finish: _Finish = _shortest_float32
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
