"""Changes of the SQLite store: grouped into few commits, refused when too many wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import apsw
import pytest
from tests.stores.samples import an_event

from tracker.domain.events import EventFilter
from tracker.errors import Code, TrackerError
from tracker.stores.base import Slice
from tracker.stores.sqlite import SqliteStore, writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.stores.conftest import Observations


@pytest.fixture
async def store(tmp_path: Path, observations: Observations) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "tracker.db", observations)
    await store.open()
    yield store
    await store.close()


async def create(store: SqliteStore) -> None:
    await store.events.create(an_event(), None)


async def test_changes_that_wait_share_a_commit(store: SqliteStore, observations: Observations) -> None:
    await asyncio.gather(*(create(store) for _ in range(1_000)))
    assert sum(observations.commits) == 1_000
    assert max(observations.commits) <= writer.MAX_BATCH
    assert len(observations.commits) < 100


async def test_changes_beyond_those_that_may_wait_are_refused(store: SqliteStore) -> None:
    beyond = 100
    calls = (create(store) for _ in range(writer.MAX_WAITING + beyond))
    results = await asyncio.gather(*calls, return_exceptions=True)
    refused = [result for result in results if isinstance(result, TrackerError)]
    assert len(refused) == beyond
    assert {(error.code, error.reason) for error in refused} == {(Code.UNAVAILABLE, "STORE_OVERLOADED")}
    assert await store.events.count(EventFilter()) == writer.MAX_WAITING


async def test_a_change_waits_for_another_program_to_unlock_the_file(
    tmp_path: Path, store: SqliteStore
) -> None:
    other = apsw.Connection(str(tmp_path / "tracker.db"))
    other.execute("BEGIN IMMEDIATE")
    call = asyncio.ensure_future(create(store))
    await asyncio.sleep(0)
    assert (await store.events.find(EventFilter(), Slice())).total == 0
    other.close()
    await call
    assert (await store.events.find(EventFilter(), Slice())).total == 1


async def test_a_change_fails_when_another_program_keeps_the_file_locked(
    tmp_path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LOCKED_OUT_SECONDS", 0.05)
    other = apsw.Connection(str(tmp_path / "tracker.db"))
    for _ in range(2):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TrackerError) as refused:
            await create(store)
        assert (refused.value.code, refused.value.reason) == (Code.UNAVAILABLE, "STORE_UNAVAILABLE")
        other.execute("ROLLBACK")
        await create(store)
    other.close()
    assert await store.events.count(EventFilter()) == 2


async def test_the_log_does_not_grow_without_bound(tmp_path: Path, store: SqliteStore) -> None:
    for _ in range(10):
        await asyncio.gather(*(create(store) for _ in range(2_000)))
        log = (tmp_path / "tracker.db-wal").stat().st_size
        assert log < 64 * 2**20
    assert (tmp_path / "tracker.db").stat().st_size > 4 * 2**20
