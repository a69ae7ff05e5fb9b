"""Requests of senders: JSON of the form that they document, and what is wrong with others."""

from __future__ import annotations

import re
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qsl

import orjson

from tracker.domain.api_keys import BEGINNING
from tracker.domain.times import timestamp
from tracker.errors import FieldViolation, invalid
from tracker.time_text import LATEST, MICROS, micros_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from protobuf.wkt import Timestamp

    from tracker.errors import TrackerError

T = TypeVar("T")

LONGEST: Final = 200
"""Characters of the service, the owner, the version and the ids of an event."""
LONGEST_LABEL: Final = 1000
"""Characters of the value of a label."""
_LONGEST_TITLE: Final = 500
_LONGEST_MESSAGE: Final = 65_536
_MOST_PARAMETERS: Final = 100
_LATEST_MILLIS: Final = LATEST // MICROS * 1000
_LEAST_MILLIS: Final = 10**11
"""As milliseconds, a time of 1973; as seconds, one of the year 5138."""
_NUMBER: Final = re.compile(r"([0-9]{1,19})(?:\.0*)?")


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


def part(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the object of a field, an empty one where it has none.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is something else.
    """
    return optional(content, name, dict) or {}


def first_text(content: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return the first of some fields that has a text, or nothing."""
    given = (content.get(name) for name in names)
    return next((value for value in given if isinstance(value, str) and value.strip()), "")


def text(content: Mapping[str, Any], name: str) -> str:
    """Return the text of a field; numbers are taken as they are written.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is something else.
    """
    value = content.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return optional(content, name, str) or ""


def number(name: str, given: str, most: int) -> int:
    """Return the whole number that a parameter has.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is none, or above `most`.
    """
    found = _NUMBER.fullmatch(given)
    if found is None or int(found[1]) > most:
        raise refused(name, "expected a whole number")
    return int(found[1])


def moment(content: Mapping[str, Any], name: str) -> Timestamp | None:
    """Return the time of a field, which is one of RFC 3339, or None where it has none.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is something else.
    """
    given = optional(content, name, str)
    return zoned(name, given) if given else None


def zoned(name: str, given: str) -> Timestamp:
    """Return the time that a field has in the form of RFC 3339.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is something else.
    """
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise refused(name, "expected a time such as 2026-01-31T12:00:00Z")
    return timestamp(micros_of(at))


def since_1970(name: str, given: object) -> Timestamp:
    """Return the time that a field has as a number of seconds or, if it is large, of milliseconds since 1970.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is something else.
    """
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= _LATEST_MILLIS:
        raise refused(name, "expected seconds or milliseconds since 1970")
    return timestamp(int(given * (MICROS if given < _LEAST_MILLIS else 1000)))


def parameters(query: str) -> dict[str, str]:
    """Return the parameters of a query string; the last one of a name counts.

    Raises:
        TrackerError: INVALID_ARGUMENT; there are too many.
    """
    if query.count("&") >= _MOST_PARAMETERS:
        raise refused("", f"more than {_MOST_PARAMETERS} parameters")
    return dict(parse_qsl(query, keep_blank_values=True, errors="replace"))


def access_token(headers: Mapping[str, str], query: str) -> str | None:
    """Return the token in the query, where no header has one."""
    if "access_token" not in query or "authorization" in headers or "x-api-key" in headers:
        return None
    return parameters(query).get("access_token")


def own_key(secret: str) -> str | None:
    """Return an API key; one that is not of Tracker, as clients have for their product, counts as none."""
    return secret if secret.startswith(BEGINNING) else None


def indented(value: object) -> str:
    """Return JSON for people."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def bounded(value: str) -> str:
    """Return an id that an event may have: a longer one is cut, and ends with a digest of the whole."""
    if len(value) <= LONGEST:
        return value
    digest = blake2b(value.encode(), digest_size=16).hexdigest()
    return f"{value[: LONGEST - len(digest) - 1]}#{digest}"


def shortened(message: str) -> str:
    """Return a message that an event may have: up to 64 KiB, with `…` where it was cut."""
    encoded = message.encode()
    if len(encoded) <= _LONGEST_MESSAGE:
        return message
    return encoded[: _LONGEST_MESSAGE - len("…".encode())].decode(errors="ignore") + "…"


def divided(title: str, message: str) -> tuple[str, str]:
    """Return a title of one line that an event may have, and the message, before which a longer title is."""
    line = " ".join(title.split())
    if len(line) <= _LONGEST_TITLE:
        return line, message
    return f"{line[: _LONGEST_TITLE - 1]}…", f"{title}\n\n{message}" if message else title
