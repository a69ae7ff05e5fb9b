"""The log of what happened to events: all of it, once, in order."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from typing import TYPE_CHECKING

import apsw
import pytest
from tests.stores.observations import Observations
from tests.stores.samples import a_lock, an_end, an_entry, an_event, comments

from tracker.domain.event_locks import EventChange
from tracker.domain.events import EventId
from tracker.domain.locks import HeldLock
from tracker.stores.changes import LARGEST_LOGGED, ChangeKind, ChangesForgottenError
from tracker.stores.mongo import MongoStore, event_log, janitor
from tracker.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.mongo_servers import MongoServers

    from tracker.pb import event_pb, lock_pb
    from tracker.stores.base import Store
    from tracker.stores.changes import LoggedChange

CREATED, UPDATED, DELETED = ChangeKind.CREATED, ChangeKind.UPDATED, ChangeKind.DELETED


def key(event: event_pb.Event) -> EventId:
    assert event.metadata is not None
    return EventId(event.metadata.id)


def retitled(title: str) -> Callable[[event_pb.Event, Sequence[lock_pb.Lock]], EventChange]:
    def change(event: event_pb.Event, _: Sequence[lock_pb.Lock]) -> EventChange:
        event = deepcopy(event)
        event.title = title
        return EventChange(event)

    return change


async def logged(store: Store, count: int, after: int = 0) -> list[LoggedChange]:
    """Return the changes behind a number, as soon as there are as many as expected."""
    async with asyncio.timeout(20):
        while await store.event_log.end() < after + count:  # noqa: ASYNC110 - others change it
            await asyncio.sleep(0.01)
    found: list[LoggedChange] = []
    while more := await store.event_log.read(after, 7):
        found += more
        after = more[-1].number
    assert len(found) == count
    return found


def told(changes: Sequence[LoggedChange]) -> list[tuple[int, ChangeKind, str]]:
    return [(each.number, each.kind, each.event.title if each.event else "") for each in changes]


async def test_what_happens_to_an_event_is_logged_as_it_was_then(store: Store) -> None:
    event = an_event("one")
    before = store.now()
    await store.events.create(event, None)
    await store.events.modify(key(event), retitled("two"))
    changed = await store.events.modify(key(event), retitled("three"))
    await store.events.delete(key(event), an_end())
    changes = await logged(store, 4)
    kinds = (CREATED, UPDATED, UPDATED, DELETED)
    assert told(changes) == list(zip(range(1, 5), kinds, ("one", "two", "three", "three"), strict=True))
    assert changes[0].event == event
    assert changes[3].event == changed
    times = [each.at for each in changes]
    assert times == sorted(times)
    assert abs(times[0] - before) < 60_000_000  # of the same clock
    assert await store.event_log.read(4, 10) == []


async def test_whoever_asks_for_the_end_of_the_log_finds_what_was_answered_before_it(store: Store) -> None:
    for number in range(1, 6):
        await store.events.create(an_event(), None)
        assert await store.event_log.end() == number


async def test_entries_that_come_from_locks_are_logged(store: Store) -> None:
    event = an_event()
    await store.events.create(event, None)
    lock = a_lock(event_id=key(event).value)
    await store.locks.acquire(HeldLock(lock), an_entry("locked"))
    await store.locks.release(lock.id, lambda _: an_end("unlocked"))
    changes = await logged(store, 3)
    assert [comments(each.event) for each in changes] == [[], ["locked"], ["locked", "unlocked"]]


async def test_what_was_refused_is_not_logged(store: Store) -> None:
    await store.events.create(an_event("one", slack_id="1"), None)
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is, tested elsewhere
        await store.events.create(an_event("two", slack_id="1"), None)
    await store.events.create(an_event("three"), None)
    assert told(await logged(store, 2)) == [(1, CREATED, "one"), (2, CREATED, "three")]


async def test_changes_of_many_at_once_are_logged_each_once(store: Store) -> None:
    events = [an_event(str(number)) for number in range(40)]

    async def live(event: event_pb.Event) -> None:
        await store.events.create(event, None)
        for step in range(3):
            await store.events.modify(key(event), retitled(f"{event.title}.{step}"))
        await store.events.delete(key(event), an_end())

    await asyncio.gather(*map(live, events))
    changes = await logged(store, 5 * len(events))
    assert [each.number for each in changes] == list(range(1, len(changes) + 1))
    for event in events:
        mine = [
            (each.kind, each.event.title) for each in changes if each.event and key(each.event) == key(event)
        ]
        titles = [event.title, *(f"{event.title}.{step}" for step in (0, 1, 2, 2))]
        assert mine == list(zip((CREATED, UPDATED, UPDATED, UPDATED, DELETED), titles, strict=True))


async def test_a_long_document_is_told_as_it_is_now(store: Store) -> None:
    event = an_event("x" * LARGEST_LOGGED)
    await store.events.create(event, None)
    await store.events.modify(key(event), retitled("short"))
    first, second = await logged(store, 2)
    assert (first.event and first.event.title, second.event and second.event.title) in {
        ("short", "short"),
        (event.title, "short"),  # where the second change came before the first was logged
    }
    await store.events.delete(key(event), an_end())
    assert (await logged(store, 1, after=2))[0].kind is DELETED


async def test_who_asks_for_what_never_was_is_told_so(store: Store) -> None:
    assert await store.event_log.read(0, 10) == []
    assert await store.event_log.end() == 0
    await store.events.create(an_event(), None)
    await logged(store, 1)
    with pytest.raises(ChangesForgottenError):
        await store.event_log.read(2, 10)


async def test_whoever_follows_is_notified(store: Store) -> None:
    grown = asyncio.Event()
    store.event_log.notify(grown.set)
    await store.events.create(an_event(), None)
    async with asyncio.timeout(20):
        await grown.wait()
    assert len(await logged(store, 1)) == 1


async def test_sqlite_keeps_a_hundred_thousand_changes_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    store = SqliteStore(path, Observations())
    await store.open()
    await store.events.create(an_event("first"), None)
    name = store.event_log.name
    await store.close()
    with apsw.Connection(str(path)) as db:
        filling = "INSERT INTO event_log (at, kind, id, document) SELECT 1, 2, 'a', '{}' FROM numbers"
        numbers = "WITH numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100150)"
        db.execute(f"{numbers} {filling}")
    db.close()
    store = SqliteStore(path, Observations())
    await store.open()
    try:
        assert store.event_log.name == name
        assert await store.event_log.end() == 100_151
        with pytest.raises(ChangesForgottenError):
            await store.event_log.read(0, 10)
        assert (await store.event_log.read(151, 1))[0].number == 152
    finally:
        await store.close()


async def test_several_servers_write_one_log(mongo_replica_set: MongoServers) -> None:
    uri = mongo_replica_set.emptied_database()
    stores = [MongoStore(uri, Observations()) for _ in range(3)]
    for store in stores:
        await store.open()
    event = an_event("one")
    await stores[0].events.create(event, None)
    others = [an_event(str(number)) for number in range(60)]
    await asyncio.gather(
        *(store.events.modify(key(event), retitled(f"{n}")) for n in range(10) for store in stores),
        *(stores[n % 3].events.create(other, None) for n, other in enumerate(others)),
    )
    seen = [await logged(store, 91) for store in stores]
    assert told(seen[0]) == told(seen[1]) == told(seen[2])
    assert len({store.event_log.name for store in stores}) == 1
    assert {key(each.event) for each in seen[0] if each.event} == {key(each) for each in (event, *others)}
    last = [each.event for each in seen[0] if each.event and key(each.event) == key(event)][-1]
    assert last == await stores[1].events.get(key(event))
    for store in stores:
        await store.close()
    assert not [each for each in mongo_replica_set.documents() if each.get("unlogged")]


async def test_many_events_that_are_added_at_once_are_all_logged_and_none_is_left_to_be_found_later(
    mongo: MongoServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "_MOST_WAITING", 300)
    monkeypatch.setattr(janitor, "LATE_SECONDS", 3_600)
    store = MongoStore(mongo.emptied_database(), Observations())
    await store.open()
    await store.events.add([an_event(f"event {number}") for number in range(1_000)])
    changes = await logged(store, 1_000)
    assert [each.event.title for each in changes if each.event] == [f"event {n}" for n in range(1_000)]
    await store.close()


async def test_mongo_forgets_what_is_old_and_beyond_what_is_kept(
    mongo: MongoServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "CHANGES_KEPT", 3)
    store = MongoStore(mongo.emptied_database(), Observations())
    await store.open()
    for number in range(10):
        await store.events.create(an_event(str(number)), None)
        await logged(store, 1, after=number)
    await store.janitor.look()
    assert len(await logged(store, 10)) == 10  # none of them is old
    monkeypatch.setattr(event_log, "_KEPT_SECONDS", -1)
    await store.janitor.look()
    with pytest.raises(ChangesForgottenError):
        await store.event_log.read(5, 10)
    assert len(await logged(store, 4, after=6)) == 4
    await store.close()
