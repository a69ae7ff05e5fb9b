"""Changes of several documents in MongoDB come to their end or have had no effect, wherever they are cut."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import monitoring
from tests.faults.mongo_changes import CHANGES, EVENT, KEY, state_of
from tests.patience import PATIENCE
from tests.soak import size, soaks
from tests.stores import keyed_changes
from tests.stores.observations import Observations
from tests.stores.samples import once

from tracker.domain.locks import LockFilter, LockHeldError
from tracker.domain.query.tree import EventFilter
from tracker.pb import event_pb
from tracker.stores.changes import ChangeKind, Position, RecordKind
from tracker.stores.idempotency import AnsweredBeforeError, KeyUnderWayError
from tracker.stores.mongo import MongoStore
from tracker.stores.pages import Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.mongo_servers import MongoServers

MOST_STEPS = 50
WRITES = ["insert", "update", "delete"]


@pytest.fixture
def uri(mongo: MongoServers) -> str:
    return mongo.emptied_database()


class Trap(monitoring.CommandListener):
    """Does something before the n-th write from now on is sent."""

    def __init__(self) -> None:
        self.writes_left = 0
        self.spring: Callable[[], object] = int

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in WRITES:
            self.writes_left -= 1
            if self.writes_left == 0:
                self.spring()

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


def steps(number: int) -> Iterator[int]:
    """Yield the steps at which one of several changes is cut: all, or every fifth from another one on."""
    stride = size(5, soak=1)
    yield from (1, *range(2 + number % stride, MOST_STEPS, stride))


TRAP = Trap()
monitoring.register(TRAP)


@pytest.fixture
def trap() -> Iterator[Trap]:
    yield TRAP
    TRAP.writes_left = 0


@pytest.fixture
async def store(uri: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MongoStore]:
    """Give a store that finishes what others left only when the test makes it."""
    monkeypatch.setattr("tracker.stores.mongo.store.LOOK_SECONDS", 3_600)
    monkeypatch.setattr("tracker.stores.mongo.store.COUNT_SECONDS", 3_600)
    store = MongoStore(uri, Observations())
    await store.open()
    yield store
    await store.close()


def halfway(mongo: MongoServers) -> list[dict[str, Any]]:
    """Return the documents that tell of a change that came halfway."""
    return [document for document in mongo.documents() if document.get("outbox")]


async def see_that_the_log_is_whole(mongo: MongoServers, store: MongoStore) -> None:
    """See that what happened is logged: each change once, the last ones as the event and its locks are."""
    async with asyncio.timeout(PATIENCE):
        while halfway(mongo):
            await asyncio.sleep(0.005)
    log = (await store.changes.end()).log
    logged, _ = await store.changes.read(Position(log), 100)
    assert [each.position.number for each in logged] == list(range(1, len(logged) + 1))
    documents = [(each.after or each.before or event_pb.Event()).to_json() for each in logged]
    told = [(each.record, each.kind, document) for each, document in zip(logged, documents, strict=True)]
    assert len(set(told)) == len(told)
    locks = {each.id: each.after for each in logged if each.record is RecordKind.LOCK}
    held = await store.locks.find(LockFilter(), Page())
    assert [lock for lock in locks.values() if lock is not None] == list(held.records)
    changes = [each for each in logged if each.record is RecordKind.EVENT]
    event = await store.events.get(EVENT)
    if event is not None:
        assert changes[-1].after == event
    else:
        assert not changes or changes[-1].kind is ChangeKind.DELETED


async def see_that_counts_are_exact(store: MongoStore) -> None:
    """See that all events are counted as they are now, whatever has been delivered."""
    counts = await store.event_counts.matching(EventFilter())
    assert counts is not None
    assert counts.total() == (await store.events.find(EventFilter(), Page())).total


@soaks
@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_whose_server_is_killed_at_any_step_is_finished_or_undone(
    mongo: MongoServers, uri: str, store: MongoStore, name: str
) -> None:
    change = CHANGES[name]
    ends = set()
    command = [sys.executable, "-m", "tests.faults.mongo_changes", uri, name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:  # noqa: ASYNC220 - nothing else runs meanwhile
        assert program.stdin is not None
        assert program.stdout is not None
        for step in steps(list(CHANGES).index(name)):
            mongo.emptied_database()
            assert await store.event_counts.count_all()
            await change.prepare(store)
            print(step, file=program.stdin, flush=True)
            came_to_its_end = program.stdout.readline() == "1\n"
            await see_that_counts_are_exact(store)
            await store.reconciler.look(early=True)
            await store.reconciler.look(early=True)
            end = await state_of(store)
            assert end in (change.before, change.after), step
            assert halfway(mongo) == [], step
            await see_that_the_log_is_whole(mongo, store)
            await see_that_counts_are_exact(store)
            await store.event_counts.keep_up()
            await see_that_counts_are_exact(store)
            ends.add(end)
            if came_to_its_end:
                assert end == change.after
                break
        else:
            pytest.fail("the change never came to its end")
        program.stdin.close()
    assert ends == {change.before, change.after}


@soaks
@pytest.mark.parametrize(
    ("name", "failure"),
    [
        *((name, {"closeConnection": True}) for name in CHANGES),
        *((name, {"writeConcernError": {"code": 64, "errmsg": "not confirmed"}}) for name in CHANGES),
        ("trade", {"writeConcernError": {"code": 91, "errmsg": "shutting down"}}),
        ("trade", {"errorCode": 10107}),
    ],
)
async def test_a_change_that_fails_at_any_write_is_made_once_all_the_same(
    mongo: MongoServers, trap: Trap, store: MongoStore, name: str, failure: dict[str, Any]
) -> None:
    (server,) = mongo.members
    change = CHANGES[name]
    data = {"failCommands": WRITES, "appName": "tracker", **failure}
    trap.spring = partial(server.command, "configureFailPoint", "failCommand", mode={"times": 1}, data=data)
    for write in steps(list(CHANGES).index(name)):
        mongo.emptied_database()
        await change.prepare(store)
        trap.writes_left = write
        await change.make(store)
        assert await state_of(store) == change.after, write
        if trap.writes_left > 0:
            break
    else:
        pytest.fail("the change never came to its end")
    assert write > 1


KEYED = [
    "event created with lock",
    "event changed with lock",
    "event deleted",
    "entry made",
    "entry deleted",
    "lock taken",
    "lock moved",
    "lock released",
    "link made",
]


async def repeat(store: MongoStore, name: str) -> bool:
    """Make a change with its key, as a service does; return whether it was made before."""
    for _ in range(3):
        try:
            if await store.idempotency.find(KEY, store.now()) is not None:
                return True
            await keyed_changes.CHANGES[name](store, once(KEY, store.now()))
        except AnsweredBeforeError:
            return True
        except (KeyUnderWayError, LockHeldError):
            await store.reconciler.look(early=True)
        else:
            return False
    pytest.fail("the key stays under way")


def shape(everything: list[list[Any]]) -> list[Counter[str]]:
    """Return what is in a store without what is new each time: ids and fencing tokens."""
    new = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|fencing_token=\d+")
    return [Counter(new.sub("", str(record)) for record in records) for records in everything]


@soaks
@pytest.mark.parametrize("name", KEYED)
async def test_a_change_with_a_key_whose_server_is_killed_is_made_once_by_repeating_it(
    mongo: MongoServers, uri: str, store: MongoStore, name: str
) -> None:
    await keyed_changes.prepare(store)
    await keyed_changes.CHANGES[name](store, None)
    once_made = shape(await keyed_changes.everything(store))
    had_been_made = set()
    command = [sys.executable, "-m", "tests.faults.mongo_changes", uri, name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:  # noqa: ASYNC220 - nothing else runs meanwhile
        assert program.stdin is not None
        assert program.stdout is not None
        for step in steps(KEYED.index(name)):
            mongo.emptied_database()
            assert await store.event_counts.count_all()  # or else the other process would
            await keyed_changes.prepare(store)
            print(step, file=program.stdin, flush=True)
            came_to_its_end = program.stdout.readline() == "1\n"
            had_been_made.add(await repeat(store, name))
            assert await repeat(store, name), step
            await store.reconciler.look(early=True)
            await store.reconciler.look(early=True)
            assert shape(await keyed_changes.everything(store)) == once_made, step
            assert halfway(mongo) == [], step
            if came_to_its_end:
                break
        else:
            pytest.fail("the change never came to its end")
        program.stdin.close()
    assert had_been_made == {False, True}
