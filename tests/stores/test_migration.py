"""All that a store keeps gets into another one, however often that is interrupted, or nothing is served."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import apsw
import pytest
from tests.stores.observations import COMMANDS, Observations
from tests.stores.samples import (
    NOW,
    a_catalog_entry,
    a_link,
    a_lock,
    an_end,
    an_entry,
    an_event,
    new_id,
    noting,
    once,
    taken,
    whole_changelog,
)

from tracker.domain.event_locks import EventChange
from tracker.domain.events import EventId
from tracker.domain.locks import (
    Ending,
    HeldLock,
    LockFilter,
    LockHeldError,
    LockTokenUsedError,
    hash_token,
    lock_key,
)
from tracker.domain.query.fields import SERVICE
from tracker.domain.query.tree import EventFilter
from tracker.domain.times import timestamp
from tracker.errors import TrackerError
from tracker.pb import event_pb
from tracker.stores import contents
from tracker.stores.base import StoreOpenError
from tracker.stores.choice import chosen_contents
from tracker.stores.contents import Kind
from tracker.stores.migration import MigrationError, migrate
from tracker.stores.mongo import MongoStore, deliveries
from tracker.stores.pages import Page
from tracker.stores.sqlite import SqliteStore
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from tests.mongo_servers import MongoServers

    from tracker.pb import lock_pb
    from tracker.stores.base import Store
    from tracker.stores.contents import Records, StoreContents, StoredRecord
    from tracker.stores.migration import Summary

KINDS = ["sqlite", "mongo"]
WAYS = list(itertools.product(KINDS, KINDS))
ALL = Page()
NAMES = ("payments", "Ünïcode / ?", "a.b$c")


@dataclass
class Places:
    """Gives places for stores: of a kind, and new."""

    folder: Path
    servers: MongoServers
    given: int = 0

    def new(self, kind: str) -> str:
        self.given += 1
        return str(self.folder / f"{self.given}.db") if kind == "sqlite" else self.servers.new_database()


@pytest.fixture
def places(tmp_path: Path, mongo: MongoServers) -> Places:
    return Places(tmp_path, mongo)


def store_at(place: str) -> Store:
    if place.startswith("mongodb://"):
        return MongoStore(place, Observations())
    return SqliteStore(place, Observations())


@asynccontextmanager
async def opened(place: str) -> AsyncIterator[Store]:
    store = store_at(place)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def contents_at(place: str, argument: str = "--from") -> StoreContents:
    return chosen_contents(place, argument, Observations())


def unheard(step: str, done: int, total: int) -> None:
    assert step
    assert done <= total


async def moved(source: str, target: str) -> Mapping[Kind, Summary]:
    return await migrate(contents_at(source), contents_at(target, "--to"), unheard)


async def why_not(source: str, target: str) -> str:
    with pytest.raises((StoreOpenError, MigrationError)) as refused:
        await moved(source, target)
    return str(refused.value)


async def why_unserved(place: str) -> str:
    store = store_at(place)
    with pytest.raises(StoreOpenError) as refused:
        await store.open()
    await store.close()
    return str(refused.value)


def expired(held: HeldLock) -> lock_pb.Lock:
    lock = type(held.lock).from_json(held.lock.to_json())
    lock.expired_at = timestamp(NOW)
    return lock


def elsewhere(held: HeldLock) -> lock_pb.Lock:
    lock = type(held.lock).from_json(held.lock.to_json())
    lock.service = "moved"
    return lock


def id_of(event: event_pb.Event) -> str:
    assert event.metadata is not None
    return event.metadata.id


async def fill(store: Store, events: int = 12) -> None:
    """Put records of each kind and every state into a store."""
    for number in range(events):
        attributes = event_pb.EventAttributes(
            service=f"s{number % 3}",
            source="ci",
            region="eu",
            type=event_pb.Type.deployment,
            message='é\u0000\U0001f680 "quoted"',
            related_id=new_id(),
        )
        slack = f"slack-{number}" if number % 2 else ""
        event = an_event(f"t{number}", slack_id=slack, created=NOW + number, attributes=attributes)
        event.changelog.extend([an_entry("created"), an_entry("changed")])
        lock = a_lock(f"of-event-{number}", event_id=id_of(event))
        await store.events.create(event, None if number % 5 else lock)
    for number in range(60):
        await store.events.modify(EventId(id_of(event)), noting(f"note {number}"))
    for name in NAMES:
        entry = a_catalog_entry(name)
        await store.catalog.upsert(name, lambda _, entry=entry: entry, once(name, store.now()))  # type: ignore[misc]
    await store.catalog.upsert("gone", lambda _: a_catalog_entry("gone"))
    await store.catalog.delete("gone", once("end", store.now()))
    await store.links.create(a_link("docs", "handbook"))
    await store.links.create(a_link("docs", "api"))
    await taken(store, a_lock("plain"))
    await taken(store, a_lock("with-token", environment='Ünï "x", y', resource="db!"), "secret")
    await taken(store, a_lock("with-lease", ttl=600 * MICROS, lock_delay=9 * MICROS), "secret too")
    late = await taken(store, a_lock("expired", ttl=600 * MICROS, lock_delay=9 * MICROS), "late")
    await store.locks.modify(late.id, expired)
    for ending in (Ending.RELEASED, Ending.EXPIRED, Ending.FORCED):
        for token in ("one", "two"):
            lock = await taken(store, a_lock("ended", ttl=60 * MICROS), f"{token} {ending}")
            await store.locks.release(lock.id, lambda _, e=ending: an_end("over", e, reason="why"))  # type: ignore[misc]
    free = await taken(store, a_lock("free"))
    await store.locks.release(free.id, lambda _: an_end())
    await store.locks.modify((await taken(store, a_lock("before"), "goes along")).id, elsewhere)


async def told(store: Store) -> dict[str, Any]:
    """Return all that a store answers."""
    events = await store.events.find(EventFilter(), ALL)
    locks = await store.locks.find(LockFilter(), ALL)
    slack = [event.metadata.slack_id for event in events.records if event.metadata]
    return {
        "events": [event.to_json() for event in events.records],
        "services": await store.events.count_by(EventFilter(), [SERVICE], 10),
        "months": await store.events.count_by_month(EventFilter(), by_service=True),
        "slack": slack,
        "changelogs": [await whole_changelog(store, EventId(id_of(event))) for event in events.records],
        "catalog": [entry.to_json() for entry in (await store.catalog.find(ALL)).records],
        "links": [link.to_json() for link in await store.links.find()],
        "locks": [lock.to_json() for lock in locks.records],
        "holders": [(await store.locks.holder(lock_key(lock))) == lock for lock in locks.records],
        "keys": [await store.idempotency.find(key, store.now()) for key in (*NAMES, "end")],
        "leases": sorted(await store.locks.leases(), key=lambda lease: lease.lock_id),
    }


@pytest.mark.parametrize(("source", "target"), WAYS)
async def test_all_that_a_store_keeps_is_in_the_other(places: Places, source: str, target: str) -> None:
    here, there = places.new(source), places.new(target)
    async with opened(here) as store:
        await fill(store)
        before = await told(store)
    summaries = await moved(here, there)
    assert {kind: summary.records for kind, summary in summaries.items()} == {
        Kind.CHANGELOG: 2 + 60,
        Kind.EVENTS: 12,
        Kind.CATALOG: 3,
        Kind.LINKS: 2,
        Kind.LOCK_KEYS: 3 + 4 + 1 + 1 + 2,
        Kind.ENDED_LOCKS: 6,
        Kind.IDEMPOTENCY_KEYS: 4,
    }
    async with opened(there) as store:
        assert await told(store) == before
        await still_locked(store)
    async with opened(here) as store:
        assert await told(store) == before


async def still_locked(store: Store) -> None:
    """Prove that locks, tokens and fencing tokens go on in a store that `fill` filled elsewhere."""
    held = (await store.locks.find(LockFilter(service="with-token"), ALL)).records[0]
    again = await store.locks.acquire(
        HeldLock(a_lock(held.service, held.environment, held.resource), hash_token("secret")), None
    )
    assert again.replayed
    assert again.lock == held
    with pytest.raises(LockHeldError):
        await store.locks.acquire(HeldLock(a_lock("plain"), b""), None)
    with pytest.raises(LockHeldError):
        await store.locks.acquire(HeldLock(a_lock("expired"), b""), None)
    with pytest.raises(LockTokenUsedError) as used:
        await store.locks.acquire(HeldLock(a_lock("ended"), hash_token("one forced")), None)
    assert (used.value.ended.ending, used.value.ended.reason) == (Ending.FORCED, "why")
    assert await store.locks.ended(used.value.ended.lock.id) == used.value.ended
    ended = used.value.ended.lock.fencing_token
    assert (await taken(store, a_lock("ended"))).fencing_token > ended
    assert (await taken(store, a_lock("before"))).fencing_token > 0
    event = (await store.events.find(EventFilter(), ALL)).records[-1]
    gone = await store.events.delete(EventId(id_of(event)), an_end())
    assert gone is not None
    assert [lock.service for lock in gone.locks] == ["of-event-0"]


async def test_there_and_back_nothing_has_changed(places: Places) -> None:
    here, there, back = places.new("sqlite"), places.new("mongo"), places.new("sqlite")
    async with opened(here) as store:
        await fill(store)
    assert await moved(here, there) == await moved(there, back)
    async with opened(here) as first, opened(back) as last:
        assert await told(first) == await told(last)


@pytest.mark.parametrize("target", KINDS)
async def test_what_a_newer_version_wrote_goes_along(places: Places, target: str) -> None:
    here, there, back = places.new("sqlite"), places.new(target), places.new("sqlite")
    async with opened(here):
        pass
    source = contents_at(here)
    await source.open_to_read()
    event = an_event()
    document = event.to_json().replace("{", '{"fromTheFuture":{"x":1},', 1)
    newer = contents.StoredDocument(id_of(event), document)
    await source.records(Kind.EVENTS).add([newer])
    await source.close()
    await moved(here, there)
    await moved(there, back)
    copy = contents_at(back)
    await copy.open_to_read()
    assert [list(batch) async for batch in copy.records(Kind.EVENTS).batches()] == [[newer]]
    await copy.close()


class CutOffError(Exception):
    """Stands for whatever may end a migration."""


def cut_off(store: StoreContents, kind: Kind, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the migration into a store end before it stores a batch of a kind."""
    records = store.records
    number = itertools.count()

    def until_cut(wanted: Kind) -> Records[StoredRecord]:
        found = records(wanted)
        if wanted is kind and not hasattr(found, "cut"):
            add = found.add

            async def maybe(rows: Sequence[StoredRecord]) -> None:
                if next(number) == batch:
                    raise CutOffError
                await add(rows)

            monkeypatch.setattr(found, "add", maybe)
            monkeypatch.setattr(found, "cut", True, raising=False)
        return found

    monkeypatch.setattr(store, "records", until_cut)


