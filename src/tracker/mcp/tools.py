"""What a tool is: the RPC that it asks, its arguments as fields of the request, its result as a record."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from protobuf import DescEnum, DescFieldValueList, DescFieldValueMap, Message, ScalarType

from tracker.errors import FieldViolation, Reason, invalid, nearest
from tracker.mcp.records import Records, words_of
from tracker.pb.options import method_of, only_reads, permission_of
from tracker.transcoding.fields import (
    DURATION,
    TIMESTAMP,
    element_of,
    fields_by_name,
    message_of,
    wrapped_field,
)
from tracker.transcoding.json_request import make_message, normalise

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from protobuf import DescField, DescMessage, DescMethod

    from tracker.errors import TrackerError
    from tracker.mcp.records import Schema
    from tracker.transcoding.json_text import JsonValue

M = TypeVar("M", bound=Message)

DRY_RUN = "dry_run"
"""The argument without which a tool changes nothing."""


class Refused(Exception):  # noqa: N818 - reads as what the server did
    """A call was refused; `message` says why, for an agent, and `reason` for a program."""

    def __init__(self, message: str, reason: str = "", violations: Sequence[FieldViolation] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.violations = violations


class Server(Protocol):
    """What tools need of a server, with the rights of the agent."""

    def refusal(self, tool: Tool) -> Refused | TrackerError | None:
        """Return why the agent may not call a tool at all, or None if it may."""

    async def ask(self, request: Message, answer: type[M]) -> M:
        """Return the answer to a request.

        Raises:
            Refused: There is none.
        """

    async def require(self, permission: str, record: Message) -> None:
        """Check that the agent has a permission for a record, before it is changed.

        Raises:
            Refused: It has not.
        """


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a tool; `path` is that of the field of the request that it sets, in proto names."""

    path: str
    text: str
    name: str = ""
    required: bool = False
    default: JsonValue = None
    most: int | None = None

    @property
    def key(self) -> str:
        """Its name: by default, that of the field."""
        return self.name or self.path.rpartition(".")[2]


