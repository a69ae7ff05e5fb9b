"""The change log: all that happened to records, once, in order."""

from __future__ import annotations

import asyncio
import shutil
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Protocol

import apsw
import pytest
from tests.patience import PATIENCE
from tests.stores.observations import Observations
from tests.stores.samples import a_catalog_entry, a_link, a_lock, an_end, an_entry, an_event, comments, taken

from tracker.domain.event_locks import EventChange
from tracker.domain.events import EventId
from tracker.domain.locks import Ending, HeldLock, renew_lease
from tracker.pb import event_pb
from tracker.stores.changes import (
    LARGEST_LOGGED,
    ORIGIN,
    PRINCIPAL,
    ChangeKind,
    ChangesForgottenError,
    ConsumerState,
    Origin,
    Position,
    RecordKind,
)
from tracker.stores.mongo import MongoStore, courier, reconciler
from tracker.stores.sqlite import SqliteStore
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from tests.mongo_servers import MongoServers

    from tracker.pb import lock_pb
    from tracker.stores.base import Store
    from tracker.stores.changes import Change

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


class PutBack(Protocol):
    """A store, and a way to put it back to an older copy that knows nothing of Tracker."""

    @property
    def store(self) -> Store:
        """The store as it is now."""

    async def copy(self) -> None:
        """Copy all that it holds."""

    async def restore(self) -> None:
        """Put the copy in its place."""

    async def rewrite(self, number: int, **fields: object) -> None:
        """Change fields of an entry of the log, to what a newer version would have written."""


