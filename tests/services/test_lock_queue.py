"""Callers that go away while their lock is being taken."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest
from tests.patience import PATIENCE
from tests.stores.samples import a_lock, an_end, once, taken

from tracker.domain.locks import LockFilter, LockHeldError, hash_token, lock_key
from tracker.stores.idempotency import AnsweredBeforeError
from tracker.stores.pages import Page
from tracker.stores.sqlite import transaction, writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import apsw
    from tests.stores.observations import Observations

    from tracker.domain.locks import Acquired
    from tracker.services.locks.queue import LockQueue
    from tracker.stores.base import Store
    from tracker.stores.idempotency import Once

TOKEN = hash_token("token")


@pytest.fixture(autouse=True)
async def disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[threading.Event]:
    """Let commits wait in the thread while the event is not set."""
    ready = threading.Event()
    ready.set()

    def commit(connection: apsw.Connection) -> tuple[apsw.Error | None, float]:
        ready.wait(PATIENCE)
        return committed(connection)

    committed = transaction.commit
    monkeypatch.setattr(transaction, "commit", commit)
    monkeypatch.setattr(writer, "QUICK_SECONDS", 0)
    await store.check()
    yield ready
    ready.set()


async def held(store: Store) -> int:
    return (await store.locks.find(LockFilter(), Page())).total


async def under_way(
    queue: LockQueue,
    disk: threading.Event,
    *,
    wait: float = 0,
    token: bytes = TOKEN,
    use: Once[Acquired] | None = None,
) -> asyncio.Task[Acquired]:
    """Return a call that takes a lock, at a time when the store waits for the disk."""
    disk.clear()
    lock = a_lock()
    call = asyncio.ensure_future(queue.take(lambda _: lock, token, wait, use))
    for _ in range(4):
        await asyncio.sleep(0)
    assert not call.done()
    return call


@pytest.mark.parametrize("wait", [0, 60])
async def test_a_lock_whose_caller_is_gone_is_given_back_and_its_token_not_spent(
    store: Store, queue: LockQueue, disk: threading.Event, wait: float
) -> None:
    call = await under_way(queue, disk, wait=wait)
    call.cancel()
    disk.set()
    await asyncio.wait((call,))
    await queue.close()
    assert call.cancelled()
    assert await held(store) == 0
    acquired = await queue.take(lambda _: a_lock(), TOKEN, 0)
    assert not acquired.replayed


async def test_a_lock_whose_caller_is_gone_is_kept_for_the_call_that_repeats_it_with_its_key(
    store: Store, queue: LockQueue, disk: threading.Event
) -> None:
    use = once("a-key", store.now())
    call = await under_way(queue, disk, token=b"", use=use)
    call.cancel()
    disk.set()
    await asyncio.wait((call,))
    assert call.cancelled()
    await store.check()  # which comes behind what was under way
    assert await held(store) == 1
    with pytest.raises(AnsweredBeforeError):
        await queue.take(lambda _: a_lock("another"), b"", 0, use)


async def test_a_call_that_is_repeated_while_the_first_goes_away_holds_what_it_is_told(
    store: Store, queue: LockQueue, disk: threading.Event
) -> None:
    first, second = await under_way(queue, disk), await under_way(queue, disk)
    first.cancel()
    disk.set()
    answered = await second
    await queue.close()
    assert first.cancelled()
    assert (await store.locks.find(LockFilter(), Page())).records == [answered.lock]


async def test_whoever_waits_behind_a_caller_that_is_gone_gets_the_lock(
    store: Store, queue: LockQueue
) -> None:
    before = await taken(store, a_lock())
    gone = asyncio.ensure_future(queue.take(lambda _: a_lock(who="gone"), b"", 60))
    behind = asyncio.ensure_future(queue.take(lambda _: a_lock(who="behind"), b"", 60))
    await asyncio.sleep(0)
    await store.locks.release(before.id, lambda _: an_end())
    queue.freed(lock_key(before))
    gone.cancel()
    acquired = await asyncio.wait_for(behind, 20)
    assert acquired.lock.who == "behind"
    assert await held(store) == 1


async def test_who_does_not_wait_is_refused_while_others_do(store: Store, queue: LockQueue) -> None:
    before = await taken(store, a_lock())
    waiting = asyncio.ensure_future(queue.take(lambda _: a_lock(who="waiting"), b"", 60))
    await asyncio.sleep(0)
    await store.locks.release(before.id, lambda _: an_end())
    with pytest.raises(LockHeldError) as refused:
        await queue.take(lambda _: a_lock(who="barging"), b"", 0)
    assert refused.value.holder.who == "waiting"
    with pytest.raises(LockHeldError):
        queue.require_turn(a_lock())
    queue.freed(lock_key(before))
    assert (await waiting).lock.who == "waiting"
    queue.require_turn(a_lock())


async def test_the_release_of_a_lock_and_its_next_acquisition_are_one_commit(
    store: Store, queue: LockQueue, observations: Observations
) -> None:
    first, second = await taken(store, a_lock()), a_lock()
    waiting = asyncio.ensure_future(queue.take(lambda _: second, TOKEN, 60))
    for _ in range(20):
        await asyncio.sleep(0)
    observations.commits.clear()
    queue.releasing(first.id)
    assert await store.locks.release(first.id, lambda _: an_end()) == first
    assert (await waiting).lock.id == second.id
    assert observations.commits == [2]