@dataclass(frozen=True)
class Tool:
    """A tool; `request` is that of its RPC, and `answer` what that returns.

    `summary` says in a sentence what an answer is, without texts that others have written. `constants` are
    fields that every request has. A tool that changes something has a `preview`, which returns what it would
    answer, and raises what would refuse it.
    """

    name: str
    title: str
    text: str
    request: type[Message]
    answer: type[Message]
    summary: Callable[[Any], str]
    arguments: Sequence[Argument] = ()
    records: Records = field(default_factory=Records)
    constants: Mapping[str, JsonValue] = field(default_factory=dict)
    preview: Callable[[Server, Any], Awaitable[Message]] | None = None
    ends_something: bool = False

    @cached_property
    def method(self) -> DescMethod:
        """The RPC."""
        return method_of(self.request.desc())

    @property
    def permission(self) -> str:
        """What callers need."""
        return permission_of(self.method)

    @property
    def only_reads(self) -> bool:
        """Whether it changes nothing."""
        return only_reads(self.method)

    @cached_property
    def input_schema(self) -> Schema:
        """The schema of its arguments."""
        properties = {each.key: _input(self._field(each), each) for each in self.arguments}
        if not self.only_reads:
            said = "Whether to change nothing, and to say what would be changed; false makes the change."
            properties[DRY_RUN] = {"type": "boolean", "description": said, "default": True}
        schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        if needed := [each.key for each in self.arguments if each.required]:
            schema["required"] = needed
        return schema

    @cached_property
    def output_schema(self) -> Schema:
        """The schema of its results."""
        schema = self.records.schema(self.answer.desc())
        if not self.only_reads:
            said = "whether nothing was changed, and this is what would be"
            schema["properties"][DRY_RUN] = {"type": "boolean", "description": said}
            schema["required"] = [DRY_RUN]
        return schema

    async def call(self, server: Server, given: Mapping[str, Any]) -> Result:
        """Return the result for some arguments.

        Raises:
            Refused: An argument is wrong, or the server refuses the call.
            TrackerError: An argument is wrong.
        """
        request = self._request(given)
        dry = not self.only_reads and _flag(given.get(DRY_RUN, True))
        if not dry:
            answer: Message = await server.ask(request, self.answer)
        else:
            from tracker.transcoding.rules import check_rules  # noqa: PLC0415 - slow to load, and only a dry run needs it

            check_rules(request)
            answer = await cast("Any", self.preview)(server, request)
        record = self.records.record(answer)
        if self.only_reads:
            return Result(self.summary(answer), record)
        said = f"Nothing was changed. This would be; give {DRY_RUN} false to make the change."
        return Result(said if dry else self.summary(answer), {DRY_RUN: dry, **record})

    def refusal(self, message: str, violations: Sequence[FieldViolation]) -> str:
        """Return the message of an error, which names arguments instead of fields."""
        if not violations or message != invalid(*violations).message:
            return message
        named = (FieldViolation(self._key(each.field), each.description) for each in violations)
        return invalid(*named).message

    def _key(self, path: str) -> str:
        """Return the name of the argument for a field that an error names, in either spelling."""
        path = re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", path)
        for each in self.arguments:
            if path == each.path or path.startswith((f"{each.path}[", f"{each.path}.")):
                return each.key + path.removeprefix(each.path)
        return path

    def _field(self, argument: Argument) -> DescField:
        below: DescMessage | None = self.request.desc()
        *parents, name = argument.path.split(".")
        for parent in parents:
            below = message_of(fields_by_name(cast("DescMessage", below))[parent])
        return fields_by_name(cast("DescMessage", below))[name]

    def _request(self, given: Mapping[str, Any]) -> Message:
        known = {each.key: each for each in self.arguments}
        for key in given:
            if key not in known and (key != DRY_RUN or self.only_reads):
                names = [*known, *(() if self.only_reads else (DRY_RUN,))]
                near = nearest(str(key), names) or f"; expected {', '.join(names) or 'none'}"
                raise Refused(f"{str(key)[:100]}: unknown argument{near}", Reason.INVALID_FIELD)
        fields: dict[str, JsonValue] = {}
        for path, value in self.constants.items():
            _put(fields, path, value)
        for each in self.arguments:
            value = given.get(each.key)
            value = each.default if value is None else value
            if value is None and each.required:
                raise invalid(FieldViolation(each.key, f"{each.key} is required"))
            if value is not None:
                _put(fields, each.path, _bounded(each, value))
        normal, _ = normalise(self.request.desc(), fields)
        return make_message(self.request, normal)


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool returns: a sentence, and a record."""

    summary: str
    record: dict[str, Any]

    @property
    def text(self) -> str:
        """The record as JSON, for clients that take texts alone."""
        return json.dumps(self.record, ensure_ascii=False, separators=(",", ":"))


def _put(fields: dict[str, Any], path: str, value: JsonValue) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        fields = fields.setdefault(parent, {})
    fields[name] = value


def _bounded(argument: Argument, value: Any) -> JsonValue:  # noqa: ANN401 - whatever an agent gives
    """Return a value, which is a number from 1 on where the argument has a bound."""
    if argument.most is not None:
        number = int(value) if str(value).isdecimal() else value
        if type(number) is not int or not 1 <= number <= argument.most:
            expected = f"expected a whole number from 1 to {argument.most}, got {str(value)[:60]}"
            raise invalid(FieldViolation(argument.key, expected))
        return number
    return cast("JsonValue", value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise invalid(FieldViolation(DRY_RUN, f"expected true or false, got {str(value)[:60]}"))
    return value


def _input(of: DescField, argument: Argument) -> Schema:
    """Return the schema of an argument."""
    schema: Schema
    match of.value:
        case DescFieldValueList():
            schema = {"type": "array", "items": _element(of)}
        case DescFieldValueMap():
            schema = {"type": "object", "additionalProperties": {"type": "string"}}
        case _:
            schema = _element(of)
    if argument.most is not None:
        schema |= {"minimum": 1, "maximum": argument.most}
    if argument.default is not None:
        schema["default"] = argument.default
    return schema | {"description": argument.text}


def _element(of: DescField) -> Schema:
    element = element_of(of)
    if isinstance(element, DescEnum):
        return {"type": "string", "enum": words_of(element)}
    if isinstance(element, ScalarType):
        known = {ScalarType.STRING: "string", ScalarType.BOOL: "boolean"}
        return {"type": known.get(element, "integer")}
    if element.type_name == TIMESTAMP:
        return {"type": "string", "format": "date-time"}
    wrapped = wrapped_field(element)
    if wrapped is None and element.type_name != DURATION:
        raise TypeError(f"{of} can't be an argument")
    return {"type": "string"} if wrapped is None else _element(wrapped)
