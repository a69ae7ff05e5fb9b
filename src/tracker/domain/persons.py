"""The erasure of what names a person from records."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Final, TypeVar

from protobuf import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

M = TypeVar("M", bound=Message)

_KEPT: Final = frozenset({"id"})
"""Names of fields that identify records."""


def eraser(values: Iterable[str], replacement: str) -> Callable[[str], str]:
    """Return what replaces each of some values in a text, where it is a word of its own.

    So `ann` is neither replaced in `annual` nor in `ann@example.com` or `ann-service`.
    """
    longest_first = sorted({*values}, key=len, reverse=True)
    found = re.compile(rf"(?<![\w@+.-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w@]|[+.-]\w)")
    return lambda text: found.sub(lambda _: replacement, text)


def without_person(message: M, rewrite: Callable[[str], str]) -> M:
    """Return a record whose texts are rewritten; it is the same object if none changes."""
    changed: dict[str, object] = {}
    for field in message.desc().fields:
        if field.name in _KEPT or field not in message:
            continue
        value = getattr(message, field.local_name)
        new = _rewritten(value, rewrite)
        if new != value:
            changed[field.local_name] = new
    if not changed:
        return message
    message = copy.copy(message)
    for name, new in changed.items():
        setattr(message, name, new)
    return message


def _rewritten(value: object, rewrite: Callable[[str], str]) -> object:
    match value:
        case str():
            return rewrite(value)
        case Message():
            return without_person(value, rewrite)
        case list():
            return [_rewritten(each, rewrite) for each in value]
        case dict():
            return {key: _rewritten(each, rewrite) for key, each in value.items()}
    return value
