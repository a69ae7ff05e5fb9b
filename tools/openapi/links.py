"""Links: which operations an answer leads to, with the id that it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protobuf import DescFieldValueMessage

from tracker.transcoding.path_template import parse_template

from .bindings import operation_id, path_of, rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from protobuf import DescField, DescMessage, DescMethod

    from tracker.pb import http_pb

    from .rules import Schema

_KEYS = ("id", "name")


def links(method: DescMethod, rule: http_pb.HttpRule) -> Schema:
    """Return the links of a method that answers one record: to what its service does with that one."""
    found = next(_keys(method.output), None)
    if found is None or rule.body != "*":
        return {}
    key, path = found
    shown = path[1:] if rule.response_body else path
    pointer = "/".join(field.json_name for field in shown)
    return {
        name: {"operationId": name, "parameters": {key: f"$response.body#/{pointer}"}}
        for name in _operations_on(method, key)
    }


def _keys(answer: DescMessage) -> Iterator[tuple[str, tuple[DescField, ...]]]:
    """Yield the keys of the records in an answer, each with the path that leads to it."""
    for record in answer.fields:
        if not isinstance(record.value, DescFieldValueMessage):
            continue
        for field in record.value.message.fields:
            if field.name in _KEYS:
                yield field.name, (record, field)
            elif field.name == "metadata" and isinstance(field.value, DescFieldValueMessage):
                for inner in field.value.message.fields:
                    if inner.name in _KEYS:
                        yield inner.name, (record, field, inner)


def _operations_on(method: DescMethod, key: str) -> Iterator[str]:
    for other in method.parent.methods:
        for number, rule in enumerate(rules(other), 1):
            variables = parse_template(path_of(rule)).variables
            if [variable.field_path for variable in variables] == [key]:
                yield operation_id(other, number)
