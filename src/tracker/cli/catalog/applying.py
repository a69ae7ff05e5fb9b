"""Has the catalog say of an entry what a file says of it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from protobuf import message_from_json_value, message_to_json_value

from tracker.cli.catalog.differences import Difference, differences
from tracker.client import ApiError
from tracker.client.catalog import CREATE_UPDATE_CATALOG, GET_CATALOG, UPDATE_DEPENDENCIES, UPDATE_VERSIONS
from tracker.errors import Code

if TYPE_CHECKING:
    from protobuf import Message

    from tracker.cli.catalog.reading import Described
    from tracker.client import Connection
    from tracker.client.rpc import A, Q, Rpc
    from tracker.transcoding.json_text import JsonValue

_TIMES = ("createdAt", "updatedAt")
"""What the server alone says of an entry."""


def _fields(request: type[Message]) -> frozenset[str]:
    return frozenset(field.json_name for field in request.desc().fields) - {"name"}


_VERSIONS = _fields(UPDATE_VERSIONS.request)
_KEPT = _VERSIONS | _fields(UPDATE_DEPENDENCIES.request)
"""What others may have said of an entry: it stays unless it stands in the file."""


class Outcome(StrEnum):
    """What became of an entry."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class Applied(NamedTuple):
    """What became of an entry, or would have, and in which fields it differed."""

    name: str
    outcome: Outcome
    differences: tuple[Difference, ...]


def applied(connection: Connection, described: Described, *, dry_run: bool) -> Applied:
    """Have the catalog say what a file says, and tell what that changed.

    What the file lacks is cleared, but for versions and dependencies, which stay.

    Raises:
        ApiError: The server refused it; the message says where it stands.
        UnreachableError: There was no answer.
    """
    try:
        stored = _stored(connection, described.name)
        before = stored or {}
        after = {name: value for name, value in described.fields.items() if name not in _TIMES}
        after |= {name: before[name] for name in _KEPT - described.given if name in before}
        found = tuple(differences(before, after))
        changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        if not dry_run:
            if stored is None or changed - _VERSIONS:
                _send(connection, CREATE_UPDATE_CATALOG, after)
            if changed & _VERSIONS:
                _send(connection, UPDATE_VERSIONS, after)
    except ApiError as error:
        message = f"{described.place}: {error.message}"
        raise ApiError(error.code, message, error.reason, error.metadata) from None
    if stored is None:
        return Applied(described.name, Outcome.CREATED, found)
    return Applied(described.name, Outcome.CHANGED if changed else Outcome.UNCHANGED, found)


def _stored(connection: Connection, name: str) -> dict[str, JsonValue] | None:
    """Return what the catalog says of an entry, or None where it has none of this name."""
    try:
        entry = connection.call(GET_CATALOG, GET_CATALOG.request(name=name)).catalog
    except ApiError as error:
        if error.code is Code.NOT_FOUND:
            return None
        raise
    value = message_to_json_value(entry) if entry is not None else None
    fields = value if isinstance(value, dict) else {}
    return {name: value for name, value in fields.items() if name not in _TIMES}


def _send(connection: Connection, rpc: Rpc[Q, A], fields: dict[str, JsonValue]) -> None:
    connection.call(rpc, message_from_json_value(rpc.request, fields, ignore_unknown_fields=True))
