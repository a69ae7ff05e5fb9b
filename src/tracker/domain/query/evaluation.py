"""Evaluation of a query on one event in memory."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, assert_never

from tracker.domain.query.fields import Kind
from tracker.domain.query.tree import And, Has, Not, Number, Or, Pattern, Range, Term
from tracker.domain.query.words import Phrase, words

if TYPE_CHECKING:
    from tracker.domain.query.fields import Field
    from tracker.domain.query.tree import Node, Test
    from tracker.pb import event_pb


def matches(node: Node, event: event_pb.Event) -> bool:
    """Return whether an event matches a query."""
    match node:
        case And(parts):
            return all(matches(part, event) for part in parts)
        case Or(parts):
            return any(matches(part, event) for part in parts)
        case Not(part):
            return not matches(part, event)
        case Has(field):
            return _has(field, event)
        case Term(field, tests):
            return _passes(field, tests, event)
        case _:
            assert_never(node)


def fits(pattern: Pattern, text: str) -> bool:
    """Return whether a pattern matches a whole text."""
    first, *others = pattern.pieces
    if not others:
        return text == first
    *middle, last = others
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    start, end = len(first), len(text) - len(last)
    for piece in middle:
        found = text.find(piece, start, end)
        if found < 0:
            return False
        start = found + len(piece)
    return True


@lru_cache(maxsize=1024)
def phrase(pattern: Pattern) -> Phrase:
    """Return the phrase of a pattern for prose, whose only wildcard may be at the end."""
    return Phrase(tuple(words(pattern.pieces[0])), prefix=len(pattern.pieces) > 1)


def _has(field: Field, event: event_pb.Event) -> bool:
    match field.kind:
        case Kind.KEYWORD | Kind.PROSE:
            return bool(field.texts(event))
        case Kind.CHOICE | Kind.FLAG:
            return field.number(event) != 0
        case Kind.TIME | Kind.DURATION:
            return field.number(event) is not None


def _passes(field: Field, tests: tuple[Test, ...], event: event_pb.Event) -> bool:
    texts, number = field.texts(event), field.number(event)
    for test in tests:
        match test:
            case Pattern() if field.kind is Kind.PROSE:
                passed = any(phrase(test).occurs_in(text) for text in texts)
            case Pattern():
                passed = any(fits(test, text) for text in texts)
            case Number(value):
                passed = number == value
            case Range(low, high):
                passed = (
                    number is not None and (low is None or number >= low) and (high is None or number < high)
                )
        if passed:
            return True
    return False
