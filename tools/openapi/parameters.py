"""Parameters of paths and query strings, one a field of the request message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protobuf import (
    DescEnum,
    DescFieldValueEnum,
    DescFieldValueList,
    DescFieldValueMap,
    DescFieldValueScalar,
    DescMessage,
    ScalarType,
)

from tracker.pb.options import formats_of, numbers
from tracker.services.idempotency import KEY_PATTERN
from tracker.transcoding.fields import element_of, is_well_known, message_of, wrapped_field

from .answers import SCALARS, meanings
from .comments import description
from .rules import field_rules, is_required, keywords

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from protobuf import DescField

    from .rules import Schema


IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Makes the call safe to repeat for 24 hours: the same request with the same key has its"
    " effect once, and the same answer. The client makes the key up: up to 255 characters, such as a UUID.",
    "schema": {"type": "string", "pattern": f"^(?:{KEY_PATTERN})$"},
}
"""The header of calls that may change something."""


def path_parameter(field: DescField) -> Schema:
    """Return the parameter of a path that sets a field."""
    return _parameter(field, "path", field.name, _schema(field), required=True)


def query_parameters(message: DescMessage, bound: Collection[str], prefix: str = "") -> Iterator[Schema]:
    """Yield the parameters of a query string, less the fields that are `bound` to the path or the body.

    Maps and lists of messages can't stand there.
    """
    for field in message.fields:
        if prefix + field.name in bound or isinstance(field.value, DescFieldValueMap):
            continue
        below = _message_below(field)
        if below is not None:
            if isinstance(field.value, DescFieldValueList):
                continue
            yield from query_parameters(below, bound, f"{prefix}{field.json_name}.")
        else:
            name = prefix + field.json_name
            yield _parameter(field, "query", name, _schema(field), required=is_required(field))


def _parameter(field: DescField, place: str, name: str, schema: Schema, *, required: bool) -> Schema:
    text = description(field)
    element = element_of(field)
    if isinstance(element, DescEnum):
        text = f"{text}\n\n{meanings(element)}"
    parameter: Schema = {"name": name, "in": place, "description": text, "schema": schema}
    if required:
        parameter["required"] = True
        if schema.get("type") == "string":
            schema.setdefault("minLength", 1)
    elif schema.get("type") != "string":
        parameter["allowEmptyValue"] = True
    return parameter


def _schema(field: DescField) -> Schema:
    told = keywords(field_rules(field))
    schema = _element(field)
    match field.value:
        case DescFieldValueScalar(scalar=ScalarType.STRING) if formats := formats_of(field):
            return {"anyOf": [{"type": "string", "format": name} for name in formats]}
        case DescFieldValueList():
            return {"type": "array", "items": schema} | told
        case DescFieldValueEnum():
            return schema
        case _:
            return schema | told


def _element(field: DescField) -> Schema:
    match element_of(field):
        case ScalarType.INT32:
            return {"type": "integer"}  # the number of a page, which may be any
        case ScalarType() as scalar:
            return dict(SCALARS[scalar])
        case DescEnum() as enum:
            names = [*(v.name for v in enum.values), *(n for n, number in numbers(enum).items() if number)]
            declared = [value.number for value in enum.values]
            return {
                "anyOf": [
                    {"type": "string", "enum": list(dict.fromkeys(names))},
                    {"type": "integer", "enum": declared},
                ]
            }
        case DescMessage() as message if (wrapped := wrapped_field(message)) is not None:
            return _schema(wrapped)
        case DescMessage(type_name="google.protobuf.Timestamp"):
            return {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "enum": [""]}]}
    raise ValueError(f"{field} can't stand in a path or a query string")


def _message_below(field: DescField) -> DescMessage | None:
    """Return the message whose fields a query string names one by one, or None for a plain value."""
    message = message_of(field)
    return None if message is None or is_well_known(message) else message
