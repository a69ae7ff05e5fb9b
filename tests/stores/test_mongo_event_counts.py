"""MongoDB has the counts of all events at any moment, whatever servers do at once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from copy import deepcopy
from typing import TYPE_CHECKING

import pytest
from tests.patience import PATIENCE
from tests.soak import size, soaks
from tests.stores.mongo import opened
from tests.stores.observations import Observations
from tests.stores.samples import NOW, a_lock, an_end, an_entry, an_event, new_id

from tracker.domain.event_locks import EventChange
from tracker.domain.events import EventId, event_id
from tracker.domain.locks import HeldLock, LockHeldError
from tracker.domain.query import fields
from tracker.domain.query.matching import matches
from tracker.domain.query.tree import And, EventFilter, Has, Not, Or, Pattern, Term, one_of
from tracker.domain.times import timestamp
from tracker.pb import event_pb
from tracker.stores.mongo import MongoStore, event_counts, event_records
from tracker.stores.mongo.event_records import COUNTED_FIELDS
from tracker.stores.pages import Page
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.mongo_servers import MongoServers

    from tracker.pb import lock_pb
    from tracker.stores.mongo.event_records import Counts

QUERIES = (
    one_of(fields.SERVICE, ["payments", "ledger"]),
    And((one_of(fields.STATUS, [2, 3]), Not(one_of(fields.ENVIRONMENT, [8])))),
    Or((Term(fields.SERVICE, (Pattern(("pay", "")),)), Has(fields.BY_NAME["impact"]))),
)


@pytest.fixture
def uri(mongo: MongoServers, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("tracker.stores.mongo.store.COUNT_SECONDS", 3_600)
    monkeypatch.setattr(event_counts, "EVENTS_AT_ONCE", 7)
    return mongo.emptied_database()


@pytest.fixture
async def stores(uri: str) -> AsyncIterator[Sequence[MongoStore]]:
    """Give two servers on one database, which count only when the test has them do it."""
    stores = [MongoStore(uri, Observations()) for _ in range(2)]
    for store in stores:
        await store.open()
    yield stores
    for store in stores:
        await store.close()


async def counted(store: MongoStore) -> Counts:
    """Return the counts as plain Python makes them of all events."""
    events = (await store.events.find(EventFilter(), Page())).records
    return Counter(tuple(field.value(event) for field in COUNTED_FIELDS) for event in events)


async def agree(*stores: MongoStore) -> None:
    expected = await counted(stores[0])
    for store in stores:
        assert await store.event_counts.matching(EventFilter()) == expected


def drawn(chance: random.Random, identity: str) -> event_pb.Event:
    attributes = event_pb.EventAttributes(
        service=chance.choice(["", "payments", "ledger"]),
        type=chance.choice(list(event_pb.Type)),
        status=chance.choice(list(event_pb.Status)[:4]),
        environment=chance.choice(list(event_pb.Environment)),
        impact=chance.random() < 0.5,
        start_date=timestamp(NOW + chance.randrange(20) * MICROS),
        message="long" * (20_000 if chance.random() < 0.05 else 1),
    )
    return an_event(event_id=identity, attributes=attributes)


class Walk:
    """Random changes of events at random servers."""

    def __init__(self, stores: Sequence[MongoStore], seed: int) -> None:
        self.stores = stores
        self.chance = random.Random(seed)
        self.ids: list[str] = []

    async def step(self) -> None:
        chance = self.chance
        store = chance.choice(self.stores)
        kind = chance.choice(
            ["create", "create", "add", "change", "change", "delete", "lock", "keep up", "all"]
        )
        known = EventId(chance.choice(self.ids)) if self.ids else None
        match kind:
            case "create":
                self.ids.append(new_id())
                await store.events.create(drawn(chance, self.ids[-1]), None)
            case "add":
                new = [drawn(chance, new_id()) for _ in range(3)]
                self.ids += map(event_id, new)
                await store.events.add(new)
            case "change" if known is not None:
                changed = drawn(chance, known.value)

                def change(_: event_pb.Event, __: Sequence[lock_pb.Lock]) -> EventChange:
                    return EventChange(deepcopy(changed))

                await store.events.modify(known, change)
            case "delete" if known is not None:
                await store.events.delete(known, an_end())
            case "lock" if known is not None:
                lock = a_lock(chance.choice("ab"), event_id=known.value)
                try:
                    await store.locks.acquire(HeldLock(lock), an_entry("locked"))
                except LockHeldError:
                    return
            case "keep up":
                await store.event_counts.keep_up()
            case "all":
                assert await store.event_counts.count_all()


@soaks
@pytest.mark.parametrize("seed", range(size(2, soak=30)))
async def test_the_counts_are_those_of_the_events_after_any_changes_at_once(
    stores: Sequence[MongoStore], seed: int
) -> None:
    walk = Walk(stores, seed)
    assert await stores[0].event_counts.count_all()
    for _ in range(size(8, soak=40)):
        await asyncio.gather(*(walk.step() for _ in range(12)))
        await agree(*stores)
    found = (await stores[0].events.find(EventFilter(), Page())).records
    for query in QUERIES:
        number = sum(matches(query, event) for event in found)
        assert await stores[1].events.count(EventFilter(query)) == number
        total, _ = await stores[1].events.count_by(EventFilter(query), [fields.SOURCE, fields.SERVICE], 10)
        assert total == number
    for store in stores:
        await store.event_counts.keep_up()
    await agree(*stores)


async def test_what_a_server_of_an_earlier_version_changes_is_counted_before_and_after_all_are_counted_again(
    stores: Sequence[MongoStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    new, old = stores
    assert await new.event_counts.count_all()
    event = an_event(event_id=new_id())
    with monkeypatch.context() as patch:
        patch.setattr(event_records, "_counting", lambda change, *_: change)
        await old.events.create(event, None)
    assert await new.event_counts.matching(EventFilter()) is None
    assert await new.events.count(EventFilter()) == 1
    await new.reconciler.look(early=True)
    await new.event_counts.keep_up()
    assert await new.event_counts.matching(EventFilter()) is None
    assert await new.event_counts.count_all()
    await agree(new)
    await old.events.delete(EventId(event_id(event)), an_end())
    await agree(new)


async def test_counts_of_another_log_are_not_used(mongo: MongoServers, stores: Sequence[MongoStore]) -> None:
    store = stores[0]
    for _ in range(3):
        await store.events.create(an_event(event_id=new_id()), None)
    await store.changes.end()  # which waits until they are logged
    assert await store.event_counts.count_all()
    await agree(store)
    mongo.members[0].client.get_database("emptied")["changes"].delete_many({})
    assert await store.event_counts.matching(EventFilter()) is None
    assert await store.events.count(EventFilter()) == 3
    assert await store.event_counts.count_all()
    await agree(store)


async def test_a_store_without_counts_is_counted_when_it_is_opened(uri: str, mongo: MongoServers) -> None:
    async with opened(uri) as store:
        await store.events.add([drawn(random.Random(number), new_id()) for number in range(40)])
    database = mongo.members[0].client.get_database("emptied")
    database["tracker"].delete_one(event_counts.ID)
    async with opened(uri) as store:
        async with asyncio.timeout(PATIENCE):
            while await store.event_counts.matching(EventFilter()) is None:
                await asyncio.sleep(0.01)
        await agree(store)
        assert (await store.events.find(EventFilter(QUERIES[0]), Page(1))).total == sum(
            matches(QUERIES[0], event) for event in (await store.events.find(EventFilter(), Page())).records
        )
