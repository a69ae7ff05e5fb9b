"""A query as a tree of typed nodes.

Everything in it is absolute: names of values are numbers, `2h` is a moment. A tree means the same at any
time, anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

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


def all_of(parts: tuple[Node, ...]) -> Node:
    """Return the node that matches what all the parts match."""
    return parts[0] if len(parts) == 1 else And(parts)


def both(first: Node, second: Node) -> Node:
    """Return the node that matches what two nodes match, without one nested in it."""
    return all_of((*parts_of(first), *parts_of(second)))


def one_of(field: Field, values: Iterable[str | int]) -> Term:
    """Return the term for the events with one of some values in a field."""
    return Term(field, tuple(Pattern((v,)) if isinstance(v, str) else Number(int(v)) for v in values))


def any_of(parts: tuple[Node, ...]) -> Node:
    """Return the node that matches what at least one of the parts matches."""
    return parts[0] if len(parts) == 1 else Or(parts)
