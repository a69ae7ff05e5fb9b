"""Changes with an idempotency key, on every kind of store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from tests.stores.samples import (
    a_catalog_entry,
    a_link,
    a_lock,
    an_end,
    an_event,
    comments,
    new_id,
    noting,
    once,
    taken,
)

from tracker.domain.events import EventFilter, EventId
from tracker.domain.idempotency import KEPT_MICROS
from tracker.domain.locks import LockFilter, hash_token
from tracker.stores.base import (
    AnsweredBeforeError,
    EventChange,
    HeldLock,
    KeyUnderWayError,
    KeyUse,
    LockHeldError,
    Once,
    SlackIdTakenError,
    Slice,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.pb import catalog_pb, event_pb, link_pb, lock_pb
    from tracker.stores.base import Store

EVENT, LOCK, LINK = new_id(), new_id(), new_id()
Change: TypeAlias = Callable[["Store", Once[Any] | None], Awaitable[Any]]


def a_lock_of(service: str, lock_id: str = "") -> lock_pb.Lock:
    lock = a_lock(service)
    lock.id = lock_id or lock.id
    return lock


def renewed(held: HeldLock) -> lock_pb.Lock:
    lock = deepcopy(held.lock)
    lock.renewals += 1
    return lock


def moved(held: HeldLock) -> lock_pb.Lock:
    lock = deepcopy(held.lock)
    lock.service = "elsewhere"
    return lock


def relinked(link: link_pb.Link) -> link_pb.Link:
    link = deepcopy(link)
    link.name += "+"
    return link


def versioned(entry: catalog_pb.Catalog | None) -> catalog_pb.Catalog:
    entry = deepcopy(entry) if entry is not None else a_catalog_entry("shop")
    entry.version += "+"
    return entry


def with_lock(event: event_pb.Event, _: Sequence[lock_pb.Lock]) -> EventChange:
    return EventChange(noting("began")(event, []).event, acquire=a_lock("of-work", event_id=EVENT))


CHANGES: dict[str, Change] = {
    "event created": lambda store, use: store.events.create(an_event(), None, use),
    "event created with lock": lambda store, use: store.events.create(an_event(), a_lock("new"), use),
    "event changed": lambda store, use: store.events.modify(EventId(EVENT), noting("again"), use),
    "event changed with lock": lambda store, use: store.events.modify(EventId(EVENT), with_lock, use),
    "event deleted": lambda store, use: store.events.delete(EventId(EVENT), an_end(), use),
    "entry made": lambda store, use: store.catalog.upsert("new", versioned, use),
    "entry described": lambda store, use: store.catalog.upsert("shop", versioned, use),
    "entry changed": lambda store, use: store.catalog.modify("shop", versioned, use),
    "entry deleted": lambda store, use: store.catalog.delete("shop", use),
    "lock taken": lambda store, use: store.locks.acquire(HeldLock(a_lock("new")), None, use),
    "lock changed": lambda store, use: store.locks.modify(LOCK, renewed, use),
    "lock moved": lambda store, use: store.locks.modify(LOCK, moved, use),
    "lock released": lambda store, use: store.locks.release(LOCK, lambda _: an_end("over"), use),
    "link made": lambda store, use: store.links.create(a_link("docs", "new"), use),
    "link changed": lambda store, use: store.links.modify(LINK, relinked, use),
    "link deleted": lambda store, use: store.links.delete(LINK, use),
}


async def prepare(store: Store) -> None:
    await store.events.create(an_event(event_id=EVENT), None)
    await store.catalog.upsert("shop", versioned)
    lock = a_lock_of("held", LOCK)
    lock.event_id = EVENT
    await taken(store, lock)
    link = a_link("docs", "api")
    link.id = LINK
    await store.links.create(link)


async def everything(store: Store) -> list[Any]:
    return [
        [event.to_json() for event in (await store.events.find(EventFilter(), Slice())).records],
        (await store.catalog.find(Slice())).records,
        (await store.locks.find(LockFilter(), Slice())).records,
        await store.links.find(),
    ]


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
