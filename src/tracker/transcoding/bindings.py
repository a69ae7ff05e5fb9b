"""HTTP bindings of RPCs: the `google.api.http` rules of the protos, in both directions.

The grammar of their path templates is the one in `google/api/http.proto`, without custom verbs:

    Template = "/" Segments ;
    Segments = Segment { "/" Segment } ;
    Segment  = "*" | "**" | LITERAL | Variable ;
    Variable = "{" FieldPath [ "=" Segments ] "}" ;
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from protobuf import message_to_json_value

from tracker.errors import FieldViolation, TrackerError, invalid
from tracker.pb import annotations_pb
from tracker.pb.options import success_status
from tracker.transcoding.fields import fields_by_name, message_of
from tracker.transcoding.json_request import make_message, normalise
from tracker.transcoding.json_text import json_answer, json_parts, lists_of, parse_json
from tracker.transcoding.query_string import (
    find_field,
    nested,
    parse_query,
    read_query,
    read_text,
    write_query,
)
from tracker.transcoding.unknown import MAX_UNKNOWN, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from protobuf import DescMessage, DescMethod, Message

    from tracker.pb import http_pb
    from tracker.transcoding.json_text import JsonValue
    from tracker.transcoding.query_string import TextField

ONE = "*"
"""The segment that matches any one segment."""
REST = "**"
"""The segment that matches all remaining segments, of which there may be none."""

_LITERAL = r"(?:[A-Za-z0-9\-._~!$&'()+,;=@]|%[0-9A-Fa-f]{2})+"
_SEGMENT = rf"(?:\*\*?|{_LITERAL})"
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_PART = rf"/(?:({_SEGMENT})|{{({_NAME}(?:\.{_NAME})*)(?:=({_SEGMENT}(?:/{_SEGMENT})*))?}})"
_PARTS = re.compile(_PART)
_TEMPLATE = re.compile(rf"(?:{_PART})+")


@dataclass(frozen=True, slots=True)
class Variable:
    """A field that takes its value from the segments `start` to `end` of the path.

    `end` is None where the variable takes everything up to the end of the path.
    """

    field_path: str
    start: int
    end: int | None

    @property
    def spans_segments(self) -> bool:
        """Whether the value may hold slashes that separate segments."""
        return self.end is None or self.end - self.start > 1


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A parsed template: its segments (literals, `*`, `**`) and its variables."""

    segments: tuple[str, ...]
    variables: tuple[Variable, ...]


def parse_template(text: str) -> PathTemplate:
    """Parse a path template.

    Raises:
        ValueError: The template does not follow the grammar, or names a field twice.
    """
    if _TEMPLATE.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a path template of google.api.http")
    segments: list[str] = []
    variables: list[Variable] = []
    for plain, field_path, inner in _PARTS.findall(text):
        start = len(segments)
        segments += [plain] if plain else (inner or ONE).split("/")
        if field_path:
            end = None if segments[-1] == REST else len(segments)
            variables.append(Variable(field_path, start, end))
    if REST in segments[:-1]:
        raise ValueError(f"{text!r}: nothing may follow '**'")
    if len({variable.field_path for variable in variables}) < len(variables):
        raise ValueError(f"{text!r} names a field twice")
    return PathTemplate(tuple(segments), tuple(variables))


_ELEMENT = re.compile(r"([^.\[\]]+)((?:\[.*?\](?=[.\[]|$))*)(?:\.|$)")
_SUBSCRIPT = re.compile(r"\[(.*?)\](?=\[|$)")


def respell(error: TrackerError, message: DescMessage, written: JsonValue) -> TrackerError:
    """Return an error whose violations name fields as `written`, the client's own JSON, spells them.

    Fields that are not in it are named in lowerCamelCase.
    """
    if not error.violations:
        return error
    violations = [FieldViolation(_path(v.field, message, written), v.description) for v in error.violations]
    names_fields = error.message == invalid(*error.violations).message
    return TrackerError(
        error.reason,
        invalid(*violations).message if names_fields else error.message,
        metadata=error.metadata,
        violations=violations,
    )


def _path(path: str, message: DescMessage | None, written: JsonValue) -> str:
    spelled: list[str] = []
    for name, subscripts in _ELEMENT.findall(path):
        field = None if message is None else fields_by_name(message).get(name)
        if field is None:
            spelled.append(name + subscripts)
            message = None
            continue
        key = field.json_name
        if isinstance(written, dict):
            key = field.name if field.name in written and key not in written else key
            written = written.get(key)
        for subscript in _SUBSCRIPT.findall(subscripts):
            written = _item(written, subscript)
        spelled.append(key + subscripts)
        message = message_of(field)
    return ".".join(spelled)


def _item(written: JsonValue, subscript: str) -> JsonValue:
    if isinstance(written, dict):
        return written.get(subscript)
    if isinstance(written, list) and subscript.isdecimal() and int(subscript) < len(written):
        return written[int(subscript)]
    return None


_LONG = 100
"""Records of an answer that is encoded at once."""
_IN_BODY = "; this call takes its fields from the body"


class HttpInput(NamedTuple):
    """What a server reads of a request: the values of the path's variables, the query string, the body."""

    captures: tuple[str, ...]
    query: bytes
    body: bytes


class HttpRequest(NamedTuple):
    """What a client sends: `path` is escaped and includes the query string; `body` is None without one."""

    verb: str
    path: str
    body: bytes | None


