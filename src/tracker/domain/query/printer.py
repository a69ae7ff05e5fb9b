"""From the tree of a query to a text that parses to the same tree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, assert_never

from tracker.domain.query.fields import TEXT, Kind
from tracker.domain.query.tree import And, Has, Not, Number, Or, Pattern, Range, Term
from tracker.time_text import MICROS, duration_text, moment_text

if TYPE_CHECKING:
    from tracker.domain.query.fields import Field
    from tracker.domain.query.tree import Node, Test

_BARE = re.compile(r"[\w/@#+][\w/@#+.-]*")
_OPERATORS = frozenset({"AND", "OR", "NOT"})
_SHORT = 1_000
"""Microseconds; durations next to a multiple of it are written as that multiple, excluded."""
_FLAGS = ("false", "true")


def to_text(node: Node) -> str:
    """Return the text of a query; it parses to the same tree with any clock."""
    match node:
        case And(parts):
            return " ".join(map(_part, parts))
        case Or(parts):
            return " OR ".join(map(_part, parts))
        case Not(part):
            return f"-{_part(part)}"
        case Has(field):
            return f"has:{field.name}"
        case Term(field, tests):
            return _term(field, tests)
        case _:
            assert_never(node)


def _part(node: Node) -> str:
    """Return the text of a node inside another."""
    return f"({to_text(node)})" if isinstance(node, And | Or) else to_text(node)


def _term(field: Field, tests: tuple[Test, ...]) -> str:
    if len(tests) > 1:
        return f"{field.name}:({' OR '.join(_test(field, test) for test in tests)})"
    text = _test(field, tests[0])
    return text if field is TEXT else f"{field.name}:{text}"


def _test(field: Field, test: Test) -> str:
    match test:
        case Pattern():
            return _pattern(test)
        case Number(value) if field.kind is Kind.FLAG:
            return _FLAGS[value]
        case Number(value):
            return field.choice_name(value)
        case Range():
            return _length_range(test) if field.kind is Kind.DURATION else _moment_range(test)


def _length_range(bounds: Range) -> str:
    """Return a range of durations, which are points: `>5m` begins 1 µs after five minutes."""
    if bounds.low is None:
        high = bounds.high or 0
        return f"<={duration_text(high - 1)}" if high % _SHORT == 1 else f"<{duration_text(high)}"
    if bounds.high is not None:
        return f"{duration_text(bounds.low)}..{duration_text(bounds.high - 1)}"
    return (
        f">{duration_text(bounds.low - 1)}" if bounds.low % _SHORT == 1 else f">={duration_text(bounds.low)}"
    )


def _moment_range(bounds: Range) -> str:
    """Return a range of moments; its last one includes its whole second, or microsecond."""
    if bounds.low is None:
        return f"<{moment_text(bounds.high or 0)}"
    if bounds.high is None:
        return f">={moment_text(bounds.low)}"
    whole = bounds.high % MICROS == 0
    last = moment_text(bounds.high - (MICROS if whole else 1), exact=not whole)
    return f"{moment_text(bounds.low)}..{last}"


def _pattern(pattern: Pattern) -> str:
    if len(pattern.pieces) > 1:
        return "*".join(re.sub(r"(\W)", r"\\\1", piece) for piece in pattern.pieces)
    text = pattern.pieces[0]
    if _BARE.fullmatch(text) and text not in _OPERATORS:
        return text
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
