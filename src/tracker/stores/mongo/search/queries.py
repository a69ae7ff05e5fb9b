"""The pushdown of queries: conditions that the database can evaluate.

They select the events that may match, by the columns and terms of their documents. A residual filter then
evaluates the query on the events themselves: so a query means the same in every store. An event without terms
is always a candidate.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, assert_never

from tracker.domain.query import fields
from tracker.domain.query.fields import Kind
from tracker.domain.query.matching import phrase
from tracker.domain.query.tree import And, Has, Not, Number, Or, Pattern, Range, Term, parts_of
from tracker.stores.mongo.event_records import TOO_MANY, value_term

if TYPE_CHECKING:
    from tracker.domain.query.fields import Field
    from tracker.domain.query.tree import Node
    from tracker.stores.mongo.writes import Document

_UNKNOWN: Final = [TOO_MANY, None]

HAVE_TERMS: Final = {"terms": {"$nin": _UNKNOWN}}
"""The condition for events that are stored with their terms."""

LACK_TERMS: Final = {"terms": {"$in": _UNKNOWN}}
"""The condition for the others."""


def column(field: Field) -> str | None:
    """Return the column of a field that every document has, or None."""
    if field.kind is Kind.DURATION or not field.column:
        return None
    return "_id" if field.name == "id" else field.column


def has_values(field: Field) -> bool:
    """Return whether the values that events have in a field are among their terms."""
    return field.term and not field.column


class Pushdown(NamedTuple):
    """A condition that all matching events fulfil; with `exact`, no others do."""

    where: Document
    exact: bool


_ANY = Pushdown({}, exact=False)


def pushdown(node: Node, *, terms_known: bool = False) -> Pushdown:
    """Return the narrowest condition for the events that match a query.

    With `terms_known`, it is for events that are stored with their terms.
    """
    match node:
        case And(parts):
            inner = [pushdown(part, terms_known=terms_known) for part in parts]
            narrow = [each.where for each in inner if each.where]
            return Pushdown({"$and": narrow} if narrow else {}, exact=all(each.exact for each in inner))
        case Or(parts):
            inner = [pushdown(part, terms_known=terms_known) for part in parts]
            if not all(each.where for each in inner):
                return Pushdown({}, exact=any(each.exact and not each.where for each in inner))
            return Pushdown({"$or": [each.where for each in inner]}, exact=all(each.exact for each in inner))
        case Not(part):
            denied = pushdown(part, terms_known=terms_known)
            return Pushdown({"$nor": [denied.where]}, exact=True) if denied.exact else _ANY
        case Has(field):
            return _has(field, terms_known=terms_known)
        case Term():
            return _term(node, terms_known=terms_known)
        case _:
            assert_never(node)


def _has(field: Field, *, terms_known: bool) -> Pushdown:
    if has_values(field):
        return Pushdown(_begins(value_term(field, ""), known=terms_known), exact=terms_known)
    if field.kind is Kind.DURATION:
        return Pushdown(_length(field, None, None, known=terms_known), exact=terms_known)
    name = column(field)
    if name is None:
        return _ANY
    nothing = {"$nin": [None, ""]} if field.kind is Kind.KEYWORD else {"$nin": [None, 0]}
    return Pushdown({name: {"$ne": None} if field.kind is Kind.TIME else nothing}, exact=True)


def _term(term: Term, *, terms_known: bool) -> Pushdown:
    if term.field.kind is Kind.DURATION:
        lengths = [
            _length(term.field, test.low, test.high, known=terms_known)
            for test in term.tests
            if isinstance(test, Range)
        ]
        return Pushdown({"$or": lengths}, exact=terms_known)
    if term.field.kind is Kind.PROSE or has_values(term.field):
        where = _terms_condition(term, known=terms_known)
        return Pushdown(where, exact=bool(where) and terms_known and _is_certain(term))
    name = column(term.field)
    return _ANY if name is None else _column_term(name, term)


def _column_term(name: str, term: Term) -> Pushdown:
    values: list[str | int] = []
    alternatives: list[Document] = []
    for test in term.tests:
        match test:
            case Pattern((text,)):
                values.append(text)
            case Pattern(pieces):
                if any("\0" in piece for piece in pieces):  # which no regular expression may have
                    return _ANY
                any_text = ".*".join(map(re.escape, pieces))
                alternatives.append({name: {"$regex": rf"(?s)\A{any_text}\z"}})
            case Number(value):
                values.append(value)
            case Range(low, high):
                alternatives.append({name: _bounds(low, high)})
    if values:
        alternatives.append({name: values[0] if len(values) == 1 else {"$in": values}})
    return Pushdown(alternatives[0] if len(alternatives) == 1 else {"$or": alternatives}, exact=True)


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


def _length(field: Field, low: int | None, high: int | None, *, known: bool) -> Document:
    """Return the condition for the events that may have a duration in some bounds."""
    return _or_lacking({field.column: _bounds(low, high) or {"$ne": None}}, known=known)


def _bounds(low: int | None, high: int | None) -> Document:
    return {sign: bound for sign, bound in (("$gte", low), ("$lt", high)) if bound is not None}


def _terms_condition(term: Term, *, known: bool) -> Document:
    """Return the condition for the events that may match, all or only those whose terms are `known`.

    It is empty where terms can't decide.
    """
    each = [_condition(term.field, test, known=known) for test in term.tests if isinstance(test, Pattern)]
    return {"$or": each} if all(each) else {}


def _is_certain(term: Term) -> bool:
    """Return whether an event that has the terms certainly matches: by single words, or values."""
    if term.field.kind is not Kind.PROSE:
        return True
    patterns = [test for test in term.tests if isinstance(test, Pattern)]
    return term.field is fields.TEXT and all(len(phrase(pattern).words) == 1 for pattern in patterns)


def _condition(field: Field, pattern: Pattern, *, known: bool) -> Document:
    unknown = [] if known else _UNKNOWN
    if field.kind is not Kind.PROSE:
        match pattern.pieces:
            case (text,) if text:
                return {"terms": {"$in": [value_term(field, text), *unknown]}}
            case (text, "") if text and "\0" not in text:  # which no regular expression may have
                return _begins(value_term(field, text), known=known)
            case _:
                return {}
    asked = phrase(pattern)
    whole = asked.words[:-1] if asked.prefix else asked.words
    parts: list[Document] = [{"terms": {"$in": [word, *unknown]}} for word in dict.fromkeys(whole)]
    if asked.prefix:
        parts.append(_begins(asked.words[-1], known=known))
    return {"$and": parts} if parts else {}


def _begins(text: str, *, known: bool) -> Document:
    return _or_lacking({"terms": {"$regex": f"^{re.escape(text)}"}}, known=known)


def _or_lacking(where: Document, *, known: bool) -> Document:
    """Return a condition on terms that events without terms fulfil, too, unless they are `known`."""
    return where if known else {"$or": [where, LACK_TERMS]}
