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
"""The segment that matches all remaining segments, of which there may be none."""

_LITERAL = r"(?:[A-Za-z0-9\-._~!$&'()+,;=@]|%[0-9A-Fa-f]{2})+"
_SEGMENT = rf"(?:\*\*?|{_LITERAL})"
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_PART = rf"/(?:({_SEGMENT})|{{({_NAME}(?:\.{_NAME})*)(?:=({_SEGMENT}(?:/{_SEGMENT})*))?}})"
_PARTS = re.compile(_PART)
_TEMPLATE = re.compile(rf"((?:{_PART})+)(?::(?P<verb>{_LITERAL}))?")


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
        ValueError: The template does not follow the grammar, or names a field twice.
    """
    found = _TEMPLATE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a path template of google.api.http")
    segments: list[str] = []
    variables: list[Variable] = []
    for plain, field_path, inner in _PARTS.findall(found[1]):
        start = len(segments)
        segments += [plain] if plain else (inner or ONE).split("/")
        if field_path:
            end = None if segments[-1] == REST else len(segments)
            variables.append(Variable(field_path, start, end))
    if REST in segments[:-1]:
        raise ValueError(f"{text!r}: only a verb may follow '**'")
    if len({variable.field_path for variable in variables}) < len(variables):
        raise ValueError(f"{text!r} names a field twice")
    return PathTemplate(tuple(segments), tuple(variables), found["verb"] or "")
