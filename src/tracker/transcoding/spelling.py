"""Names of fields in errors, spelled as the client spelled them.

Until a wire answers, errors name fields by their proto paths: `attributes.start_date`, `types[2]`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracker.errors import FieldViolation, TrackerError, invalid
from tracker.transcoding.fields import fields_by_name, message_of

if TYPE_CHECKING:
    from protobuf import DescMessage

    from tracker.transcoding.json_text import JsonValue

_ELEMENT = re.compile(r"([^.\[\]]+)((?:\[.*?\](?=[.\[]|$))*)(?:\.|$)")
_SUBSCRIPT = re.compile(r"\[(.*?)\](?=\[|$)")


def respell(error: TrackerError, message: DescMessage, written: JsonValue) -> TrackerError:
    """Return an error whose violations name fields as `written`, the client's own JSON, spells them.

    Fields that are not in it are named in lowerCamelCase.
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


def _path(path: str, message: DescMessage | None, written: JsonValue) -> str:
    spelled: list[str] = []
    for name, subscripts in _ELEMENT.findall(path):
        field = None if message is None else fields_by_name(message).get(name)
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
        message = message_of(field)
    return ".".join(spelled)


def _item(written: JsonValue, subscript: str) -> JsonValue:
    if isinstance(written, dict):
        return written.get(subscript)
    if isinstance(written, list) and subscript.isdecimal() and int(subscript) < len(written):
        return written[int(subscript)]
    return None
