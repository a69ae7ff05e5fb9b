"""Free text means the same whether the index of words has an event, lacks it, or has it in an older form."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing, contextmanager
from copy import deepcopy
from itertools import cycle
from typing import TYPE_CHECKING, Any

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.domain.query.trees import CLOCK, events, sentences, texts, trees
from tests.patience import PATIENCE
from tests.soak import size, soaks
from tests.stores.events import agree, numbered, replace_events
from tests.stores.observations import Observations
from tests.stores.samples import NOW, an_end, an_event, new_id

from tracker.domain.event_locks import EventChange
from tracker.domain.events import EventId
from tracker.domain.query.matching import matches
from tracker.domain.query.text import parse
from tracker.domain.query.tree import EventFilter
from tracker.domain.times import timestamp
from tracker.pb import event_pb, lock_pb
from tracker.stores.events import Explanation
from tracker.stores.pages import Page
from tracker.stores.sqlite import SqliteStore
from tracker.stores.sqlite.search import candidates, plans, word_index
from tracker.stores.sqlite.search.queries import needs_document

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tracker.domain.query.tree import Node
    from tracker.stores.base import Store

NEVER = 1e6


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tracker.db"


@pytest.fixture
async def lagging(path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    """Give a store whose index is brought up to date by `index` alone."""
    monkeypatch.setattr(word_index, "REST_SECONDS", NEVER)
    store = SqliteStore(path, Observations())
    await store.open()
    yield store
    await store.close()


def index(path: Path) -> None:
    """Index all that there is."""
    with changing(path) as db:
        while word_index.advance(db):
            pass


@contextmanager
def changing(path: Path) -> Iterator[apsw.Connection]:
    """Give a connection in a transaction: what it has read, the store does not change before its end."""
    with opened(path) as db:
        db.execute("BEGIN IMMEDIATE")  # `with db` would hold the GIL while another thread has the lock
        yield db
        db.execute("COMMIT")


@contextmanager
def opened(path: Path) -> Iterator[apsw.Connection]:
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as db:
        db.set_busy_timeout(int(1_000 * PATIENCE))  # the store takes the lock now and then, without a change
        yield db


def behind(path: Path) -> int:
    """Return how many events are not in the index."""
    with opened(path) as db:
        return word_index.progress(db, 1_000_000).unindexed


async def caught_up(path: Path) -> None:
    """Wait until all events are in the index."""
    async with asyncio.timeout(PATIENCE):
        while behind(path):
            await asyncio.sleep(0.01)


async def titles(store: Store, query: str) -> list[str]:
    """Return the titles of the events that a query finds, sorted."""
    found = await store.events.find(EventFilter(parse(query, CLOCK)), Page())
    return sorted(event.title for event in found.records)


Change = Callable[[event_pb.Event, Sequence[lock_pb.Lock]], EventChange]


def retitled(title: str) -> Change:
    def change(event: event_pb.Event, _: Sequence[lock_pb.Lock]) -> EventChange:
        changed = deepcopy(event)
        changed.title = title
        return EventChange(changed)

    return change


def with_attributes(**values: Any) -> Change:
    """Give an event attributes, beside those that it has."""

    def change(event: event_pb.Event, _: Sequence[lock_pb.Lock]) -> EventChange:
        changed = deepcopy(event)
        changed.attributes = changed.attributes or event_pb.EventAttributes()
        for name, value in values.items():
            setattr(changed.attributes, name, value)
        return EventChange(changed)

    return change


def key(event: event_pb.Event) -> EventId:
    assert event.metadata is not None
    return EventId(event.metadata.id)


@soaks
@pytest.mark.parametrize("few", [2, candidates.FEW])
@given(
    drawn=st.lists(events(), min_size=6, max_size=16).map(numbered),
    fates=st.lists(st.sampled_from(["indexed", "changed", "deleted", "new"]), min_size=16, max_size=16),
    changes=st.lists(
        sentences.map(retitled)
        | st.sampled_from(["", "a", "b"]).flatmap(
            lambda value: st.sampled_from(["message", "owner", "version", "service"]).map(
                lambda name: with_attributes(**{name: value})
            )
        )
        | st.sampled_from(
            [
                with_attributes(labels={"team": "a"}),
                with_attributes(labels={}),
                with_attributes(stake_holders=["a"], notifications=[]),
                with_attributes(status=event_pb.Status.success, type=event_pb.Type.drift),
                with_attributes(priority=event_pb.Priority.P1, environment=event_pb.Environment.UAT),
            ]
        ),
        min_size=3,
        max_size=3,
    ),
    queries=st.lists(texts | trees, min_size=2, max_size=6),
)
@settings(max_examples=size(15, soak=200), suppress_health_check=list(HealthCheck))
async def test_a_query_finds_the_same_however_far_the_index_is(
    lagging: Store,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    drawn: list[event_pb.Event],
    fates: list[str],
    changes: list[Change],
    queries: list[Node],
    few: int,
) -> None:
    monkeypatch.setattr(candidates, "FEW", few)
    by_fate = {
        fate: [event for event, one in zip(drawn, fates, strict=False) if one == fate] for fate in fates
    }
    old = [event for fate in ("indexed", "changed", "deleted") for event in by_fate.get(fate, [])]
    await replace_events(lagging, old)
    index(path)
    for event, change in zip(by_fate.get("changed", []), cycle(changes), strict=False):
        changed = await lagging.events.modify(key(event), change)
        assert changed is not None
        event.title, event.attributes, event.links = changed.title, changed.attributes, changed.links
    for event in by_fate.get("deleted", []):
        await lagging.events.delete(key(event), an_end())
    for event in by_fate.get("new", []):
        assert event.metadata is not None
        event.metadata.id = new_id()
        await lagging.events.create(event, None)
    there = [event for fate in ("indexed", "changed", "new") for event in by_fate.get(fate, [])]
    for tree in queries:
        await agree(lagging, there, tree)
    index(path)
    assert behind(path) == 0
    for tree in queries:
        await agree(lagging, there, tree)


@soaks
@given(
    drawn=st.lists(events(), min_size=10, max_size=30).map(numbered),
    indexed=st.integers(0, 30),
    queries=st.lists(texts | trees, min_size=2, max_size=6),
)
@settings(max_examples=size(25, soak=300), suppress_health_check=list(HealthCheck))
async def test_a_count_that_begins_with_the_newest_says_more_only_where_there_is_more(
    lagging: Store,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    drawn: list[event_pb.Event],
    indexed: int,
    queries: list[Node],
) -> None:
    most = 3
    monkeypatch.setattr(candidates, "FEW", 1)
    monkeypatch.setattr(plans, "LIKELY", 6)
    monkeypatch.setattr(plans, "MOST_COUNTED", most)
    await replace_events(lagging, drawn[:indexed])
    index(path)
    for event in drawn[indexed:]:
        await lagging.events.create(event, None)
    for tree in queries:
        there = sum(matches(tree, event) for event in drawn)
        found = await lagging.events.find(EventFilter(tree), Page(1))
        assert found.estimated is (found.next is not None and there > most and needs_document(tree))
        assert found.total == (most if found.estimated else there)


async def test_what_was_just_done_is_found_and_what_was_undone_is_not(lagging: Store, path: Path) -> None:
    changed, deleted = an_event("Deploy changed"), an_event("Deploy deleted")
    for event in (changed, deleted):
        await lagging.events.create(event, None)
    assert await titles(lagging, "deploy") == ["Deploy changed", "Deploy deleted"]
    index(path)
    assert await titles(lagging, "deploy") == ["Deploy changed", "Deploy deleted"]
    await lagging.events.modify(key(changed), retitled("Rotate changed"))
    await lagging.events.delete(key(deleted), an_end())
    assert (await titles(lagging, "deploy"), await titles(lagging, "rot*")) == ([], ["Rotate changed"])
    await lagging.events.create(an_event("Rotate the next one, by the number of the deleted one"), None)
    assert len(await titles(lagging, "rotate")) == 2
    index(path)
    assert (len(await titles(lagging, "rotate")), await titles(lagging, "deploy")) == (2, [])


@pytest.mark.parametrize(
    ("attributes", "must"),
    [
        ({"end_date": timestamp(NOW)}, 0),
        ({"impact": True}, 0),
        ({"status": event_pb.Status.success}, 1),
        ({"owner": "omar"}, 1),
        ({"labels": {"team": "core"}}, 1),
    ],
)
async def test_only_a_change_of_what_is_indexed_has_to_be_indexed(
    lagging: Store, path: Path, attributes: dict[str, Any], must: int
) -> None:
    event = an_event("Deploy", attributes=event_pb.EventAttributes(message="by ines", owner="ines"))
    await lagging.events.create(event, None)
    index(path)
    await lagging.events.modify(key(event), with_attributes(**attributes))
    assert behind(path) == must
    assert await titles(lagging, "message:ines") == ["Deploy"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("owner:ines", ["Deploy 0", "Deploy 1"]),
        ("OWNER:Ines", []),
        ("owner:ine", []),
        ("owner:in*", ["Deploy 0", "Deploy 1"]),
        ("label.team:(core OR web) -owner:omar", ["Deploy 0", "Deploy 1"]),
        ("label.Team:core", []),
        ("pr:https://git.example/1 OR ticket:OPS-2", ["Deploy 1", "Deploy 2"]),
        ("stakeholder:ada deploy -status:failure", ["Deploy 0", "Deploy 2"]),
        ("notified:#ops service:cart", ["Deploy 0"]),
        ("version:1.2 type:drift", ["Deploy 2"]),
        ("version:1.2 -type:drift -status:success", ["Deploy 1"]),
    ],
)
async def test_whole_values_are_found_by_the_index(
    lagging: Store, path: Path, query: str, found: list[str]
) -> None:
    for number in range(3):
        attributes = event_pb.EventAttributes(
            service="shop" if number else "cart",
            owner="omar" if number == 2 else "ines",
            type=event_pb.Type.drift if number == 2 else event_pb.Type.deployment,
            status=event_pb.Status.failure if number == 1 else event_pb.Status.success,
            version="1.2",
            stake_holders=["ada", "bob"],
            notifications=["#ops"],
            labels={"team": "web" if number else "core"},
        )
        links = event_pb.EventLinks(pull_request_link=f"https://git.example/{number}", ticket=f"OPS-{number}")
        event = an_event(f"Deploy {number}", attributes=attributes)
        event.links = links
        await lagging.events.create(event, None)
    index(path)
    told = Explanation()
    where = EventFilter(parse(query, CLOCK))
    answer = await lagging.events.find(where, Page(), told)
    assert sorted(event.title for event in answer.records) == found
    if "*" not in query:
        assert told.documents == 0


async def test_a_file_of_before_is_indexed_while_it_is_served(path: Path) -> None:
    store = SqliteStore(path, Observations())
    await store.open()
    for number in range(1_200):
        await store.events.create(an_event(f"Deploy {number}"), None)
    await store.close()
    with changing(path) as db:
        db.execute("DELETE FROM event_words WHERE rowid IN (SELECT number FROM events)")
        db.execute("UPDATE words_indexed SET up_to = 0, made_with = ''")
    store = SqliteStore(path, Observations())
    await store.open()
    assert await titles(store, "777") == ["Deploy 777"]
    await caught_up(path)
    assert await titles(store, "777") == ["Deploy 777"]
    assert (await store.events.count(EventFilter(parse("deploy", CLOCK)))) == 1_200
    await store.close()


async def test_an_index_without_a_field_that_is_new_is_made_anew_and_follows_it(path: Path) -> None:
    store = SqliteStore(path, Observations())
    await store.open()
    event = an_event("Deploy", attributes=event_pb.EventAttributes(region="eu"))
    await store.events.create(event, None)
    await caught_up(path)
    await store.close()
    with changing(path) as db:  # as an earlier Tracker left it
        db.execute("UPDATE words_indexed SET made_with = 'other fields'")
        db.execute("DROP TRIGGER words_of_updated")
    store = SqliteStore(path, Observations())
    await store.open()
    assert await titles(store, "region:eu") == ["Deploy"]
    await caught_up(path)
    await store.events.modify(key(event), with_attributes(region="us"))
    assert (await titles(store, "region:eu"), await titles(store, "region:us")) == ([], ["Deploy"])
    await caught_up(path)
    assert (await titles(store, "region:eu"), await titles(store, "region:us")) == ([], ["Deploy"])
    await store.close()


@pytest.mark.parametrize(
    "harm",
    [
        "INSERT INTO event_words (event_words) VALUES ('delete-all')",
        "DELETE FROM event_words WHERE rowid = 1",
        "UPDATE words_indexed SET made_with = 'the words of another release'",
        "UPDATE event_words_data SET block = x'00' WHERE id > 10",
        "UPDATE event_words_data SET block = x'ffffffffff'",
        "DELETE FROM event_words_data",
    ],
)
async def test_an_index_that_lost_something_is_made_anew(path: Path, harm: str) -> None:
    store = SqliteStore(path, Observations())
    await store.open()
    for number in range(3):
        await store.events.create(an_event(f"Deploy {number}"), None)
    await caught_up(path)
    await store.close()
    with changing(path) as db:
        db.execute(harm)
    store = SqliteStore(path, Observations())
    await store.open()
    assert await titles(store, "deploy") == ["Deploy 0", "Deploy 1", "Deploy 2"]
    await caught_up(path)
    assert await titles(store, "deploy") == ["Deploy 0", "Deploy 1", "Deploy 2"]
    await store.close()
    with opened(path) as db:
        assert db.pragma("integrity_check") == "ok"


def sound(path: Path) -> bool:
    with opened(path) as db:
        return bool(db.pragma("quick_check", "event_words") == "ok")


async def test_damage_that_shows_in_a_query_is_passed_over_and_mended(path: Path) -> None:
    store = SqliteStore(path, Observations())
    await store.open()
    for number in range(3):
        await store.events.create(an_event(f"Deploy {number}"), None)
    await caught_up(path)
    with changing(path) as db:
        db.execute("UPDATE event_words_data SET block = x'ffffffffff' WHERE id > 10")
    assert await titles(store, "deploy") == ["Deploy 0", "Deploy 1", "Deploy 2"]
    async with asyncio.timeout(PATIENCE):
        while not sound(path):
            await asyncio.sleep(0.01)
    await caught_up(path)
    assert await titles(store, "deploy") == ["Deploy 0", "Deploy 1", "Deploy 2"]
    await store.close()


async def test_a_long_text_is_found_by_its_last_word(lagging: Store, path: Path) -> None:
    message = " ".join(f"line{number}" for number in range(6_000))
    await lagging.events.create(an_event("Log", attributes=event_pb.EventAttributes(message=message)), None)
    await lagging.events.create(an_event("x" * 300), None)
    for _ in range(2):
        assert await titles(lagging, "message:line5999") == ["Log"]
        assert await titles(lagging, '"line4711 line4712"') == ["Log"]
        assert await titles(lagging, f"{'x' * 400} -log") == ["x" * 300]
        index(path)


async def test_a_document_that_cannot_be_read_is_told_to_who_asks_for_a_word_in_it_or_a_value(
    lagging: Store, path: Path
) -> None:
    damaged = an_event("Deploy")
    await lagging.events.create(damaged, None)
    await lagging.events.create(an_event("Rotate"), None)
    with changing(path) as db:
        db.execute(
            'UPDATE events SET document = \'{"title": "Deploy ines"\' WHERE id = ?', (key(damaged).value,)
        )
    for _ in range(2):
        assert await titles(lagging, "rotate") == ["Rotate"]
        for query in ("deploy", "owner:ines"):
            with pytest.raises(Exception, match="can't be read"):
                await titles(lagging, query)
        index(path)


async def test_a_store_can_be_closed_while_changes_wait_and_events_are_indexed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(word_index, "REST_SECONDS", 0)
    store = SqliteStore(path, Observations())
    await store.open()
    creating = asyncio.gather(*(store.events.create(an_event("Deploy"), None) for _ in range(2_000)))
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        await store.close()
        await creating
    store = SqliteStore(path, Observations())
    await store.open()
    assert await store.events.count(EventFilter(parse("deploy", CLOCK))) == 2_000
    await store.close()
