"""A disk that is full, read-only or broken: said plainly, survived, and over as soon as the disk is well."""

from __future__ import annotations

import asyncio
import os
import subprocess
from typing import TYPE_CHECKING

import anyio
import pytest
from tests.faults.forgetful import ForgetfulFileSystem
from tests.patience import PATIENCE
from tests.stores.observations import Observations
from tests.stores.samples import an_event, new_id

from tracker.cli.exits import CommandError
from tracker.cli.operating.bundle import write
from tracker.domain.events import EventId
from tracker.domain.query.tree import EventFilter
from tracker.errors import Code, TrackerError
from tracker.stores.base import StoreOpenError
from tracker.stores.pages import Page
from tracker.stores.sqlite import SqliteStore
from tracker.stores.sqlite.backup import BackupError, backup, restore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[ForgetfulFileSystem]:
    with ForgetfulFileSystem(tmp_path / "mount") as disk:
        yield disk


@pytest.fixture
async def store(disk: ForgetfulFileSystem) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(disk.path / "tracker.db", Observations())
    await store.open()
    yield store
    disk.heal()
    await store.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "small"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(path)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, timeout=PATIENCE).returncode != 0:
        pytest.skip("NOT TESTED: a full tmpfs; mounting one needs root")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True, timeout=PATIENCE)


async def create(store: SqliteStore) -> str:
    event_id = new_id()
    await store.events.create(an_event("x" * 2_000, event_id=event_id), None)
    return event_id


async def refused(store: SqliteStore) -> TrackerError:
    with pytest.raises(TrackerError) as refusal:
        await create(store)
    assert refusal.value.code == Code.UNAVAILABLE
    with pytest.raises(TrackerError) as check:
        await store.check()
    assert check.value.reason == refusal.value.reason
    return refusal.value


async def stored(store: SqliteStore) -> set[str]:
    found = await store.events.find(EventFilter(), Page())
    return {event.metadata.id for event in found.records if event.metadata is not None}


@pytest.mark.parametrize(
    ("call", "error", "reason"),
    [
        ("write", "ENOSPC", "STORE_FULL"),
        ("write", "EDQUOT", "STORE_FULL"),
        ("write", "EROFS", "STORE_READ_ONLY"),
        ("write", "EIO", "STORE_UNAVAILABLE"),
        ("fsync", "EIO", "STORE_OUTCOME_UNKNOWN"),
    ],
)
async def test_a_failing_disk_is_said_reads_go_on_and_writes_resume(
    disk: ForgetfulFileSystem, store: SqliteStore, call: str, error: str, reason: str
) -> None:
    before = {await create(store) for _ in range(5)}
    disk.fail(call, error)
    for _ in range(3):
        assert (await refused(store)).reason == reason
        assert await stored(store) == before
    disk.heal()
    after = await create(store)
    assert await stored(store) == {*before, after}
    await store.check()


async def test_every_caller_of_a_failed_commit_is_told(disk: ForgetfulFileSystem, store: SqliteStore) -> None:
    disk.fail("write", "ENOSPC")
    results = await asyncio.gather(*(create(store) for _ in range(100)), return_exceptions=True)
    assert {result.reason for result in results if isinstance(result, TrackerError)} == {"STORE_FULL"}
    assert len([result for result in results if isinstance(result, TrackerError)]) == 100
    disk.heal()
    await asyncio.gather(*(create(store) for _ in range(100)))
    assert len(await stored(store)) == 100


async def test_what_a_failing_disk_let_in_is_there_after_opening_again(
    disk: ForgetfulFileSystem, store: SqliteStore
) -> None:
    before = await create(store)
    disk.fail("fsync", "EIO")
    await refused(store)
    disk.heal()
    after = await create(store)
    await store.close()
    again = SqliteStore(disk.path / "tracker.db", Observations())
    await again.open()
    assert await stored(again) == {before, after}
    await again.close()


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("EROFS", "choose a DATABASE_PATH on a file system that can be written"),
        ("ENOSPC", "free some space"),
        ("EIO", "choose another DATABASE_PATH"),
    ],
)
async def test_a_store_is_not_opened_where_it_could_never_write(
    disk: ForgetfulFileSystem, error: str, advice: str
) -> None:
    disk.fail("write", error)
    with pytest.raises(StoreOpenError, match=advice):
        await SqliteStore(disk.path / "tracker.db", Observations()).open()


async def test_a_store_on_a_disk_that_has_become_read_only_is_not_opened_again(
    disk: ForgetfulFileSystem, store: SqliteStore
) -> None:
    await create(store)
    await store.close()
    disk.fail("write", "EROFS")
    with pytest.raises(StoreOpenError, match="writable for this user"):
        await SqliteStore(disk.path / "tracker.db", Observations()).open()


async def test_a_copy_for_which_the_disk_is_too_small_says_so_and_leaves_nothing(
    small_disk: Path, tmp_path: Path
) -> None:
    store = SqliteStore(tmp_path / "tracker.db", Observations())
    await store.open()
    await store.events.add([an_event("x" * 60_000) for _ in range(50)])
    await store.close()
    for copy in (backup, restore):
        with pytest.raises(BackupError, match=r"can't write .*/copy.db: No space left on device"):
            copy(tmp_path / "tracker.db", small_disk / "copy.db")
    (small_disk / "rest").write_bytes(b"x" * (os.statvfs(small_disk).f_bavail * 4096))
    with pytest.raises(CommandError, match="can't be written: No space left on device"):
        write(small_disk / "support.tar.gz", {"about.json": "{}"})
    assert {path.name async for path in anyio.Path(small_disk).iterdir()} <= {"rest", "copy.db.lock"}


@pytest.mark.parametrize("many", [1, 250], ids=["one by one", "many at once"])
async def test_a_full_disk_is_said_reads_go_on_and_writes_resume(small_disk: Path, many: int) -> None:
    store = SqliteStore(small_disk / "tracker.db", Observations())
    await store.open()
    written = {await create(store)}
    big = "x" * 60_000 if many > 1 else "x"  # so that the disk is full in the middle of a transaction

    async def fill() -> None:
        while True:
            events = {new_id(): big for _ in range(many)}
            await store.events.add([an_event(text, event_id=event_id) for event_id, text in events.items()])
            written.update(events)

    with pytest.raises(TrackerError) as full:
        await fill()
    assert (full.value.code, full.value.reason) == (Code.UNAVAILABLE, "STORE_FULL")
    assert await stored(store) == written
    assert await store.events.get(EventId(next(iter(written)))) is not None
    await anyio.run_process(["mount", "-o", "remount,size=8m", str(small_disk)])
    written.add(await create(store))
    assert await stored(store) == written
    await store.close()
