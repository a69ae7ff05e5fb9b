"""Names in requests that no field has: where they are, and which name may have been meant."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from protobuf import DescFieldValueList, DescFieldValueMap, DescFieldValueMessage

from tracker.errors import FieldViolation, Reason, TrackerError, nearest
from tracker.transcoding.fields import fields_by_name, is_well_known, message_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from protobuf import DescField, DescMessage, Message

    from tracker.transcoding.json_text import JsonValue

MAX_UNKNOWN = 100
"""Unknown names that are reported for one request."""

_SHOWN = 100
"""Characters that are shown of a name."""
_MAX_MESSAGES = 1_000
"""Messages of a list that are searched; no list may be longer."""
_IN_MESSAGE = 3
"""Unknown names in the message of an error; its violations have all."""


class Unknown(NamedTuple):
    """A name that no field of a request has.

    `kind` is what has the name: a field, a parameter. `path` leads to it in the client's spelling, and `hint`
    continues the sentence with the name that may have been meant.
    """

    kind: str
    path: str
    hint: str = ""

    def __str__(self) -> str:
        return f"unknown {self.kind} {_cut(self.path)}{self.hint}"


def refusal(unknown: Sequence[Unknown]) -> TrackerError:
    """Return the error for a request whose unknown names are not to be ignored."""
    violations = [FieldViolation(_cut(each.path), f"unknown {each.kind}{each.hint}") for each in unknown]
    sentences = list(map(str, unknown[:_IN_MESSAGE]))
    if more := len(violations) - len(sentences):
        sentences.append(f"{more} more")
    return TrackerError(Reason.INVALID_FIELD, "; ".join(sentences), violations=violations)


def drop_unknown_keys(message: DescMessage, value: JsonValue) -> Sequence[Unknown]:
    """Remove the keys that no field has from a message's JSON, at any depth, and return the first ones."""
    found: list[Unknown] = []
    _drop(message, value, "", found)
    return found


def _drop(message: DescMessage, value: JsonValue, prefix: str, found: list[Unknown]) -> None:
    if not isinstance(value, dict):
        return
    fields = fields_by_name(message)
    unknown = [key for key in value if key not in fields]
    found += [
        Unknown("field", f"{prefix}{key}", _hint(message, str(key)[:_SHOWN]))
        for key in unknown[: MAX_UNKNOWN - len(found)]
    ]
    for key in unknown:
        del value[key]
    for key, item in value.items():
        below = message_of(fields[key])
        if below is not None and not is_well_known(below):
            for subscript, each in _items(fields[key], item):
                _drop(below, each, f"{prefix}{key}{subscript}.", found)


def _items(field: DescField, value: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - JSON or messages
    """Yield the messages in the value of a field, each with its subscript."""
    match field.value, value:
        case DescFieldValueList(), list():
            yield from ((f"[{index}]", item) for index, item in enumerate(value))
        case DescFieldValueMap(), dict():
            yield from ((f"[{key}]", item) for key, item in value.items())
        case DescFieldValueMessage(), _:
            yield "", value


def unknown_parameter(message: DescMessage, key: str) -> Unknown:
    """Return the key of a query string that names no field, such as `attributes.servce`."""
    *parents, name = key.split(".")
    below: DescMessage | None = message
    for parent in parents:
        field = None if below is None else fields_by_name(below).get(parent)
        if field is None:
            name = parent
            break
        below = message_of(field)
    return Unknown("parameter", key, "" if below is None else _hint(below, name[:_SHOWN]))


def unknown_numbers(message: Message, prefix: str = "") -> Iterator[Unknown]:
    """Yield the number of a field that each message in a message has, but not its type: one for each."""
    whole = message.to_binary()
    if whole == message.to_binary(write_unknown_fields=False):
        return
    own = type(message).from_binary(whole)
    for field in message.desc().fields:
        if field in message:
            del own[field]
            if message_of(field) is not None:
                for subscript, below in islice(_items(field, message[field]), _MAX_MESSAGES):
                    yield from unknown_numbers(below, f"{prefix}{field.name}{subscript}.")
    if rest := own.to_binary():
        yield Unknown("field number", f"{prefix}{_first_number(rest)}")


def _first_number(fields: bytes) -> int:
    """Return the number of the first field of a binary message, which its tag has above three bits."""
    tag = shift = 0
    for byte in fields:
        tag |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a number lacks this bit
            break
        shift += 7
    return tag >> 3


def _cut(name: str) -> str:
    return name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"


@lru_cache(maxsize=1_024)
def _hint(message: DescMessage, name: str) -> str:
    """Return what may have been meant: a field of the message, or of a message in it."""
    below = {
        field.json_name: fields_by_name(field.value.message)
        for field in message.fields
        if isinstance(field.value, DescFieldValueMessage) and not is_well_known(field.value.message)
    }
    for parent, fields in below.items():
        if name in fields:
            return f"; did you mean {parent}.{name}?"
    near = (nearest(name, fields, f"{parent}.") for parent, fields in below.items())
    return nearest(name, fields_by_name(message)) or next(filter(None, near), "")
