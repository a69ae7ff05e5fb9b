"""Names of fields in errors, spelled as the client spelled them.

Errors name fields by their proto paths (`attributes.start_date`, `types[2]`) until a wire answers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from protobuf import (
    DescFieldValueList,
    DescFieldValueMap,
    DescFieldValueMessage,
    DescMessage,
)

from tracker.errors import FieldViolation, TrackerError, invalid

if TYPE_CHECKING:
    from protobuf import DescField

    from tracker.transcoding.json_text import JsonValue
    from tracker.transcoding.query_string import Pairs

_ELEMENT = re.compile(r"([^.\[\]]+)((?:\[.*?\](?=[.\[]|$))*)(?:\.|$)")
_SUBSCRIPT = re.compile(r"\[(.*?)\](?=\[|$)")


def respell(error: TrackerError, message: DescMessage, written: JsonValue) -> TrackerError:
    """Return an error whose violations name fields as `written`, the client's own JSON, spells them.

    Fields that it does not spell are named in lowerCamelCase.
    """
    if not error.violations:
        return error
    violations = [FieldViolation(_path(v.field, message, written), v.description) for v in error.violations]
    names_fields = error.message == invalid(*error.violations).message
    return TrackerError(
        error.reason,
        invalid(*violations).message if names_fields else error.message,
        metadata=error.metadata,
        violations=violations,
    )


def nested(pairs: Pairs) -> dict[str, JsonValue]:
    """Return the keys of a query string in the shape of a JSON body: `a.b=1` as `{"a": {"b": "1"}}`."""
    tree: dict[str, JsonValue] = {}
    for key, text in pairs:
        *parents, last = key.split(".")
        at = tree
        for name in parents:
            below = at.get(name)
            if not isinstance(below, dict):
                below = at[name] = {}
            at = below
        at.setdefault(last, text)
    return tree


def _path(path: str, message: DescMessage | None, written: JsonValue) -> str:
    spelled: list[str] = []
    for name, subscripts in _ELEMENT.findall(path):
        field = _field(message, name)
        if field is None:
            spelled.append(name + subscripts)
            message = None
            continue
        key = field.json_name
        if isinstance(written, dict):
            key = field.name if field.name in written and key not in written else key
            written = written.get(key)
        for subscript in _SUBSCRIPT.findall(subscripts):
            written = _item(written, subscript)
        spelled.append(key + subscripts)
        message = _message_below(field)
    return ".".join(spelled)


def _field(message: DescMessage | None, name: str) -> DescField | None:
    return None if message is None else next((f for f in message.fields if f.name == name), None)


def _item(written: JsonValue, subscript: str) -> JsonValue:
    if isinstance(written, dict):
        return written.get(subscript)
    if isinstance(written, list) and subscript.isdecimal() and int(subscript) < len(written):
        return written[int(subscript)]
    return None


def _message_below(field: DescField) -> DescMessage | None:
    match field.value:
        case (
            DescFieldValueMessage(message=message)
            | DescFieldValueList(element=DescMessage() as message)
            | DescFieldValueMap(value=DescMessage() as message)
        ):
            return message
        case _:
            return None
