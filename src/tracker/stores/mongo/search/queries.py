"""The pushdown of queries: conditions that the database can evaluate.

They select the events that may match, by the columns and terms of their documents. A residual filter then
evaluates the query on the events themselves: so a query means the same in every store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, assert_never

from tracker.domain.query.fields import Kind
from tracker.domain.query.tree import And, Has, Not, Number, Or, Pattern, Range, Term
from tracker.stores.mongo.search import terms as event_terms

if TYPE_CHECKING:
    from tracker.domain.query import Node
    from tracker.domain.query.fields import Field
    from tracker.stores.mongo.writes import Document


def column(field: Field) -> str | None:
    """Return the column of a field that every document has, or None."""
    if field.kind is Kind.DURATION or not field.column:
        return None
    return "_id" if field.name == "id" else field.column


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
    if event_terms.has_values(field):
        return Pushdown(event_terms.any_value(field, known=terms_known), exact=terms_known)
    if field.kind is Kind.DURATION:
        return Pushdown(event_terms.length(None, None, known=terms_known), exact=terms_known)
    name = column(field)
    if name is None:
        return _ANY
    nothing = {"$nin": [None, ""]} if field.kind is Kind.KEYWORD else {"$nin": [None, 0]}
    return Pushdown({name: {"$ne": None} if field.kind is Kind.TIME else nothing}, exact=True)


def _term(term: Term, *, terms_known: bool) -> Pushdown:
    if term.field.kind is Kind.DURATION:
        lengths = [
            event_terms.length(test.low, test.high, known=terms_known)
            for test in term.tests
            if isinstance(test, Range)
        ]
        return Pushdown({"$or": lengths}, exact=terms_known)
    if term.field.kind is Kind.PROSE or event_terms.has_values(term.field):
        where = event_terms.condition(term, known=terms_known)
        return Pushdown(where, exact=bool(where) and terms_known and event_terms.are_certain(term))
    name = column(term.field)
    if name is None:
        return _ANY
    values: list[str | int] = []
    alternatives: list[Document] = []
    for test in term.tests:
        match test:
            case Pattern((text,)):
                values.append(text)
            case Pattern():
                return _ANY
            case Number(value):
                values.append(value)
            case Range(low, high):
                bounds = {"$gte": low, "$lt": high}
                alternatives.append(
                    {name: {sign: bound for sign, bound in bounds.items() if bound is not None}}
                )
    if values:
        alternatives.append({name: values[0] if len(values) == 1 else {"$in": values}})
    return Pushdown(alternatives[0] if len(alternatives) == 1 else {"$or": alternatives}, exact=True)
