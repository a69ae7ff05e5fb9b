"""Which events a list, a count or a page is about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tracker.domain.query.fields import FIELDS, TIME
from tracker.domain.query.tree import EVERYTHING, Pattern, Range, Term, all_of, both, parts_of

if TYPE_CHECKING:
    from tracker.domain.query.tree import Node


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events: those that match the query, in a period.

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
    """Return a filter for the same events whose query does not bound the time: the period does."""
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
    """Return a query for the same events as a filter that takes none for overlapping its period."""
    if not where.timed:
        return where.query
    return both(where.query, Term(TIME, (Range(where.since, where.until),)))


def leading(query: Node) -> Term | None:
    """Return the term of a query by whose index a store has the fewest events to look at, or None.

    It asks for one whole value, of which the index has the events in order; or for several that few have.
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
"""Fields with an index, the most selective last; one that is a term too has more values than another."""
