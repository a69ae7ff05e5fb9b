"""What a file of an earlier schema becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import apsw
import pytest
from tests.stores.observations import Observations
from tests.stores.samples import NOW, a_lock, a_team, a_user, an_end, an_event, new_id, stored_before, taken

from tracker.domain.events import EventId
from tracker.domain.lifecycle import with_elapsed
from tracker.domain.locks import Ending, LeaseState, LockFilter, LockHeldError, LockKey
from tracker.domain.query.fields import RELATED
from tracker.domain.query.text import parse
from tracker.domain.query.tree import EventFilter, one_of
from tracker.domain.times import timestamp
from tracker.pb import event_pb
from tracker.stores.access import NameTakenError
from tracker.stores.events import DeletedEvent
from tracker.stores.pages import Page
from tracker.stores.sqlite import SqliteStore, migrations
from tracker.time_text import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tracker.pb import lock_pb
    from tracker.stores.base import Store

Status = event_pb.Status
EVENT = stored_before(an_event(took=90_500_000, attributes=event_pb.EventAttributes(related_id=new_id())))


ALONE = stored_before(an_event(took=60_500_000, attributes=event_pb.EventAttributes(status=Status.success)))
INCIDENT = stored_before(
    an_event(
        took=7_200_000_000, attributes=event_pb.EventAttributes(status=Status.close, related_id=new_id())
    )
)
INCIDENT.changelog = [
    event_pb.ChangelogEntry(timestamp=timestamp(NOW + 600_250_000), field="status", new_value="close")
]


def event_id(event: event_pb.Event) -> str:
    assert event.metadata is not None
    return event.metadata.id


LOCKS = [a_lock("payments", "PROD", ""), a_lock("billing", "production", "", event_id=event_id(EVENT))]


@pytest.fixture
async def upgraded(tmp_path: Path) -> AsyncIterator[Store]:
    """Open a file that the first version of the schema was made in."""
    path = tmp_path / "tracker.db"
    connection = apsw.Connection(str(path))
    connection.execute(f"{migrations.steps()[1]}; PRAGMA user_version = 1")
    for event in (EVENT, ALONE, INCIDENT):
        assert event.attributes is not None
        connection.execute(
            "INSERT INTO events"
            " (id, time, type, priority, status, environment, impact, service, source, document)"
            " VALUES (?, 0, 0, 0, ?, 0, 0, '', '', ?)",
            (event_id(event), int(event.attributes.status), event.to_json()),
        )
    for lock in LOCKS:
        connection.execute(
            "INSERT INTO locks VALUES (?, ?, 'production', 'deployment', ?, 0, ?)", old_row(lock)
        )
    connection.close()
    store = SqliteStore(path, Observations())
    await store.open()
    yield store
    await store.close()


async def test_of_users_that_share_a_name_the_first_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    connection = apsw.Connection(str(path))
    connection.create_scalar_function("with_elapsed", lambda *values: values[0], 1)
    for version, sql in migrations.steps().items():
        if version < 19:
            connection.execute(f"{sql}; PRAGMA user_version = {version}")
    connection.pragma("application_id", migrations.APPLICATION_ID)
    for stored in (a_user("Ada", "1"), a_user("ada", "2"), a_team("web", "1")):
        row = (stored.record.id, 0, b"", stored.record.to_json())
        connection.execute("INSERT INTO access VALUES (?, ?, ?, ?)", row)
    connection.close()
    store = SqliteStore(path, Observations())
    await store.open()
    await store.access.modify("user:2", lambda _: a_user("ada", "2"))
    with pytest.raises(NameTakenError):
        await store.access.modify("user:3", lambda _: a_user("ADA", "3"))
    with pytest.raises(NameTakenError):
        await store.access.modify("team:2", lambda _: a_team("Web", "2"))
    await store.close()


def old_row(lock: lock_pb.Lock) -> tuple[str, ...]:
    return (lock.id, lock.service, lock.event_id, lock.to_json())


async def test_locks_of_before_are_held_without_a_lease_or_a_fencing_token(upgraded: Store) -> None:
    assert {lock.id for lock in (await upgraded.locks.find(LockFilter(), Page())).records} == {
        lock.id for lock in LOCKS
    }
    for lock in LOCKS:
        assert await upgraded.locks.get(lock.id) == lock
        assert await upgraded.locks.holder(LockKey(lock.service, "production", "deployment")) == lock
        with pytest.raises(LockHeldError):
            await taken(upgraded, a_lock(lock.service))
    assert set(await upgraded.locks.leases()) == {
        LeaseState(lock.id, ttl=0, lock_delay=0, renewals=0, expired=False) for lock in LOCKS
    }


async def test_keys_of_before_give_fencing_tokens_from_now_on(upgraded: Store) -> None:
    assert await upgraded.locks.release(LOCKS[0].id, lambda _: an_end()) == LOCKS[0]
    assert (await taken(upgraded, a_lock("payments"))).fencing_token > 0


async def test_locks_of_before_end_with_their_event(upgraded: Store) -> None:
    event = EventId(event_id(EVENT))
    deleted = await upgraded.events.delete(event, an_end(ending=Ending.EVENT_ENDED))
    assert deleted == DeletedEvent(EVENT, [LOCKS[1]])
    assert await upgraded.locks.get(LOCKS[1].id) is None
    await taken(upgraded, a_lock("billing"))


async def test_events_of_before_are_found_by_how_long_they_took(upgraded: Store) -> None:
    clock = Clock(0, ZoneInfo("UTC"))
    for query, found in (
        *(("duration:1m..1m1s", ALONE), ("duration:10m..11m", INCIDENT), ("gap:2h", INCIDENT)),
        *(("gap:1m30s..1m31s", EVENT), ("-has:duration", EVENT), ("-has:gap", ALONE)),
    ):
        records = (await upgraded.events.find(EventFilter(parse(query, clock)), Page())).records
        assert list(records) == [with_elapsed(found)], query
    durations = await upgraded.events.durations_between(EventFilter(), [0, NOW + 1])
    assert durations == [[60_500_000, 600_250_000]]


async def test_events_of_before_are_found_by_what_they_link_to(upgraded: Store) -> None:
    assert EVENT.attributes is not None
    where = EventFilter(one_of(RELATED, [EVENT.attributes.related_id]))
    assert list((await upgraded.events.find(where, Page())).records) == [EVENT]
    assert await upgraded.events.count(EventFilter(one_of(RELATED, [new_id()]))) == 0
