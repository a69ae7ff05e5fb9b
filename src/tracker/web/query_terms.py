"""Queries edited as text: a click on a value adds a term to the query, or takes it away."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tracker.domain.events import FINISHED
from tracker.domain.query.text import value_text
from tracker.pb.options import wire_name

if TYPE_CHECKING:
    from collections.abc import Collection

    from tracker.pb import event_pb

_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_TERM: Final = re.compile(rf'{_QUOTED}|[()]|(?:{_QUOTED}|[^\s()"])+')
_GROUPING: Final = frozenset({"(", ")", "OR", "NOT"})


def term(field: str, value: str) -> str:
    """Return the term that finds a value of a field; those without a value for ""."""
    if not value:
        return f"-has:{field}"
    return f"{field}:{value_text(value)}"


def one_of(field: str, values: Collection[str]) -> str:
    """Return the term for several values of a field, which an index of it answers; "" is no value."""
    named = [term(field, value).removeprefix(f"{field}:") for value in values if value]
    terms = [f"{field}:({' OR '.join(named)})"] if named else []
    if "" in values:
        terms.append(term(field, ""))
    return f"({' OR '.join(terms)})" if len(terms) > 1 else "".join(terms)


def of_statuses(statuses: Collection[event_pb.Status]) -> str:
    """Return the term for events of some statuses."""
    return f"status:({' OR '.join(sorted(map(wire_name, statuses)))})"


ENDED: Final = of_statuses(FINISHED)
"""The term for events that have ended, however they did."""


def with_terms(query: str, *terms: str) -> str:
    """Return a query for what a query finds and further terms match too."""
    grouped = f"({query})" if terms and _terms(query) is None else query
    return " ".join(filter(None, [grouped, *terms]))


def included(query: str, field: str, value: str) -> str:
    """Return a query for events with this value of a field and no other, or without it if it is there."""
    wanted, terms = term(field, value), _terms(query)
    if terms is None:
        return query if wanted in query else f"({query}) {wanted}"
    if wanted in terms:
        return " ".join(each for each in terms if each != wanted)
    opposite = {negated(wanted), f"-has:{field}"}
    return " ".join([*(e for e in terms if e not in opposite and not e.startswith(f"{field}:")), wanted])


def excluded(query: str, field: str, value: str) -> str:
    """Return a query for events without this value of a field, or with it if it is excluded."""
    unwanted, terms = negated(term(field, value)), _terms(query)
    if terms is None:
        return query if unwanted in query else f"({query}) {unwanted}"
    if unwanted in terms:
        return " ".join(each for each in terms if each != unwanted)
    return " ".join([*(each for each in terms if each != negated(unwanted)), unwanted])


def includes(query: str, field: str, value: str) -> bool:
    """Return whether a query has the term of a value."""
    return term(field, value) in (_terms(query) or ())


def excludes(query: str, field: str, value: str) -> bool:
    """Return whether a query has the negated term of a value."""
    return negated(term(field, value)) in (_terms(query) or ())


def negated(text: str) -> str:
    """Return the opposite of a term."""
    return text.removeprefix("-") if text.startswith("-") else f"-{text}"


def _terms(query: str) -> list[str] | None:
    """Return the terms of a query that must all match, or None where it has alternatives or groups."""
    terms: list[str] = _TERM.findall(query)
    return None if _GROUPING & {*terms} else [each for each in terms if each != "AND"]