class HttpBinding:
    """One way to reach an RPC over HTTP: a verb, a path, and where its fields stand.

    `variables` are the fields in the path, `bound` the proto paths of all fields that a query string can't
    set, and `answer_field` is the one field of the answer that is sent, None for the whole answer.
    """

    def __init__(self, method: DescMethod, rule: http_pb.HttpRule) -> None:
        """Read a rule.

        Raises:
            ValueError: The rule does not follow the grammar, or names a field that does not exist.
        """
        self.verb, self.path = _pattern(rule)
        self.template: PathTemplate = parse_template(self.path)
        self.status: int = success_status(method)
        if rule.body not in ("", "*"):
            raise ValueError(f"a body holds the whole request, not {rule.body} alone")
        self.takes_body = bool(rule.body)
        # A rule can't give a DELETE both a query string and a body; clients send either.
        self.may_have_body = self.verb == "DELETE" and not self.takes_body
        self._request = method.input
        self._lists = [field.local_name for field in lists_of(method.output)]
        self.variables = tuple(_text_field(method.input, v.field_path) for v in self.template.variables)
        self.answer_field = (
            _text_field(method.output, rule.response_body).path[-1] if rule.response_body else None
        )
        self.bound = {variable.proto_path for variable in self.variables}

    def decode(self, request: HttpInput) -> tuple[Message, Sequence[Unknown]]:
        """Return the request message, and the keys of the request that name none of its fields.

        A variable of the path wins over the same field elsewhere.

        Raises:
            TrackerError: INVALID_ARGUMENT, with violations that name fields by their proto paths.
        """
        fields: dict[str, JsonValue] = {}
        unknown: Sequence[Unknown] = ()
        if request.query:
            pairs = parse_query(request.query)
            if self.takes_body:
                unknown = [Unknown("parameter", key, _IN_BODY) for key, _ in pairs[:MAX_UNKNOWN]]
            else:
                fields, unknown = read_query(self._request, pairs, self.bound)
        if self.takes_body or (self.may_have_body and request.body):
            of_body, more = normalise(self._request, parse_json(request.body))
            fields = fields | of_body if fields else of_body
            unknown = [*more, *unknown] if unknown else more
        for variable, text in zip(self.variables, request.captures, strict=True):
            variable.put(fields, read_text(variable, variable.proto_path, text))
        return make_message(self._request.type, fields), unknown

    def request(self, message: Message | bytes) -> HttpRequest:
        """Return the request for a message, or for one in JSON that is the whole body; `decode` reads it.

        Raises:
            ValueError: The message is JSON already, and the binding needs some of its fields elsewhere.
        """
        if isinstance(message, bytes):
            if not self.takes_body or self.variables:
                raise ValueError(f"a request of {self._request} needs more than a body")
            return HttpRequest(self.verb, "/" + "/".join(self.template.segments), message)
        value = message_to_json_value(message)
        fields = value if isinstance(value, dict) else {}
        segments = list(self.template.segments)
        for variable, field in reversed([*zip(self.template.variables, self.variables, strict=True)]):
            safe = "/" if variable.spans_segments else ""
            segments[variable.start : variable.end] = [quote(field.pop(fields), safe=safe)]
        path = "/" + "/".join(segments)
        if self.takes_body:
            return HttpRequest(self.verb, path, _json(fields))
        query = write_query(fields)
        return HttpRequest(self.verb, f"{path}?{query}" if query else path, None)

    def encode(self, answer: Message) -> bytes:
        """Return the JSON of an answer."""
        return json_answer(answer, self.answer_field)

    def is_long(self, answer: Message) -> bool:
        """Return whether an answer has so many records that it is better encoded in parts."""
        return bool(self._lists) and any(len(getattr(answer, name)) > _LONG for name in self._lists)

    def parts(self, answer: Message, size: int) -> Iterator[bytes]:
        """Yield the JSON of an answer in parts of about so many bytes, and empty its lists meanwhile."""
        return json_parts(answer, self.answer_field, size)

    def respell(self, error: TrackerError, request: HttpInput) -> TrackerError:
        """Return an error that names fields as the request spelled them."""
        try:
            return respell(error, self._request, self._written(request))
        except TrackerError:
            return respell(error, self._request, None)

    def _written(self, request: HttpInput) -> JsonValue:
        if self.takes_body:
            return parse_json(request.body)
        written = nested(parse_query(request.query))
        if self.may_have_body and isinstance(body := parse_json(request.body), dict):
            written |= body
        return written


@cache
def http_bindings(method: DescMethod) -> tuple[HttpBinding, ...]:
    """Return the HTTP bindings of an RPC, the additional ones last.

    Raises:
        ValueError: A rule does not follow the grammar, or names a field that does not exist.
    """
    options = method.proto.options
    if options is None or annotations_pb.ext_http not in options:
        return ()
    rule = options[annotations_pb.ext_http]
    return tuple(HttpBinding(method, each) for each in (rule, *rule.additional_bindings))


def _pattern(rule: http_pb.HttpRule) -> tuple[str, str]:
    pattern = rule.pattern
    if pattern is None or pattern.field == "custom":
        raise ValueError("a rule of google.api.http needs a path, and one of HTTP's own verbs")
    return pattern.field.upper(), pattern.value


def _text_field(message: DescMessage, path: str) -> TextField:
    found = find_field(message, path)
    if found is None:
        raise ValueError(f"{message} has no field {path}")
    return found


def _json(value: JsonValue) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
