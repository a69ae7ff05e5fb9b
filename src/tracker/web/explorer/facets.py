"""Counts by the values of fields, beside the list: a click includes a value, another excludes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus

from protobuf.wkt import UInt32Value

from tracker.domain.query.fields import FACETS
from tracker.pb import event_pb
from tracker.web.query_terms import excluded, excludes, included, includes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.web.explorer.state import Period, State
    from tracker.web.visit import Visit

_USUAL: Final = ("status", "service", "environment", "type", "priority", "impact")
"""The fields that are counted unless the reader asks for others: their counts are kept or indexed."""
_MORE: Final = tuple(field.name for field in FACETS if field.name not in _USUAL)
_VALUES: Final = 8
_MOST_VALUES: Final = 100


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a field, how many events have it, and the addresses with and without it."""

    text: str
    count: int
    share: int
    include: str
    exclude: str
    included: bool
    excluded: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """The most frequent values of a field; `more` is the address that shows more of them."""

    name: str
    values: tuple[Value, ...]
    others: int
    more: str
    opened: bool


@dataclass(frozen=True, slots=True)
class Facets:
    """All that is counted; `uncounted` are the fields that the reader may add, with their addresses."""

    facets: tuple[Facet, ...]
    uncounted: tuple[tuple[str, str], ...]


async def facets_of(visit: Visit, state: State, period: Period) -> Facets:
    """Return the counts for a state.

    Raises:
        TrackerError: As `GetEventFacets`.
    """
    opened = visit.one("facet")
    fields = [*_USUAL, opened] if opened and opened not in _USUAL else [*_USUAL]
    answer = await visit.ask(
        event_pb.GetEventFacetsRequest(
            query=state.query,
            fields=fields,
            limit=UInt32Value(value=_MOST_VALUES if opened else _VALUES),
            time_zone=visit.zone,
            **period.dates,
        ),
        event_pb.GetEventFacetsResponse,
    )
    found = [_facet(each, state, opened, answer.total_count) for each in answer.facets]
    found.sort(key=lambda facet: not facet.opened)
    return Facets(tuple(found), tuple((name, _opened(state, name)) for name in _MORE if name != opened))


def _facet(facet: event_pb.EventFacet, state: State, opened: str, total: int) -> Facet:
    shown = facet.values if facet.field == opened else facet.values[:_VALUES]
    unfiltered, leading = state.filtered(query=""), state.leading("q", query="")

    def lead(query: str) -> str:
        return leading + quote_plus(query) if query else unfiltered

    rest = facet.other_count + sum(each.count for each in facet.values[len(shown) :])
    return Facet(
        facet.field,
        tuple(_value(facet.field, each, state.query, lead, total) for each in shown),
        rest,
        _opened(state, facet.field) if rest and facet.field != opened else "",
        facet.field == opened,
    )


def _opened(state: State, field: str) -> str:
    return state.leading("facet") + field


def _value(
    field: str, value: event_pb.FacetValue, query: str, lead: Callable[[str], str], total: int
) -> Value:
    text = value.value
    return Value(
        text,
        value.count,
        round(100 * value.count / max(1, total)),
        lead(included(query, field, text)),
        lead(excluded(query, field, text)),
        includes(query, field, text),
        excludes(query, field, text),
    )
