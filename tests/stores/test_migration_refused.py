"""What no migration begins with, or goes past."""

from __future__ import annotations

from typing import TYPE_CHECKING

import apsw
import pytest
from tests.stores.migrations import (
    KINDS,
    contents_at,
    fill,
    id_of,
    moved,
    never,
    opened,
    taken_noting,
    told,
    why_not,
    why_unserved,
)
from tests.stores.samples import (
    a_catalog_entry,
    a_link,
    a_lock,
    an_end,
    an_entry,
    an_event,
    taken,
)

from tracker.errors import TrackerError
from tracker.stores.contents import Kind
from tracker.stores.migration import MigrationError, migrate
from tracker.stores.mongo import deliveries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.stores.migrations import (
        Places,
    )

    from tracker.stores.base import Store
    from tracker.stores.contents import StoredRecord


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
