"""The differences between two states of a record, field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracker.transcoding.json_text import JsonValue


class Difference(NamedTuple):
    """A field that differs, such as `sla.level`; a missing value is None."""

    field: str
    old: str | None
    new: str | None


def differences(before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]) -> Iterator[Difference]:
    """Yield the differences between two records, in the order of the fields of the first, then the second.

    Items of a list are identified by their names, or else by themselves. Another order is only a difference
    if there is no other.
    """
    for name in dict.fromkeys((*before, *after)):
        yield from _of_value(name, before.get(name), after.get(name))


def _of_value(path: str, before: JsonValue, after: JsonValue) -> Iterator[Difference]:
    if before == after:
        return
    if isinstance(before, dict) or isinstance(after, dict):
        old, new = _mapping(before), _mapping(after)
        for name in dict.fromkeys((*old, *new)):
            yield from _of_value(f"{path}.{name}", old.get(name), new.get(name))
    elif isinstance(before, list) or isinstance(after, list):
        yield from _of_list(path, _list(before), _list(after))
    else:
        yield Difference(path, _text(before), _text(after))


def _of_list(path: str, before: list[JsonValue], after: list[JsonValue]) -> Iterator[Difference]:
    old, new = _by_name(before), _by_name(after)
    if old is None or new is None:
        old, new = dict(enumerate(before)), dict(enumerate(after))
    found = False
    for key in dict.fromkeys((*old, *new)):
        at, item, other = f"{path}[{key}]", old.get(key), new.get(key)
        for difference in _of_value(path if isinstance(item or other, str) else at, item, other):
            found = True
            yield difference
    if not found:
        yield Difference(path, ", ".join(map(str, old)), ", ".join(map(str, new)))


def _by_name(items: list[JsonValue]) -> dict[str | int, JsonValue] | None:
    """Return the items of a list by their names, or None if these are not unique."""
    names = [item.get("name") if isinstance(item, dict) else item for item in items]
    named = {name: item for name, item in zip(names, items, strict=True) if isinstance(name, str)}
    return dict(named.items()) if len(named) == len(items) else None


def _mapping(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _text(value: JsonValue) -> str | None:
    return None if value is None else str(value)
