"""Whole values that events have in some fields, as words of the index of words.

A value can be any text, and upper case is not lower case: so its word is a digest of the field and the value.
Fields that have a column are among them for queries that ask for words, or other values, beside them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from tracker.domain.events import EventFilter
from tracker.domain.query import fields
from tracker.domain.query.narrowing import widened
from tracker.domain.query.tree import And, Not, Number, Pattern, Term

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracker.domain.query import Node
    from tracker.domain.query.fields import Field
    from tracker.domain.query.tree import Test

UNREADABLE: Final = "unreadable"
"""The word of an event whose document can't be read: whoever asks for any value is told."""

_ATTRIBUTES: Final = {fields.OWNER: "owner", fields.VERSION: "version"}
_COLUMNS: Final = {
    fields.SERVICE: "service",
    fields.TYPE: "type",
    fields.PRIORITY: "priority",
    fields.STATUS: "status",
    fields.ENVIRONMENT: "environment",
}
_LISTS: Final = {fields.STAKEHOLDER: "stakeHolders", fields.NOTIFIED: "notifications"}
_LINKS: Final = {fields.PULL_REQUEST: "pullRequestLink", fields.TICKET: "ticket"}
_INDEXED: Final = frozenset({*_ATTRIBUTES, *_LISTS, *_LINKS})
_DIGEST_BYTES: Final = 12


def is_indexed(field: Field) -> bool:
    """Say whether the index has the values of a field, which no column has."""
    return field in _INDEXED or fields.label_name(field) is not None


def terms_of(stored: Mapping[str, Any]) -> Iterator[str]:
    """Give the words of an event's values, as its document has them.

    Raises:
        AttributeError, TypeError: It is no document of an event.
    """
    attributes, links = stored.get("attributes", {}), stored.get("links", {})
    for field, name in (*_COLUMNS.items(), *_ATTRIBUTES.items()):
        if value := attributes.get(name):
            yield _term(field.name, value)
    for field, name in _LINKS.items():
        if value := links.get(name):
            yield _term(field.name, value)
    for field, name in _LISTS.items():
        for value in attributes.get(name, ()):
            yield _term(field.name, value)
    for name, value in attributes.get("labels", {}).items():
        yield _term(fields.label(name).name, value)


def expression(term: Term) -> str | None:
    """Return what the events that match have in the index; None for a part of a value, or none."""
    words = _words(term)
    return None if words is None else _any_of([*words, UNREADABLE])


def narrowed(match: str, where: EventFilter) -> str:
    """Return an expression for those events of another one that a filter by columns takes, or for more."""
    query = widened(where)
    parts = query.parts if isinstance(query, And) else (query,)
    asked = [words for part in parts if (words := _words_of_column(part)) is not None]
    denied = [
        words
        for part in parts
        if isinstance(part, Not) and (words := _words_of_column(part.part)) is not None
    ]
    there = " AND ".join([f"({match})", *(_any_of([*words, UNREADABLE]) for words in asked)])
    return f"({there}) NOT ({' OR '.join(map(_any_of, denied))})" if denied else there


def tells_all(where: EventFilter) -> bool:
    """Say whether the index tells all that a filter asks for beside its query."""
    numbers = (*where.types, *where.priorities, *where.statuses, *where.environments)
    rest = replace(where, query=None, service="", types=(), priorities=(), statuses=(), environments=())
    return all(numbers) and rest == EventFilter()


def _words_of_column(node: Node) -> Sequence[str] | None:
    return _words(node) if isinstance(node, Term) and node.field in _COLUMNS else None


def _words(term: Term) -> Sequence[str] | None:
    """Return the words of the values that a term asks for; None where one of them has no word."""
    values = [_value(term.field, test) for test in term.tests]
    return [_term(term.field.name, value) for value in values if value] if all(values) else None


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


@lru_cache(maxsize=16_384)
def _term(field: str, value: str) -> str:
    return blake2b(f"{field}\0{value}".encode(errors="surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()
