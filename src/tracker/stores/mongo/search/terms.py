"""Conditions on the terms stored with each event.

Terms select candidates; where they can't decide whether an event matches, its text does. An event without
terms is always a candidate.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tracker.domain.query import fields
from tracker.domain.query.fields import Kind
from tracker.domain.query.matching import phrase
from tracker.domain.query.tree import Pattern, Term, parts_of
from tracker.stores.mongo.event_records import TOO_MANY, value_term

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.query import Node
    from tracker.domain.query.fields import Field
    from tracker.stores.mongo.writes import Document


_UNKNOWN: Final = [TOO_MANY, None]

HAVE_TERMS: Final = {"terms": {"$nin": _UNKNOWN}}
"""The condition for events that are stored with their terms."""

LACK_TERMS: Final = {"terms": {"$in": _UNKNOWN}}
"""The condition for the others."""


def has_values(field: Field) -> bool:
    """Return whether the values that events have in a field are among their terms."""
    return field.term and not field.column


def any_value(field: Field, *, known: bool) -> Document:
    """Return the condition for the events that may have a value in a field; see `condition`."""
    begun = _begins(value_term(field, ""))
    return begun if known else {"$or": [begun, LACK_TERMS]}


def length(low: int | None, high: int | None, *, known: bool) -> Document:
    """Return the condition for the events that may have a duration in some bounds; see `condition`."""
    bounds = {sign: bound for sign, bound in (("$gte", low), ("$lt", high)) if bound is not None}
    within: Document = {"duration": bounds or {"$ne": None}}
    return within if known else {"$or": [within, LACK_TERMS]}


def condition(term: Term, *, known: bool) -> Document:
    """Return the condition for the events that may match, all or only those whose terms are `known`.

    It is empty where terms can't decide.
    """
    each = [_condition(term.field, test, known=known) for test in term.tests if isinstance(test, Pattern)]
    return {"$or": each} if all(each) else {}


def are_certain(term: Term) -> bool:
    """Return whether an event that has the terms certainly matches: by single words, or values."""
    if term.field.kind is not Kind.PROSE:
        return True
    patterns = [test for test in term.tests if isinstance(test, Pattern)]
    return term.field is fields.TEXT and all(len(phrase(pattern).words) == 1 for pattern in patterns)


def names_a_term(query: Node) -> bool:
    """Return whether all matching events have a term in common: its index range has them in order."""
    for part in parts_of(query):
        match part:
            case Term(field, (Pattern() as only,)) if field.kind is Kind.PROSE:
                asked = phrase(only)
                if len(asked.words) > asked.prefix:
                    return True
            case Term(field, (Pattern((_,)),)) if has_values(field):
                return True
            case _:
                continue
    return False


def _condition(field: Field, pattern: Pattern, *, known: bool) -> Document:
    unknown = [] if known else _UNKNOWN
    if field.kind is not Kind.PROSE:
        return _value_condition(field, pattern, unknown)
    asked = phrase(pattern)
    whole = asked.words[:-1] if asked.prefix else asked.words
    parts: list[Document] = [{"terms": {"$in": [word, *unknown]}} for word in dict.fromkeys(whole)]
    if asked.prefix:
        begun = _begins(asked.words[-1])
        parts.append(begun if known else {"$or": [begun, LACK_TERMS]})
    return {"$and": parts} if parts else {}


def _value_condition(field: Field, pattern: Pattern, unknown: Sequence[str | None]) -> Document:
    match pattern.pieces:
        case (text,) if text:
            return {"terms": {"$in": [value_term(field, text), *unknown]}}
        case (text, "") if text and "\0" not in text:  # which no regular expression may have
            begun = _begins(value_term(field, text))
            return {"$or": [begun, LACK_TERMS]} if unknown else begun
        case _:
            return {}


def _begins(text: str) -> Document:
    return {"terms": {"$regex": f"^{re.escape(text)}"}}