@pytest.mark.parametrize(("source", "target"), WAYS)
async def test_an_interrupted_migration_goes_on(
    places: Places, source: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("contents", "mongo.contents", "sqlite.contents"):
        monkeypatch.setattr(f"tracker.stores.{name}.BATCH_RECORDS", 2)
    here, there = places.new(source), places.new(target)
    async with opened(here) as store:
        await fill(store)
        before = await told(store)
    for kind, batch in [*((kind, 0) for kind in Kind), (Kind.LOCK_KEYS, 2), (Kind.EVENTS, 3)]:
        destination = contents_at(there)
        cut_off(destination, kind, batch, monkeypatch)
        with pytest.raises(CutOffError):
            await migrate(contents_at(here), destination, unheard)
        assert "is not filled to its end" in await why_unserved(there)
    await moved(here, there)
    async with opened(there) as store:
        assert await told(store) == before


@pytest.mark.parametrize("target", KINDS)
async def test_a_migration_goes_on_from_the_store_that_it_began_with(
    places: Places, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, other, there = places.new("sqlite"), places.new("sqlite"), places.new(target)
    for place in (here, other):
        async with opened(place) as store:
            await fill(store)
    destination = contents_at(there)
    cut_off(destination, Kind.EVENTS, 0, monkeypatch)
    with pytest.raises(CutOffError):
        await migrate(contents_at(here), destination, unheard)
    assert f"it is not filled to its end, from {here}" in await why_not(other, there)
    assert "is not filled to its end" in await why_not(there, places.new("sqlite"))
    await moved(here, there)


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("kind", ["event", "catalog entry", "link", "lock", "free key"])
async def test_a_store_with_records_is_not_filled(places: Places, target: str, kind: str) -> None:
    here, there = places.new("sqlite"), places.new(target)
    async with opened(here) as store:
        await fill(store)
    async with opened(there) as store:
        await one_record(store, kind)
        before = await told(store)
    assert "only a store that is empty can be filled" in await why_not(here, there)
    async with opened(there) as store:
        assert await told(store) == before


async def one_record(store: Store, kind: str) -> None:
    if kind == "event":
        await store.events.create(an_event(), None)
    elif kind == "catalog entry":
        await store.catalog.upsert("a", lambda _: a_catalog_entry("a"))
    elif kind == "link":
        await store.links.create(a_link("docs", "a"))
    else:
        lock = await taken(store, a_lock())
        if kind == "free key":
            await store.locks.release(lock.id, lambda _: an_end())


@pytest.mark.parametrize("target", KINDS)
async def test_a_store_that_was_only_opened_is_filled(places: Places, target: str) -> None:
    here, there = places.new("sqlite"), places.new(target)
    for place in (here, there):
        async with opened(place) as store:
            if isinstance(store, MongoStore):
                assert await store.event_counts.count_all()
    async with opened(here) as store:
        await store.events.create(an_event(), None)
    assert sum(summary.records for summary in (await moved(here, there)).values()) == 1
    async with opened(there) as store:
        assert await store.events.count(EventFilter()) == 1


async def test_events_that_mongodb_is_filled_with_keep_their_terms(places: Places) -> None:
    here, there = places.new("sqlite"), places.new("mongo")
    async with opened(here) as store:
        await fill(store)
    await moved(here, there)
    async with opened(there) as store:
        await store.check()
    database = places.servers.members[0].client.get_database(there.rpartition("/")[2])
    assert database["events"].count_documents({"terms": None, "tombstone": None}) == 0


@pytest.mark.parametrize("source", KINDS)
async def test_a_store_that_is_not_there_is_not_made(places: Places, source: str) -> None:
    here = places.new(source)
    assert "there is no store" in await why_not(here, places.new("sqlite"))
    assert "there is no store" in await why_not(here, places.new("mongo"))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_store_is_not_moved_onto_itself(places: Places, kind: str) -> None:
    place = places.new(kind)
    async with opened(place):
        pass
    assert await why_not(place, place) == "both are the same store"


async def test_a_file_with_a_server_is_not_moved(places: Places) -> None:
    here = places.new("sqlite")
    async with opened(here):
        assert "has it open" in await why_not(here, places.new("mongo"))
        assert "has it open" in await why_not_to(places, here)


async def why_not_to(places: Places, target: str) -> str:
    source = places.new("sqlite")
    async with opened(source):
        pass
    return await why_not(source, target)


@pytest.mark.parametrize("where", ["source", "target"])
async def test_a_record_that_comes_meanwhile_is_noticed(places: Places, where: str) -> None:
    here, there = places.new("mongo"), places.new("mongo")
    async with opened(there) as filled, opened(here) as store:
        await fill(store)
        changed = store if where == "source" else filled
        steps = []

        def meanwhile(step: str, done: int, total: int) -> None:
            steps.append((step, done, total))

        source, target = contents_at(here), contents_at(there)
        records = target.records(Kind.EVENTS)
        add = records.add

        async def and_another(rows: Sequence[StoredRecord]) -> None:
            await add(rows)
            await changed.events.create(an_event(event_id="00000000-0000-7000-8000-000000000000"), None)

        records.add = and_another  # type: ignore[method-assign,assignment]
        with pytest.raises(MigrationError, match=r"the events differ: 1[23] in .*, 1[23] in .*, digests"):
            await migrate(source, target, meanwhile)
    assert steps
    assert "is not filled to its end" in await why_unserved(there)


async def test_changes_that_were_cut_off_come_to_their_end_first(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = places.new("mongo"), places.new("sqlite")
    async with opened(here) as store:
        event = an_event()
        lock = await taken(store, a_lock(event_id=id_of(event)))
        await store.events.create(event, None)
        await taken(store, a_lock("halfway"))
        with monkeypatch.context() as patch:
            patch.setattr(deliveries.Deliveries, "try_to_deliver", never)
            noted = await taken_noting(store, id_of(event))
            with pytest.raises(CutOffError):
                await store.events.modify(
                    EventId(id_of(event)),
                    lambda event, _: EventChange(event, release={lock.id: an_end()}),
                )
    await moved(here, there)
    async with opened(there) as store:
        assert await store.locks.get(lock.id) is None
        assert await store.locks.get(noted.id) == noted
        stored = await store.events.get(EventId(id_of(event)))
        assert stored is not None
        assert [entry.comment for entry in stored.changelog] == ["taken"]


async def never(*_: object, **__: object) -> None:
    raise CutOffError


async def taken_noting(store: Store, event_id: str) -> lock_pb.Lock:
    lock = a_lock("noted", event_id=event_id)
    with pytest.raises(CutOffError):
        await store.locks.acquire(HeldLock(lock, b""), an_entry("taken"))
    held = await store.locks.get(lock.id)
    assert held is not None
    return held


async def test_changes_that_never_end_are_a_sign_of_servers(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = places.new("mongo")
    async with opened(here) as store:
        event = an_event()
        await store.events.create(event, None)
        with monkeypatch.context() as patch:
            patch.setattr(deliveries.Deliveries, "try_to_deliver", never)
            await taken_noting(store, id_of(event))
    monkeypatch.setattr("tracker.stores.mongo.contents.SETTLE_SECONDS", 0.0)
    assert "stop them first" in await why_not(here, places.new("sqlite"))


async def test_a_record_that_mongodb_cannot_keep_is_named(places: Places) -> None:
    here = places.new("sqlite")
    async with opened(here) as store:
        event = an_event("large")
        event.changelog.append(an_entry("x" * 17 * 2**20))
        await store.events.create(event, None)
    told = await why_not(here, places.new("mongo"))
    assert id_of(event) in told
    assert "larger than 16 MiB" in told


async def test_a_damaged_record_is_named(places: Places) -> None:
    here = places.new("sqlite")
    async with opened(here) as store:
        await fill(store)
    db = apsw.Connection(here)
    db.execute("UPDATE events SET document = CAST(x'ff' AS TEXT) WHERE number = 3")
    event_id = db.execute("SELECT id FROM events WHERE number = 3").get
    db.close()
    with pytest.raises(TrackerError, match=f"event {event_id} can't be read"):
        await moved(here, places.new("sqlite"))


async def test_only_documented_commands_are_sent(places: Places, documented_commands: frozenset[str]) -> None:
    here, there, back = places.new("sqlite"), places.new("mongo"), places.new("mongo")
    async with opened(here) as store:
        await fill(store)
    COMMANDS.seen.clear()
    COMMANDS.listening = True
    await moved(here, there)
    await moved(there, back)
    COMMANDS.listening = False
    assert {"find", "insert"} < COMMANDS.seen <= documented_commands


def test_the_digest_of_records_does_not_depend_on_their_order() -> None:
    first, second = contents.StoredDocument("a", "{}"), contents.StoredDocument("b", "{}")
    assert contents.digest(first) != contents.digest(second)
    assert contents.digest(first) != contents.digest(contents.StoredDocument("a", '{"title":""}'))
