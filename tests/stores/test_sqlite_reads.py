"""Queries of the SQLite store: none holds up the event loop, each can be stopped, damage is named."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

import apsw
import pytest
from tests.domain.query.trees import CLOCK
from tests.patience import PATIENCE
from tests.stores.observations import Observations
from tests.stores.samples import an_end, an_event, new_id

from tracker.domain.events import EventId, SlackId
from tracker.domain.query.text import parse
from tracker.domain.query.tree import EventFilter
from tracker.errors import Code, TrackerError
from tracker.stores.pages import Page
from tracker.stores.sqlite import SqliteStore, reader, write_ahead_log
from tracker.stores.sqlite.opening import open_for_reading
from tracker.stores.sqlite.reader import Reader
from tracker.stores.sqlite.search.plans import BY_ID, index_scans

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def queries(tmp_path: Path) -> AsyncIterator[Reader]:
    (tmp_path / "tracker.db").touch()
    queries = Reader(partial(open_for_reading, tmp_path / "tracker.db"), writing=lambda: False)
    queries.start()
    yield queries
    await queries.close()


def counted_to(number: int, db: apsw.Connection) -> int:
    sql = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT ?) SELECT max(n) FROM n"
    return int(db.execute(sql, (number,)).get)


short = partial(counted_to, 10)
long = partial(counted_to, 1_000_000)
endless = partial(counted_to, 2**60)


async def test_a_long_query_leaves_the_loop_free(queries: Reader) -> None:
    query = asyncio.ensure_future(queries.read(long))
    turns = 0
    while not query.done():
        await asyncio.sleep(0)
        turns += 1
    assert await query == 1_000_000
    assert turns > 100  # on the loop, the query would leave it one or two


async def test_a_query_stopped_on_the_loop_leaves_nothing_behind(queries: Reader) -> None:
    for _ in range(3):
        assert await queries.read(long) == 1_000_000
        assert await queries.read(short) == 10


async def test_the_error_of_a_query_keeps_no_old_state_for_others(queries: Reader, tmp_path: Path) -> None:
    def count(db: apsw.Connection) -> int:
        return int(db.execute("SELECT count(*) FROM numbers").get)

    def fail(db: apsw.Connection) -> None:
        rows = db.execute("SELECT value FROM numbers")
        raise LookupError(next(rows))

    with closing(apsw.Connection(str(tmp_path / "tracker.db"))) as db:
        db.pragma("journal_mode", "wal")
        db.execute("CREATE TABLE numbers (value); INSERT INTO numbers VALUES (1), (2)")
        for inline in (True, False):
            with pytest.raises(LookupError) as kept:  # with its traceback, and the cursor in that
                await queries.read(fail, inline=inline)
            db.execute("INSERT INTO numbers VALUES (3)")
            queries.let_go()
            for _ in range(3):  # on each of the connections
                assert await queries.read(count, inline=inline) == count(db)
            assert kept.traceback


async def test_short_queries_are_answered_while_endless_ones_run(queries: Reader) -> None:
    running = [asyncio.ensure_future(queries.read(endless)) for _ in range(reader.THREADS)]
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        assert await queries.read(short) == 10
    for query in running:
        query.cancel()


async def test_cancelled_queries_end(queries: Reader) -> None:
    for _ in range(3):
        running = [asyncio.ensure_future(queries.read(endless)) for _ in range(2 * reader.THREADS)]
        await asyncio.sleep(0)
        for query in running:
            query.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    async with asyncio.timeout(PATIENCE):
        assert await queries.read(long) == 1_000_000


async def test_queries_that_fail_when_they_are_stopped_leave_their_connections_to_others(
    queries: Reader,
) -> None:
    loop, begun, stopped = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def fail(db: apsw.Connection) -> None:
        numbers = db.execute(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT n FROM n"
        )
        next(numbers)
        loop.call_soon_threadsafe(begun.set)
        stopped.wait(PATIENCE)
        raise ValueError

    for _ in range(reader.THREADS):
        begun.clear()
        stopped.clear()
        query = asyncio.ensure_future(queries.read(fail, inline=False))
        await asyncio.wait_for(begun.wait(), PATIENCE)
        query.cancel()
        await asyncio.wait([query], timeout=PATIENCE)
        stopped.set()
    assert await asyncio.wait_for(queries.read(short, inline=False), PATIENCE) == 10


async def test_queries_whose_callers_leave_while_long_ones_are_tried_do_not_begin(
    queries: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_CROWDED_SECONDS", PATIENCE)
    monkeypatch.setattr(reader, "thread_time", perf_counter)  # as if no other program took the processor
    assert await queries.read(long, may_be_long=True) == 1_000_000
    begun = 0

    def query(db: apsw.Connection) -> int:
        nonlocal begun
        begun += 1
        return short(db)

    waiting = [asyncio.ensure_future(queries.read(query, may_be_long=True)) for _ in range(100)]
    await asyncio.sleep(0)
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert begun == 0
    assert await queries.read(query, may_be_long=True) == 10


async def test_queries_of_ordinary_length_return_to_the_loop_soon_after_a_long_one(
    queries: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def thread(db: apsw.Connection) -> int:
        counted_to(500, db)
        return threading.get_ident()

    monkeypatch.setattr(reader, "_CROWDED_SECONDS", 1.5)  # a pause of a busy machine may not outlast it
    loop = threading.get_ident()
    assert await queries.read(thread, may_be_long=True) == loop
    await queries.read(long, may_be_long=True)
    assert await queries.read(thread, may_be_long=True) != loop
    async with asyncio.timeout(PATIENCE):
        while await queries.read(thread, may_be_long=True) != loop:
            pass


async def test_a_query_may_search_for_a_part_of_that_time(
    queries: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "MAX_SEARCH_SECONDS", 0.1)
    running = [asyncio.ensure_future(queries.read(endless, searches=True)) for _ in range(reader.THREADS)]
    queued = [asyncio.ensure_future(queries.read(long, searches=False)) for _ in range(reader.THREADS)]
    async with asyncio.timeout(PATIENCE):
        for query in running:
            with pytest.raises(TrackerError) as ended:
                await query
            assert (ended.value.code, ended.value.reason) == (Code.DEADLINE_EXCEEDED, "QUERY_TOO_LONG")
        assert await asyncio.gather(*queued) == [1_000_000] * reader.THREADS


async def test_a_query_that_takes_too_long_is_ended(queries: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_SECONDS", 0.1)
    with pytest.raises(TrackerError) as ended:
        await queries.read(endless)
    assert (ended.value.code, ended.value.reason) == (Code.DEADLINE_EXCEEDED, "QUERY_TOO_LONG")
    monkeypatch.undo()
    async with asyncio.timeout(PATIENCE):
        results = await asyncio.gather(*(queries.read(long) for _ in range(reader.THREADS)))
    assert results == [1_000_000] * reader.THREADS


async def test_closing_stops_queries_that_run(queries: Reader) -> None:
    running = [asyncio.ensure_future(queries.read(endless)) for _ in range(2 * reader.THREADS)]
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        await queries.close()
    results = await asyncio.gather(*running, return_exceptions=True)
    assert [r.reason for r in results if isinstance(r, TrackerError)] == ["STORE_UNAVAILABLE"] * len(running)


async def test_queries_beyond_those_that_may_wait_are_refused(
    queries: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "MAX_WAITING", 4)
    running = [asyncio.ensure_future(queries.read(endless)) for _ in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(TrackerError) as refused:
        await queries.read(long)
    assert (refused.value.code, refused.value.reason) == (Code.UNAVAILABLE, "STORE_OVERLOADED")
    assert await queries.read(short) == 10
    for query in running:
        query.cancel()


async def test_reads_between_changes_see_each_and_do_not_make_the_log_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_ahead_log, "CHECKPOINT_PAGES", 1_000)
    store = SqliteStore(tmp_path / "tracker.db", Observations())
    await store.open()
    text = "x" * 60_000
    for number in range(300):
        event_id = new_id()
        event = an_event(title=f"{number} {text}", event_id=event_id)
        assert await store.events.count(EventFilter()) == number
        await store.events.create(event, None)
        assert await store.events.get(EventId(event_id)) == event
    log_size = (tmp_path / "tracker.db-wal").stat().st_size
    await store.close()
    assert log_size < 12 * 2**20, "36 MB were written, and a checkpoint follows each 4 MiB"


@pytest.mark.parametrize("document", [b'{"title":', b"[]", b"\xff\xfe", b""])
async def test_a_record_that_cannot_be_read_is_named_and_others_are_not_harmed(
    tmp_path: Path, document: bytes
) -> None:
    damaged, sound = new_id(), new_id()
    store = SqliteStore(tmp_path / "tracker.db", Observations())
    await store.open()
    for event_id in (damaged, sound):
        await store.events.create(an_event(event_id=event_id), None)
    await store.close()
    with apsw.Connection(str(tmp_path / "tracker.db")) as connection:
        connection.execute("UPDATE events SET document = CAST(? AS TEXT) WHERE id = ?", (document, damaged))
    connection.close()
    store = SqliteStore(tmp_path / "tracker.db", Observations())
    await store.open()
    assert await store.events.get(EventId(sound)) is not None
    for call in (
        store.events.get(EventId(damaged)),
        store.events.find(EventFilter(), Page()),
        store.events.delete(EventId(damaged), an_end()),
    ):
        with pytest.raises(TrackerError) as lost:
            await call
        assert (lost.value.code, lost.value.reason) == (Code.DATA_LOSS, "STORE_CORRUPT")
        assert lost.value.metadata == {"event": damaged}
        assert damaged in lost.value.message
    await store.close()


async def test_fields_of_a_newer_version_are_passed_over(tmp_path: Path) -> None:
    event_id = new_id()
    store = SqliteStore(tmp_path / "tracker.db", Observations())
    await store.open()
    await store.events.create(an_event("known", event_id=event_id), None)
    await store.close()
    with apsw.Connection(str(tmp_path / "tracker.db")) as connection:
        connection.execute("UPDATE events SET document = json_set(document, '$.newField', json('{}'))")
    connection.close()
    store = SqliteStore(tmp_path / "tracker.db", Observations())
    await store.open()
    event = await store.events.get(EventId(event_id))
    assert event is not None
    assert event.title == "known"
    await store.close()


@pytest.mark.parametrize(
    ("where", "plans"),
    [
        (EventFilter(parse("status:open impact:true", CLOCK)), ["events_by_time"]),
        (EventFilter(since=1, until=2), ["events_by_time (time>? AND time<?)"]),
        (EventFilter(parse("source:a status:open", CLOCK)), ["events_by_source (source=?)"]),
        (EventFilter(parse("service:a source:b", CLOCK)), ["events_by_service (service=?)"]),
        (EventFilter(parse("service:a", CLOCK), since=1), ["events_by_service (service=? AND time>?)"]),
        (EventFilter(parse("slack:1 service:a", CLOCK), since=1), ["events_by_slack_id (slack_id=?)"]),
        (EventFilter(parse("related:a service:a", CLOCK)), ["events_by_related_id (related_id=?)"]),
        (EventFilter(parse("related:a since:1h", CLOCK)), ["events_by_related_id (related_id=? AND"]),
        (EventFilter(parse("id:a service:a", CLOCK)), [f"{BY_ID} (id=?)"]),
        (
            EventFilter(since=1, overlapping=True),
            ["events_by_time (time>?)", "events_by_end (end_time>?"],
        ),
    ],
)
async def test_the_most_selective_index_is_walked_and_decides_alone(
    tmp_path: Path, where: EventFilter, plans: list[str]
) -> None:
    store = SqliteStore(tmp_path / "tracker.db", Observations())
    await store.open()
    with apsw.Connection(str(tmp_path / "tracker.db")) as connection:
        for scan, plan in zip(index_scans(where), plans, strict=True):
            sql = f"EXPLAIN QUERY PLAN SELECT count(*) {scan.clauses}"
            (step,) = [row[3] for row in connection.execute(sql, scan.bindings)]
            assert plan in step
            if scan.index not in {"events_by_slack_id", "events_by_related_id", BY_ID}:
                assert "COVERING INDEX" in step
            ordered = f"EXPLAIN QUERY PLAN SELECT document {scan.clauses} ORDER BY time DESC, id DESC"
            sorts = any("TEMP B-TREE" in row[3] for row in connection.execute(ordered, scan.bindings))
            assert sorts == (scan.index == "events_by_end")
    connection.close()
    assert await store.events.get(SlackId("none")) is None
    await store.close()


@pytest.mark.parametrize("oldest_first", [False, True])
async def test_a_page_further_on_is_entered_at_its_cursor(tmp_path: Path, *, oldest_first: bool) -> None:
    store = SqliteStore(tmp_path / "tracker.db", Observations())
    await store.open()
    entered = "(time,id)>(?,?)" if oldest_first else "(time,id)<(?,?)"
    with closing(apsw.Connection(str(tmp_path / "tracker.db"))) as connection:
        for query in ("", "service:a", "source:a"):
            (scan,) = index_scans(EventFilter(parse(query, CLOCK), since=1, until=9))
            scan = scan.after((5, "id"), oldest_first=oldest_first)
            order = "ASC" if oldest_first else "DESC"
            sql = f"EXPLAIN QUERY PLAN SELECT document {scan.clauses} ORDER BY time {order}, id {order}"
            (step,) = [row[3] for row in connection.execute(sql, scan.bindings)]
            assert entered in step
    await store.close()
