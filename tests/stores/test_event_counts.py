"""Every store counts what plain Python counts, by any field and between any moments."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.domain.query.trees import LABELS, events, times, trees
from tests.soak import size, soaks
from tests.stores.events import numbered, one_deployment, replace_events

from tracker.domain.events import event_time
from tracker.domain.query.fields import DURATION, FACETS, Kind, label
from tracker.domain.query.matching import matches
from tracker.domain.query.tree import EVERYTHING, EventFilter
from tracker.stores.events import Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.query.fields import Field
    from tracker.domain.query.tree import Node
    from tracker.pb import event_pb
    from tracker.stores.base import Store

fields = st.sampled_from([*FACETS, *map(label, LABELS)])
queries = st.none() | trees


def value_in(event: event_pb.Event, field: Field) -> str | int:
    if field.kind is Kind.KEYWORD:
        return next(iter(field.texts(event)), "")
    return field.number(event) or 0


def matching(there: Sequence[event_pb.Event], query: Node | None) -> list[event_pb.Event]:
    return [event for event in there if query is None or matches(query, event)]


@soaks
@one_deployment
@given(
    drawn=st.lists(events(), min_size=4, max_size=16).map(numbered),
    query=queries,
    bounds=st.lists(st.none() | times, min_size=2, max_size=2),
    asked=st.lists(fields, min_size=1, max_size=4),
    most=st.integers(1, 4),
)
@settings(max_examples=size(32, soak=400), suppress_health_check=list(HealthCheck))
async def test_events_of_a_period_are_counted_by_the_values_of_fields(
    store: Store,
    drawn: list[event_pb.Event],
    query: Node | None,
    bounds: list[int | None],
    asked: list[Field],
    most: int,
) -> None:
    await replace_events(store, drawn)
    since, until = bounds
    where = EventFilter(EVERYTHING if query is None else query, since=since, until=until)
    total, tallies = await store.events.count_by(where, asked, most)
    found = [
        event
        for event in matching(drawn, query)
        if (since is None or event_time(event) >= since) and (until is None or event_time(event) < until)
    ]
    assert total == len(found)
    for field, counted in zip(asked, tallies, strict=True):
        values = Counter(value_in(event, field) for event in found)
        wanted = sorted((-number, value) for value, number in values.items())
        assert list(counted) == [Tally(value, -number) for number, value in wanted[:most]]


@soaks
@one_deployment
@given(
    drawn=st.lists(events(), min_size=4, max_size=16).map(numbered),
    query=queries,
    by=st.none() | fields,
    edges=st.lists(times, min_size=2, max_size=6, unique=True).map(sorted),
)
@settings(max_examples=size(32, soak=400), suppress_health_check=list(HealthCheck))
async def test_events_are_counted_between_moments(
    store: Store, drawn: list[event_pb.Event], query: Node | None, by: Field | None, edges: list[int]
) -> None:
    query = None if query is not None and bounds_time(query) else query
    await replace_events(store, drawn)
    where = EventFilter(EVERYTHING if query is None else query)
    counts = await store.events.count_between(where, edges, by)
    durations = await store.events.durations_between(where, edges)
    found = matching(drawn, query)
    for (low, high), counted, took in zip(pairwise(edges), counts, durations, strict=True):
        inside = [event for event in found if low <= event_time(event) < high]
        assert dict(counted) == Counter("" if by is None else value_in(event, by) for event in inside)
        assert list(took) == sorted(length for length in map(DURATION.number, inside) if length is not None)


def bounds_time(query: Node) -> bool:
    """Say whether a query has bounds that a filter would take over; whoever counts has done so before."""
    return "time:" in repr(query) or "name='time'" in repr(query)
