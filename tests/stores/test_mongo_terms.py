"""Words, values and totals on MongoDB, also among events that have no terms beside them."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import pytest
from tests.domain.query.trees import CLOCK
from tests.stores.observations import Observations
from tests.stores.samples import NOW, an_event

from tracker.domain.events import event_time
from tracker.domain.query import fields
from tracker.domain.query.matching import matches
from tracker.domain.query.text import parse
from tracker.domain.query.tree import EventFilter
from tracker.errors import TrackerError
from tracker.pb import event_pb
from tracker.stores.events import Explanation
from tracker.stores.mongo import MongoStore
from tracker.stores.mongo.event_records import MOST_TERMS
from tracker.stores.pages import Page
from tracker.time_text import MICROS

Status = event_pb.Status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pymongo.collection import Collection
    from tests.mongo_servers import MongoServers


@pytest.fixture
async def store(mongo: MongoServers) -> AsyncIterator[MongoStore]:
    store = MongoStore(mongo.emptied_database(), Observations())
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def documents(mongo: MongoServers) -> Collection[dict[str, Any]]:
    primary = mongo.primary()
    assert primary is not None
    return primary.client.get_database("emptied")["events"]


async def titles(store: MongoStore, query: str) -> list[str]:
    """Return the titles of the events that a query finds, sorted."""
    found = await store.events.find(EventFilter(parse(query, CLOCK)), Page())
    return sorted(event.title for event in found.records)


async def test_events_of_before_are_found_by_words_and_get_theirs(
    store: MongoStore, documents: Collection[dict[str, Any]]
) -> None:
    for title in ("Deploy old", "Rotate old", "Deploy new"):
        await store.events.create(an_event(title), None)
    documents.update_many({"document": {"$regex": "old"}}, {"$unset": {"terms": 1}})
    assert await titles(store, "deploy") == ["Deploy new", "Deploy old"]
    await store.reconciler.look()
    assert await titles(store, "deploy") == ["Deploy new", "Deploy old"]
    assert sorted(document["terms"] for document in documents.find()) == [
        ["deploy", "new"],
        ["deploy", "old"],
        ["old", "rotate"],
    ]


async def test_an_event_that_cannot_be_read_does_not_keep_the_others_from_their_words(
    store: MongoStore, documents: Collection[dict[str, Any]]
) -> None:
    for title in ("Deploy damaged", "Deploy sound"):
        await store.events.create(an_event(title), None)
    documents.update_many({}, {"$unset": {"terms": 1}})
    documents.update_one({"document": {"$regex": "damaged"}}, {"$set": {"document": "{"}})
    for _ in range(2):
        await store.reconciler.look()
    assert sorted(document["terms"] for document in documents.find()) == [[""], ["deploy", "sound"]]
    with pytest.raises(TrackerError, match="can't be read"):
        await titles(store, "deploy")


async def test_an_event_of_more_words_than_are_kept_is_found_by_each(
    store: MongoStore, documents: Collection[dict[str, Any]]
) -> None:
    message = " ".join(f"line{number}" for number in range(2 * MOST_TERMS))
    await store.events.create(an_event("Log", attributes=event_pb.EventAttributes(message=message)), None)
    for query in ("log", f"line{2 * MOST_TERMS - 1}", "line1*", '"line4 line5"'):
        assert await titles(store, query) == ["Log"]
    assert await titles(store, "line") == []
    assert documents.find_one({}, {"terms": 1, "_id": 0}) == {"terms": [""]}


async def test_a_word_leads_to_the_events_that_have_it_and_no_others(store: MongoStore) -> None:
    for number in range(20):
        await store.events.create(an_event(f"Deploy number{number}"), None)
    where = EventFilter(parse("number7", CLOCK))
    told = Explanation()
    (found,) = (await store.events.find(where, Page(), told)).records
    assert (found.title, told.documents) == ("Deploy number7", 0)
    assert "events_by_term" in told.steps[0]
    everything = await store.events.find(EventFilter(parse("dep*", CLOCK)), Page(5))
    assert (everything.total, len(everything.records)) == (20, 5)


@pytest.mark.parametrize(
    "text",
    [
        *("deploy", "dep*", "-deploy", "deploy OR rotate", "deploy -new", '"deploy new"', "deploy service:a"),
        *(
            "owner:ana",
            "-owner:ana",
            "owner:an*",
            "own*",
            "label.team:core deploy",
            "rotate OR label.team:core",
        ),
        *("has:owner", "-has:label.team", "has:label.team duration:>5s", "duration:<5s", "-has:duration"),
    ],
)
async def test_events_with_and_without_terms_beside_them_are_counted_together(
    store: MongoStore, documents: Collection[dict[str, Any]], text: str
) -> None:
    there = [
        an_event(
            f"{title} {'old' if number % 2 else 'new'}",
            created=NOW + number,
            attributes=event_pb.EventAttributes(
                service=service,
                status=status,
                owner=("", "ana", "bob")[number % 3],
                labels={"team": "web" if number % 4 else "core"} if number % 5 else {},
            ),
            took=number * MICROS if number % 4 else None,
        )
        for number, (title, service, status) in enumerate(
            product(("Deploy", "Rotate"), ("a", "a", "b"), (Status.success, Status.failure, Status.done))
        )
    ]
    for event in there:
        await store.events.create(event, None)
    documents.update_many({"document": {"$regex": "old"}}, {"$unset": {"terms": 1, "elapsed": 1, "gap": 1}})
    query = parse(text, CLOCK)
    found = [event for event in there if matches(query, event)]
    where = EventFilter(query)
    total, tallies = await store.events.count_by(where, [fields.SERVICE, fields.STATUS], 2)
    assert total == await store.events.count(where) == len(found)
    for field, counted in zip((fields.SERVICE, fields.STATUS), tallies, strict=True):
        values = Counter(field.value(event) for event in found)
        assert list(counted) == sorted(values.items(), key=lambda each: (-each[1], each[0]))[:2]
    edges = [NOW, NOW + 5, NOW + len(there)]
    counts = await store.events.count_between(where, edges, fields.SERVICE)
    assert [sum(each.values()) for each in counts] == [
        len([event for event in found if low <= event_time(event) < high]) for low, high in pairwise(edges)
    ]


async def test_the_total_of_all_events_is_about_right_where_there_are_many(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracker.stores.mongo.search.execution.MOST_COUNTED", 3)
    for _ in range(5):
        await store.events.create(an_event(), None)
    of_all = await store.events.find(EventFilter(), Page(1))
    assert (of_all.total, of_all.estimated) == (5, True)
    of_some = await store.events.find(EventFilter(since=NOW), Page(1))
    assert (of_some.total, of_some.estimated) == (3, True)
