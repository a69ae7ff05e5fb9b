"""Changes of the SQLite store: grouped into few commits, refused when too many wait."""

from __future__ import annotations

import asyncio
import shutil
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import apsw
import pytest
from tests.patience import PATIENCE
from tests.stores.samples import a_lock, an_event

from tracker.domain.locks import HeldLock, LockFilter
from tracker.domain.query.tree import EventFilter
from tracker.errors import Code, TrackerError
from tracker.stores.events import SlackIdTakenError
from tracker.stores.pages import Page
from tracker.stores.sqlite import SqliteStore, transaction, write_ahead_log, writer
from tracker.stores.sqlite.search import word_index
from tracker.stores.sqlite.transaction import Bulk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from tests.stores.observations import Observations


@pytest.fixture
async def store(tmp_path: Path, observations: Observations) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "tracker.db", observations)
    await store.open()
    yield store
    await store.close()


T = TypeVar("T")


class Numbers:
    """A file with numbers in it, to change by a writer alone."""

    def __init__(self, path: Path, observations: Observations) -> None:
        self._path = path
        self._observations = observations
        db = self._connect()
        db.pragma("journal_mode", "wal")
        db.execute("CREATE TABLE numbers (number INTEGER NOT NULL)")

    def writer(self, before: Callable[[], None] = lambda: None) -> writer.Writer:
        """Start a writer, which calls `before` before each transaction."""
        started = writer.Writer(self._connect, self._observations, before=before)
        started.start(self._connect())
        return started

    def stored(self) -> list[int]:
        """Return what is in the file."""
        return [number for (number,) in self._connect().execute("SELECT number FROM numbers ORDER BY rowid")]

    def _connect(self) -> apsw.Connection:
        return apsw.Connection(str(self._path))


@pytest.fixture
def numbers(tmp_path: Path, observations: Observations) -> Numbers:
    return Numbers(tmp_path / "numbers.db", observations)


@contextmanager
def unhandled() -> Iterator[list[str]]:
    """Give what errors the event loop, which other tests run on too, is told of meanwhile."""
    loop = asyncio.get_running_loop()
    told: list[str] = []
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, what: told.append(str(what["exception"])))
    try:
        yield told
    finally:
        loop.set_exception_handler(handler)


def inserting(number: int) -> Callable[[apsw.Connection], None]:
    def insert(db: apsw.Connection) -> None:
        db.execute("INSERT INTO numbers VALUES (?)", (number,))

    return insert


def in_bulk(run: Callable[[apsw.Connection], T]) -> Callable[[apsw.Connection], T | Bulk[T]]:
    return lambda _: Bulk(run)


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
    assert (await store.events.find(EventFilter(), Page())).total == 0
    other.close()
    await call
    assert (await store.events.find(EventFilter(), Page())).total == 1


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


@pytest.mark.parametrize("quick", [0.0, float("inf")], ids=["in the thread", "on the loop"])
async def test_the_log_of_changes_that_come_alone_does_not_grow_either(
    tmp_path: Path,
    store: SqliteStore,
    observations: Observations,
    monkeypatch: pytest.MonkeyPatch,
    quick: float,
) -> None:
    monkeypatch.setattr(writer, "QUICK_SECONDS", quick)
    monkeypatch.setattr(write_ahead_log, "CHECKPOINT_PAGES", 1_000)
    monkeypatch.setattr(
        word_index, "REST_SECONDS", 3_600
    )  # so that no change of its comes beside one of these
    for _ in range(1_000):
        await create(store)
    assert observations.commits[-1_000:] == [1] * 1_000
    assert (tmp_path / "tracker.db-wal").stat().st_size < 2 * write_ahead_log.CHECKPOINT_PAGES * 4_096
    assert (tmp_path / "tracker.db").stat().st_size > 2**19


async def test_the_log_is_filled_ahead_of_the_changes_and_has_them_after_a_crash(
    tmp_path: Path, store: SqliteStore, observations: Observations
) -> None:
    log, text = tmp_path / "tracker.db-wal", "x" * 2**16
    for _ in range(40):
        await store.events.create(an_event(text), None)
    size = log.stat().st_size
    await store.events.create(an_event(text), None)
    assert log.stat().st_size == size
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in ("tracker.db", log.name):
        shutil.copy(tmp_path / name, crashed)
    again = SqliteStore(crashed / "tracker.db", observations)
    await again.open()
    assert await again.events.count(EventFilter()) == 41
    await again.close()


@pytest.mark.parametrize("quick", [0.0, float("inf")], ids=["in the thread", "on the loop"])
async def test_a_change_that_comes_alone_is_on_disk_when_it_is_answered(
    tmp_path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch, quick: float
) -> None:
    monkeypatch.setattr(writer, "QUICK_SECONDS", quick)
    other = apsw.Connection(str(tmp_path / "tracker.db"), flags=apsw.SQLITE_OPEN_READONLY)
    for number in range(1, 100):
        await create(store)
        assert other.execute("SELECT count(*) FROM events").get == number
    other.close()


