"""Whole values that events have in some fields, as words of the index of words.

A value can be any text, and upper case is not lower case: so its word is a digest of the field and the value.
Fields that have a column are among them for queries that ask for words, or other values, beside them.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from tracker.domain.query import fields
from tracker.domain.query.tree import Not, Number, Pattern, Term

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracker.domain.query import Node
    from tracker.domain.query.fields import Field
    from tracker.domain.query.tree import Test

UNREADABLE: Final = "unreadable"
"""The word of an event whose document can't be read: a query for any value then fails."""

_DIGEST_BYTES: Final = 12
_OF_MESSAGE: Final = defaultdict[str, list[tuple[str, str]]](list)
for _field in fields.TERMS:
    _OF_MESSAGE[_field.path[0]].append((_field.name, _field.path[1]))


def is_indexed(field: Field) -> bool:
    """Return whether the index has the values of a field, which no column has."""
    return field.term and not field.column


def terms_of(stored: Mapping[str, Any]) -> Iterator[str]:
    """Yield the words of an event's values, as its document has them.

    Raises:
        AttributeError, TypeError: It is no document of an event.
    """
    for message, names in _OF_MESSAGE.items():
        values = stored.get(message, {})
        for name, key in names:
            if value := values.get(key):
                for each in value if isinstance(value, list) else (value,):
                    yield _term(name, each)
    for name, value in stored.get("attributes", {}).get("labels", {}).items():
        yield _term(fields.label(name).name, value)


def expression(term: Term) -> str | None:
    """Return what the events that match have in the index; None for a part of a value, or none."""
    words = _words(term)
    return None if words is None else _any_of([*words, UNREADABLE])


def narrowed(match: str, parts: Sequence[Node]) -> str:
    """Return an expression for those events of another one that match parts about columns, or for more."""
    asked = [words for part in parts if (words := words_of_column(part)) is not None]
    denied = [
        words for part in parts if isinstance(part, Not) and (words := words_of_column(part.part)) is not None
    ]
    there = " AND ".join([f"({match})", *(_any_of([*words, UNREADABLE]) for words in asked)])
    return f"({there}) NOT ({' OR '.join(map(_any_of, denied))})" if denied else there


def words_of_column(node: Node) -> Sequence[str] | None:
    """Return the words of the values of a column that a node asks for; None where the index lacks them."""
    is_of_column = isinstance(node, Term) and node.field.term and node.field.column
    return _words(node) if is_of_column and isinstance(node, Term) else None


def _words(term: Term) -> Sequence[str] | None:
    """Return the words of the values that a term asks for; None where one of them has no word."""
    values = [_value(term.field, test) for test in term.tests]
    return [_term(term.field.name, value) for value in values] if all(values) else None


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
