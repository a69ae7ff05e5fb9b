"""Links: which operations an answer leads to, with the id that it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protobuf import DescFieldValueMessage

from tracker.transcoding.bindings import http_bindings

from .names import operation_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from protobuf import DescField, DescMessage, DescMethod

    from tracker.transcoding.bindings import HttpBinding

    from .rules import Schema

_KEYS = ("id", "name")


def links(method: DescMethod, binding: HttpBinding) -> Schema:
    """Return the links of a method that answers one record: to the operations on that record."""
    found = next(_keys(method.output), None)
    if found is None or not binding.takes_body:
        return {}
    key, path = found
    pointer = "/".join(field.json_name for field in (path[1:] if binding.answer_field else path))
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
        for number, binding in enumerate(http_bindings(other), 1):
            if [variable.proto_path for variable in binding.variables] == [key]:
                yield operation_id(other, number)