async def test_the_loop_waits_for_quick_commits_only(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[bool] = []
    commit = transaction.commit

    def slow(connection: apsw.Connection) -> tuple[apsw.Error | None, float]:
        waited.append(threading.current_thread() is threading.main_thread())
        failure, _ = commit(connection)
        return failure, seconds

    monkeypatch.setattr(transaction, "commit", slow)
    for seconds in (0.0001, 0.02, 0.0001):
        waited.clear()
        for _ in range(60):
            await create(store)
        # The log may be prepared in the thread, after one of them.
        assert waited[-8:].count(True) >= 7 if seconds < writer.QUICK_SECONDS else True not in waited[-8:]
    assert waited.index(True) > 20


async def test_a_change_that_fails_halfway_undoes_its_own_statements_and_nothing_else(
    store: SqliteStore,
) -> None:
    taken = an_event(slack_id="one")
    await store.events.create(taken, None)
    lock = a_lock(service="payments")
    calls = [
        store.events.create(an_event(), None),
        # Takes the lock, then finds that the Slack id is another event's.
        store.events.create(an_event(slack_id="one"), lock),
        store.events.create(an_event(), None),
        store.events.create(an_event(slack_id="one"), a_lock(service="search")),
        store.events.create(an_event(slack_id="two"), None),
    ]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results] == [
        type(None),
        SlackIdTakenError,
        type(None),
        SlackIdTakenError,
        type(None),
    ]
    assert await store.events.count(EventFilter()) == 4
    assert (await store.locks.find(LockFilter(), Page())).total == 0
    await store.locks.acquire(HeldLock(lock), None)


async def test_a_defect_beside_a_change_stops_none_that_follow(numbers: Numbers) -> None:
    before = [RuntimeError("before"), None, None, RuntimeError("before")]
    after = [RuntimeError("after") if number % 3 == 0 else None for number in range(30)]

    def fail(of: list[RuntimeError | None]) -> None:
        error = of.pop(0) if of else None
        if error is not None:
            raise error

    changes = numbers.writer(before=lambda: fail(before))
    changes.notify(lambda: fail(after))
    outcomes: list[str] = []
    with unhandled() as told:
        async with asyncio.timeout(PATIENCE):
            for _ in range(24):
                try:
                    await changes.change(inserting(1))
                    outcomes.append("made")
                except RuntimeError as error:
                    outcomes.append(str(error))
            await changes.close()
    assert outcomes == ["before", "made", "made", "before", *["made"] * 20]
    assert numbers.stored() == [1] * 22
    assert (told.count("before"), told.count("after")) == (2, 8)


async def test_the_loop_goes_on_while_a_bulk_is_made(numbers: Numbers) -> None:
    changes = numbers.writer()
    begun, may_end = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def wait(db: apsw.Connection) -> bool:
        inserting(2)(db)
        loop.call_soon_threadsafe(begun.set)
        return may_end.wait(PATIENCE)

    first = asyncio.ensure_future(changes.change(inserting(1)))
    bulk = asyncio.ensure_future(changes.change(in_bulk(wait)))
    behind = asyncio.ensure_future(changes.change(inserting(3)))
    await begun.wait()
    assert numbers.stored() == []
    assert not any(each.done() for each in (first, bulk, behind))
    may_end.set()
    await asyncio.gather(first, behind)
    assert await bulk
    assert numbers.stored() == [1, 2, 3]
    await changes.close()


async def test_a_bulk_that_fails_undoes_what_it_did_and_nothing_else(numbers: Numbers) -> None:
    changes = numbers.writer()

    def fail(db: apsw.Connection) -> None:
        inserting(2)(db)
        raise KeyError("2")

    def refuse(db: apsw.Connection) -> None:
        inserting(4)(db)
        db.execute("INSERT INTO numbers VALUES (NULL)")

    results = await asyncio.gather(
        changes.change(inserting(1)),
        changes.change(in_bulk(fail)),
        changes.change(in_bulk(inserting(3))),
        changes.change(in_bulk(refuse)),
        changes.change(inserting(5)),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [
        type(None),
        KeyError,
        type(None),
        apsw.ConstraintError,
        type(None),
    ]
    assert numbers.stored() == [1, 3, 5]
    await changes.close()


def test_the_log_is_not_lengthened_while_another_program_writes_to_it(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    ours, others = (apsw.Connection(str(path)) for _ in range(2))
    ours.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (n)").fetchall()
    log, file = write_ahead_log.WriteAheadLog(ours), path.with_name("tracker.db-wal")
    others.execute("BEGIN IMMEDIATE; INSERT INTO t VALUES (1)")
    size = file.stat().st_size
    log.prepare()
    assert file.stat().st_size == size
    others.execute("COMMIT")
    log.prepare()
    assert file.stat().st_size > 2**20
    assert ours.execute("SELECT count(*) FROM t").get == 1
