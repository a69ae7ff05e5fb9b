"""Every store finds the events that a query matches in memory, in the same order, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.domain.query.trees import CLOCK, events, trees
from tests.stores.samples import an_event, id_number
from tests.stores.test_event_filters import replace_events

from tracker.domain.events import EventFilter, event_time
from tracker.domain.query import matches, parse
from tracker.domain.query.fields import FIELDS, Kind, label
from tracker.stores.events import Explanation
from tracker.stores.mongo.search import queries as mongo_queries
from tracker.stores.mongo.search import terms as event_terms
from tracker.stores.pages import Page, Total
from tracker.stores.sqlite.search import terms, values

if TYPE_CHECKING:
    from tracker.domain.query import Node
    from tracker.domain.query.fields import Field
    from tracker.pb import event_pb
    from tracker.stores.base import Store

ALL = Page()


def newest_first(event: event_pb.Event) -> tuple[int, str]:
    assert event.metadata is not None
    return (event_time(event), event.metadata.id)


def numbered(drawn: list[event_pb.Event]) -> list[event_pb.Event]:
    """Return events that can be in one store: with ids of their own, and others that are not taken."""
    taken: set[str] = set()
    told: set[tuple[str, str]] = set()
    for number, event in enumerate(drawn):
        assert event.metadata is not None
        event.metadata.id = id_number(number)
        if event.metadata.slack_id in taken:
            event.metadata.slack_id = ""
        taken.add(event.metadata.slack_id)
        if event.attributes is not None:
            if (event.attributes.source, event.attributes.external_id) in told:
                event.attributes.external_id = ""
            told.add((event.attributes.source, event.attributes.external_id))
    return drawn


@given(
    drawn=st.lists(events(), min_size=6, max_size=16).map(numbered),
    queries=st.lists(trees, min_size=1, max_size=6),
)
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
async def test_a_query_finds_the_events_that_match_it(
    store: Store, drawn: list[event_pb.Event], queries: list[Node]
) -> None:
    await replace_events(store, drawn)
    for tree in queries:
        await agree(store, drawn, tree)


async def agree(store: Store, there: list[event_pb.Event], tree: Node) -> None:
    wanted = sorted((e for e in there if matches(tree, e)), key=newest_first, reverse=True)
    where = EventFilter(query=tree)
    found = await store.events.find(where, ALL)
    assert list(found.records) == wanted
    assert found.total == await store.events.count(where) == len(wanted)
    assert not found.estimated
    walked: list[event_pb.Event] = []
    part = Page(limit=3)
    while True:
        page = await store.events.find(where, part)
        walked += page.records
        assert page.total == len(wanted)
        if page.next is None:
            break
        part = Page(limit=3, after=page.next)
    assert walked == wanted
    second = await store.events.find(where, Page(limit=2, offset=1))
    assert list(second.records) == wanted[1:3]
    last = await store.events.find(where, Page(limit=2), oldest_first=True)
    assert list(last.records) == wanted[::-1][:2]
    if last.next is not None:
        rest = await store.events.find(where, Page(after=last.next), oldest_first=True)
        assert list(rest.records) == wanted[::-1][2:]


@pytest.mark.parametrize(("word", "total", "estimated"), [("deploy", 3, True), ("odd", 2, False)])
async def test_no_more_events_are_counted_than_a_list_needs(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    word: str,
    total: int,
    estimated: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    for kind in ("sqlite.plans", "mongo.event_records"):
        monkeypatch.setattr(f"tracker.stores.{kind}.MOST_COUNTED", 3)
    for number in range(5):
        await store.events.create(an_event(f"Deploy {number} {'odd' if number % 2 else 'even'}"), None)
    where = EventFilter(query=parse(word, CLOCK))
    found = await store.events.find(where, Page(limit=1))
    assert (found.total, found.estimated) == (total, estimated)
    everything = await store.events.find(where, ALL)
    assert (everything.total, everything.estimated) == (len(everything.records), False)


async def test_a_total_that_is_known_is_not_counted_again(store: Store) -> None:
    for number in range(3):
        await store.events.create(an_event(f"Deploy {number}"), None)
    told = Explanation()
    where = EventFilter(query=parse("deploy", CLOCK))
    first = await store.events.find(where, Page(limit=1), told)
    assert (first.total, [step.partition(":")[0] for step in told.steps][-1]) == (3, "count")
    again = Explanation()
    known = Page(limit=1, after=first.next, total=Total(7, estimated=True))
    page = await store.events.find(where, known, again)
    assert (len(page.records), page.total, page.estimated) == (1, 7, True)
    assert not [step for step in again.steps if step.startswith("count")]


@pytest.mark.parametrize("field", [*(field for field in FIELDS if field.kind is Kind.KEYWORD), label("team")])
def test_whole_values_are_found_without_a_look_at_each_event(field: Field) -> None:
    assert terms.is_indexed(field) or not values.reads_document(field)
    assert event_terms.has_values(field) or field in mongo_queries.FIELDS
