"""What several calls have in common: which events a request asks for, and how they were found, or not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from functools import cache
from typing import TYPE_CHECKING, Protocol

from protobuf import DescEnum
from protobuf.wkt import BoolValue

from tracker.domain.events import attributes_of, event_key
from tracker.domain.query import fields
from tracker.domain.query.lexer import QueryError
from tracker.domain.query.text import parse, to_text
from tracker.domain.query.tree import EVERYTHING, EventFilter, all_of, both, narrowed, one_of, widened
from tracker.domain.times import duration, period
from tracker.errors import FieldViolation, Reason, TrackerError, invalid, nearest
from tracker.pb import event_pb
from tracker.permissions import Permission
from tracker.stores.events import Explanation
from tracker.transcoding.fields import element_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from protobuf import DescField, DescMessage, Message

    from tracker.domain.query.fields import Field
    from tracker.domain.query.tree import Node
    from tracker.services.context import Call, Context
    from tracker.time_text import Clock


class DatedRequest(Protocol):
    """A request for the events of a period."""

    start_date: str
    end_date: str
    time_zone: str


class PeriodRequest(DatedRequest, Protocol):
    """A request for the events of a period that a query matches."""

    query: str


def dates_of(request: DatedRequest, clock: Clock) -> tuple[int | None, int | None]:
    """Return the period of a request, whose dates are in the time zone that it names, else in UTC."""
    return period(request.start_date, request.end_date, clock.zone if request.time_zone else UTC)


def in_period(request: PeriodRequest, clock: Clock) -> EventFilter:
    """Return the filter for the events that a request asks for by a period and a query.

    Raises:
        TrackerError: INVALID_ARGUMENT, as from `domain.times.period` and `with_query`.
    """
    since, until = dates_of(request, clock)
    return with_query(EventFilter(since=since, until=until), request.query, clock)


def by_fields(request: Message, since: int | None = None, until: int | None = None) -> EventFilter:
    """Return the filter for the events of a period with one of the values that a request gives for fields."""
    return EventFilter(_asked_for(request), since, until)


def _asked_for(request: Message) -> Node:
    """Return the query for the events that have one of the values that a request gives for each field."""
    terms = []
    for described, field in _fields_of(request.desc()).items():
        value = getattr(request, described.name)
        if isinstance(value, BoolValue):
            terms.append(one_of(field, [value.value]))
        elif value or (value is False and described in request):
            terms.append(one_of(field, value if isinstance(value, list) else [value]))
    return all_of(tuple(terms)) if terms else EVERYTHING


@cache
def _fields_of(request: DescMessage) -> Mapping[DescField, Field]:
    """Return the fields of a request that give values of a field of events: that of its name or its enum."""
    by_enum = {
        enum: fields.named(each.name) for each in _ATTRIBUTES.fields if (enum := _enum_of(each)) is not None
    }
    asked = {
        each: fields.named(each.name) if (enum := _enum_of(each)) is None else by_enum.get(enum)
        for each in request.fields
    }
    return {each: field for each, field in asked.items() if field is not None and field.kind in _COMPARED}


def _enum_of(field: DescField) -> DescEnum | None:
    element = element_of(field)
    return element if isinstance(element, DescEnum) else None


def with_query(where: EventFilter, text: str, clock: Clock) -> EventFilter:
    """Return the filter for those of its events that a query matches.

    Raises:
        TrackerError: INVALID_ARGUMENT (`INVALID_QUERY`), with the column of what is wrong.
    """
    try:
        where = replace(where, query=both(where.query, parse(text, clock)))
        _require_period(narrowed(where))
    except QueryError as error:
        raise TrackerError(
            Reason.INVALID_QUERY,
            f"query: {error}",
            metadata={"column": str(error.column)},
            violations=[FieldViolation("query", str(error))],
        ) from None
    return where


def _require_period(bounds: EventFilter) -> None:
    if bounds.since is not None and bounds.until is not None and bounds.until <= bounds.since:
        raise QueryError("the period ends before it begins", 1)


def facet(name: str, path: str, use: str) -> Field:
    """Return the field of a name, one of those that events are counted by.

    `path` is the place of the name in the request, and `use` what it is for.

    Raises:
        TrackerError: INVALID_ARGUMENT; there is no such field.
    """
    field = fields.named(name)
    if field is not None and field.facet:
        return field
    names = [each.name for each in fields.FACETS]
    expected = f"expected a field {use}, one of {', '.join(names)}, label.NAME"
    raise invalid(FieldViolation(path, f"{expected}; got {name!r}{nearest(name, names)}"))


NOT_FOUND = "no event found in tracker for id"


def event_not_found(given: str, message: str = NOT_FOUND) -> TrackerError:
    """Return the error for an event that does not exist, by the id or Slack id that was given."""
    return TrackerError(Reason.EVENT_NOT_FOUND, f"{message} {given}")


NOT_FOUND_WITH_ID = "event not found with id"
"""The message of the Go implementation where a call for the changelog or the Slack id finds no event."""


class Planned:
    """Measures one request, and returns its plan.

    A plan counts events that match before it is known whose they are, so it is for those who may read all.
    """

    def __init__(self, context: Context, call: Call, *, wanted: bool) -> None:
        """Begin to measure.

        Raises:
            TrackerError: PERMISSION_DENIED; a plan is wanted by a caller whose grants are narrowed.
        """
        if wanted and call.principal.scopes(Permission.EVENT_READ) is not None:
            message = "permission event:read for all events required to explain how some are found"
            raise TrackerError(Reason.PERMISSION_REQUIRED, message)
        self.explanation = Explanation() if wanted else None
        """What the store fills in; None where no plan is wanted."""
        self._context = context
        self._began = context.now()

    def plan(self, where: EventFilter) -> event_pb.QueryPlan | None:
        """Return how the events of a filter were found or counted; None where no plan is wanted."""
        if self.explanation is None:
            return None
        return event_pb.QueryPlan(
            query=to_text(widened(where)),
            steps=self.explanation.steps,
            documents=self.explanation.documents,
            took=duration(max(0, self._context.now() - self._began)),
        )


_ATTRIBUTES = event_pb.EventAttributes.desc()
_COMPARED = frozenset({fields.Kind.KEYWORD, fields.Kind.CHOICE, fields.Kind.FLAG})


def check_link(
    stored: event_pb.Event, attributes: event_pb.EventAttributes | None, linked: event_pb.Event | None
) -> None:
    """Refuse a new link to an event that does not exist; one that has been deleted since stays."""
    if attributes is None or not attributes.related_id or linked is not None:
        return
    if event_key(attributes.related_id).value != attributes_of(stored).related_id:
        raise no_linked_event(attributes.related_id)


def no_linked_event(related_id: str) -> TrackerError:
    """Return the error for a link to an event that does not exist."""
    field = "attributes.related_id"
    message = f"no event found in tracker for {field} {related_id}"
    return TrackerError(
        Reason.RELATED_EVENT_NOT_FOUND,
        message,
        metadata={"related_id": related_id},
        violations=[FieldViolation(field, message)],
    )
