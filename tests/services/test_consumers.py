"""Consumers of the change log: each change at least once, in order, by one server at a time."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, closing
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import apsw
import pytest
import structlog
from structlog.testing import capture_logs
from tests.patience import PATIENCE
from tests.stores.observations import Observations
from tests.stores.samples import a_catalog_entry, an_event, new_id

from tracker.pb import catalog_pb, event_pb
from tracker.services.consumers import LEASE_SECONDS, RENEW_SECONDS, Consumer, ConsumerRunner
from tracker.services.context import Context
from tracker.stores.changes import ConsumerState, Position, RecordKind
from tracker.stores.mongo import MongoStore
from tracker.stores.sqlite import SqliteStore
from tracker.supervision import Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from tests.mongo_servers import MongoServers

    from tracker.stores.base import Store
    from tracker.stores.changes import Change

BATCH = 3


class LeapingClock:
    """A clock on which a sleep is over at once."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now
        self.seconds = 0.0

    def elapsed(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class Server:
    """A server as far as it runs one consumer: what that was given, and how far behind it is."""

    def __init__(self, store: Store) -> None:
        log = structlog.get_logger()
        self.clock = LeapingClock(store.now)
        self.given: list[str] = []
        self.batches: list[int] = []
        self.lags: list[int | None] = []
        self.fails = False
        self.wanted: Sequence[RecordKind] | None = None
        self.wants_all_after = ""
        consumer = Consumer("mail", self.handle, BATCH, kinds=lambda: self.wanted)
        self.runner = ConsumerRunner(
            consumer, store, Context(store.now, new_id, log, ZoneInfo("UTC")), self, self.clock
        )

    async def handle(self, changes: Sequence[Change]) -> None:
        if self.fails:
            raise ConnectionError
        self.batches.append(len(changes))
        self.given += [title_of(change) for change in changes]
        if self.wants_all_after in self.given:
            self.wanted = None

    def consumer_lag(self, consumer: str, changes: int) -> None:
        assert consumer == "mail"
        self.lags.append(changes)

    def consumer_left(self, consumer: str) -> None:
        assert consumer == "mail"
        self.lags.append(None)

    async def work(self, given: int) -> None:
        """Work until so many changes were given."""
        async with asyncio.timeout(PATIENCE):
            while len(self.given) < given:
                await self.runner.work()


def title_of(change: Change) -> str:
    match change.after or change.before:
        case event_pb.Event(title=title):
            return title
        case catalog_pb.Catalog(name=name):
            return name
        case record:
            raise AssertionError(record)


@pytest.fixture(params=["sqlite", "mongo"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    store: SqliteStore | MongoStore
    if request.param == "sqlite":
        store = SqliteStore(tmp_path / "tracker.db", Observations(), changes_kept=1_000)
    else:
        servers: MongoServers = request.getfixturevalue("mongo")
        store = MongoStore(servers.emptied_database(), Observations())
    await store.open()
    yield store
    await store.close()


async def record(store: Store, *titles: str) -> None:
    for title in titles:
        await store.events.create(an_event(title), None)
    await store.changes.end()


async def test_a_consumer_is_given_each_change_from_when_it_first_ran(store: Store) -> None:
    await record(store, "before")
    server = Server(store)
    await server.runner.work()
    await record(store, *"abcdefg")
    await server.work(7)
    assert server.given == [*"abcdefg"]
    assert max(server.batches) <= BATCH
    assert server.lags[-1] == 0
    assert max(lag or 0 for lag in server.lags) >= BATCH


async def test_a_new_consumer_is_given_each_change_from_when_its_server_started(store: Store) -> None:
    server = Server(store)
    async with AsyncExitStack() as opened:
        await server.runner.start(Supervisor(), opened)
        await record(store, *"ab")
        async with asyncio.timeout(PATIENCE):
            while server.given != [*"ab"]:
                await asyncio.sleep(0.01)


async def test_what_a_consumer_fails_to_handle_it_is_given_again(store: Store) -> None:
    server = Server(store)
    await server.runner.work()
    await record(store, *"abcd")
    server.fails = True
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await server.runner.work()
    assert server.lags[-1] == 4
    server.fails = False
    await server.work(4)
    assert server.given == [*"abcd"]


async def test_one_server_runs_a_consumer_and_another_takes_over_when_its_lease_is_over(store: Store) -> None:
    first, second = Server(store), Server(store)
    await first.runner.work()
    await record(store, *"ab")
    await first.work(2)
    await second.runner.work()
    while second.clock.seconds + RENEW_SECONDS < LEASE_SECONDS:
        await second.runner.work()
    first.clock.seconds += RENEW_SECONDS + 1
    await first.runner.work()  # confirms that it still runs it: the second one has waited for nothing
    seen = second.clock.seconds
    while second.clock.seconds < seen + LEASE_SECONDS:
        await second.runner.work()
        assert second.lags == []
    await record(store, *"cd")
    await second.work(2)
    assert (first.given, second.given) == ([*"ab"], [*"cd"])
    first.clock.seconds += RENEW_SECONDS + 1
    await record(store, "e")
    await first.runner.work()  # it has been away for so long that it asks first
    assert first.given == [*"ab"]
    assert first.lags[-1] is None


async def test_a_server_that_was_overtaken_while_it_handled_changes_leaves_the_consumer(store: Store) -> None:
    first = Server(store)
    await first.runner.work()
    state = await store.consumers.get("mail")
    assert state is not None
    await record(store, "a")
    assert await store.consumers.put("mail", ConsumerState(state.position, "another", 9), state)
    await first.runner.work()
    assert first.given == ["a"]
    assert first.lags[-1] is None
    assert await store.consumers.get("mail") == ConsumerState(state.position, "another", 9)


async def test_a_consumer_is_given_the_kinds_of_changes_that_it_wants_and_may_begin_to_want_others(
    store: Store,
) -> None:
    server = Server(store)
    server.wanted = (RecordKind.CATALOG_ENTRY,)
    server.wants_all_after = "cart"
    await server.runner.work()
    begun = await store.consumers.get("mail")
    await record(store, *"ab")
    await server.runner.work()
    assert await store.consumers.get("mail") == begun, "a state was stored without need"
    await store.catalog.upsert("cart", lambda _: a_catalog_entry("cart"))
    await record(store, "c")
    await server.work(2)
    assert server.given == ["cart", "c"]
    assert server.lags[-1] == 0


async def test_a_server_that_stops_lets_another_one_go_on_at_once(store: Store) -> None:
    first, second = Server(store), Server(store)
    await first.runner.work()
    await first.runner.let_go()
    await record(store, "a")
    await second.work(1)
    assert (first.given, second.given, second.clock.seconds) == ([], ["a"], 0)


async def test_a_server_stopped_while_it_stores_its_state_lets_another_one_go_on_at_once(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tracker.db"
    store = SqliteStore(path, Observations())
    await store.open()
    first, second = Server(store), Server(store)
    await first.runner.work()
    first.clock.seconds += RENEW_SECONDS + 1
    with closing(apsw.Connection(str(path))) as db:
        confirming = asyncio.create_task(first.runner.work())
        while db.execute("SELECT beats FROM consumers").get == 1:
            await asyncio.sleep(0)
        confirming.cancel()
        await asyncio.wait([confirming])
    await first.runner.let_go()
    await record(store, "a")
    await second.work(1)
    assert (second.given, second.clock.seconds) == (["a"], 0)
    await store.close()


async def test_a_consumer_whose_changes_are_no_longer_kept_goes_on_with_the_oldest_and_says_so(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tracker.db"
    store = SqliteStore(path, Observations(), changes_kept=1_000)
    await store.open()
    await Server(store).runner.work()
    with closing(apsw.Connection(str(path))) as db:
        db.set_busy_timeout(int(1_000 * PATIENCE))
        db.execute(
            "INSERT INTO changes (number, at, record, kind, id, principal) VALUES (70, 7, 1, 2, 'a', '')"
        )
    await store.catalog.upsert("cart", lambda _: a_catalog_entry("cart"))
    server = Server(store)
    server.clock.seconds = 1.0
    with capture_logs() as logs:
        while not server.given:
            await server.runner.work()
            server.clock.seconds += 1.0
    assert server.given == ["cart"]
    assert [(each["event"], each["resumed"]) for each in logs] == [("changes lost to a consumer", 70)]
    await store.close()


async def test_a_consumer_that_is_ahead_of_a_store_put_back_to_an_older_copy_goes_on_at_its_end(
    store: Store,
) -> None:
    await record(store, *"ab")
    end = await store.changes.end()
    ahead = ConsumerState(Position(end.log, end.number + 5, end.at + 9), "", 1)
    assert await store.consumers.put("mail", ahead, None)
    server = Server(store)
    await server.runner.work()
    await record(store, "c")
    await server.work(1)
    assert server.given == ["c"]
