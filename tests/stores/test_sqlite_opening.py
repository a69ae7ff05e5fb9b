"""What an SQLite file must be like to be served, and what is said of one that isn't."""

from __future__ import annotations

import os
import random
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import apsw
import pytest
from tests.stores.observations import Observations
from tests.stores.samples import an_event

from tracker.domain.query.tree import EventFilter
from tracker.stores.base import StoreOpenError
from tracker.stores.changes import ConsumerState
from tracker.stores.pages import Page
from tracker.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = 4096
NOBODY = 65534


async def opened(path: Path) -> SqliteStore:
    store = SqliteStore(path, Observations())
    await store.open()
    return store


async def filled(path: Path, events: int = 20) -> None:
    store = await opened(path)
    for number in range(events):
        await store.events.create(an_event(str(number)), None)
    await store.close()


async def refusal(path: Path) -> str:
    with pytest.raises(StoreOpenError) as refused:
        await opened(path)
    assert "can't open the database /" in str(refused.value)
    return str(refused.value)


async def test_a_missing_file_is_made_with_its_directory_for_this_user_only(tmp_path: Path) -> None:
    path = tmp_path / "data" / "deep" / "tracker.db"
    store = await opened(path)
    await store.events.create(an_event(), None)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    for name in ("tracker.db", "tracker.db-wal", "tracker.db.lock"):
        assert (path.parent / name).stat().st_mode & 0o777 == 0o600
    await store.close()


async def test_a_server_that_was_killed_keeps_nobody_waiting_for_its_leases(tmp_path: Path) -> None:
    store = await opened(tmp_path / "tracker.db")
    killed = ConsumerState(await store.changes.end(), "killed", 7)
    assert await store.consumers.put("webhooks", killed, None)
    await store.close()
    store = await opened(tmp_path / "tracker.db")
    assert await store.consumers.get("webhooks") == replace(killed, server="")
    await store.close()


async def test_what_was_stored_is_there_after_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    await filled(path)
    store = await opened(path)
    assert (await store.events.find(EventFilter(), Page())).total == 20
    await store.close()
    assert not path.with_name("tracker.db-wal").exists()


async def test_a_second_store_on_the_same_file_is_told_who_has_it(tmp_path: Path) -> None:
    path, other_name = tmp_path / "tracker.db", tmp_path / "link.db"
    other_name.symlink_to(path)
    store = await opened(path)
    for name in (path, other_name):
        assert f"process {os.getpid()}" in await refusal(name)
    await store.events.create(an_event(), None)
    await store.close()
    await (await opened(other_name)).close()


async def test_a_second_process_is_told_who_has_the_file(tmp_path: Path) -> None:
    store = await opened(tmp_path / "tracker.db")
    program = (
        "import asyncio, sys\n"
        "from tests.stores.observations import Observations\n"
        "from tracker.stores.sqlite import SqliteStore\n"
        "asyncio.run(SqliteStore(sys.argv[1], Observations()).open())\n"
    )
    second = await anyio.run_process([sys.executable, "-c", program, tmp_path / "tracker.db"], check=False)
    assert second.returncode == 1
    told = f"another Tracker (process {os.getpid()}) has it open; stop that one"
    assert told in second.stderr.decode()
    await store.check()
    await store.close()


async def test_a_store_that_was_refused_can_be_opened_once_the_file_is_free(tmp_path: Path) -> None:
    first = await opened(tmp_path / "tracker.db")
    second = SqliteStore(tmp_path / "tracker.db", Observations())
    with pytest.raises(StoreOpenError):
        await second.open()
    await first.close()
    await second.open()
    await second.check()
    await second.close()


async def test_a_store_that_could_not_be_opened_can_be_closed(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path, Observations())
    with pytest.raises(StoreOpenError):
        await store.open()
    await store.close()


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    await filled(path)
    with apsw.Connection(str(path)) as connection:
        connection.pragma("user_version", 999)
    message = await refusal(path)
    assert "version 999" in message
    assert "start the newer Tracker" in message


@pytest.mark.parametrize(
    "mark", ["PRAGMA application_id = 7", "PRAGMA user_version = 7", "CREATE TABLE t (a)"]
)
async def test_the_database_of_another_program_is_refused_and_left_alone(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "other.db"
    with apsw.Connection(str(path)) as connection:
        connection.execute(mark)
    before = path.read_bytes()
    assert "belongs to another program; choose another DATABASE_PATH" in await refusal(path)
    assert path.read_bytes() == before


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("buy milk\n" * 1000)
    assert "not a database file; choose another DATABASE_PATH" in await refusal(path)
    assert path.read_text().startswith("buy milk")


@pytest.mark.parametrize("size", [100, PAGE, 3 * PAGE, -PAGE, -1])
async def test_a_truncated_file_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "tracker.db"
    await filled(path)
    os.truncate(path, size if size > 0 else path.stat().st_size + size)
    assert "tracker restore FILE" in await refusal(path)


async def test_a_file_with_any_page_overwritten_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    await filled(path)
    sound = path.read_bytes()
    noise = random.Random(1)
    for page in range(len(sound) // PAGE):
        damaged = bytearray(sound)
        damaged[page * PAGE : (page + 1) * PAGE] = noise.randbytes(PAGE)
        path.write_bytes(damaged)
        assert "tracker restore FILE" in await refusal(path), page
    path.write_bytes(sound)
    await (await opened(path)).close()


async def test_a_directory_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    assert "DATABASE_PATH" in await refusal(tmp_path)


async def test_a_file_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "choose another DATABASE_PATH" in await refusal(tmp_path / "file" / "tracker.db")


@contextmanager
def without_permission(directory: Path) -> Iterator[None]:
    """Take from this process the right to write in a directory; root's right is taken by becoming nobody."""
    user = os.geteuid()
    directory.chmod(0o500)
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if user == 0:
            os.seteuid(user)
        directory.chmod(0o700)


async def test_a_directory_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    with without_permission(tmp_path):
        assert "writable for this user" in await refusal(tmp_path / "tracker.db")


async def test_a_file_with_a_second_name_is_refused(tmp_path: Path) -> None:
    path, second = tmp_path / "tracker.db", tmp_path / "second.db"
    store = await opened(path)
    second.hardlink_to(path)
    assert "has another name too, a hard link" in await refusal(second)
    await store.events.create(an_event(), None)
    await store.close()
    for name in (path, second):
        assert "has another name too, a hard link" in await refusal(name)
    second.unlink()
    await (await opened(path)).close()


@pytest.mark.parametrize("by", ["another name", "another folder"])
async def test_a_file_in_use_is_refused_wherever_it_is_moved_to(tmp_path: Path, by: str) -> None:
    path = tmp_path / "tracker.db"
    store = await opened(path)
    moved = tmp_path / "moved.db" if by == "another name" else tmp_path / "folder" / "tracker.db"
    moved.parent.mkdir(exist_ok=True)
    path.rename(moved)
    assert "another Tracker has it open under another name" in await refusal(moved)
    await store.close()
