"""Requests of senders: JSON of the form that they document, and what is wrong with others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qsl

import orjson

from tracker.errors import FieldViolation, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.errors import TrackerError

T = TypeVar("T")

_LONGEST_TITLE: Final = 500
_MOST_PARAMETERS: Final = 100


def refused(field: str, message: str) -> TrackerError:
    """Return the error for a field of a request."""
    return invalid(FieldViolation(field, message))


def json_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body is.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is none.
    """
    content = json_value(body)
    if not isinstance(content, dict):
        raise refused("", "expected a JSON object")
    return content


def json_value(body: bytes) -> Any:  # noqa: ANN401 - JSON is of any shape
    """Return what a body says in JSON.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is no JSON.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise refused("", f"the body is no JSON: {error}") from None


def optional(content: Mapping[str, Any], name: str, kind: type[T]) -> T | None:
    """Return the value of a field; None and no value are the same.

    Raises:
        TrackerError: INVALID_ARGUMENT; it has a value of another kind.
    """
    value = content.get(name)
    if value is None:
        return None
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise refused(name, f"expected {_KINDS.get(kind, kind.__name__)}")
    return value


_KINDS: Final = {str: "a string", int: "an integer", list: "a list", dict: "an object", bool: "true or false"}


def text(content: Mapping[str, Any], name: str) -> str:
    """Return the text of a field; numbers are taken as they are written.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is something else.
    """
    value = content.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return optional(content, name, str) or ""


def parameters(query: str) -> dict[str, str]:
    """Return the parameters of a query string; the last one of a name counts.

    Raises:
        TrackerError: INVALID_ARGUMENT; there are too many.
    """
    if query.count("&") >= _MOST_PARAMETERS:
        raise refused("", f"more than {_MOST_PARAMETERS} parameters")
    return dict(parse_qsl(query, keep_blank_values=True, errors="replace"))


def divided(title: str, message: str) -> tuple[str, str]:
    """Return a title of one line that an event may have, and the message, before which a longer title is."""
    line = " ".join(title.split())
    if len(line) <= _LONGEST_TITLE:
        return line, message
    return f"{line[: _LONGEST_TITLE - 1]}…", f"{title}\n\n{message}" if message else title
