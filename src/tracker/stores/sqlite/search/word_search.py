"""Translates queries to expressions of FTS5 (MATCH) for the index of words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.domain.query import fields
from tracker.domain.query.fields import Kind
from tracker.domain.query.matching import phrase
from tracker.domain.query.tree import And, Not, Number, Or, Pattern, Term, all_of, parts_of
from tracker.stores.sqlite.search.queries import of_document
from tracker.stores.sqlite.search.word_index import UNREADABLE, value_word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.domain.query.fields import Field
    from tracker.domain.query.tree import Node, Test
    from tracker.stores.sqlite.search.queries import Condition
    from tracker.stores.sqlite.search.word_index import Progress

_COLUMNS = {fields.TITLE: "title", fields.MESSAGE: "message", fields.TEXT: "{title message}"}


def is_indexed(field: Field) -> bool:
    """Return whether only the index has the values of a field, and no column."""
    return field.term and not field.column


def expression(node: Node) -> str | None:
    """Return the expression for exactly the matching events, or None if the index can't answer a query."""
    match node:
        case Term(field, tests) if field.kind is Kind.PROSE:
            phrases = [_phrase(test) for test in tests if isinstance(test, Pattern)]
            return None if None in phrases else f"{_COLUMNS[field]} : ({' OR '.join(filter(None, phrases))})"
        case Term(field) if is_indexed(field):
            words = _words(node)
            return None if words is None else _any_of([*words, UNREADABLE])
        case Or(parts):
            each = [expression(part) for part in parts]
            return None if None in each else f"({' OR '.join(filter(None, each))})"
        case And(parts):
            return _all(parts)
        case _:
            return None


def narrowed(match: str, parts: Sequence[Node]) -> str:
    """Return an expression narrowed by parts of a query on columns, as far as the index has them."""
    asked = [words for part in parts if (words := words_of_column(part)) is not None]
    denied = [
        words for part in parts if isinstance(part, Not) and (words := words_of_column(part.part)) is not None
    ]
    there = " AND ".join([f"({match})", *(_any_of([*words, UNREADABLE]) for words in asked)])
    return f"({there}) NOT ({' OR '.join(map(_any_of, denied))})" if denied else there


def words_of_column(node: Node) -> Sequence[str] | None:
    """Return the words of the values of a column that a node asks for, or None if the index lacks them."""
    is_of_column = isinstance(node, Term) and node.field.term and node.field.column
    return _words(node) if is_of_column and isinstance(node, Term) else None


def gathered(node: Node) -> tuple[Node | None, tuple[Node, ...]]:
    """Return the part of a query that the index answers, as one node or None, and the other parts."""
    parts = parts_of(node)
    asked = tuple(part for part in parts if expression(part) is not None)
    if not asked:
        return None, parts
    denied = tuple(part for part in parts if isinstance(part, Not) and expression(part.part) is not None)
    return all_of((*asked, *denied)), tuple(
        part for part in parts if part not in asked and part not in denied
    )


def indexed_parts(node: Node) -> Iterator[tuple[Node, str]]:
    """Yield the largest parts of a query that the index answers, with their expressions."""
    match = expression(node)
    if match is not None:
        yield node, match
        return
    if isinstance(node, And | Or):
        for part in node.parts:
            yield from indexed_parts(part)
    if isinstance(node, Not):
        yield from indexed_parts(node.part)


def numbers(
    node: Node, match: str, progress: Progress, interval: tuple[int, int], *, tallied: bool
) -> Condition:
    """Return the statement for the numbers of the matching events, of those in an interval at least.

    The documents of events that are missing or outdated in the index are searched.
    """
    sql = "SELECT rowid FROM event_words WHERE event_words MATCH ? AND rowid BETWEEN ? AND ?"
    if not progress.unindexed:
        return sql, (match, *interval)
    condition, bindings = of_document(node, tallied=tallied)
    outdated = "SELECT number FROM words_outdated"
    unindexed = f"SELECT number FROM events WHERE (number > ? OR number IN ({outdated})) AND {condition}"
    return (
        f"{sql} AND rowid NOT IN ({outdated}) UNION ALL {unindexed}",
        (match, *interval, progress.up_to, *bindings),
    )


def _phrase(pattern: Pattern) -> str | None:
    asked = phrase(pattern)
    if not asked.words:
        return None
    return f'"{" ".join(asked.words)}"{" *" if asked.prefix else ""}'


def _all(parts: tuple[Node, ...]) -> str | None:
    """Return the expression for all of the parts, at least one of which must not be negated."""
    asked = [expression(part) for part in parts if not isinstance(part, Not)]
    denied = [expression(part.part) for part in parts if isinstance(part, Not)]
    if not asked or None in asked or None in denied:
        return None
    there = f"({' AND '.join(filter(None, asked))})"
    return f"({there} NOT ({' OR '.join(filter(None, denied))}))" if denied else there


def _words(term: Term) -> Sequence[str] | None:
    """Return the words of the values that a term asks for, or None if one has no word."""
    values = [_value(term.field, test) for test in term.tests]
    return [value_word(term.field.name, value) for value in values] if all(values) else None


def _value(field: Field, test: Test) -> str:
    match test:
        case Pattern((text,)):
            return text
        case Number(number) if number:
            return field.choice_name(number)
        case _:
            return ""


def _any_of(words: Sequence[str]) -> str:
    return f"terms : ({' OR '.join(words)})"
