"""The path templates of `google.api.http`, parsed.

The grammar is the one in `google/api/http.proto`:

    Template = "/" Segments [ ":" LITERAL ] ;
    Segments = Segment { "/" Segment } ;
    Segment  = "*" | "**" | LITERAL | Variable ;
    Variable = "{" FieldPath [ "=" Segments ] "}" ;
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ONE = "*"
"""The segment that matches any one segment."""
REST = "**"
"""The segment that matches all the segments that are left, which may be none."""

_LITERAL = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()+,;=@]|%[0-9A-Fa-f]{2})+")
_FIELD_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")


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
    """A parsed template: its segments (literals, `*`, `**`), its variables and its verb."""

    segments: tuple[str, ...]
    variables: tuple[Variable, ...]
    verb: str


def parse_template(text: str) -> PathTemplate:
    """Parse a path template.

    Raises:
        ValueError: the template does not follow the grammar, or names a field twice.
    """
    return _Parser(text).template()


class _Parser:
    """Reads one template from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._segments: list[str] = []
        self._variables: list[Variable] = []

    def template(self) -> PathTemplate:
        self._expect("/")
        self._read_segments(in_variable=False)
        verb = self._match(_LITERAL, "a verb") if self._take(":") else ""
        if self._at != len(self._text):
            raise self._error("the end")
        if REST in self._segments[:-1]:
            raise ValueError(f"{self._text!r}: nothing but a verb may follow '**'")
        names = [variable.field_path for variable in self._variables]
        if len(set(names)) != len(names):
            raise ValueError(f"{self._text!r}: a field is named twice")
        return PathTemplate(tuple(self._segments), tuple(self._variables), verb)

    def _read_segments(self, *, in_variable: bool) -> None:
        self._read_segment(in_variable=in_variable)
        while self._take("/"):
            self._read_segment(in_variable=in_variable)

    def _read_segment(self, *, in_variable: bool) -> None:
        if self._take("{"):
            if in_variable:
                raise self._error("no variable inside a variable")
            self._read_variable()
        elif self._take(REST):
            self._segments.append(REST)
        elif self._take(ONE):
            self._segments.append(ONE)
        else:
            self._segments.append(self._match(_LITERAL, "a segment"))

    def _read_variable(self) -> None:
        field_path = self._match(_FIELD_PATH, "a field path")
        start = len(self._segments)
        if self._take("="):
            self._read_segments(in_variable=True)
        else:
            self._segments.append(ONE)
        self._expect("}")
        end = None if self._segments[-1] == REST else len(self._segments)
        self._variables.append(Variable(field_path, start, end))

    def _take(self, token: str) -> bool:
        found = self._text.startswith(token, self._at)
        if found:
            self._at += len(token)
        return found

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise self._error(repr(token))

    def _match(self, pattern: re.Pattern[str], what: str) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise self._error(what)
        self._at = found.end()
        return found[0]

    def _error(self, expected: str) -> ValueError:
        return ValueError(f"{self._text!r}: expected {expected} at {self._at}")
