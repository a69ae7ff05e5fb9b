"""What of a query a database can find by itself.

It is asked for events that may match, by what their documents have beside the event; which of those do is
then seen in the event. So a query means the same here as anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, assert_never

from tracker.domain.query import fields
from tracker.domain.query.fields import Kind
from tracker.domain.query.tree import And, Has, Not, Number, Or, Pattern, Span, Term
from tracker.stores.mongo.search import terms as event_terms

if TYPE_CHECKING:
    from tracker.domain.query import Node
    from tracker.stores.mongo.writes import Document

FIELDS = {
    fields.ID: "_id",
    fields.SLACK: "slack_id",
    fields.EXTERNAL_ID: "external_id",
    fields.RELATED: "related_id",
    fields.SERVICE: "service",
    fields.SOURCE: "source",
    fields.TYPE: "type",
    fields.PRIORITY: "priority",
    fields.STATUS: "status",
    fields.ENVIRONMENT: "environment",
    fields.IMPACT: "impact",
    fields.TIME: "time",
    fields.END: "end_time",
}
"""What a document has beside the event, by name."""


class Sieve(NamedTuple):
    """A condition that all events fulfil which match; with `exact`, no others do."""

    where: Document
    exact: bool


_ANY = Sieve({}, exact=False)


def sieve(node: Node, *, terms_known: bool = False) -> Sieve:
    """Return the narrowest condition for the events that a query asks for.

    With `terms_known`, it is one for those events that have their terms beside them.
    """
    match node:
        case And(parts):
            sieves = [sieve(part, terms_known=terms_known) for part in parts]
            narrow = [each.where for each in sieves if each.where]
            return Sieve({"$and": narrow} if narrow else {}, exact=all(each.exact for each in sieves))
        case Or(parts):
            sieves = [sieve(part, terms_known=terms_known) for part in parts]
            if not all(each.where for each in sieves):
                return Sieve({}, exact=any(each.exact and not each.where for each in sieves))
            return Sieve({"$or": [each.where for each in sieves]}, exact=all(each.exact for each in sieves))
        case Not(part):
            inner = sieve(part, terms_known=terms_known)
            return Sieve({"$nor": [inner.where]}, exact=True) if inner.exact else _ANY
        case Has(field):
            return _has(field, terms_known=terms_known)
        case Term():
            return _term(node, terms_known=terms_known)
        case _:
            assert_never(node)


def _has(field: fields.Field, *, terms_known: bool) -> Sieve:
    if event_terms.has_values(field):
        return Sieve(event_terms.any_value(field, known=terms_known), exact=terms_known)
    if field == fields.DURATION:
        return Sieve(event_terms.length(None, None, known=terms_known), exact=terms_known)
    name = FIELDS.get(field)
    if name is None:
        return _ANY
    nothing = {"$nin": [None, ""]} if field.kind is Kind.KEYWORD else {"$nin": [None, 0]}
    return Sieve({name: {"$ne": None} if field.kind is Kind.TIME else nothing}, exact=True)


def _term(term: Term, *, terms_known: bool) -> Sieve:
    if term.field == fields.DURATION:
        lengths = [
            event_terms.length(test.low, test.high, known=terms_known)
            for test in term.tests
            if isinstance(test, Span)
        ]
        return Sieve({"$or": lengths}, exact=terms_known)
    if term.field.kind is Kind.PROSE or event_terms.has_values(term.field):
        where = event_terms.condition(term, known=terms_known)
        return Sieve(where, exact=bool(where) and terms_known and event_terms.are_certain(term))
    name = FIELDS.get(term.field)
    if name is None:
        return _ANY
    alternatives: list[Document] = []
    for test in term.tests:
        match test:
            case Pattern((text,)):
                alternatives.append({name: text})
            case Pattern():
                return _ANY
            case Number(value):
                alternatives.append({name: value})
            case Span(low, high):
                bounds = {"$gte": low, "$lt": high}
                alternatives.append(
                    {name: {sign: bound for sign, bound in bounds.items() if bound is not None}}
                )
    return Sieve({"$or": alternatives}, exact=True)
