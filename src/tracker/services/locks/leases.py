"""Ends the leases that are not renewed."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from tracker.domain import changelog
from tracker.domain.locks import Ending, Release
from tracker.domain.times import micros, timestamp
from tracker.time_text import DAY, MICROS

if TYPE_CHECKING:
    from tracker.domain.locks import HeldLock, LeaseState
    from tracker.pb import lock_pb
    from tracker.services.context import Clock, Context
    from tracker.services.locks.reporter import LockObserver, LockReporter
    from tracker.stores.locks import LockStore

_LOOK_SECONDS = 0.4
_LEAST_SECONDS = 0.01
_GAP_SECONDS = 1.0
"""Time between two checks after which renewals may have been missed."""

_REMEMBERED = DAY
_FORGET_EVERY_SECONDS = 60.0


@dataclass(slots=True)
class LeaseKeeper:
    """Ends the leases that one server has not seen renewed for a whole `ttl`.

    It reads all locks a few times a second, and remembers when, on the monotonic clock of its machine, it
    first saw each in its present state. A `ttl` later it ends the lock, provided that its state is still the
    same. A lease is therefore never shorter than its `ttl`, whatever the wall clocks of servers and clients
    show. A server that has just started, or could not read the locks for a while, gives each lease a whole
    `ttl` again. Leader election in Kubernetes tolerates clock skew the same way.
    """

    _store: LockStore
    _context: Context
    _reporter: LockReporter
    _observer: LockObserver
    _clock: Clock
    _first_seen: dict[LeaseState, float] = field(default_factory=dict)
    _looked: float = -inf
    _forgot: float = -inf

    async def keep(self) -> None:
        """Check all locks once, then wait until the next check is due."""
        await self._clock.sleep(await self.look())

    async def look(self) -> float:
        """Check all locks once, end those that are due, and return the seconds until the next check.

        Raises:
            TrackerError: The store can't be read, or can't end a lock.
        """
        states = await self._store.leases()
        now = self._clock.elapsed()  # after the answer: a state is never counted from before it existed
        if now - self._looked > _GAP_SECONDS:
            self._first_seen = {}
        self._looked = now
        self._observer.locks_held(sum(not state.expired for state in states))
        known = self._first_seen
        self._first_seen = {state: known.get(state, now) for state in states if state.ttl or state.expired}
        ends = {state: since + _lasts(state) for state, since in self._first_seen.items()}
        await asyncio.gather(*(self._end(state) for state, end in ends.items() if end <= now))
        if now - self._forgot > _FORGET_EVERY_SECONDS:
            await self._store.forget_ended(self._context.now() - _REMEMBERED)
            self._forgot = now
        next_end = min((end for end in ends.values() if end > now), default=inf)
        return min(_LOOK_SECONDS, max(_LEAST_SECONDS, next_end - self._clock.elapsed()))

    async def _end(self, state: LeaseState) -> None:
        now = self._context.now()

        def is_same(lock: lock_pb.Lock) -> bool:
            return lock.renewals == state.renewals and (lock.expired_at is not None) == state.expired

        def expire(held: HeldLock) -> lock_pb.Lock | None:
            if not is_same(held.lock):
                return None
            lock = copy.copy(held.lock)
            lock.expired_at = timestamp(now)
            return lock

        def decide(held: HeldLock) -> Release | None:
            lock = held.lock
            if not is_same(lock):
                return None
            at = now if lock.expired_at is None else micros(lock.expired_at)
            return Release(Ending.EXPIRED, at, entry=changelog.unlocked(lock, at, "", ": the lease expired"))

        if state.lock_delay and not state.expired:
            lock = await self._store.modify(state.lock_id, expire)
            if lock is not None:
                self._reporter.expired(lock, free=False)
            return
        lock = await self._store.release(state.lock_id, decide)
        if lock is not None and state.expired:
            self._reporter.delay_over(lock)
        elif lock is not None:
            self._reporter.expired(lock, free=True)


def _lasts(state: LeaseState) -> float:
    return (state.lock_delay if state.expired else state.ttl) / MICROS
