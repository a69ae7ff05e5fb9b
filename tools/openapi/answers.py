"""Schemas of answers: every property is there, and what is unset is null."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protobuf import (
    DescEnum,
    DescFieldValueList,
    DescFieldValueMap,
    DescFieldValueMessage,
    DescMessage,
    ScalarType,
)

from tracker.pb.options import numbers
from tracker.transcoding.fields import DURATION, TIMESTAMP, element_of, wrapped_field

from .comments import description
from .names import component_name, reference

if TYPE_CHECKING:
    from protobuf import DescField

    from tracker.transcoding.fields import Element

    from .rules import Schema

SCALARS: dict[ScalarType, Schema] = {
    ScalarType.BOOL: {"type": "boolean"},
    ScalarType.INT32: {"type": "integer", "format": "int32"},
    ScalarType.UINT32: {"type": "integer", "format": "int64", "minimum": 0, "maximum": 2**32 - 1},
    ScalarType.INT64: {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"},
    ScalarType.UINT64: {"type": "string", "format": "int64", "pattern": "^[0-9]+$"},
    ScalarType.FLOAT: {"type": "number", "format": "float"},
    ScalarType.DOUBLE: {"type": "number", "format": "double"},
    ScalarType.STRING: {"type": "string"},
    ScalarType.BYTES: {"type": "string", "format": "byte"},
}
"""Scalars as answers have them; 64-bit integers are text."""

_NULL: Schema = {"type": "null"}


class AnswerSchemas:
    """Describes messages as answers have them; `components` gathers what the schemas refer to."""

    def __init__(self, components: Schema) -> None:
        self._components = components

    def message(self, message: DescMessage) -> Schema:
        """Return the schema of a message."""
        if message.type_name == TIMESTAMP:
            return {"type": "string", "format": "date-time"}
        if message.type_name == DURATION:
            return {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"}
        wrapped = wrapped_field(message)
        if wrapped is not None:
            return self._value(wrapped)
        name = component_name(message)
        if name not in self._components:
            schema: Schema = {"type": "object", "description": description(message)}
            self._components[name] = schema
            schema["properties"] = {field.json_name: self.field(field) for field in message.fields}
            always = [field.json_name for field in message.fields if not field.proto.proto3_optional]
            if always:
                schema["required"] = list(always)
        return reference(name)

    def field(self, field: DescField) -> Schema:
        """Return the schema of a field, with what the protos say of it."""
        schema = self._value(field)
        if isinstance(field.value, DescFieldValueMessage):
            kind = schema.get("type")
            schema = schema | {"type": [kind, "null"]} if kind else {"anyOf": [schema, _NULL]}
        return schema | {"description": description(field)}

    def _value(self, field: DescField) -> Schema:
        schema = self._element(element_of(field))
        match field.value:
            case DescFieldValueList():
                return {"type": "array", "items": schema}
            case DescFieldValueMap():
                return {"type": "object", "additionalProperties": schema}
            case _:
                return schema

    def _element(self, element: Element) -> Schema:
        if isinstance(element, DescMessage):
            return self.message(element)
        return self._enum(element) if isinstance(element, DescEnum) else dict(SCALARS[element])

    def _enum(self, enum: DescEnum) -> Schema:
        name = component_name(enum)
        if name not in self._components:
            self._components[name] = {
                "description": f"{description(enum)}\n\n{meanings(enum)}",
                "anyOf": [
                    {"type": "string", "enum": [value.name for value in enum.values]},
                    {"type": "integer", "format": "int32", "description": "A number that has no name."},
                ],
            }
        return reference(name)


def aliases(enum: DescEnum) -> str:
    """Return the other names of an enum's values, as a list in CommonMark."""
    names = {value.number: value.name for value in enum.values}
    others = {name: names[number] for name, number in numbers(enum).items() if name != names[number]}
    return ", ".join(f"`{name}` for `{own}`" for name, own in others.items())


def meanings(enum: DescEnum) -> str:
    """Return what each value of an enum means, as a list in CommonMark."""
    return "\n".join(f"- `{value.name}`: {description(value)}" for value in enum.values)