class FilePutBack:
    """Copies the file of a store that is closed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.store = SqliteStore(path, Observations())

    async def copy(self) -> None:
        await self.store.close()
        shutil.copyfile(self._path, self._path.with_suffix(".copy"))
        await self._open()

    async def restore(self) -> None:
        await self.store.close()
        shutil.copyfile(self._path.with_suffix(".copy"), self._path)
        await self._open()

    async def rewrite(self, number: int, **fields: object) -> None:
        await self.store.close()
        connection = apsw.Connection(str(self._path))
        for name, value in fields.items():
            connection.execute(f"UPDATE changes SET {name} = ? WHERE number = ?", (value, number))
        connection.close()
        await self._open()

    async def _open(self) -> None:
        self.store = SqliteStore(self._path, Observations())
        await self.store.open()


class DatabasePutBack:
    """Copies the collections of a database while a server uses it."""

    def __init__(self, mongo: MongoServers) -> None:
        self._mongo = mongo
        self.store = MongoStore(mongo.emptied_database(), Observations())
        self._copy: dict[str, list[dict[str, Any]]] = {}

    async def copy(self) -> None:
        database = self._mongo.members[0].client.get_database("emptied")
        self._copy = {name: list(database[name].find()) for name in database.list_collection_names()}

    async def restore(self) -> None:
        database = self._mongo.members[0].client.get_database("emptied")
        for name in database.list_collection_names():
            database[name].delete_many({})
            if self._copy.get(name):
                database[name].insert_many(self._copy[name])

    async def rewrite(self, number: int, **fields: object) -> None:
        log = self._mongo.members[0].client.get_database("emptied")[courier.NAME]
        row = log.find_one({"_id": {"$lte": number}}, sort=[("_id", -1)])
        assert row is not None
        place = f"changes.{number - row['_id']}"
        log.update_one(
            {"_id": row["_id"]}, {"$set": {f"{place}.{name}": value for name, value in fields.items()}}
        )


@pytest.fixture(params=["sqlite", "mongo"])
async def put_back(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[PutBack]:
    if request.param == "sqlite":
        made: FilePutBack | DatabasePutBack = FilePutBack(tmp_path / "tracker.db")
    else:
        made = DatabasePutBack(request.getfixturevalue("mongo"))
    await made.store.open()
    yield made
    await made.store.close()


async def start(store: Store) -> Position:
    """Return the position before the first change."""
    return Position((await store.changes.end()).log)


async def logged(store: Store, count: int, after: Position | None = None) -> list[Change]:
    """Return the changes after a position, as soon as there are as many as expected."""
    after = after or await start(store)
    async with asyncio.timeout(PATIENCE):
        while (await store.changes.end()).number < after.number + count:
            await asyncio.sleep(0.01)
    found: list[Change] = []
    while True:
        batch = await store.changes.read(after, 7)
        found += batch.changes
        if batch.end == after:
            break
        after = batch.end
    assert len(found) == count
    return found


def event_of(change: Change) -> event_pb.Event | None:
    """Return the event as a change left it, or as it was when it was deleted."""
    record = change.before if change.kind is DELETED else change.after
    assert record is None or isinstance(record, event_pb.Event)
    return record


def title_of(change: Change) -> str:
    event = event_of(change)
    return event.title if event else ""


def told(changes: Sequence[Change]) -> list[tuple[int, int, str]]:
    return [(each.position.number, each.kind, title_of(each)) for each in changes]


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
    assert changes[0].after == event
    assert changes[3].before == changed
    assert {each.record for each in changes} == {RecordKind.EVENT}
    assert {each.id for each in changes} == {key(event).value}
    times = [each.position.at for each in changes]
    assert times == sorted(times)
    assert abs(times[0] - before) < 60_000_000  # of the same clock
    end = await store.changes.end()
    assert end == changes[3].position
    assert await store.changes.read(end, 10) == ([], end)


async def test_whoever_asks_for_the_end_of_the_log_finds_what_was_answered_before_it(store: Store) -> None:
    for number in range(1, 6):
        await store.events.create(an_event(), None)
        assert (await store.changes.end()).number == number


async def test_entries_that_come_from_locks_are_logged(store: Store) -> None:
    event = an_event()
    await store.events.create(event, None)
    lock = a_lock(event_id=key(event).value)
    await store.locks.acquire(HeldLock(lock), an_entry("locked"))
    await store.locks.release(lock.id, lambda _: an_end("unlocked"))
    async with asyncio.timeout(PATIENCE):
        events: Sequence[Change] = ()
        while len(events) < 3:
            events, _ = await store.changes.read(await start(store), 100, [RecordKind.EVENT])
    assert [comments(event_of(each)) for each in events] == [[], ["locked"], ["locked", "unlocked"]]


async def test_what_happens_to_a_lock_is_logged_but_for_renewals(store: Store) -> None:
    free, forced, expiring = (a_lock(service, ttl=60 * MICROS) for service in ("a", "b", "c"))
    free, forced, expiring = [await taken(store, each) for each in (free, forced, expiring)]
    await store.locks.modify(free.id, lambda held: renew_lease(held.lock, store.now()))
    moved = await store.locks.modify(free.id, lambda held: moved_to(held.lock, "d"))
    await store.locks.release(free.id, lambda _: an_end())
    await store.locks.release(forced.id, lambda _: an_end(ending=Ending.FORCED, reason="it hung"))
    await store.locks.release(expiring.id, lambda _: an_end(ending=Ending.EXPIRED))
    changes = await logged(store, 7)
    assert [(each.kind, each.id, each.ending, each.reason) for each in changes] == [
        (CREATED, free.id, None, ""),
        (CREATED, forced.id, None, ""),
        (CREATED, expiring.id, None, ""),
        (UPDATED, free.id, None, ""),
        (DELETED, free.id, Ending.RELEASED, ""),
        (DELETED, forced.id, Ending.FORCED, "it hung"),
        (DELETED, expiring.id, Ending.EXPIRED, ""),
    ]
    assert {each.record for each in changes} == {RecordKind.LOCK}
    assert [(changes[0].before, changes[0].after)] == [(None, free)]
    assert moved is not None
    assert (changes[3].before, changes[3].after) == (renewed(changes[3].before, free), moved)
    assert (changes[4].before, changes[4].after) == (moved, None)


def moved_to(lock: lock_pb.Lock, service: str) -> lock_pb.Lock:
    lock = deepcopy(lock)
    lock.service = service
    return lock


def renewed(found: object, lock: lock_pb.Lock) -> lock_pb.Lock:
    """Return a lock as it is after its one renewal, whose times are those of what was found."""
    assert isinstance(found, type(lock))
    lock = deepcopy(lock)
    lock.renewals, lock.renewed_at, lock.expires_at = 1, found.renewed_at, found.expires_at
    return lock


async def test_locks_that_end_with_their_event_are_logged_with_it(store: Store) -> None:
    event = an_event()
    lock = a_lock(event_id=key(event).value)
    await store.events.create(event, lock)
    await store.events.delete(key(event), an_end(ending=Ending.EVENT_ENDED))
    changes = await logged(store, 4)
    assert {(each.record, each.kind, each.id) for each in changes} == {
        (record, kind, id_)
        for record, id_ in ((RecordKind.EVENT, key(event).value), (RecordKind.LOCK, lock.id))
        for kind in (CREATED, DELETED)
    }
    (ended,) = [each for each in changes if each.ending is not None]
    assert (ended.id, ended.ending) == (lock.id, Ending.EVENT_ENDED)


async def test_what_happens_to_the_catalog_is_logged_with_what_was_there_before(store: Store) -> None:
    first, second, third = (a_catalog_entry("cart", version) for version in ("1", "2", "3"))
    await store.catalog.upsert("cart", lambda _: first)
    await store.catalog.upsert("cart", lambda _: second)
    await store.catalog.modify("cart", lambda _: third)
    assert await store.catalog.delete("cart")
    assert not await store.catalog.delete("cart")
    changes = await logged(store, 4)
    assert [(each.kind, each.before, each.after) for each in changes] == [
        (CREATED, None, first),
        (UPDATED, first, second),
        (UPDATED, second, third),
        (DELETED, third, None),
    ]
    assert {(each.record, each.id) for each in changes} == {(RecordKind.CATALOG_ENTRY, "cart")}


async def test_a_change_is_logged_with_what_an_event_was_before(store: Store) -> None:
    event = an_event("one")
    await store.events.create(event, None)
    changed = await store.events.modify(key(event), retitled("two"))
    _, update = await logged(store, 2)
    assert (update.before, update.after) == (event, changed)


async def test_changes_are_logged_with_the_caller_that_each_was_made_for(store: Store) -> None:
    def origin(title: str) -> Origin:
        return Origin("[::1]:4711", title.replace(" ", "-"), f"curl/8 {title}") if title else Origin()

    async def create(title: str) -> None:
        PRINCIPAL.set(title)
        ORIGIN.set(origin(title).text)
        await store.events.create(an_event(title), None)

    PRINCIPAL.set("")
    ORIGIN.set("")
    await asyncio.gather(*(asyncio.create_task(create(f"caller {n}")) for n in range(20)))
    await store.events.add([an_event("")])
    changes = await logged(store, 21)
    assert [each.principal for each in changes] == [title_of(each) for each in changes]
    assert len({each.principal for each in changes}) == 21
    assert [each.origin for each in changes] == [origin(each.principal) for each in changes]


async def test_the_log_has_what_happens_to_a_link(store: Store) -> None:
    link, changed = a_link("a", "old"), a_link("a", "new")
    changed.id = link.id
    await store.links.create(link)
    await store.links.modify(link.id, lambda _: changed)
    await store.links.delete(link.id)
    assert not await store.links.delete(link.id)
    changes = await logged(store, 3)
    assert [(each.kind, each.before, each.after) for each in changes] == [
        (CREATED, None, link),
        (UPDATED, link, changed),
        (DELETED, changed, None),
    ]
    assert {(each.record, each.id) for each in changes} == {(RecordKind.LINK, link.id)}


async def test_only_the_kinds_of_record_asked_for_are_read(store: Store) -> None:
    for number in range(5):
        await store.catalog.upsert("cart", lambda _, n=number: a_catalog_entry("cart", str(n)))  # type: ignore[misc]
        await store.events.create(an_event(str(number)), None)
    await store.catalog.delete("cart")
    changes, end = await store.changes.read(await start(store), 7, [RecordKind.EVENT])
    assert ([title_of(each) for each in changes], end.number) == (["0", "1", "2"], 7)
    changes, end = await store.changes.read(end, 7, [RecordKind.EVENT])
    assert ([title_of(each) for each in changes], end.number) == (["3", "4"], 11)
    assert end == await store.changes.end()


async def test_what_a_newer_version_logs_is_read_as_it_is(put_back: PutBack) -> None:
    store = put_back.store
    for title in ("one", "two", "three"):
        await store.events.create(an_event(title), None)
    lock = await taken(store, a_lock())
    await store.locks.release(lock.id, lambda _: an_end())
    await store.changes.end()
    await put_back.rewrite(1, record=99)
    await put_back.rewrite(2, kind=9)
    await put_back.rewrite(5, ending="vanished")
    log = put_back.store.changes
    begin = await start(put_back.store)
    of_events = await log.read(begin, 10, [RecordKind.EVENT])
    assert [(each.kind, title_of(each)) for each in of_events.changes] == [(9, "two"), (CREATED, "three")]
    every = await log.read(begin, 10)
    assert [(each.record_name, each.action) for each in every.changes] == [
        ("record of kind 99", "created"),
        ("event", "change of kind 9"),
        ("event", "created"),
        ("lock", "created"),
        ("lock", "vanished"),
    ]
    assert every.changes[0].after is None


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
    assert [each.position.number for each in changes] == list(range(1, len(changes) + 1))
    for event in events:
        mine = [(each.kind, title_of(each)) for each in changes if each.id == key(event).value]
        titles = [event.title, *(f"{event.title}.{step}" for step in (0, 1, 2, 2))]
        assert mine == list(zip((CREATED, UPDATED, UPDATED, UPDATED, DELETED), titles, strict=True))


async def test_a_long_document_is_told_as_it_is_now(store: Store) -> None:
    event = an_event("x" * LARGEST_LOGGED)
    await store.events.create(event, None)
    await store.events.modify(key(event), retitled("short"))
    first, second = await logged(store, 2)
    assert (title_of(first), title_of(second)) in {
        ("short", "short"),
        (event.title, "short"),  # where the second change came before the first was logged
    }
    await store.events.delete(key(event), an_end())
    assert (await logged(store, 1, after=second.position))[0].kind is DELETED


async def test_who_asks_for_what_never_was_is_told_so(store: Store) -> None:
    beginning = await start(store)
    assert await store.changes.read(beginning, 10) == ([], beginning)
    assert await store.changes.end() == beginning == await store.changes.oldest()
    await store.events.create(an_event(), None)
    (change,) = await logged(store, 1)
    log, number, at = change.position
    for position in ((log, 2, at), (log, number, at + 1), (log, 0, at), ("another", 0, 0)):
        with pytest.raises(ChangesForgottenError):
            await store.changes.read(Position(*position), 10)


async def test_whoever_follows_is_notified(store: Store) -> None:
    grown = [asyncio.Event(), asyncio.Event()]
    for each in grown:
        store.changes.notify(each.set)
    await store.events.create(an_event(), None)
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(each.wait() for each in grown))
    assert len(await logged(store, 1)) == 1


@pytest.mark.parametrize("more", [0, 1, 2, 5])
async def test_no_position_outlives_the_change_that_it_names(put_back: PutBack, more: int) -> None:
    for number in range(3):
        await put_back.store.events.create(an_event(str(number)), None)
    kept = (await logged(put_back.store, 3))[-1].position
    await put_back.copy()
    for number in range(2):
        await put_back.store.events.create(an_event(f"lost {number}"), None)
    lost = [change.position for change in await logged(put_back.store, 2, after=kept)]
    await put_back.restore()
    for number in range(more):
        await put_back.store.events.create(an_event(f"new {number}"), None)
    changes = await logged(put_back.store, more, after=kept)
    assert [title_of(each) for each in changes] == [f"new {n}" for n in range(more)]
    for position in lost:
        with pytest.raises(ChangesForgottenError):
            await put_back.store.changes.read(position, 10)


async def test_the_state_of_a_consumer_is_replaced_by_one_of_several(store: Store) -> None:
    assert await store.consumers.get("mail") is None
    first = ConsumerState(await start(store), "server 1", 1)
    assert await store.consumers.put("mail", first, None)
    assert not await store.consumers.put("mail", first, None)
    assert await store.consumers.get("mail") == first
    others = [ConsumerState(Position(first.position.log, 7, 8), f"server {n}", 2) for n in range(10)]
    made = await asyncio.gather(*(store.consumers.put("mail", each, first) for each in others))
    assert made.count(True) == 1
    assert await store.consumers.get("mail") == others[made.index(True)]
    assert await store.consumers.get("chat") is None


async def test_sqlite_keeps_as_many_changes_as_it_is_told_to_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    store = SqliteStore(path, Observations(), changes_kept=2_000)
    await store.open()
    await store.events.create(an_event("first"), None)
    (first,) = await logged(store, 1)
    await store.close()
    with apsw.Connection(str(path)) as db:
        numbers = "WITH numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2150)"
        filling = "INSERT INTO changes (at, record, kind, id, principal) SELECT n, 1, 2, 'a', '' FROM numbers"
        db.execute(f"{numbers} {filling}")
    db.close()
    store = SqliteStore(path, Observations(), changes_kept=1_000)
    await store.open()
    assert await store.changes.end() == Position(first.position.log, 2_151, 2_150)
    assert (await store.changes.oldest()).number == 101
    for position in (first.position, await start(store)):
        with pytest.raises(ChangesForgottenError):
            await store.changes.read(position, 10)
    assert (await store.changes.read(Position(first.position.log, 151, 150), 1)).end.number == 152
    await store.events.add([an_event() for _ in range(150)])
    assert await store.changes.oldest() == Position(first.position.log, 1_301, 1_300)
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
    assert seen[0] == seen[1] == seen[2]
    assert {each.id for each in seen[0]} == {key(each).value for each in (event, *others)}
    last = [event_of(each) for each in seen[0] if each.id == key(event).value][-1]
    assert last == await stores[1].events.get(key(event))
    for store in stores:
        await store.close()
    assert not [each for each in mongo_replica_set.documents() if each.get("outbox")]


async def test_many_events_that_are_added_at_once_are_all_logged_and_none_is_left_to_be_found_later(
    mongo: MongoServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "_MOST_WAITING", 300)
    monkeypatch.setattr(reconciler, "LATE_SECONDS", 3_600)
    store = MongoStore(mongo.emptied_database(), Observations())
    await store.open()
    await store.events.add([an_event(f"event {number}") for number in range(3_000)])
    changes = await logged(store, 3_000)
    assert [title_of(each) for each in changes] == [f"event {n}" for n in range(3_000)]
    await store.close()


async def test_mongo_forgets_what_is_old_and_beyond_what_is_kept(
    mongo: MongoServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MongoStore(mongo.emptied_database(), Observations(), changes_kept=3)
    await store.open()
    end = await start(store)
    for number in range(10):
        await store.events.create(an_event(str(number)), None)
        (change,) = await logged(store, 1, after=end)
        end = change.position
    await store.reconciler.look()
    changes = await logged(store, 10)  # none of them is old
    monkeypatch.setattr(courier, "_KEPT_SECONDS", -1)
    await store.reconciler.look()
    with pytest.raises(ChangesForgottenError):
        await store.changes.read(changes[4].position, 10)
    assert (await store.changes.oldest()).number <= 7
    assert len(await logged(store, 3, after=changes[6].position)) == 3
    await store.close()
