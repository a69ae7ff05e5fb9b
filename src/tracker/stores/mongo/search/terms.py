"""The words of titles and messages, and the values of fields, in an array beside each event.

They make an event a candidate; where they can't say whether it matches, its text does. An event whose terms
are not beside it, because they are too many or it was stored before there were any, is always a candidate.
One that has them has its duration beside it too, if it has one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tracker.domain.lifecycle import attributes_of
from tracker.domain.query import fields
from tracker.domain.query.evaluation import phrase
from tracker.domain.query.fields import Kind
from tracker.domain.query.tree import Pattern, Term, parts_of
from tracker.domain.query.words import words
from tracker.errors import TrackerError
from tracker.pb import event_pb
from tracker.stores.documents import parse
from tracker.stores.mongo import writes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.query import Node
    from tracker.domain.query.fields import Field
    from tracker.stores.mongo.writes import Collection, Document

MOST_TERMS: Final = 256
"""Different terms of an event up to which they are kept."""

_TOO_MANY: Final = ""
"""Stands for all terms of an event that has too many."""

_UNKNOWN: Final = [_TOO_MANY, None]

HAVE_TERMS: Final = {"terms": {"$nin": _UNKNOWN}}
"""The condition for the events that have their terms beside them."""

LACK_TERMS: Final = {"terms": {"$in": _UNKNOWN}}
"""The condition for those that don't."""

_VALUES: Final = tuple(field for field in fields.TERMS if not field.column)
"""Fields whose values are among the terms, beside labels: those that documents have no field for."""


def kept_of(event: event_pb.Event) -> Document:
    """Return what is kept beside an event: its terms, and its duration in microseconds."""
    duration = fields.DURATION.number(event)
    return {"terms": _terms(event), **({} if duration is None else {"duration": duration})}


def _terms(event: event_pb.Event) -> Sequence[str]:
    attributes = attributes_of(event)
    different = {*words(event.title), *words(attributes.message)}
    for field in (*_VALUES, *map(fields.label, attributes.labels)):
        different.update(_value(field, text) for text in field.texts(event))
    return sorted(different) if len(different) <= MOST_TERMS else [_TOO_MANY]


def has_values(field: Field) -> bool:
    """Return whether the values that events have in a field are among their terms."""
    return field.term and not field.column


def any_value(field: Field, *, known: bool) -> Document:
    """Return the condition for the events that may have a value in a field; see `condition`."""
    begun = _begins(_value(field, ""))
    return begun if known else {"$or": [begun, LACK_TERMS]}


def length(low: int | None, high: int | None, *, known: bool) -> Document:
    """Return the condition for the events that may have a duration in some bounds; see `condition`."""
    bounds = {sign: bound for sign, bound in (("$gte", low), ("$lt", high)) if bound is not None}
    within: Document = {"duration": bounds or {"$ne": None}}
    return within if known else {"$or": [within, LACK_TERMS]}


def condition(term: Term, *, known: bool) -> Document:
    """Return the condition for the events that may match, all or only those whose terms are `known`.

    It is empty where terms can't answer.
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
    """Return whether all events that match have one and the same term: they can be walked in order by it."""
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


async def fill_in(events: Collection, stored: Document) -> None:
    """Put the terms of an event beside it, unless it has changed since it was read.

    One that can't be read stays a candidate: who searches is told.
    """
    try:
        kept = kept_of(parse(event_pb.Event, stored["_id"], stored["document"]))
    except TrackerError:
        kept = {"terms": [_TOO_MANY]}
    same: Document = {"_id": stored["_id"], "rev": stored["rev"]}
    await writes.update(events, same, {"$set": kept})


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
            return {"terms": {"$in": [_value(field, text), *unknown]}}
        case (text, "") if text and "\0" not in text:  # which no regular expression may have
            begun = _begins(_value(field, text))
            return {"$or": [begun, LACK_TERMS]} if unknown else begun
        case _:
            return {}


def _begins(text: str) -> Document:
    return {"terms": {"$regex": f"^{re.escape(text)}"}}


def _value(field: Field, text: str) -> str:
    """Return the term of a value: no word begins like that."""
    return f"={field.name}={text}"
