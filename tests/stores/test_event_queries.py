"""Every store finds the events that a query matches in memory, in the same order, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.domain.query.trees import CLOCK, events, trees
from tests.soak import size, soaks
from tests.stores.events import ALL, agree, numbered, one_deployment, replace_events
from tests.stores.samples import an_event

from tracker.domain.query.fields import FIELDS, Kind, label
from tracker.domain.query.text import parse
from tracker.domain.query.tree import EventFilter
from tracker.stores.events import Explanation
from tracker.stores.mongo.search import queries as mongo_queries
from tracker.stores.pages import Page, Total
from tracker.stores.sqlite.search import queries, word_search

if TYPE_CHECKING:
    from tracker.domain.query.fields import Field
    from tracker.domain.query.tree import Node
    from tracker.pb import event_pb
    from tracker.stores.base import Store


@soaks
@one_deployment
@given(
    drawn=st.lists(events(), min_size=6, max_size=16).map(numbered),
    queries=st.lists(trees, min_size=1, max_size=6),
)
@settings(max_examples=size(32, soak=400), suppress_health_check=list(HealthCheck))
async def test_a_query_finds_the_events_that_match_it(
    store: Store, drawn: list[event_pb.Event], queries: list[Node]
) -> None:
    await replace_events(store, drawn)
    for tree in queries:
        await agree(store, drawn, tree)


@pytest.mark.parametrize(("word", "total", "estimated"), [("deploy", 3, True), ("odd", 2, False)])
async def test_no_more_events_are_counted_than_a_list_needs(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    word: str,
    total: int,
    estimated: bool,
) -> None:
    for kind in ("sqlite.search.plans", "mongo.search.execution"):
        monkeypatch.setattr(f"tracker.stores.{kind}.MOST_COUNTED", 3)
    for number in range(5):
        await store.events.create(an_event(f"Deploy {number} {'odd' if number % 2 else 'even'}"), None)
    where = EventFilter(parse(word, CLOCK))
    found = await store.events.find(where, Page(limit=1))
    assert (found.total, found.estimated) == (total, estimated)
    everything = await store.events.find(where, ALL)
    assert (everything.total, everything.estimated) == (len(everything.records), False)


async def test_a_total_that_is_known_is_not_counted_again(store: Store) -> None:
    for number in range(3):
        await store.events.create(an_event(f"Deploy {number}"), None)
    told = Explanation()
    where = EventFilter(parse("deploy", CLOCK))
    first = await store.events.find(where, Page(limit=1), told)
    assert (first.total, [step.partition(":")[0] for step in told.steps][-1]) == (3, "count")
    again = Explanation()
    known = Page(limit=1, after=first.next, total=Total(7, estimated=True))
    page = await store.events.find(where, known, again)
    assert (len(page.records), page.total, page.estimated) == (1, 7, True)
    assert not [step for step in again.steps if step.startswith("count")]


@pytest.mark.parametrize("field", [*(field for field in FIELDS if field.kind is Kind.KEYWORD), label("team")])
def test_whole_values_are_found_without_a_look_at_each_event(field: Field) -> None:
    assert word_search.is_indexed(field) or not queries.reads_document(field)
    assert mongo_queries.has_values(field) or mongo_queries.column(field) is not None
