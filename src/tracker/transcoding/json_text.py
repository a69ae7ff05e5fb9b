"""JSON text of a request, as a Python value."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from tracker.errors import FieldViolation, invalid

if TYPE_CHECKING:
    from tracker.errors import TrackerError

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

MAX_DEPTH = 64
"""Maximum nesting of objects and lists."""

_SPACE = " \t\r\n"


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
    """Return the first JSON value in a body; anything after it is ignored, and an empty body is `{}`.

    Raises:
        TrackerError: INVALID_ARGUMENT where the body is not UTF-8 or does not begin with a JSON value
            (NaN, Infinity and unpaired surrogates are not JSON), or nests deeper than `MAX_DEPTH`.
    """
    try:
        text = body.decode().lstrip(_SPACE)
    except UnicodeDecodeError as error:
        raise _not_json(f"invalid UTF-8 at byte {error.start}") from None
    if not text:
        return {}
    value: JsonValue
    try:
        value, end = _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        raise _not_json(str(error)) from None
    except ValueError:
        raise _not_json("NaN, Infinity and numbers of thousands of digits are no JSON numbers") from None
    except RecursionError:
        raise _too_deep() from None
    if "\\u" in text:
        _refuse_unpaired_surrogates(text[:end])
    if text.count("{") + text.count("[") > MAX_DEPTH and _nests_too_deep(value):
        raise _too_deep()
    return value


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
