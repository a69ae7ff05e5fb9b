"""Applies descriptions of entries to the catalog, and finds how they differ from what is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from tracker.cli.catalog.reading import Described
from tracker.cli.printing import fields_of
from tracker.client.connection import NO_ANSWER, ApiError, Connection
from tracker.client.rpcs import CREATE_UPDATE_CATALOG, GET_CATALOG, UPDATE_DEPENDENCIES, UPDATE_VERSIONS
from tracker.errors import Code
from tracker.transcoding.json_text import JsonValue

if TYPE_CHECKING:
    from protobuf import Message

_FOUND_OUT = ("createdAt", "updatedAt", "updatedBy", "claimedUpdatedBy", "observed")
"""Fields of an entry that the server finds out."""


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
        old, new = (each if isinstance(each, dict) else {} for each in (before, after))
        for name in dict.fromkeys((*old, *new)):
            yield from _of_value(f"{path}.{name}", old.get(name), new.get(name))
    elif isinstance(before, list) or isinstance(after, list):
        yield from _of_list(path, *(each if isinstance(each, list) else [] for each in (before, after)))
    else:
        yield Difference(path, *(None if each is None else str(each) for each in (before, after)))


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


def _fields(request: type[Message]) -> frozenset[str]:
    return frozenset(field.json_name for field in request.desc().fields) - {"name", *_FOUND_OUT}


_VERSIONS = _fields(UPDATE_VERSIONS.request)
_KEPT = _VERSIONS | _fields(UPDATE_DEPENDENCIES.request)
"""Fields that have calls of their own: they stay unless the file has them."""


class Applied(NamedTuple):
    """The outcome of an entry, possibly of a dry run, and its differences.

    The outcome is `created`, `changed` or `unchanged`.
    """

    name: str
    outcome: str
    differences: tuple[Difference, ...]


def applied(
    connection: Connection, described: Described, who: str, *, dry_run: bool, keep: bool = False
) -> Applied:
    """Apply the description of an entry for `who`, and return what that changed.

    Fields that the file lacks stay, with `keep`; else they are cleared, except versions and dependencies.

    Raises:
        ApiError: The server refused it; the message begins with its place in the files.
    """
    try:
        stored = _stored(connection, described.name)
        before = stored or {}
        after = {name: value for name, value in described.fields.items() if name not in _FOUND_OUT}
        kept = before.keys() if keep else _KEPT
        after |= {name: before[name] for name in kept - described.given if name in before}
        found = tuple(differences(before, after))
        changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        if not dry_run:
            after["updatedBy"] = who
            if stored is None or changed - _VERSIONS:
                connection.call(CREATE_UPDATE_CATALOG, CREATE_UPDATE_CATALOG.of(after))
            if changed & _VERSIONS:
                connection.call(UPDATE_VERSIONS, UPDATE_VERSIONS.of(after))
    except ApiError as error:
        if error.reason != NO_ANSWER:
            error.message = f"{described.place}: {error.message}"
        raise
    outcome = "created" if stored is None else "changed" if changed else "unchanged"
    return Applied(described.name, outcome, found)


def _stored(connection: Connection, name: str) -> dict[str, JsonValue] | None:
    """Return the stored fields of an entry, or None if there is none of this name."""
    try:
        entry = connection.call(GET_CATALOG, GET_CATALOG.request(name=name)).catalog
    except ApiError as error:
        if error.code is Code.NOT_FOUND:
            return None
        raise
    fields = fields_of(entry) if entry is not None else {}
    return {name: value for name, value in fields.items() if name not in _FOUND_OUT}
