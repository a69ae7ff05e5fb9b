"""The lock service: who works on what, to the exclusion of others."""

from __future__ import annotations

import copy
import hmac
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tracker.domain import changelog
from tracker.domain.events import event_key
from tracker.domain.locks import (
    WAIT_TTL,
    EndedLock,
    Ending,
    LockHeldError,
    LockTokenUsedError,
    Release,
    begin_lease,
    hash_token,
    lock_filter,
    lock_key,
    renew_lease,
)
from tracker.domain.times import duration_seconds, micros, timestamp
from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.pb import lock_pb
from tracker.services.context import answer_with
from tracker.services.locks.queue import WaitTimeoutError
from tracker.services.locks.reporter import lock_held, lock_lost, lock_not_found, token_used, wait_timeout
from tracker.services.paging import note_short_page, page_token, requested_page

if TYPE_CHECKING:
    from tracker.domain.locks import Acquired, HeldLock
    from tracker.services.context import Call, Context
    from tracker.services.locks.queue import LockQueue
    from tracker.services.locks.reporter import LockObserver, LockReporter
    from tracker.stores.locks import LockStore

_ANSWER_SECONDS = 0.1
"""How long before the deadline of its caller a call stops waiting, so that the answer arrives in time."""

_CHANGEABLE = ("service", "who", "environment", "resource", "event_id")


@dataclass(frozen=True, slots=True)
class LockService:
    """Answers `tracker.lock.v1alpha1.LockService`."""

    _store: LockStore
    _queue: LockQueue
    _reporter: LockReporter
    _context: Context
    _observer: LockObserver

    async def create_lock(self, request: lock_pb.CreateLockRequest, call: Call) -> lock_pb.CreateLockResponse:
        lock_id = self._context.new_id()

        def lock_at(now: int) -> lock_pb.Lock:
            lock = lock_pb.Lock(
                id=lock_id,
                created_at=timestamp(now),
                service=request.service,
                who=request.who,
                environment=request.environment,
                resource=request.resource,
                event_id=event_key(request.event_id).value,
                reason=request.reason,
                labels=request.labels,
                lock_delay=request.lock_delay,
            )
            return begin_lease(lock, now, ttl)

        wait = duration_seconds(request.wait)
        ttl = request.ttl or (WAIT_TTL if wait else None)
        if call.timeout is not None:
            wait = min(wait, max(0, call.timeout - _ANSWER_SECONDS))
        began = time.monotonic()
        try:
            acquired = await self._queue.take(
                lock_at, hash_token(request.lock_token), wait, call.once(_created)
            )
        except LockHeldError as error:
            raise self._reporter.refused(lock_held(error.holder), error.holder, call) from None
        except WaitTimeoutError as error:
            refused = wait_timeout(error.holder, error.place, error.waiting)
            if not wait:
                refused = lock_held(error.holder)
            raise self._reporter.refused(refused, error.holder, call) from None
        except LockTokenUsedError as error:
            used = token_used(error.ended)
            raise self._reporter.refused(used, error.ended.lock, call) from None
        finally:
            if wait:
                self._observer.lock_waited(time.monotonic() - began)
        if not acquired.replayed:
            self._reporter.acquired(acquired.lock, call)
            if call.use is None:  # else the lock is left to the call that repeats this one
                report = partial(self._reporter.released, call=call, message="lock given back")
                call.undo = partial(self._queue.give_back, acquired.lock, report)
        return _created(acquired)

    async def get_lock(self, request: lock_pb.GetLockRequest, _: Call) -> lock_pb.GetLockResponse:
        lock = await self._store.get(request.id.lower())
        if lock is None:
            raise lock_not_found(request.id)
        return lock_pb.GetLockResponse(lock=lock)

    async def update_lock(self, request: lock_pb.UpdateLockRequest, call: Call) -> lock_pb.UpdateLockResponse:
        before = lock_pb.Lock()

        def change(held: HeldLock) -> lock_pb.Lock:
            nonlocal before
            _require_held(held, request.lock_token)
            before, lock = held.lock, copy.copy(held.lock)
            for name in _CHANGEABLE:
                setattr(lock, name, getattr(request, name) or getattr(before, name))
            lock.event_id = event_key(lock.event_id).value
            if lock_key(lock) != lock_key(before):
                self._queue.require_turn(lock)
            return lock

        try:
            lock = await self._store.modify(request.id.lower(), change, call.once(_updated))
        except LockHeldError as error:
            holder = await self._store.holder(lock_key(error.holder)) or error.holder
            raise self._reporter.refused(lock_held(holder), holder, call) from None
        if lock is None:
            raise await self._not_held(request.id)
        self._reporter.updated(before, lock, call)
        return _updated(lock)

    async def un_lock(self, request: lock_pb.UnLockRequest, call: Call) -> lock_pb.UnLockResponse:
        now = self._context.now()
        if call.verb == "GET":
            request = _without_proof(request)

        def decide(held: HeldLock) -> Release:
            lock = held.lock
            if request.force:
                forced = changelog.unlocked(lock, now, request.who, f" by force: {request.reason}")
                return Release(Ending.FORCED, now, request.reason, forced)
            _require_held(held, request.lock_token)
            released = changelog.unlocked(lock, now, lock.who) if lock.event_id else None
            return Release(Ending.RELEASED, now, request.reason, released)

        def answer(lock: lock_pb.Lock) -> lock_pb.UnLockResponse:
            return lock_pb.UnLockResponse(message="lock deleted", id=lock.id, count=1, forced=request.force)

        self._queue.releasing(request.id.lower())
        lock = await self._store.release(request.id.lower(), decide, call.once(answer))
        if lock is None:
            return await self._released_before(request)
        if request.force:
            self._reporter.forced(lock, call, who=request.who, reason=request.reason)
        else:
            self._reporter.released(lock, call)
        return answer(lock)

    async def renew_lock(self, request: lock_pb.RenewLockRequest, call: Call) -> lock_pb.RenewLockResponse:
        now = self._context.now()

        def renew(held: HeldLock) -> lock_pb.Lock:
            _require_held(held, request.lock_token)
            if held.lock.ttl is None and request.ttl is None:
                message = f"lock {held.lock.id} is held until it is released; give a ttl to make it a lease"
                raise TrackerError(Reason.LOCK_WITHOUT_LEASE, message, metadata={"lock_id": held.lock.id})
            return renew_lease(held.lock, now, request.ttl)

        lock = await self._store.modify(request.id.lower(), renew, call.once(_renewed))
        if lock is None:
            raise await self._not_held(request.id)
        return _renewed(lock)

    async def check_lock(self, request: lock_pb.CheckLockRequest, _: Call) -> lock_pb.CheckLockResponse:
        holder = await self._store.holder(lock_key(request))
        if holder is None or holder.expired_at is not None:
            return lock_pb.CheckLockResponse()
        return lock_pb.CheckLockResponse(current=holder.fencing_token == request.fencing_token, holder=holder)

    async def list_locks(self, request: lock_pb.ListLocksRequest, call: Call) -> lock_pb.ListLocksResponse:
        where = lock_filter(request.service, request.environment, request.resource)
        query = f"locks {where}"
        page = requested_page(request, query, default=None, call=call)
        found = await self._store.find(where, page)
        note_short_page(request, page, found, call)
        return lock_pb.ListLocksResponse(
            locks=list(found.records), total_count=found.total, next_page_token=page_token(found.next, query)
        )

    async def _released_before(self, request: lock_pb.UnLockRequest) -> lock_pb.UnLockResponse:
        """Answer the release of a lock that has ended: repeated, if its holder has released it."""
        ended = await self._store.ended(request.id.lower())
        if (
            ended is None
            or ended.ending is not Ending.RELEASED
            or request.force
            or not _shows_token(ended, request.lock_token)
        ):
            raise await self._not_held(request.id)
        message = "lock was deleted before"
        return lock_pb.UnLockResponse(message=message, id=ended.lock.id, already_released=True)

    async def _not_held(self, lock_id: str) -> TrackerError:
        """Return the error of a call for a lock that has ended, or is unknown."""
        ended = await self._store.ended(lock_id.lower())
        if ended is None:
            return lock_not_found(lock_id)
        return lock_lost(ended, await self._store.holder(lock_key(ended.lock)))


