"""Changes with an idempotency key, on every kind of store."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from tests.patience import PATIENCE
from tests.stores.keyed_changes import CHANGES, EVENT, everything, prepare
from tests.stores.samples import a_catalog_entry, a_lock, an_event, comments, once, taken

from tracker.domain.events import EventId
from tracker.domain.locks import HeldLock, LockHeldError, hash_token
from tracker.domain.query.tree import EventFilter
from tracker.stores.events import SlackIdTakenError
from tracker.stores.idempotency import KEPT_MICROS, AnsweredBeforeError, KeyUnderWayError, KeyUse, Once

if TYPE_CHECKING:
    from tracker.stores.base import Store
    from tracker.stores.idempotency import Answered


@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_is_made_once_and_its_answer_is_remembered(store: Store, name: str) -> None:
    await prepare(store)
    before = await everything(store)
    assert await store.idempotency.find("a-key", store.now()) is None
    await CHANGES[name](store, once("a-key", store.now()))
    after = await everything(store)
    assert after != before
    known = await store.idempotency.find("a-key", store.now())
    assert known is not None
    assert known.request == b"a request"
    assert known.answer.startswith(b"answer of ")
    for again in (CHANGES[name], CHANGES["link made"]):
        with suppress(AnsweredBeforeError, LockHeldError):
            assert not await again(store, once("a-key", store.now(), b"another request"))
        assert await everything(store) == after
        assert await store.idempotency.find("a-key", store.now()) == known
    with pytest.raises(AnsweredBeforeError) as error:
        await CHANGES["link made"](store, once("a-key", store.now()))
    assert error.value.answered == known


@pytest.mark.parametrize("name", CHANGES)
async def test_of_a_change_that_is_asked_for_many_times_at_once_one_is_made(store: Store, name: str) -> None:
    await prepare(store)
    before = await everything(store)
    signs = sum(each.count("+") for each in map(str, before))
    made = 0

    def answer(_: object) -> bytes:
        nonlocal made
        made += 1
        return b"%d" % made

    asked = Once(KeyUse("a-key", b"a request", store.now()), answer)
    results = await asyncio.gather(*(CHANGES[name](store, asked) for _ in range(8)), return_exceptions=True)
    refusals = [each for each in results if isinstance(each, Exception)]
    expected = (AnsweredBeforeError, KeyUnderWayError, LockHeldError)
    assert [each for each in refusals if not isinstance(each, expected)] == []
    after = await everything(store)
    with pytest.raises(AnsweredBeforeError):
        await CHANGES["link made"](store, asked)
    assert await everything(store) == after
    assert sum(each.count(sign) for each in map(str, after) for sign in ("again", "+")) <= signs + 1
    assert sum(map(len, after)) <= sum(map(len, before)) + 1 + ("with lock" in name)


async def test_what_is_not_there_leaves_the_key_unused(store: Store) -> None:
    for name in ("event changed", "event deleted", "entry changed", "entry deleted", "link changed"):
        assert not await CHANGES[name](store, once("a-key", store.now()))
    for name in ("link deleted", "lock changed", "lock released"):
        assert not await CHANGES[name](store, once("a-key", store.now()))
    await CHANGES["link made"](store, once("a-key", store.now()))


async def test_a_change_that_is_refused_leaves_the_key_unused(store: Store) -> None:
    await store.events.create(an_event(slack_id="1718"), None)
    await taken(store, a_lock())
    with pytest.raises(SlackIdTakenError):
        await store.events.create(an_event(slack_id="1718"), None, once("a-key", store.now()))
    with pytest.raises(LockHeldError):
        await store.events.create(an_event(), a_lock(), once("a-key", store.now()))
    with pytest.raises(LockHeldError):
        await store.locks.acquire(HeldLock(a_lock()), None, once("a-key", store.now()))
    with pytest.raises(ZeroDivisionError):
        await store.catalog.upsert("shop", lambda _: a_catalog_entry("shop"), unanswerable(store))
    assert await store.idempotency.find("a-key", store.now()) is None
    await CHANGES["link made"](store, once("a-key", store.now()))


def unanswerable(store: Store) -> Once[Any]:
    return Once(KeyUse("a-key", b"a request", store.now()), lambda _: bytes(1 // 0))


async def test_a_lock_that_its_token_holds_already_leaves_the_key_unused(store: Store) -> None:
    claim = HeldLock(a_lock(), hash_token("a token"))
    await store.locks.acquire(claim, None)
    again = HeldLock(a_lock(), hash_token("a token"))
    assert (await store.locks.acquire(again, None, once("a-key", store.now()))).replayed
    assert await store.idempotency.find("a-key", store.now()) is None


async def test_a_key_is_forgotten_after_a_day(store: Store) -> None:
    now = store.now()
    await CHANGES["link made"](store, once("a-key", now))
    almost = now + KEPT_MICROS - 1
    assert await store.idempotency.find("a-key", almost) is not None
    with pytest.raises(AnsweredBeforeError):
        await CHANGES["link made"](store, once("a-key", almost))
    assert await store.idempotency.find("a-key", almost + 1) is None
    await CHANGES["entry made"](store, once("a-key", almost + 1, b"another request"))
    known = await store.idempotency.find("a-key", almost + 1)
    assert known is not None
    assert known.request == b"another request"


async def test_changes_without_the_key_keep_what_was_noted_of_it(store: Store) -> None:
    """A change that follows before the key is confirmed must not lose that the first one was made."""
    await prepare(store)
    for name in ("event changed", "entry changed", "lock changed", "link changed"):
        await CHANGES[name](store, once(name, store.now()))
        await CHANGES[name](store, None)
        with pytest.raises(AnsweredBeforeError):
            await CHANGES[name](store, once(name, store.now()))
    assert comments(await store.events.get(EventId(EVENT))) == ["again", "again"]


async def test_a_change_whose_caller_goes_away_is_made_once_by_repeating_it(store: Store) -> None:
    for number in range(20):
        asked = once(f"key-{number}", store.now())
        cut = asyncio.ensure_future(store.events.create(an_event(), None, asked))
        for _ in range(number * number):
            await asyncio.sleep(0)
        cut.cancel()
        await asyncio.wait((cut,))
        async with asyncio.timeout(PATIENCE):
            while await known(store, asked) is None:
                with suppress(AnsweredBeforeError, KeyUnderWayError):
                    await store.events.create(an_event(), None, asked)
    assert await store.events.count(EventFilter()) == 20


async def known(store: Store, asked: Once[Any]) -> Answered | None:
    with suppress(KeyUnderWayError):
        return await store.idempotency.find(asked.use.key, store.now())
    return None


async def test_a_lock_that_does_not_move_because_of_a_used_key_leaves_its_new_place_free(
    store: Store,
) -> None:
    await CHANGES["link made"](store, once("a-key", store.now()))
    await prepare(store)
    with pytest.raises(AnsweredBeforeError):
        await CHANGES["lock moved"](store, once("a-key", store.now()))
    assert await taken(store, a_lock("elsewhere"))
