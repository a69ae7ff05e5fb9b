"""All that a store keeps gets into another one, however often that is interrupted, or nothing is served."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from tests.stores.migrations import (
    ALL,
    KINDS,
    WAYS,
    CutOffError,
    contents_at,
    fill,
    id_of,
    moved,
    never,
    opened,
    taken_noting,
    told,
    unheard,
    why_not,
    why_unserved,
)
from tests.stores.observations import COMMANDS
from tests.stores.samples import (
    a_lock,
    an_end,
    an_event,
    taken,
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
)
from tracker.domain.query.tree import EventFilter
from tracker.stores import contents
from tracker.stores.contents import Kind
from tracker.stores.migration import migrate
from tracker.stores.mongo import MongoStore, deliveries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.stores.migrations import (
        Places,
    )

    from tracker.stores.base import Store
    from tracker.stores.contents import Records, StoreContents, StoredRecord


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
        Kind.FREEZES: 1,
        Kind.POLICIES: 1,
        Kind.HOLDS: 1,
        Kind.ACCESS: 2,
        Kind.AUDIT: 2,
        Kind.INTAKES: 2,
        Kind.INTAKE_MESSAGES: 1,
        Kind.COMMITS: 1,
        Kind.WEBHOOKS: 1,
        Kind.WEBHOOK_DELIVERIES: 2,
        Kind.TERRAFORM_PARTS: 1,
        Kind.TERRAFORM_STATES: 1,
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
