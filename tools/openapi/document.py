"""The OpenAPI 3.1 document."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from .comments import description, package_description
from .errors import COMPONENTS
from .names import reference
from .operations import Operations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from protobuf import DescFile

    from tracker.transcoding.json_text import JsonValue

    from .rules import Schema

_ABOUT = """\
Records what happens to your systems: deployments, operations, drifts and incidents; keeps a catalog of what \
runs there; and lets deployments exclude each other with locks.

Property names are lowerCamelCase; requests may use the snake_case names of the protos too. Unknown \
properties and parameters are ignored; the header `Warning` of the answer names them, and a request with the \
header `Prefer: handling=strict` is refused for them. The content type is ignored too: every body is read as \
JSON. In answers every property is present: unset messages and times are `null`, lists are `[]`."""


def build_document(
    files: Sequence[DescFile], examples: Mapping[str, Mapping[str, JsonValue]], version: str
) -> Schema:
    """Return the document that describes the services of `files`, whose descriptors hold their comments."""
    components: Schema = {}
    paths: dict[str, Schema] = {}
    operations = Operations(components, examples)
    services = [service for file in files for service in file.services]
    for service in services:
        for method in service.methods:
            for path, verb, operation in operations.of_method(method):
                paths.setdefault(path, {})[verb] = operation
    about = "\n".join(f"- {package_description(file)}" for file in files)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tracker",
            "description": f"{_ABOUT}\n\n{about}",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "version": version,
        },
        "servers": [{"url": "/"}],
        "tags": [
            *({"name": service.name, "description": description(service)} for service in services),
            {"name": "Health", "description": "Probes of an orchestrator."},
        ],
        "paths": paths | _probes(),
        "components": {"schemas": dict(sorted((components | COMPONENTS).items()))},
    }


def _probes() -> dict[str, Schema]:
    return {
        "/livez": {"get": _probe("livez", "Says whether the process is alive", "alive", {})},
        "/readyz": {
            "get": _probe(
                "readyz",
                "Says whether the server should be sent calls",
                "ready",
                {"503": "It should not: it is stopping, or its store can't take writes."},
            )
        },
    }


def _probe(name: str, summary: str, status: str, failures: Mapping[str, str]) -> Schema:
    said: Schema = {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}}
    responses: Schema = {
        "200": {
            "description": "It is.",
            "content": {"application/json": {"schema": said, "example": {"status": status}}},
        }
    }
    for code, text in {**failures, "default": "Any other error."}.items():
        content = {"application/json": {"schema": reference("Error")}}
        responses[code] = {"description": text, "content": content}
    return cast(
        "Schema",
        {"tags": ["Health"], "summary": summary, "operationId": f"Health_{name}", "responses": responses},
    )
