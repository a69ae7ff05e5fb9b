"""Filters of events, for lists and counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tracker.domain.query.fields import FIELDS, TIME
from tracker.domain.query.tree import EVERYTHING, Pattern, Range, Term, all_of, both, parts_of

if TYPE_CHECKING:
    from tracker.domain.query.tree import Node


@dataclass(frozen=True, slots=True)
class EventFilter:
    """The events of a period that match a query.

    `since` (included) and `until` (excluded) bound the event's time, in microseconds since the epoch.
    With `overlapping`, an event that began before `since` matches too if its end date is not before it
    (`until` bounds its time all the same).
    """

    query: Node = EVERYTHING
    since: int | None = None
    until: int | None = None
    overlapping: bool = False

    @property
    def timed(self) -> bool:
        """Whether a bound of the time is given."""
        return self.since is not None or self.until is not None


def narrowed(where: EventFilter) -> EventFilter:
    """Return the same filter with the bounds of time in its period instead of its query."""
    if where.overlapping:
        return where
    rest: list[Node] = []
    for part in parts_of(where.query):
        match part:
            case Term(field, (Range(low, high),)) if field == TIME:
                since = [bound for bound in (where.since, low) if bound is not None]
                until = [bound for bound in (where.until, high) if bound is not None]
                where = replace(where, since=max(since, default=None), until=min(until, default=None))
            case _:
                rest.append(part)
    return replace(where, query=all_of(tuple(rest)))


def widened(where: EventFilter) -> Node:
    """Return a query for the same events as a filter that is not `overlapping`."""
    if not where.timed:
        return where.query
    return both(where.query, Term(TIME, (Range(where.since, where.until),)))


def leading(query: Node) -> Term | None:
    """Return the term of a query whose index scan reads the fewest events, or None.

    It tests for one whole value, whose events the index has in order, or for several selective ones.
    """
    led = [part for part in parts_of(query) if isinstance(part, Term) and _leads(part)]
    return max(led, key=lambda term: _BY_SELECTIVITY.index(term.field), default=None)


def _leads(term: Term) -> bool:
    if not term.field.indexed or not (term.field.selective or len(term.tests) == 1):
        return False
    return all(isinstance(test, Pattern) and len(test.pieces) == 1 and test.pieces[0] for test in term.tests)


_BY_SELECTIVITY = sorted(
    (field for field in FIELDS if field.indexed), key=lambda field: (field.selective, field.term)
)
"""Fields with an index, the most selective last; terms have more values than others."""
