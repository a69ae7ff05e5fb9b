"""The Swagger 2.0 document, made of the OpenAPI 3.1 one.

Its schemas can't say everything: alternatives become the types that they allow together, and null is
`x-nullable`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .rules import Schema

_OLD_PREFIX = "#/components/schemas/"
_NEW_PREFIX = "#/definitions/"


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
        "produces": ["application/json"],
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
            parameters.append({"name": "body", "in": "body", "required": True, "schema": schema})
        if parameters:
            made["parameters"] = parameters
        made["responses"] = {
            status: self._response(response) for status, response in _items(_at(operation, "responses"))
        }
        return made

    def schema(self, schema: Schema) -> Schema:
        """Return a schema in the words of Swagger 2.0."""
        if "$ref" in schema:
            made: Schema = {"$ref": str(schema["$ref"]).replace(_OLD_PREFIX, _NEW_PREFIX)}
            return made if len(schema) == 1 else {"allOf": [made], **self._rest(schema)}
        kinds = sorted(self._kinds(schema))
        choices = [choice for choice in _list(schema.get("anyOf")) if choice != {"type": "null"}]
        nullable = {"x-nullable": True} if "null" in kinds else {}
        if len(choices) == 1 and "$ref" in choices[0]:
            return {"allOf": [self.schema(choices[0])], **nullable, **self._rest(schema)}
        kinds = [kind for kind in kinds if kind != "null"]
        if not kinds:
            return self._rest(schema)
        return {"type": kinds[0] if len(kinds) == 1 else kinds, **nullable, **self._rest(schema)}

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
        made |= self.schema(_at(parameter, "schema"))
        if made.get("type") == "array":
            made["collectionFormat"] = "multi"
        if "example" in parameter:
            made["x-example"] = parameter["example"]
        return made

    def _response(self, response: Schema) -> Schema:
        made: Schema = {"description": response["description"]}
        if "content" in response:
            content = _at(response, "content", "application/json")
            made["schema"] = self.schema(_at(content, "schema"))
            if "example" in content:
                made["examples"] = {"application/json": content["example"]}
        return made


def _at(schema: Schema, *keys: str) -> Schema:
    for key in keys:
        schema = cast("Schema", schema[key])
    return schema


def _items(schema: Mapping[str, object]) -> list[tuple[str, Schema]]:
    return [(name, cast("Schema", value)) for name, value in schema.items()]


def _list(value: object) -> list[Schema]:
    return cast("list[Schema]", value) if isinstance(value, list) else []
