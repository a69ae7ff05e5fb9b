"""Finds the target of a path and a verb.

Literal segments win over variables, whatever the order in which routes were added, and whatever the verb:
where there is a route for `/things/list`, no request for that path is one for the thing `list`. Paths are
case-sensitive, and one with an empty segment (a trailing slash, `//`) is unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import unquote

from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.transcoding.bindings import ONE, REST

if TYPE_CHECKING:
    from tracker.transcoding.bindings import PathTemplate, Variable

T = TypeVar("T")

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPED_SLASH = re.compile(r"(%2[Ff])")


@dataclass(frozen=True, slots=True)
class _Route(Generic[T]):
    target: T
    variables: tuple[Variable, ...]


@dataclass(slots=True)
class _Node(Generic[T]):
    """What may follow one segment; `routes` are those whose path ends here, by verb of HTTP."""

    literals: dict[str, _Node[T]] = field(default_factory=dict)
    one: _Node[T] | None = None
    rest: _Node[T] | None = None
    routes: dict[str, _Route[T]] = field(default_factory=dict)


class Router(Generic[T]):
    """A table of routes, each a verb of HTTP, a path template and a target."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()
        self._literal: dict[tuple[str, str], T] = {}
        """The targets of verbs and paths without variables, which win."""

    def add(self, verb: str, template: PathTemplate, target: T, *, safe: bool = True) -> None:
        """Add a route; one for GET that is `safe`, and changes nothing, answers HEAD too.

        Raises:
            ValueError: another route has the same verb and the same path.
        """
        node = self._root
        for segment in template.segments:
            node = _child(node, segment)
        if verb in node.routes:
            raise ValueError(f"two routes for {verb} /{'/'.join(template.segments)}")
        route = _Route(target, template.variables)
        for each in (verb, "HEAD") if verb == "GET" and safe else (verb,):
            node.routes[each] = route
            if not {ONE, REST} & set(template.segments):
                self._literal[each, "/" + "/".join(template.segments)] = target

    def find(self, verb: str, path: str) -> tuple[T, tuple[str, ...]] | None:
        """Return the target and the values of its variables, or None for an unknown path.

        `path` is percent-encoded, as the client sent it. Values are decoded after the path is split: `%2F` is
        a slash in a value. In a variable of several segments it stays `%2F`, as `google/api/http.proto`
        demands.

        Raises:
            TrackerError: UNIMPLEMENTED for a known path with another verb (`metadata` has the known ones as
                `allow`); INVALID_ARGUMENT for a path that is not UTF-8.
        """
        if (literal := self._literal.get((verb, path))) is not None:
            return literal, ()
        written = path.split("/")[1:] if path != "/" else []
        if "" in written or not path.startswith("/"):
            return None
        decoded = [_decode(segment) for segment in written] if "%" in path else written
        routes = _matching(self._root, decoded, 0)
        if (route := routes.get(verb)) is not None:
            return route.target, tuple([_value(v, written, decoded) for v in route.variables])
        if not routes:
            return None
        raise TrackerError(
            Reason.METHOD_NOT_ALLOWED, "Method Not Allowed", metadata={"allow": ", ".join(sorted(routes))}
        )


def _child(node: _Node[T], segment: str) -> _Node[T]:
    if segment == ONE:
        node.one = node.one or _Node()
        return node.one
    if segment == REST:
        node.rest = node.rest or _Node()
        return node.rest
    return node.literals.setdefault(unquote(segment), _Node())


def _matching(node: _Node[T], segments: list[str], at: int) -> dict[str, _Route[T]]:
    """Return the routes of the most literal path that matches, by verb; none for an unknown path."""
    found: dict[str, _Route[T]] = {}
    if at == len(segments):
        found = node.routes
    else:
        literal = node.literals.get(segments[at])
        if literal is not None:
            found = _matching(literal, segments, at + 1)
        if not found and node.one is not None:
            found = _matching(node.one, segments, at + 1)
    if not found and node.rest is not None:
        found = node.rest.routes
    return found


def _value(variable: Variable, written: list[str], decoded: list[str]) -> str:
    if not variable.spans_segments:
        return decoded[variable.start]
    return "/".join(
        "".join(part if part in ("%2F", "%2f") else _decode(part) for part in _ESCAPED_SLASH.split(segment))
        for segment in written[variable.start : variable.end]
    )


def _decode(segment: str) -> str:
    if _BROKEN_ESCAPE.search(segment):
        raise invalid(FieldViolation("", "the path has a % that no two hexadecimal digits follow"))
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise invalid(FieldViolation("", "the path is not UTF-8")) from None
