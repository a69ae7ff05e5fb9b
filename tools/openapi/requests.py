"""Schemas of requests: what the server takes, which is more than what it answers.

Any field may be null or absent where it is not required, numbers may be text, and enums names or numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from protobuf import (
    DescEnum,
    DescFieldValueList,
    DescFieldValueMap,
    DescFieldValueMessage,
    ScalarType,
)

from tracker.pb.options import numbers
from tracker.transcoding.fields import DURATION, TIMESTAMP, element_of, wrapped_field

from .answers import SCALARS, aliases, meanings
from .comments import description
from .names import component_name, reference
from .rules import field_rules, is_required, keywords, required_paths

if TYPE_CHECKING:
    from collections.abc import Collection

    from protobuf import DescField, DescMessage

    from tracker.transcoding.fields import Element

    from .rules import Schema

_NUMBERS = frozenset(SCALARS) - {ScalarType.BOOL, ScalarType.STRING, ScalarType.BYTES}
_NUMBER_TEXT_DIGITS = 9
_INT32 = {"minimum": -(2**31), "maximum": 2**31 - 1}
_NULL: Schema = {"type": "null"}
_EMPTY: Schema = {"type": "string", "enum": [""]}
_SUFFIX = "Input"
_LENIENT = (
    "Other names: {}. Names count in any case, with `-` as `_`, and so do numbers, as numbers or as text."
)


class RequestSchemas:
    """Describes messages as requests have them; `components` gathers what the schemas refer to."""

    def __init__(self, components: Schema) -> None:
        self._components = components
        self._bound: dict[str, frozenset[str]] = {}

    def body(self, message: DescMessage, bound: Collection[str]) -> Schema:
        """Return the schema of a request's body, less the fields that are `bound` to the path.

        Raises:
            ValueError: Another path of the same request leaves other fields to the body.
        """
        name = component_name(message)
        if self._bound.setdefault(name, frozenset(bound)) != frozenset(bound):
            raise ValueError(f"{message} has two bodies")
        if name not in self._components:
            self._components[name] = self._object(message, [*required_paths(message)], bound, name)
        return reference(name)

    def asks(self, body: Schema) -> bool:
        """Say whether the schema of a body asks for anything; an empty body counts as an empty object."""
        schema = self._components[str(body["$ref"]).rpartition("/")[2]]
        return isinstance(schema, dict) and ("required" in schema or "anyOf" in schema)

    def _object(
        self,
        message: DescMessage,
        rules: Collection[tuple[tuple[str, ...], ...]],
        bound: Collection[str],
        name: str,
    ) -> Schema:
        fields = {field.name: field for field in message.fields if field.name not in bound}
        demanded = {only[0] for only in rules if len(only) == 1}
        must = {path[0] for path in demanded} | {f.name for f in fields.values() if is_required(f)}
        properties: Schema = {}
        for field in fields.values():
            below = [(path[1:],) for path in demanded if path[0] == field.name and len(path) > 1]
            if below and isinstance(field.value, DescFieldValueMessage):
                inner = f"{name}.{field.json_name}"
                self._components[inner] = self._object(field.value.message, below, (), inner)
                schema = reference(inner)
            else:
                schema = self._field(field, required=field.name in must)
            properties[field.json_name] = schema | {"description": description(field)}
        schema = {"type": "object", "description": description(message), "properties": properties}
        if must:
            schema["required"] = [f.json_name for f in fields.values() if f.name in must]
        for alternatives in rules:
            if len(alternatives) > 1:
                schema["anyOf"] = [_given(fields[path[0]]) for path in alternatives if path[0] in fields]
        return schema

    def _field(self, field: DescField, *, required: bool) -> Schema:
        told = keywords(field_rules(field))
        element = element_of(field)
        match field.value:
            case DescFieldValueList():
                schema = {"type": "array", "items": self._element(element, _element_limits(field))} | told
            case DescFieldValueMap():
                items = self._element(element, _element_limits(field))
                schema = {"type": "object", "additionalProperties": items} | told | _key_limits(field)
            case _ if required and isinstance(element, DescEnum):
                schema = _given_enum(element)
            case _:
                schema = self._element(element, told)
        if required:
            return {"minLength": 1} | schema if schema.get("type") == "string" else schema
        if "format" in told:
            schema = {"anyOf": [schema, _EMPTY]}
        return _or_null(schema)

    def _element(self, element: Element, limits: Schema) -> Schema:
        if isinstance(element, DescEnum):
            return self._enum(element)
        if isinstance(element, ScalarType):
            return _scalar(element, limits)
        wrapped = wrapped_field(element)
        if wrapped is not None:
            return self._element(element_of(wrapped), limits)
        if element.type_name == TIMESTAMP:
            return {"anyOf": [{"type": "string", "format": "date-time"}, _EMPTY]}
        if element.type_name == DURATION:
            return {"type": "string"} | limits
        return self._message(element)

    def _message(self, message: DescMessage) -> Schema:
        name = component_name(message, _SUFFIX)
        if name not in self._components:
            self._components[name] = {}  # so that a type may contain itself
            self._components[name] = self._object(message, (), (), name)
        return reference(name)

    def _enum(self, enum: DescEnum) -> Schema:
        name = component_name(enum, _SUFFIX)
        if name not in self._components:
            self._components[name] = {
                "description": f"{description(enum)}\n\n{meanings(enum)}\n\n{_LENIENT.format(aliases(enum))}",
                "anyOf": [
                    {"type": "string", "enum": [*numbers(enum), ""]},
                    {"type": "string", "pattern": "^-?[0-9]{1,9}$"},
                    {"type": "integer", "format": "int32", **_INT32},
                ],
            }
        return reference(name)


def _scalar(scalar: ScalarType, told: Schema) -> Schema:
    schema = SCALARS[scalar] | told
    if scalar not in _NUMBERS:
        return schema
    limit = schema.get("maximum")
    digits = len(str(limit)) - 1 if isinstance(limit, int) else _NUMBER_TEXT_DIGITS
    # A number as text is not held to a limit here, so that only texts are told of that respect it.
    return {**schema, "type": ["number" if schema["type"] == "number" else "integer", "string"]} | {
        "pattern": f"^(0|[1-9][0-9]{{0,{digits - 1}}})$"
    }


def _given_enum(enum: DescEnum) -> Schema:
    """Return the schema of an enum that has to be given: anything but its first value."""
    return {
        "anyOf": [
            {"type": "string", "enum": [name for name, number in numbers(enum).items() if number]},
            {"type": "string", "pattern": "^[1-9][0-9]{0,8}$"},
            {"type": "integer", "format": "int32", "minimum": 1, "maximum": 2**31 - 1},
        ]
    }


def _given(field: DescField) -> Schema:
    name = field.json_name
    return {"required": [name], "properties": {name: {"type": "string", "minLength": 1}}}


def _or_null(schema: Schema) -> Schema:
    match schema:
        case {"type": str() as kind}:
            return schema | {"type": [kind, "null"]}
        case {"type": [*kinds]}:
            return schema | {"type": [*kinds, "null"]}
        case {"anyOf": [*choices]}:
            return schema | {"anyOf": [*choices, _NULL]}
        case _:
            return {"anyOf": [schema, _NULL]}


def _element_limits(field: DescField) -> Schema:
    match field_rules(field).type:
        case None:
            return {}
        case kind if kind.field == "repeated":
            return keywords(kind.value.items) if kind.value.items is not None else {}
        case kind if kind.field == "map":
            return keywords(kind.value.values) if kind.value.values is not None else {}
        case _:
            return {}


def _key_limits(field: DescField) -> Schema:
    kind = field_rules(field).type
    if kind is None or kind.field != "map" or kind.value.keys is None:
        return {}
    return {"propertyNames": keywords(kind.value.keys)}
