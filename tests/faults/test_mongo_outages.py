"""MongoDB servers step down, die, hang and come back: nothing that was acknowledged is lost."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from pymongo.errors import PyMongoError
from tests.mongo_servers import MongoServers
from tests.patience import PATIENCE
from tests.stores.observations import Observations
from tests.stores.samples import a_lock, an_event, new_id, noting, taken

from tracker.domain.events import EventId
from tracker.domain.locks import lock_key
from tracker.domain.query.tree import EventFilter
from tracker.errors import Code, TrackerError
from tracker.stores.mongo import MongoStore, database
from tracker.stores.pages import Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from tests.mongo_servers import MongoServer


@pytest.fixture
def alone(mongo: MongoServers, tmp_path: Path) -> Iterator[MongoServers]:
    """Give a server that a test may stop; where there is none at all, the test is skipped."""
    assert mongo.members
    with MongoServers(tmp_path / "mongo") as servers:
        yield servers


@pytest.fixture
def three(mongo: MongoServers, tmp_path: Path) -> Iterator[MongoServers]:
    """Give a replica set that a test may stop members of."""
    assert mongo.members
    with MongoServers(tmp_path / "mongo", members=3) as servers:
        yield servers


@asynccontextmanager
async def opened(servers: MongoServers, options: str = "") -> AsyncIterator[MongoStore]:
    store = MongoStore(servers.new_database() + options, Observations())
    await store.open()
    yield store
    await store.close()


async def works_again(store: MongoStore) -> None:
    """Wait until changes can be made."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return await store.check()
        except TrackerError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)  # between two tries


def step_down(servers: MongoServers) -> None:
    primary = servers.primary()
    if primary is not None:
        try:
            primary.command("replSetStepDown", 2, secondaryCatchUpPeriodSecs=1)
        except PyMongoError:  # no other member is up to date yet, or it has stepped down already
            return


def kill_primary(servers: MongoServers) -> None:
    primary = servers.primary()
    if primary is not None:
        primary.kill()
        primary.start()


@pytest.mark.parametrize("harm", [step_down, kill_primary])
async def test_no_acknowledged_change_is_lost_when_the_primary_goes(
    three: MongoServers, harm: Callable[[MongoServers], None]
) -> None:
    acknowledged: list[str] = []
    refused: list[TrackerError] = []
    over = False

    async def write(store: MongoStore) -> None:
        while not over:
            event = an_event(event_id=new_id())
            try:
                await store.events.create(event, None)
            except TrackerError as error:
                refused.append(error)
            else:
                assert event.metadata is not None
                acknowledged.append(event.metadata.id)

    async with opened(three) as store:
        assert await store.event_counts.count_all()
        writers = [asyncio.ensure_future(write(store)) for _ in range(8)]
        for _ in range(3):
            before = len(acknowledged)
            await asyncio.to_thread(harm, three)
            deadline = time.monotonic() + PATIENCE
            while len(acknowledged) < before + 100:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)  # between two looks
        over = True
        await asyncio.gather(*writers)
        await works_again(store)
        stored = {
            event.metadata.id
            for event in (await store.events.find(EventFilter(), Page())).records
            if event.metadata
        }
        counts = await store.event_counts.matching(EventFilter())
    assert counts is not None
    assert counts.total() == len(stored)
    assert len(acknowledged) == len(set(acknowledged))
    assert set(acknowledged) <= stored
    assert len(stored) <= len(acknowledged) + len(refused)
    assert {error.code for error in refused} <= {Code.UNAVAILABLE}


async def test_calls_are_refused_while_the_server_is_gone_and_answered_when_it_is_back(
    alone: MongoServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CHANGE_SECONDS", 2.0)
    (server,) = alone.members
    async with opened(alone, "?serverSelectionTimeoutMS=500") as store:
        event = an_event(event_id=new_id())
        assert event.metadata is not None
        key = EventId(event.metadata.id)
        await store.events.create(event, None)
        server.kill()
        for call in (
            store.check(),
            store.events.get(key),
            store.events.create(an_event(), None),
            store.locks.leases(),
        ):
            with pytest.raises(TrackerError) as refused:
                await call
            assert refused.value.code is Code.UNAVAILABLE
        with pytest.raises(TrackerError) as refused:
            await store.check()
        assert refused.value.reason == "STORE_UNAVAILABLE"
        server.start()
        await works_again(store)
        assert await store.events.get(key) == event


async def test_a_server_that_hangs_is_not_waited_for_longer_than_a_call_may_take(
    alone: MongoServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CHANGE_SECONDS", 1.0)
    monkeypatch.setattr(database, "QUERY_SECONDS", 1.0)
    (server,) = alone.members
    async with opened(alone) as store:
        server.pause()
        for call in (store.events.create(an_event(), None), store.events.count(EventFilter())):
            with pytest.raises(TrackerError) as refused:
                async with asyncio.timeout(PATIENCE):
                    await call
            assert refused.value.code is Code.UNAVAILABLE
        server.resume()
        monkeypatch.undo()
        await works_again(store)
        assert await store.events.count(EventFilter()) in (0, 1)


async def test_a_primary_that_no_majority_follows_does_not_tell_who_holds_a_lock(
    three: MongoServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "QUERY_SECONDS", 3.0)
    primary = three.primary()
    others: list[MongoServer] = [member for member in three.members if member is not primary]
    async with opened(three) as store:
        lock = await taken(store, a_lock())
        assert await store.locks.holder(lock_key(lock)) == lock
        for member in others:
            member.pause()
        with pytest.raises(TrackerError):
            await store.locks.holder(lock_key(lock))
        for member in others:
            member.resume()
        await works_again(store)
        assert await store.locks.holder(lock_key(lock)) == lock


async def test_a_query_that_takes_too_long_is_ended(alone: MongoServers) -> None:
    (server,) = alone.members
    data = {"failCommands": ["aggregate"], "appName": "tracker", "errorCode": 50}
    async with opened(alone) as store:
        server.command("configureFailPoint", "failCommand", mode={"times": 1}, data=data)
        with pytest.raises(TrackerError) as ended:
            await store.events.count(EventFilter(since=0))
        assert (ended.value.code, ended.value.reason) == (Code.DEADLINE_EXCEEDED, "QUERY_TOO_LONG")
        assert await store.events.count(EventFilter(since=0)) == 0


async def test_a_change_for_which_the_database_is_too_slow_is_no_query_that_takes_too_long(
    alone: MongoServers,
) -> None:
    (server,) = alone.members
    data = {"failCommands": ["find"], "appName": "tracker", "errorCode": 50}
    async with opened(alone) as store:
        event = an_event(event_id=new_id())
        assert event.metadata is not None
        await store.events.create(event, None)
        key = EventId(event.metadata.id)
        server.command("configureFailPoint", "failCommand", mode="alwaysOn", data=data)
        for call in (
            lambda: store.events.modify(key, noting("seen")),
            lambda: store.idempotency.find("of a change", 0),
        ):
            with pytest.raises(TrackerError, match="it was not made") as refused:
                await call()
            assert refused.value.reason == "STORE_UNAVAILABLE"
        server.command("configureFailPoint", "failCommand", mode="off")
        await works_again(store)
        assert await store.events.get(key) == event
