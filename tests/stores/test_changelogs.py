"""A long changelog is stored beside its event, which keeps the newest entries, shortened."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from typing import TYPE_CHECKING

import apsw
import pytest
from tests.stores.events import one_deployment
from tests.stores.mongo import opened
from tests.stores.observations import Observations
from tests.stores.samples import (
    a_lock,
    an_end,
    an_entry,
    an_event,
    comments,
    noting,
    once,
    taken,
    whole_changelog,
)

from tracker.domain.changelog import MOST_BYTES, MOST_ENTRIES
from tracker.domain.event_locks import EventChange
from tracker.domain.events import EventId, event_id
from tracker.domain.query.tree import EventFilter
from tracker.errors import Reason, TrackerError
from tracker.pb import event_pb
from tracker.stores.mongo import deliveries, outbox
from tracker.stores.pages import Page
from tracker.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.mongo_servers import MongoServers

    from tracker.pb import lock_pb
    from tracker.stores.base import Store


async def nothing(*_: object) -> None:
    pass


LONG = "é" * 32_760
BOUND = MOST_BYTES + 2_048


def key(event: event_pb.Event) -> EventId:
    return EventId(event_id(event))


async def stored(store: Store, event: event_pb.Event) -> event_pb.Event:
    """Return an event as it is answered, by each way of reading it."""
    got = await store.events.get(key(event))
    assert got is not None
    assert [got] == [each for each in (await store.events.find(EventFilter(), Page())).records if each == got]
    return got


def becoming(changed: event_pb.Event) -> Callable[[event_pb.Event, Sequence[lock_pb.Lock]], EventChange]:
    return lambda _event, _locks: EventChange(deepcopy(changed))


async def test_a_short_changelog_is_whole_in_its_event(store: Store) -> None:
    event = an_event()
    await store.events.create(event, None)
    for number in range(MOST_ENTRIES):
        await store.events.modify(key(event), noting(str(number)))
    got = await stored(store, event)
    assert comments(got) == [str(number) for number in range(MOST_ENTRIES)]
    assert not got.changelog_total
    assert await whole_changelog(store, key(event)) == got.changelog


async def test_an_event_has_the_newest_entries_of_a_long_changelog(store: Store) -> None:
    event = an_event()
    await store.events.create(event, None)
    names = [str(number) for number in range(70)]
    for name in names:
        await store.events.modify(key(event), noting(name))
    got = await stored(store, event)
    assert comments(got) == names[-MOST_ENTRIES:]
    assert got.changelog_total == 70
    assert [entry.comment for entry in await whole_changelog(store, key(event))] == names
    page = await store.events.changelog(key(event), Page(limit=3, offset=68))
    assert page is not None
    assert [entry.comment for entry in page.records] == ["68", "69"]
    assert (page.total, page.next) == (70, None)


async def test_long_values_are_shortened_in_an_event_and_whole_in_its_changelog(store: Store) -> None:
    event = an_event()
    await store.events.create(event, None)
    for number in range(40):
        await store.events.modify(key(event), noting(f"{number} {LONG}"), once(f"k{number}", store.now()))
    got = await stored(store, event)
    assert len(got.to_binary()) < BOUND
    assert all(comment.endswith("…") and len(comment.encode()) <= 1_024 for comment in comments(got))
    assert [entry.comment for entry in await whole_changelog(store, key(event))] == [
        f"{number} {LONG}" for number in range(40)
    ]
    changes = (await store.changes.read(await store.changes.oldest(), 100)).changes
    assert all(len(each.after.to_binary()) < BOUND for each in changes if each.after is not None)
    answered = await store.idempotency.find("k39", store.now())
    assert answered is not None
    assert len(answered.answer) < 4 * BOUND


async def test_an_event_keeps_the_last_change_of_its_status(store: Store) -> None:
    event = an_event()
    await store.events.create(event, None)
    changed = deepcopy(event)
    changed.changelog.append(event_pb.ChangelogEntry(field="status", new_value="success"))
    await store.events.modify(key(event), becoming(changed))
    for number in range(MOST_ENTRIES + 10):
        await store.events.modify(key(event), noting(str(number)))
    got = await stored(store, event)
    assert got.changelog[0].field == "status"
    assert len(got.changelog) == MOST_ENTRIES + 1


async def test_the_end_of_a_lock_is_noted_in_a_long_changelog(store: Store) -> None:
    event = an_event()
    event.changelog.extend(an_entry(str(number)) for number in range(60))
    assert await store.events.add([event]) == [True]
    lock = await taken(store, a_lock(event_id=event_id(event)))
    await store.locks.release(lock.id, lambda _: an_end("released"))
    assert comments(await stored(store, event))[-1] == "released"
    assert (await whole_changelog(store, key(event)))[60].comment == "released"


async def test_a_deleted_event_leaves_no_entries(store: Store) -> None:
    event = an_event()
    event.changelog.extend(an_entry(str(number)) for number in range(60))
    assert await store.events.add([event]) == [True]
    await store.events.delete(key(event), an_end())
    assert await store.events.changelog(key(event), Page()) is None
    again = an_event(event_id=event_id(event)) if isinstance(store, SqliteStore) else an_event()
    again.changelog.extend(an_entry(f"again {number}") for number in range(60))
    assert await store.events.add([again]) == [True]
    entries = await whole_changelog(store, key(again))
    assert [entry.comment for entry in entries] == [f"again {number}" for number in range(60)]


async def test_another_changelog_replaces_all_entries(store: Store) -> None:
    event = an_event()
    event.changelog.extend(an_entry(str(number)) for number in range(60))
    assert await store.events.add([event]) == [True]
    for count in (55, 3, 70):
        new = an_event(event_id=event_id(event))
        new.changelog.extend(an_entry(f"new {number}") for number in range(count))
        await store.events.modify(key(event), becoming(new))
        entries = await whole_changelog(store, key(event))
        assert [entry.comment for entry in entries] == [f"new {number}" for number in range(count)]
        assert len((await stored(store, event)).changelog) == min(count, MOST_ENTRIES)


def oversized(event: event_pb.Event) -> str:
    """Return the document of an event as earlier versions stored it, of some 5 MiB."""
    whole = deepcopy(event)
    whole.changelog.extend(an_entry(f"{number} {LONG}") for number in range(80))
    return whole.to_json()


async def require_moved(store: Store, event: event_pb.Event) -> None:
    """Require that an event with an oversized document is read, changed, and whole."""
    assert len((await stored(store, event)).to_binary()) < BOUND
    assert len(await whole_changelog(store, key(event))) == 80
    await store.events.modify(key(event), noting("the next change"))
    assert comments(await stored(store, event))[-1] == "the next change"
    entries = await whole_changelog(store, key(event))
    assert [entry.comment for entry in entries] == [
        *(f"{number} {LONG}" for number in range(80)),
        "the next change",
    ]


async def test_a_long_changelog_of_an_earlier_sqlite_store_is_moved(tmp_path: Path) -> None:
    store, event = SqliteStore(tmp_path / "tracker.db", Observations()), an_event()
    await store.open()
    await store.events.create(event, None)
    await store.close()
    with apsw.Connection(str(tmp_path / "tracker.db")) as db:
        db.execute("UPDATE events SET document = ?", (oversized(event),))
    store = SqliteStore(tmp_path / "tracker.db", Observations())
    await store.open()
    await require_moved(store, event)
    await store.close()


@pytest.mark.parametrize("interrupted", [False, True])
async def test_a_long_changelog_of_an_earlier_mongodb_store_is_moved(
    mongo: MongoServers, *, interrupted: bool
) -> None:
    async with opened(mongo.emptied_database()) as store:
        event = an_event()
        await store.events.create(event, None)
        await store.changes.end()
        old = {"document": oversized(event)} | ({"history": "begun"} if interrupted else {})
        events = store.database.newest("events")
        await events.update_one({"_id": event_id(event)}, {"$set": old})
        await require_moved(store, event)
        document = await events.find_one({"_id": event_id(event)})
        assert document is not None
        assert len(document["document"]) < BOUND


async def test_entries_that_a_server_has_not_delivered_are_read_and_delivered_by_another(
    mongo: MongoServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, event = mongo.emptied_database(), an_event()
    event.changelog.extend(an_entry(str(number)) for number in range(60))
    names = [str(number) for number in range(65)]
    async with opened(uri) as store:
        assert await store.events.add([event]) == [True]
        with monkeypatch.context() as patch:
            patch.setattr(deliveries.Deliveries, "try_to_deliver", nothing)
            for name in names[60:]:
                await store.events.modify(key(event), noting(name))
        assert [each.comment for each in await whole_changelog(store, key(event))] == names
        assert mongo.members[0].client.get_database("emptied")["changelog"].count_documents({}) == 60
        async with opened(uri) as other:
            for _ in "ab":  # a delivery may be repeated
                await other.reconciler.look(early=True)
            assert [each.comment for each in await whole_changelog(other, key(event))] == names
        assert mongo.members[0].client.get_database("emptied")["changelog"].count_documents({}) == 65
    assert [each for each in mongo.documents() if each.get("outbox")] == []


async def test_an_outbox_that_is_not_delivered_does_not_grow_for_ever(mongo: MongoServers) -> None:
    async with opened(mongo.emptied_database()) as store:
        event = an_event()
        await store.events.create(event, None)
        await asyncio.gather(*(store.events.modify(key(event), noting(f"{n} {LONG}")) for n in range(60)))
        assert len(await whole_changelog(store, key(event))) == 60
        full = {"outbox": [{"op": "x", "log": [{"after": "x" * 2**21}]}]}
        with pytest.raises(TrackerError) as refused:
            outbox.carried(full)
        assert refused.value.reason is Reason.STORE_OVERLOADED


@one_deployment
async def test_pages_of_a_changelog_end_by_bytes(store: Store) -> None:
    event = an_event()
    event.changelog.extend(an_entry(f"{number} {LONG}") for number in range(5))
    assert await store.events.add([event]) == [True]
    page = await store.events.changelog(key(event), Page(limit=5, bytes=150_000))
    assert page is not None
    assert (len(page.records), page.next) == (2, (2,))
    page = await store.events.changelog(key(event), Page(limit=5, bytes=1))
    assert page is not None
    assert (len(page.records), page.next) == (1, (1,))
