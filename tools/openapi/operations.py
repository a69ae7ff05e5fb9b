"""Operations: one for each way to reach an RPC over HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from protobuf import message_from_json_value

from tracker.pb.options import only_reads
from tracker.transcoding.bindings import http_bindings

from .answers import AnswerSchemas
from .comments import description, summary
from .errors import error_responses
from .links import links
from .names import operation_id
from .parameters import IDEMPOTENCY_KEY, path_parameter, query_parameters
from .requests import RequestSchemas

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from protobuf import DescMethod

    from tracker.transcoding.bindings import HttpBinding
    from tracker.transcoding.json_text import JsonValue

    from .rules import Schema

_NO_CONTENT = 204


class Operations:
    """Describes RPCs; `components` gathers the schemas that the operations refer to.

    `examples` holds the JSON of a request and of an answer (its interesting part) by `Service/Method`.
    """

    def __init__(self, components: Schema, examples: Mapping[str, Mapping[str, JsonValue]]) -> None:
        self._requests = RequestSchemas(components)
        self._answers = AnswerSchemas(components)
        self._examples = examples

    def of_method(self, method: DescMethod) -> Iterator[tuple[str, str, Schema]]:
        """Yield the path, the verb in lower case and the description of each way to reach an RPC."""
        for number, binding in enumerate(http_bindings(method), 1):
            operation = self._operation(method, binding, operation_id(method, number))
            yield binding.path, binding.verb.lower(), operation

    def _operation(self, method: DescMethod, binding: HttpBinding, name: str) -> Schema:
        text = description(method)
        operation: Schema = {
            "tags": [method.parent.name],
            "summary": summary(text).replace("`", ""),
            "operationId": name,
        }
        if text != f"{operation['summary']}.":
            operation["description"] = text
        example = self._examples.get(f"{method.parent.name}/{method.name}", {})
        sent = example.get("request")
        parameters = [path_parameter(variable.path[-1]) for variable in binding.variables]
        if not binding.takes_body and (binding.verb != "GET" or only_reads(method)):
            parameters += query_parameters(method.input, binding.bound)
        if isinstance(sent, dict):
            _show(parameters, sent)
        if not only_reads(method):
            parameters.append(IDEMPOTENCY_KEY)
        if parameters:
            operation["parameters"] = parameters
        if binding.takes_body:
            operation["requestBody"] = self._body(method, binding, sent)
        success = self._success(method, binding, example.get("answer"))
        operation["responses"] = {str(binding.status): success} | error_responses(method)
        return operation

    def _body(self, method: DescMethod, binding: HttpBinding, example: JsonValue) -> Schema:
        schema = self._requests.body(method.input, binding.bound)
        content: Schema = {"schema": schema}
        if isinstance(example, dict):
            bound = {variable.path[-1].json_name for variable in binding.variables}
            content["example"] = {name: value for name, value in example.items() if name not in bound}
        return {"required": self._requests.asks(schema), "content": {"application/json": content}}

    def _success(self, method: DescMethod, binding: HttpBinding, example: JsonValue) -> Schema:
        if binding.status == _NO_CONTENT:
            return {"description": "Done."}
        text, shown = description(method.output), binding.answer_field
        schema = self._answers.message(method.output) if shown is None else self._answers.field(shown)
        if method.method_kind == "server_streaming":
            # OpenAPI can't describe the events of a stream before 3.2.
            return {"description": text, "content": {"text/event-stream": {"x-event-data": schema}}}
        content: Schema = {"schema": schema}
        if example is not None:
            message = message_from_json_value(method.output.type, example)
            content["example"] = json.loads(binding.encode(message))
        success: Schema = {"description": text, "content": {"application/json": content}}
        leads = links(method, binding)
        return success | {"links": leads} if leads else success


def _show(parameters: list[Schema], example: Mapping[str, JsonValue]) -> None:
    for parameter in parameters:
        name = parameter["name"]
        if isinstance(name, str) and name in example:
            parameter["example"] = example[name]
