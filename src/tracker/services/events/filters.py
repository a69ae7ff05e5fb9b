"""Which events a request asks for: what several calls read alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tracker.domain.events import EventFilter
from tracker.domain.query import QueryError, fields, parse
from tracker.domain.query.errors import nearest
from tracker.domain.times import period
from tracker.errors import FieldViolation, Reason, TrackerError, invalid

if TYPE_CHECKING:
    from tracker.domain.query import Clock, Node
    from tracker.domain.query.fields import Field


class PeriodRequest(Protocol):
    """A request for the events of a period that a query matches."""

    query: str
    start_date: str
    end_date: str


def in_period(request: PeriodRequest, clock: Clock) -> EventFilter:
    """Return the filter for the events that a request asks for by a period and a query.

    Raises:
        TrackerError: INVALID_ARGUMENT, as `domain.times.period` and `read_query` have it.
    """
    span = period(request.start_date, request.end_date)
    return EventFilter(since=span.since, until=span.until, query=read_query(request.query, clock))


def read_query(text: str, clock: Clock) -> Node | None:
    """Return the tree of a query, or None for no query.

    Raises:
        TrackerError: INVALID_ARGUMENT (`INVALID_QUERY`), with the column of what is wrong.
    """
    if not text:
        return None
    try:
        return parse(text, clock)
    except QueryError as error:
        raise TrackerError(
            Reason.INVALID_QUERY,
            f"query: {error}",
            metadata={"column": str(error.column)},
            violations=[FieldViolation("query", str(error))],
        ) from None


def facet(name: str, path: str, use: str) -> Field:
    """Return the field of a name, one of those that events are counted by.

    `path` says where in the request the name stands, and `use` what it is for.

    Raises:
        TrackerError: INVALID_ARGUMENT; there is no such field.
    """
    field = fields.named(name)
    if field is not None and (field in fields.FACETS or fields.label_name(field) is not None):
        return field
    names = [each.name for each in fields.FACETS]
    expected = f"expected a field {use}, one of {', '.join(names)}, label.NAME"
    raise invalid(FieldViolation(path, f"{expected}; got {name!r}{nearest(name, names)}"))
