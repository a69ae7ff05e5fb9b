"""When a lease ends, by a clock that the test sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.stores.samples import NOW, a_lock, an_end, an_event, comments, taken

from tracker.domain.events import EventId
from tracker.domain.locks import Ending, renew_lease
from tracker.errors import TrackerError
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.clocks import StoppedClock

    from tracker.domain.locks import LeaseState
    from tracker.pb import lock_pb
    from tracker.services.locks.leases import LeaseKeeper
    from tracker.stores.base import Store

TTL = 10 * MICROS
STEP = 0.4


async def held(store: Store, lock: lock_pb.Lock) -> bool:
    return await store.locks.get(lock.id) is not None


async def look_for(keeper: LeaseKeeper, clock: StoppedClock, seconds: float) -> None:
    """Let a time go by, with a look at the locks every 0.4 s of it."""
    end = clock.seconds + seconds
    while clock.seconds < end:
        clock.seconds = min(end, clock.seconds + STEP)
        await keeper.look()


async def test_a_lease_ends_a_whole_ttl_after_it_was_first_seen(
    store: Store, keeper: LeaseKeeper, clock: StoppedClock
) -> None:
    lock = await taken(store, a_lock(ttl=TTL))
    await keeper.look()
    await look_for(keeper, clock, 9.99)
    assert await held(store, lock)
    await look_for(keeper, clock, 0.01)
    assert not await held(store, lock)
    ended = await store.locks.ended(lock.id)
    assert ended is not None
    assert ended.ending is Ending.EXPIRED


async def test_what_the_times_in_a_lock_say_ends_no_lease(
    store: Store, keeper: LeaseKeeper, clock: StoppedClock
) -> None:
    long_ago = await taken(store, a_lock("a", ttl=TTL, created=0))
    far_ahead = await taken(store, a_lock("b", ttl=TTL, created=2 * store.now()))
    await keeper.look()
    await look_for(keeper, clock, 9.99)
    assert [await held(store, lock) for lock in (long_ago, far_ahead)] == [True, True]
    await look_for(keeper, clock, 0.01)
    assert [await held(store, lock) for lock in (long_ago, far_ahead)] == [False, False]


async def test_a_renewal_gives_a_whole_ttl_again(
    store: Store, keeper: LeaseKeeper, clock: StoppedClock
) -> None:
    lock = await taken(store, a_lock(ttl=TTL))
    await keeper.look()
    for _ in range(3):
        await look_for(keeper, clock, 9.5)
        await store.locks.modify(lock.id, lambda held: renew_lease(held.lock, NOW))
    await look_for(keeper, clock, 9.5)
    assert await held(store, lock)
    await look_for(keeper, clock, 1)
    assert not await held(store, lock)


@pytest.mark.parametrize("lock_delay", [0, 2 * MICROS])
async def test_a_renewal_that_comes_while_the_lease_is_being_ended_counts(
    store: Store,
    keeper: LeaseKeeper,
    clock: StoppedClock,
    monkeypatch: pytest.MonkeyPatch,
    lock_delay: int,
) -> None:
    lock = await taken(store, a_lock(ttl=TTL, lock_delay=lock_delay))
    await keeper.look()
    await look_for(keeper, clock, 9.9)
    leases = store.locks.leases

    async def leases_before_a_renewal() -> Sequence[LeaseState]:
        states = await leases()
        await store.locks.modify(lock.id, lambda held: renew_lease(held.lock, NOW))
        return states

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(store.locks, "leases", leases_before_a_renewal)
        clock.seconds += 0.2
        await keeper.look()
    renewed = await store.locks.get(lock.id)
    assert renewed is not None
    assert renewed.expired_at is None


@pytest.mark.parametrize("gap", [1.1, 9.0, 100_000.0])
async def test_a_time_without_looking_gives_every_lease_a_whole_ttl_again(
    store: Store, keeper: LeaseKeeper, clock: StoppedClock, gap: float
) -> None:
    lock = await taken(store, a_lock(ttl=TTL))
    await keeper.look()
    await look_for(keeper, clock, 9)
    clock.seconds += gap
    await keeper.look()
    await look_for(keeper, clock, 9.99)
    assert await held(store, lock)
    await look_for(keeper, clock, 0.01)
    assert not await held(store, lock)


async def test_a_lock_without_a_lease_never_ends(
    store: Store, keeper: LeaseKeeper, clock: StoppedClock
) -> None:
    lock = await taken(store, a_lock(lock_delay=MICROS))
    await keeper.look()
    await look_for(keeper, clock, 60)
    assert await held(store, lock)


async def test_a_delay_begins_when_the_lease_ends(
    store: Store, keeper: LeaseKeeper, clock: StoppedClock
) -> None:
    lock = await taken(store, a_lock(ttl=TTL, lock_delay=2 * MICROS))
    await keeper.look()
    await look_for(keeper, clock, 10)
    expired = await store.locks.get(lock.id)
    assert expired is not None
    assert expired.expired_at is not None
    await look_for(keeper, clock, 1.99)
    assert await held(store, lock)
    await look_for(keeper, clock, 1)
    assert not await held(store, lock)


async def test_the_next_look_comes_when_a_lease_is_due(
    store: Store, keeper: LeaseKeeper, clock: StoppedClock
) -> None:
    assert await keeper.look() == STEP
    await taken(store, a_lock(ttl=TTL))
    await keeper.look()
    await look_for(keeper, clock, 9.6)
    clock.seconds += 0.2
    assert await keeper.look() == pytest.approx(0.2)


async def test_a_lease_that_ends_is_noted_in_its_event_once(
    store: Store, keeper: LeaseKeeper, clock: StoppedClock
) -> None:
    event = an_event()
    assert event.metadata is not None
    await store.events.create(event, None)
    await taken(store, a_lock(ttl=TTL, lock_delay=MICROS, event_id=event.metadata.id))
    await keeper.look()
    await look_for(keeper, clock, 20)
    assert comments(await store.events.get(EventId(event.metadata.id))) == [
        "Service unlocked in production: the lease expired"
    ]


async def test_ends_are_forgotten_after_a_day(store: Store, keeper: LeaseKeeper) -> None:
    hours = 3_600 * MICROS
    old, recent = await taken(store, a_lock("a", ttl=TTL)), await taken(store, a_lock("b", ttl=TTL))
    await store.locks.release(old.id, lambda _: an_end(at=store.now() - 25 * hours))
    await store.locks.release(recent.id, lambda _: an_end(at=store.now() - 23 * hours))
    await keeper.look()
    assert await store.locks.ended(old.id) is None
    assert await store.locks.ended(recent.id) is not None


async def test_a_store_that_does_not_answer_ends_no_lease(store: Store, keeper: LeaseKeeper) -> None:
    await store.close()
    with pytest.raises(TrackerError):
        await keeper.look()
