"""The calls that wait for a lock, in the order of their arrival.

Each server has a queue of its own for each key. The first call in it tries to take the lock whenever a lock
of this key ends on this server, and twice a second, since other servers release locks too. While it waits,
no other call on this server gets the lock.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from tracker.domain import changelog
from tracker.domain.locks import Acquired, Ending, HeldLock, LockHeldError, Release, lock_key, renew_lease
from tracker.errors import Reason, TrackerError
from tracker.pb import lock_pb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.locks import LockKey
    from tracker.services.context import Context
    from tracker.services.locks.reporter import LockObserver
    from tracker.stores.idempotency import Once
    from tracker.stores.locks import LockStore
    from tracker.supervision import Supervisor

LockAt: TypeAlias = Callable[[int], lock_pb.Lock]
"""Returns the lock to take, as of a time; its id and its key stay the same."""

TRY_SECONDS = 0.5
"""How often the first in a queue tries, in addition to every end of a lock."""

_TASK = "abandoned_locks"
_MAX_PAUSE = 1.0

MOST_OF_ONE = 500
"""Calls of one principal that may wait; those of callers without credentials have no limit."""

_KEEP_SECONDS = 10.0
"""How long the place of a caller with a token is kept after it has disconnected."""


class WaitTimeoutError(Exception):
    """A lock was not free in time: `holder` has it, and the call was at `place` (1: next) of `waiting`."""

    def __init__(self, holder: lock_pb.Lock, place: int, waiting: int) -> None:
        super().__init__(holder.id)
        self.holder = holder
        self.place = place
        self.waiting = waiting


@dataclass(eq=False, slots=True)
class _Place:
    """A place in a queue, shared by all callers with the same token; without callers it is skipped.

    `try_now` is set where the lock may be free.
    """

    lock: lock_pb.Lock
    token_hash: bytes
    callers: int = 0
    granted: bool = False
    try_now: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    forget: asyncio.TimerHandle | None = None


@dataclass(eq=False, slots=True)
class _Queue:
    """The places of a key, and the id of the lock that was last seen to have it."""

    places: list[_Place] = field(default_factory=list)
    holder_id: str = ""


class LockQueue:
    """Takes the locks that callers request."""

    def __init__(self, store: LockStore, context: Context, observer: LockObserver, tasks: Supervisor) -> None:
        self._store = store
        self._context = context
        self._tasks = tasks
        self._observer = observer
        self._queues: dict[LockKey, _Queue] = {}
        self._awaited: dict[str, LockKey] = {}
        """The keys of the queues by their `holder_id`."""
        self._waiting = 0
        self._waiting_of = Counter[str]()
        self._draining = False

    async def take(
        self, lock_at: LockAt, token_hash: bytes, wait: float, once: Once[Acquired] | None = None
    ) -> Acquired:
        """Take a lock, within `wait` seconds; a lock that the token holds already is renewed.

        A cancelled call takes nothing. With `once`, it may still get the lock, for the call that repeats it.

        Raises:
            LockHeldError: It is held, or others wait for it, and `wait` is 0.
            WaitTimeoutError: It was not free for this caller in time.
            LockTokenUsedError: The token took it before, and it has ended since.
            TrackerError: UNAVAILABLE; the server is stopping. RESOURCE_EXHAUSTED; the principal has too many
                calls that wait, or locks.
        """
        lock = lock_at(self._context.now())
        key = lock_key(lock)
        place = self._place_of(key, token_hash)
        if wait > 0 and lock.owner and self._waiting_of[lock.owner] >= MOST_OF_ONE:
            message = f"{MOST_OF_ONE} calls of {lock.owner} wait for locks, which is the limit"
            raise TrackerError(Reason.TOO_MANY_WAITS, message)
        if place is None and wait > 0:
            place = _Place(lock, token_hash)
            self._queues.setdefault(key, _Queue()).places.append(place)
        if place is not None:
            self._enter(key, place)
            self._waiting_of[lock.owner] += 1
            try:
                return await self._wait(place, lock, lock_at, wait, once)
            finally:
                self._leave(key, place)
                self._waiting_of[lock.owner] -= 1
                if not self._waiting_of[lock.owner]:
                    del self._waiting_of[lock.owner]
        first = self._first(key)
        if first is None:
            return await self._acquire(lock, token_hash, once)
        replayed = await self._replay(key, token_hash, once)
        if replayed is None:
            raise LockHeldError(await self._store.holder(key) or first.lock)
        return replayed

    def waiters(self, lock: lock_pb.Lock) -> Sequence[lock_pb.LockWaiter]:
        """Return the calls that wait for a held lock on this server, in their order."""
        if not self._queues:
            return ()
        waiting = [place.lock for place in self._places(lock_key(lock)) if place.callers]
        return [
            lock_pb.LockWaiter(
                lock_id=lock.id,
                place=number,
                who=each.who,
                reason=each.reason,
                event_id=each.event_id,
                since=each.created_at,
            )
            for number, each in enumerate(waiting, 1)
        ]

    def require_turn(self, lock: lock_pb.Lock) -> None:
        """Refuse a lock that other calls wait for.

        Raises:
            LockHeldError: It names the lock that the first of them is about to take.
        """
        first = self._first(lock_key(lock))
        if first is not None:
            raise LockHeldError(first.lock)

    def releasing(self, lock_id: str) -> None:
        """Let the first call that waits for a lock try, just before its release is requested of the store.

        Both are then one commit, where the store makes changes in the order of the requests.
        """
        key = self._awaited.get(lock_id)
        if key is not None and self._store.in_order:
            self._prompt(key, try_now=True)

    def freed(self, key: LockKey) -> None:
        """Let the first call that waits for a key try."""
        self._prompt(key, try_now=True)

    def drain(self) -> None:
        """Refuse all calls that wait, now and from now on."""
        self._draining = True
        for queue in self._queues.values():
            for place in queue.places:
                place.wake.set()

    def give_back(self, lock: lock_pb.Lock, released: Callable[[lock_pb.Lock], None]) -> None:
        """Release a lock whose caller has disconnected before the answer, and call `released` with it.

        That is done in the background; a lock that another call with the same token has got since stays.
        """
        work = partial(self._give_back, lock.id, self._context.now(), released)
        self._tasks.finish(_TASK, work, max_pause=_MAX_PAUSE)

    async def close(self) -> None:
        """Finish the release of locks whose callers have disconnected."""
        await self._tasks.stop(_TASK)

    async def _wait(
        self, place: _Place, lock: lock_pb.Lock, lock_at: LockAt, wait: float, once: Once[Acquired] | None
    ) -> Acquired:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait
        key = lock_key(lock)
        holder: lock_pb.Lock | None = None
        if self._first(key) is not place:
            replayed = await self._replay(key, place.token_hash, once)
            if replayed is not None:
                place.granted = True
                return replayed
        while True:
            place.wake.clear()
            first = self._first(key) is place
            if place.granted or (first and place.try_now):
                place.try_now = False
                try:
                    acquired = await self._acquire(lock, place.token_hash, once)
                except LockHeldError as error:
                    holder = error.holder
                    self._await(key, holder.id)
                else:
                    place.granted = True
                    self._await(key, acquired.lock.id)
                    return acquired
            if self._draining:
                message = (
                    "the server stops, and the lock was not free yet; ask again with the same lock_token"
                )
                raise TrackerError(Reason.SHUTTING_DOWN, message)
            left = deadline - loop.time()
            if left <= 0:
                raise await self._timed_out(key, place, holder)
            self._count(1)
            try:
                async with asyncio.timeout(min(left, TRY_SECONDS) if first else left):
                    await place.wake.wait()
            except TimeoutError:
                place.try_now = True
            finally:
                self._count(-1)
            lock = lock_at(self._context.now())

    async def _timed_out(self, key: LockKey, place: _Place, holder: lock_pb.Lock | None) -> WaitTimeoutError:
        present = [each for each in self._places(key) if each.callers]
        number = present.index(place) + 1 if place in present else 1
        holder = holder or await self._store.holder(key) or present[0].lock
        return WaitTimeoutError(holder, number, max(number, len(present)))

    async def _acquire(self, lock: lock_pb.Lock, token_hash: bytes, once: Once[Acquired] | None) -> Acquired:
        entry = changelog.locked(lock, self._context.now()) if lock.event_id else None
        while True:
            try:
                acquired = await self._store.acquire(HeldLock(lock, token_hash), entry, once)
            except asyncio.CancelledError:
                if once is None:
                    self.give_back(lock, lambda released: self.freed(lock_key(released)))
                raise
            if not acquired.replayed:
                return acquired
            renewed = await self._renew(acquired.lock.id, token_hash, once)
            if renewed is not None:
                return renewed

    async def _replay(self, key: LockKey, token_hash: bytes, once: Once[Acquired] | None) -> Acquired | None:
        """Renew the lock of a key if the token holds it."""
        holder = await self._store.holder(key, token_hash) if token_hash else None
        return None if holder is None else await self._renew(holder.id, token_hash, once)

    async def _renew(self, lock_id: str, token_hash: bytes, once: Once[Acquired] | None) -> Acquired | None:
        now = self._context.now()

        def renew(held: HeldLock) -> lock_pb.Lock | None:
            if held.token_hash != token_hash or held.lock.expired_at is not None:
                return None
            return renew_lease(held.lock, now)

        lock = await self._store.modify(lock_id, renew, None if once is None else once.of(_replayed))
        return None if lock is None else _replayed(lock)

    async def _give_back(self, lock_id: str, at: int, released: Callable[[lock_pb.Lock], None]) -> None:
        def decide(held: HeldLock) -> Release | None:
            if held.lock.renewals:
                return None  # another call with the same token has got it since
            entry = changelog.unlocked(held.lock, at, "", ": the caller disconnected")
            return Release(Ending.ABANDONED, at, entry=entry)

        given_back = await self._store.release(lock_id, decide)
        if given_back is not None:
            released(given_back)

    def _enter(self, key: LockKey, place: _Place) -> None:
        place.callers += 1
        if place.forget is not None:
            place.forget.cancel()
            place.forget = None
        place.try_now = place.try_now or self._first(key) is place

    def _leave(self, key: LockKey, place: _Place) -> None:
        place.callers -= 1
        if place.granted or not (place.callers or place.token_hash):
            self._remove(key, place)
        elif not place.callers:
            loop = asyncio.get_running_loop()
            place.forget = loop.call_later(_KEEP_SECONDS, self._remove, key, place)
        if place.granted:
            place.wake.set()  # for other calls with the same token
        self._prompt(key, try_now=not place.granted)

    def _remove(self, key: LockKey, place: _Place) -> None:
        queue = self._queues.get(key, _Queue())
        if place in queue.places:
            queue.places.remove(place)
        if not queue.places:
            self._queues.pop(key, None)
            self._awaited.pop(queue.holder_id, None)

    def _await(self, key: LockKey, lock_id: str) -> None:
        queue = self._queues.get(key)
        if queue is not None:
            self._awaited.pop(queue.holder_id, None)
            queue.holder_id = lock_id
            self._awaited[lock_id] = key

    def _prompt(self, key: LockKey, *, try_now: bool) -> None:
        first = self._first(key)
        if first is not None:
            first.try_now = first.try_now or try_now
            first.wake.set()

    def _first(self, key: LockKey) -> _Place | None:
        return next((place for place in self._places(key) if place.callers), None)

    def _place_of(self, key: LockKey, token_hash: bytes) -> _Place | None:
        if not token_hash:
            return None
        return next((place for place in self._places(key) if place.token_hash == token_hash), None)

    def _places(self, key: LockKey) -> Sequence[_Place]:
        queue = self._queues.get(key)
        return () if queue is None else queue.places

    def _count(self, calls: int) -> None:
        self._waiting += calls
        self._observer.locks_waiting(self._waiting)


def _replayed(lock: lock_pb.Lock) -> Acquired:
    return Acquired(lock, replayed=True)
