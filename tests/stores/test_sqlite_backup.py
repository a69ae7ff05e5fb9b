"""Copies of a store, made beside its server and put back in its absence."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import apsw
import pytest
from tests.stores.observations import Observations
from tests.stores.samples import an_event

from tracker.domain.query.tree import EventFilter
from tracker.stores.pages import Page
from tracker.stores.sqlite import SqliteStore
from tracker.stores.sqlite.backup import BackupError, backup, restore
from tracker.stores.sqlite.search import word_index

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tracker.stores.changes import Position


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqliteStore]:
    """Give a store with events that writes nothing by itself."""
    monkeypatch.setattr(word_index, "REST_SECONDS", 1e6)
    store = SqliteStore(tmp_path / "tracker.db", Observations())
    await store.open()
    for number in range(10):
        await store.events.create(an_event(f"event {number}"), None)
    yield store
    await store.close()


async def titles(path: Path) -> set[str]:
    store = SqliteStore(path, Observations())
    await store.open()
    found = await store.events.find(EventFilter(), Page())
    await store.close()
    return {event.title for event in found.records}


async def end_of_log(path: Path) -> Position:
    store = SqliteStore(path, Observations())
    await store.open()
    end = await store.changes.end()
    await store.close()
    return end


async def test_what_is_restored_goes_on_in_the_log_where_the_copy_was_made(
    store: SqliteStore, tmp_path: Path
) -> None:
    copy, restored = tmp_path / "copy.db", tmp_path / "restored.db"
    end = await store.changes.end()
    backup(tmp_path / "tracker.db", copy)
    await store.events.create(an_event(), None)
    restore(copy, restored)
    assert await end_of_log(restored) == end != await store.changes.end()


def files(directory: Path) -> set[str]:
    return {file.name for file in directory.iterdir()}


async def test_a_copy_of_a_running_store_has_all_that_was_answered_before(
    tmp_path: Path, store: SqliteStore
) -> None:
    written: list[str] = []

    async def write(caller: int) -> None:
        number = 0
        while not copying.done():
            number += 1
            title = f"{caller}/{number}"
            await store.events.create(an_event(title), None)
            written.append(title)

    def copy() -> tuple[set[str], int]:
        before = set(written)
        return before, backup(tmp_path / "tracker.db", tmp_path / "copy.db").events

    copying = asyncio.ensure_future(asyncio.to_thread(copy))
    await asyncio.gather(*(write(caller) for caller in range(8)))
    before, events = await copying
    copied = await titles(tmp_path / "copy.db")
    assert len(copied) == events
    assert before <= copied
    assert copied <= {*written, *(f"event {number}" for number in range(10))}


async def test_making_a_copy_leaves_the_files_of_the_store_as_they_are(
    tmp_path: Path, store: SqliteStore
) -> None:
    await store.events.create(an_event(), None)
    before = {name: (tmp_path / name).read_bytes() for name in ("tracker.db", "tracker.db-wal")}
    assert before["tracker.db-wal"]
    steps: list[tuple[int, int]] = []
    done = backup(tmp_path / "tracker.db", tmp_path / "copy.db", lambda *step: steps.append(step))
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert done.bytes == (tmp_path / "copy.db").stat().st_size
    assert steps[-1] == (done.bytes, done.bytes)
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    assert not [name for name in files(tmp_path) if "copy" in name and name != "copy.db"]


async def test_a_copy_of_a_store_without_a_server_is_made_too(tmp_path: Path, store: SqliteStore) -> None:
    await store.close()
    assert backup(tmp_path / "tracker.db", tmp_path / "copy.db").events == 10


async def test_a_copy_never_takes_the_name_of_another_file(tmp_path: Path, store: SqliteStore) -> None:
    await store.check()
    (tmp_path / "copy.db").write_text("precious")
    with pytest.raises(BackupError, match="exists; choose another name"):
        backup(tmp_path / "tracker.db", tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "precious"


def test_only_a_store_of_ours_is_copied(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="there is no file"):
        backup(tmp_path / "tracker.db", tmp_path / "copy.db")
    (tmp_path / "tracker.db").touch()
    with pytest.raises(BackupError, match="it is empty"):
        backup(tmp_path / "tracker.db", tmp_path / "copy.db")
    (tmp_path / "tracker.db").write_text("buy milk\n" * 1000)
    with pytest.raises(BackupError, match="not a database file"):
        backup(tmp_path / "tracker.db", tmp_path / "copy.db")
    with apsw.Connection(str(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE t (a)")
    with pytest.raises(BackupError, match="belongs to another program"):
        backup(tmp_path / "other.db", tmp_path / "copy.db")
    assert not [name for name in files(tmp_path) if "copy" in name]


async def test_a_damaged_store_gives_no_copy(tmp_path: Path, store: SqliteStore) -> None:
    await store.close()
    path = tmp_path / "tracker.db"
    content = bytearray(path.read_bytes())
    content[3 * 4096 : 4 * 4096] = bytes(reversed(content[3 * 4096 : 4 * 4096]))
    path.write_bytes(content)
    with pytest.raises(BackupError, match="is damaged"):
        backup(path, tmp_path / "copy.db")
    assert "copy.db" not in files(tmp_path)


async def test_a_copy_to_a_place_that_cannot_be_written_says_so(tmp_path: Path, store: SqliteStore) -> None:
    await store.check()
    with pytest.raises(BackupError, match=r"can't write .*No such file or directory"):
        backup(tmp_path / "tracker.db", tmp_path / "missing" / "copy.db")


async def test_a_copy_put_back_brings_its_state_and_keeps_the_one_before(
    tmp_path: Path, store: SqliteStore
) -> None:
    copy, path = tmp_path / "copy.db", tmp_path / "tracker.db"
    backup(path, copy)
    await store.events.create(an_event("later"), None)
    await store.close()
    done = restore(copy, path, force=True)
    assert done.events == 10
    assert "later" not in await titles(path)
    assert done.kept is not None
    assert re.fullmatch(r"tracker\.db\.before-restore-\d{8}T\d{6}Z", done.kept.name)
    assert "later" in await titles(done.kept)
    assert len(await titles(copy)) == 10


async def test_a_stale_log_is_never_replayed_onto_a_restored_file(tmp_path: Path, store: SqliteStore) -> None:
    copy, path, crashed = tmp_path / "copy.db", tmp_path / "tracker.db", tmp_path / "crashed.db"
    backup(path, copy)
    await store.events.create(an_event("in the log"), None)
    for suffix in ("", "-wal"):
        (tmp_path / f"crashed.db{suffix}").write_bytes((tmp_path / f"tracker.db{suffix}").read_bytes())
    crashed.write_bytes(crashed.read_bytes()[:4096] + b"\xff" * 4096)  # too damaged to take the log in
    done = restore(copy, crashed, force=True)
    assert done.kept is not None
    assert (tmp_path / f"{done.kept.name}-wal").stat().st_size > 0
    assert len(await titles(crashed)) == 10


async def test_a_lone_log_is_never_replayed_onto_a_restored_file(tmp_path: Path, store: SqliteStore) -> None:
    backup(tmp_path / "tracker.db", tmp_path / "copy.db")
    await store.events.create(an_event("in the log"), None)
    (tmp_path / "new.db-wal").write_bytes((tmp_path / "tracker.db-wal").read_bytes())
    assert restore(tmp_path / "copy.db", tmp_path / "new.db").kept is None
    assert len(await titles(tmp_path / "new.db")) == 10


async def test_nothing_is_restored_under_a_running_server(tmp_path: Path, store: SqliteStore) -> None:
    backup(tmp_path / "tracker.db", tmp_path / "copy.db")
    with pytest.raises(BackupError, match=r"another Tracker .* has it open; stop that one"):
        restore(tmp_path / "copy.db", tmp_path / "tracker.db", force=True)
    await store.check()


async def test_an_existing_store_is_replaced_only_by_force(tmp_path: Path, store: SqliteStore) -> None:
    backup(tmp_path / "tracker.db", tmp_path / "copy.db")
    await store.close()
    before = (tmp_path / "tracker.db").read_bytes()
    with pytest.raises(BackupError, match="exists; --force moves it aside"):
        restore(tmp_path / "copy.db", tmp_path / "tracker.db")
    assert (tmp_path / "tracker.db").read_bytes() == before


async def test_a_bad_backup_leaves_the_store_as_it_is(tmp_path: Path, store: SqliteStore) -> None:
    copy, path = tmp_path / "copy.db", tmp_path / "tracker.db"
    backup(path, copy)
    await store.close()
    before = path.read_bytes()
    sound = copy.read_bytes()
    with apsw.Connection(str(copy)) as connection:
        connection.pragma("user_version", 999)
    with pytest.raises(BackupError, match="version 999"):
        restore(copy, path, force=True)
    copy.write_bytes(sound[: len(sound) // 2])
    with pytest.raises(BackupError, match="is damaged"):
        restore(copy, path, force=True)
    assert path.read_bytes() == before
    assert not [name for name in files(tmp_path) if "before-restore" in name or "partial" in name]


async def test_no_copy_is_made_of_or_over_a_file_with_a_second_name(
    store: SqliteStore, tmp_path: Path
) -> None:
    path, second, copy = (tmp_path / name for name in ("tracker.db", "second.db", "copy.db"))
    backup(path, copy)
    second.hardlink_to(path)
    for name in (path, second):
        with pytest.raises(BackupError, match="has another name too, a hard link"):
            backup(name, tmp_path / "other.db")
    await store.close()
    with pytest.raises(BackupError, match="has another name too, a hard link"):
        restore(copy, second, force=True)
    (tmp_path / "copy-of-copies.db").hardlink_to(copy)
    assert restore(copy, tmp_path / "restored.db").events == 10
