"""A query as a tree of typed nodes, and filters of events, which have a query and a period.

Everything in it is absolute: names of values are numbers, `2h` is a moment. A tree means the same at any
time, anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

from tracker.domain.query.fields import FIELDS, TIME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tracker.domain.query.fields import Field


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text with wildcards between its pieces, at least one of which is not empty."""

    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Number:
    """A value of a choice, or a flag: 0 or 1."""

    value: int


@dataclass(frozen=True, slots=True)
class Range:
    """Moments or durations in microseconds, from `low` (included) to `high` (excluded); None is open.

    One side at least is not open, and `low` is below `high`.
    """

    low: int | None
    high: int | None


Test: TypeAlias = Pattern | Number | Range


@dataclass(frozen=True, slots=True)
class Term:
    """A field passes one of the tests, which are of the field's kind."""

    field: Field
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Has:
    """A field is set; a flag is true."""

    field: Field


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not match."""

    part: Node


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more parts match; none of no parts: every event."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of two or more parts matches."""

    parts: tuple[Node, ...]


Node: TypeAlias = Term | Has | Not | And | Or

EVERYTHING: Final = And(())
"""The tree of an empty query."""


def parts_of(node: Node) -> tuple[Node, ...]:
    """Return the nodes all of which must match."""
    return node.parts if isinstance(node, And) else (node,)


def fields_of(node: Node) -> Iterator[Field]:
    """Yield the fields of a query."""
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from fields_of(part)
        case Not(part):
            yield from fields_of(part)
        case Has(field) | Term(field):
            yield field
        case _:
            assert_never(node)


def all_of(parts: tuple[Node, ...]) -> Node:
    """Return the node that matches what all the parts match, without nested ones, which `leading` misses."""
    flat = tuple(inner for part in parts for inner in parts_of(part))
    return flat[0] if len(flat) == 1 else And(flat)


def both(first: Node, second: Node) -> Node:
    """Return the node that matches what two nodes match."""
    return all_of((first, second))


def one_of(field: Field, values: Iterable[str | int]) -> Term:
    """Return the term for the events with one of some values in a field."""
    return Term(field, tuple(Pattern((v,)) if isinstance(v, str) else Number(int(v)) for v in values))


def any_of(parts: tuple[Node, ...]) -> Node:
    """Return the node that matches what at least one of the parts matches."""
    return parts[0] if len(parts) == 1 else Or(parts)


@dataclass(frozen=True, slots=True)
class EventFilter:
    """The events of a period that match a query.

    `since` (included) and `until` (excluded) bound the event's time, in microseconds since the epoch.
    With `overlapping`, an event that began before `since` matches too if its end date is not before it
    (`until` bounds its time all the same).
    """

    query: Node = EVERYTHING
    since: int | None = None
    until: int | None = None
    overlapping: bool = False

    @property
    def timed(self) -> bool:
        """Whether a bound of the time is given."""
        return self.since is not None or self.until is not None


def narrowed(where: EventFilter) -> EventFilter:
    """Return the same filter with the bounds of time in its period instead of its query.

    Alternatives that are terms of one field become one term, which may be `leading`.
    """
    parts, rest = parts_of(where.query), list[Node]()
    for part in map(_joined, parts):
        match part:
            case Term(field, (Range(low, high),)) if field == TIME and not where.overlapping:
                since = [bound for bound in (where.since, low) if bound is not None]
                until = [bound for bound in (where.until, high) if bound is not None]
                where = replace(where, since=max(since, default=None), until=min(until, default=None))
            case _:
                rest.append(part)
    return where if tuple(rest) == parts else replace(where, query=all_of(tuple(rest)))


def _joined(node: Node) -> Node:
    terms = [part for part in node.parts if isinstance(part, Term)] if isinstance(node, Or) else []
    if not isinstance(node, Or) or len(terms) < len(node.parts) or len({term.field for term in terms}) > 1:
        return node
    return Term(terms[0].field, tuple(dict.fromkeys(test for term in terms for test in term.tests)))


def widened(where: EventFilter) -> Node:
    """Return a query for the same events as a filter that is not `overlapping`."""
    if not where.timed:
        return where.query
    return both(where.query, Term(TIME, (Range(where.since, where.until),)))


def leading(query: Node) -> Term | None:
    """Return the term of a query whose index scan reads the fewest events, or None.

    It tests for one whole value, whose events the index has in order, or for several selective ones.
    """
    led = [part for part in parts_of(query) if isinstance(part, Term) and _leads(part)]
    return max(led, key=lambda term: _BY_SELECTIVITY.index(term.field), default=None)


def _leads(term: Term) -> bool:
    if not term.field.selective and not (term.field.indexed and len(term.tests) == 1):
        return False
    return all(isinstance(test, Pattern) and len(test.pieces) == 1 and test.pieces[0] for test in term.tests)


_BY_SELECTIVITY = sorted(
    (field for field in FIELDS if field.indexed or field.selective),
    key=lambda field: (field.selective, field.term),
)
"""Fields with an index, the most selective last; terms have more values than others."""
