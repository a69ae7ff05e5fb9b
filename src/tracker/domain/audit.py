"""What entries of the audit log say: their content, and what is left of it after an erasure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

ERASED_VALUE: Final = "[erased]"
"""Stands for an erased value."""

_WHO: Final = frozenset({"principal", "address", "user_agent", "request_id"})


def content_of(fields: Mapping[str, object]) -> str:
    """Return the JSON of a content, without empty fields."""
    return orjson.dumps({name: value for name, value in fields.items() if value}).decode("utf-8", "replace")


def changed(before: bytes | str, after: bytes | str) -> tuple[object, object]:
    """Return what two versions of a stored document don't share, or both if one can't be read."""
    try:
        return differences(orjson.loads(before), orjson.loads(after))
    except ValueError:
        return whole(before), whole(after)


def whole(document: bytes | str) -> object:
    """Return a stored document to put into a content, as it is."""
    return orjson.Fragment(document)


def differences(before: object, after: object) -> tuple[object, object]:
    """Return what two versions of a document don't share, such as a field, or the end of a list."""
    match before, after:
        case dict(), dict():
            olds: dict[str, object] = {}
            news: dict[str, object] = {}
            for name in {**before, **after}:
                if name in before and name in after:
                    if before[name] == after[name]:
                        continue
                    olds[name], news[name] = differences(before[name], after[name])
                elif name in before:
                    olds[name] = before[name]
                else:
                    news[name] = after[name]
            return olds, news
        case list(), list():
            shared = next(
                (n for n, (old, new) in enumerate(zip(before, after, strict=False)) if old != new),
                min(len(before), len(after)),
            )
            return before[shared:], after[shared:]
    return before, after


def mentions(value: str) -> tuple[str, ...]:
    """Return how JSON may write a value inside a string."""
    return tuple({json.dumps(value, ensure_ascii=ascii_)[1:-1] for ascii_ in (False, True)})


def erased(content: str, value: str, *, who_alone: bool) -> str:
    """Return a content without a value; `who_alone` leaves all but the fields that say who and from where."""
    try:
        found: Any = orjson.loads(content)
    except ValueError:  # of a document that can't be read
        found = None
    if not isinstance(found, dict):
        return content.replace(value, ERASED_VALUE)
    if who_alone:
        left = {name: _erased(each, value) if name in _WHO else each for name, each in found.items()}
    else:
        left = {name: _erased(each, value) for name, each in found.items()}
    return orjson.dumps(left).decode()


def _erased(found: object, value: str) -> object:
    match found:
        case str():
            return found.replace(value, ERASED_VALUE)
        case list():
            return [_erased(each, value) for each in found]
        case dict():
            return {_erased(name, value): _erased(each, value) for name, each in found.items()}
    return found