def _created(acquired: Acquired) -> lock_pb.CreateLockResponse:
    return lock_pb.CreateLockResponse(lock=acquired.lock, replayed=acquired.replayed)


_updated = answer_with(lock_pb.UpdateLockResponse, "lock")
_renewed = answer_with(lock_pb.RenewLockResponse, "lock")


def _without_proof(request: lock_pb.UnLockRequest) -> lock_pb.UnLockRequest:
    """Return what a GET may ask for: whoever follows a link makes one, and servers log its query.

    Raises:
        TrackerError: INVALID_ARGUMENT, for the use of force.
    """
    if request.force:
        instead = f"use POST /api/v1alpha1/lock/{request.id}/unlock"
        raise invalid(FieldViolation("force", f"a GET releases no lock by force; {instead}"))
    return lock_pb.UnLockRequest(id=request.id)


def _require_held(held: HeldLock, lock_token: str) -> None:
    """Refuse a caller without the token of a lock, or after its lease has expired."""
    if not _shows_token(held, lock_token):
        raise TrackerError(
            Reason.LOCK_TOKEN_MISMATCH,
            f"lock {held.lock.id} was taken with a lock_token, and this is not it;"
            " give that token, or release the lock with force and a reason:"
            f" POST /api/v1alpha1/lock/{held.lock.id}/unlock",
            metadata={"lock_id": held.lock.id, "who": held.lock.who},
        )
    if held.lock.expired_at is not None:
        ended = EndedLock(held.lock, held.token_hash, Ending.EXPIRED, micros(held.lock.expired_at))
        raise lock_lost(ended, held.lock)


def _shows_token(lock: HeldLock | EndedLock, lock_token: str) -> bool:
    """Return whether a caller has the token that a lock was taken with, if it was taken with one."""
    return not lock.token_hash or hmac.compare_digest(lock.token_hash, hash_token(lock_token))
