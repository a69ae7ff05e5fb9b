"""The Swagger 2.0 document, made of the OpenAPI 3.1 one.

Its schemas can't say everything: alternatives become the types that they allow together, and null is
`x-nullable`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .rules import Schema

_OLD_PREFIX = "#/components/schemas/"
_NEW_PREFIX = "#/definitions/"
_UUID = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"


def as_swagger2(document: Schema) -> Schema:
    """Return the Swagger 2.0 form of an OpenAPI 3.1 document of this package."""
    converter = _Converter(_at(document, "components", "schemas"))
    info = _at(document, "info")
    paths = {
        path: {verb: converter.operation(_at(operations, verb)) for verb in operations}
        for path, operations in _items(_at(document, "paths"))
    }
    return {
        "swagger": "2.0",
        "info": info | {"license": {"name": _at(info, "license")["name"]}},
        "basePath": "/",
        "consumes": ["application/json"],
        "tags": document["tags"],
        "paths": paths,
        "definitions": {name: converter.schema(schema) for name, schema in _items(converter.components)},
    }


class _Converter:
    def __init__(self, components: Schema) -> None:
        self.components = components

    def operation(self, operation: Schema) -> Schema:
        made = {key: value for key, value in operation.items() if key != "requestBody"}
        parameters = [self._parameter(item) for item in _list(operation.get("parameters"))]
        if "requestBody" in operation:
            content = _at(operation, "requestBody", "content", "application/json")
            schema = self.schema(_at(content, "schema"))
            if "example" in content:
                schema = {"allOf": [schema], "example": content["example"]}
            required = _at(operation, "requestBody")["required"]
            parameters.append({"name": "body", "in": "body", "required": required, "schema": schema})
        if parameters:
            made["parameters"] = parameters
        responses = {
            status: self._response(response) for status, response in _items(_at(operation, "responses"))
        }
        if all("content" in response for _, response in _items(_at(operation, "responses"))):
            made["produces"] = list(_kinds_of_content(_at(operation, "responses")))
        made["responses"] = responses
        return made

    def schema(self, schema: Schema) -> Schema:
        """Return a schema in the words of Swagger 2.0."""
        choices = [choice for choice in _list(schema.get("anyOf")) if choice != {"type": "null"}]
        nullable = {"x-nullable": True} if "null" in self._kinds(schema) else {}
        rest = self._rest(schema)
        if "$ref" in schema:
            reference: Schema = {"$ref": str(schema["$ref"]).replace(_OLD_PREFIX, _NEW_PREFIX)}
            return {"allOf": [reference], **rest} if rest else reference
        if len(choices) == 1 and "$ref" in choices[0]:
            return {"allOf": [self.schema(choices[0])], **nullable, **rest}
        if any("required" in choice for choice in choices):
            return {"type": schema["type"]} | _both(rest, self._rest(choices[0]))
        kinds = [kind for kind in sorted(self._kinds(schema)) if kind != "null"]
        if not kinds:
            return rest
        return {"type": kinds[0] if len(kinds) == 1 else kinds, **nullable, **_limits(choices), **rest}

    def _rest(self, schema: Schema) -> Schema:
        """Return all but the types of a schema."""
        made: Schema = {}
        for key, value in schema.items():
            match key, value:
                case "$ref" | "type" | "anyOf" | "propertyNames", _:
                    continue
                case "properties", dict():
                    made[key] = {name: self.schema(inner) for name, inner in _items(value)}
                case "items" | "additionalProperties", dict():
                    made[key] = self.schema(cast("Schema", value))
                case _:
                    made[key] = value
        return made

    def _kinds(self, schema: Schema) -> set[str]:
        """Return the types that a schema allows; none where it does not say."""
        match schema:
            case {"$ref": str() as reference}:
                return self._kinds(_at(self.components, reference.removeprefix(_OLD_PREFIX)))
            case {"type": str() as kind}:
                return {kind}
            case {"type": [*kinds]}:
                return {str(kind) for kind in kinds}
            case {"anyOf": [*choices]}:
                return {kind for choice in choices for kind in self._kinds(cast("Schema", choice))}
            case _:
                return set()

    def _parameter(self, parameter: Schema) -> Schema:
        made = {key: value for key, value in parameter.items() if key not in ("schema", "example")}
        made |= _text(_at(parameter, "schema"))
        if made.get("type") == "array":
            made["collectionFormat"] = "multi"
        if "example" in parameter:
            made["x-example"] = parameter["example"]
        return made

    def _response(self, response: Schema) -> Schema:
        made: Schema = {"description": response["description"]}
        if "content" in response:
            content = next(content for _, content in _items(_at(response, "content")))
            if "schema" in content:
                made["schema"] = self.schema(_at(content, "schema"))
            if "example" in content:
                made["examples"] = {"application/json": content["example"]}
        return made


def _kinds_of_content(responses: Schema) -> Iterator[str]:
    """Yield the media types of an operation's answers, each once."""
    kinds = (kind for _, response in _items(responses) for kind in _at(response, "content"))
    yield from dict.fromkeys(kinds)


def _text(schema: Schema) -> Schema:
    """Return the schema of a parameter, which is text; its alternatives are enums, or formats."""
    choices = _list(schema.get("anyOf"))
    if choices and all("enum" in choice for choice in choices):
        values = [str(value) for choice in choices for value in cast("list[object]", choice["enum"])]
        return {"type": "string", "enum": values}
    if choices:
        return choices[0]
    if "items" in schema:
        return schema | {"items": _text(_at(schema, "items"))}
    return schema


def _limits(choices: list[Schema]) -> Schema:
    """Return the keywords that hold for any of some choices; each keyword speaks of one type only."""
    made: Schema = {}
    for choice in choices:
        if choice.get("type") != "string":
            made |= {key: value for key, value in choice.items() if key in ("minimum", "maximum")}
    texts = [choice for choice in choices if choice.get("type") == "string"]
    patterns = [_pattern(text) for text in texts]
    if patterns and all(patterns):
        made["pattern"] = "|".join(patterns)
    elif texts and "format" in texts[0]:
        made["format"] = texts[0]["format"]
    return made


def _pattern(schema: Schema) -> str:
    """Return the pattern of a text's schema, "" where it allows any text."""
    match schema:
        case {"enum": [*values]}:
            return f"^({'|'.join(map(str, values))})$"
        case {"pattern": str() as pattern}:
            return pattern
        case {"format": "uuid"}:
            return _UUID
        case _:
            return ""


def _both(schema: Schema, more: Schema) -> Schema:
    """Return the schema of an object that is held to two."""
    properties = dict(_items(_at(schema, "properties")))
    for name, limits in _items(_at(more, "properties")):
        properties[name] = {k: v for k, v in (properties[name] | limits).items() if k != "x-nullable"}
    return schema | {"properties": properties, "required": more["required"]}


def _at(schema: Schema, *keys: str) -> Schema:
    for key in keys:
        schema = cast("Schema", schema[key])
    return schema


def _items(schema: Mapping[str, object]) -> list[tuple[str, Schema]]:
    return [(name, cast("Schema", value)) for name, value in schema.items()]


def _list(value: object) -> list[Schema]:
    return cast("list[Schema]", value) if isinstance(value, list) else []
