"""Operations: one for each way to reach an RPC over HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from protobuf import message_from_json_value

from tracker.pb.methods import only_reads
from tracker.transcoding.bindings import http_bindings
from tracker.transcoding.json_answer import json_answer
from tracker.transcoding.path_template import parse_template
from tracker.transcoding.query_string import find_field

from .answers import AnswerSchemas
from .bindings import operation_id, path_of, rules
from .comments import description, summary
from .errors import error_responses
from .links import links
from .parameters import IDEMPOTENCY_KEY, path_parameter, query_parameters
from .requests import RequestSchemas

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from protobuf import DescField, DescMethod

    from tracker.pb import http_pb
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
        for number, (rule, binding) in enumerate(zip(rules(method), http_bindings(method), strict=True), 1):
            path = path_of(rule)
            yield path, binding.verb.lower(), self._operation(method, rule, binding, path, number)

    def _operation(
        self, method: DescMethod, rule: http_pb.HttpRule, binding: HttpBinding, path: str, number: int
    ) -> Schema:
        text = description(method)
        operation: Schema = {
            "tags": [method.parent.name],
            "summary": summary(text),
            "operationId": operation_id(method, number),
        }
        if text != f"{operation['summary']}.":
            operation["description"] = text
        example = self._examples.get(f"{method.parent.name}/{method.name}", {})
        sent = example.get("request")
        variables = [variable.field_path for variable in parse_template(path).variables]
        parameters = [path_parameter(_field(method, name)) for name in variables]
        if rule.body != "*":
            parameters += query_parameters(method.input, {*variables, rule.body})
        if isinstance(sent, dict):
            _show(parameters, sent)
        if not only_reads(method):
            parameters.append(IDEMPOTENCY_KEY)
        if parameters:
            operation["parameters"] = parameters
        if rule.body:
            operation["requestBody"] = self._body(method, rule, variables, sent)
        success = self._success(method, rule, binding, example.get("answer"))
        operation["responses"] = {str(binding.status): success} | error_responses(method)
        return operation

    def _body(
        self, method: DescMethod, rule: http_pb.HttpRule, variables: list[str], example: JsonValue
    ) -> Schema:
        if rule.body != "*":
            raise ValueError(f"{method}: a body that is one field is not described yet")
        schema = self._requests.body(method.input, variables)
        content: Schema = {"schema": schema}
        if isinstance(example, dict):
            bound = {_field(method, name).json_name for name in variables}
            content["example"] = {name: value for name, value in example.items() if name not in bound}
        return {"required": self._requests.asks(schema), "content": {"application/json": content}}

    def _success(
        self, method: DescMethod, rule: http_pb.HttpRule, binding: HttpBinding, example: JsonValue
    ) -> Schema:
        if binding.status == _NO_CONTENT:
            return {"description": "Done."}
        shown = next((f for f in method.output.fields if f.name == rule.response_body), None)
        schema = self._answers.message(method.output) if shown is None else self._answers.field(shown)
        content: Schema = {"schema": schema}
        if example is not None:
            message = message_from_json_value(method.output.type, example)
            content["example"] = json.loads(json_answer(message, shown))
        if method.method_kind == "server_streaming":
            # OpenAPI has no words for what each event of a stream is before 3.2.
            stream: Schema = {"x-event-data": self._answers.message(method.output)}
            return {"description": description(method.output), "content": {"text/event-stream": stream}}
        told: Schema = {"description": description(method.output), "content": {"application/json": content}}
        leads = links(method, rule)
        return told | {"links": leads} if leads else told


def _field(method: DescMethod, path: str) -> DescField:
    found = find_field(method.input, path)
    if found is None:
        raise ValueError(f"{method.input} has no field {path}")
    return found.path[-1]


def _show(parameters: list[Schema], example: Mapping[str, JsonValue]) -> None:
    for parameter in parameters:
        name = parameter["name"]
        if isinstance(name, str) and name in example:
            parameter["example"] = example[name]
