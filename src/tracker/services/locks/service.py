"""The lock service: who works on what, to the exclusion of others."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tracker.domain import changelog
from tracker.domain.access import PrincipalKind
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
    is_of,
    lock_cursor,
    lock_filter,
    lock_key,
    named_holder,
    renew_lease,
    taken_by,
)
from tracker.domain.times import duration_seconds, micros, timestamp
from tracker.errors import FieldViolation, Reason, TrackerError, invalid, invalid_credentials
from tracker.pb import lock_pb
from tracker.permissions import Permission
from tracker.services.context import answer_with, permission_required
from tracker.services.locks.queue import WaitTimeoutError
from tracker.services.locks.reporter import (
    lock_held,
    lock_lost,
    lock_not_found,
    lock_of_another,
    shown_to,
    token_mismatch,
    token_used,
    wait_timeout,
)
from tracker.services.narrowing import may_name, may_touch, require_change
from tracker.services.paging import note_short_page, own, page_token, page_within, requested_page
from tracker.stores.pages import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.domain.locks import Acquired, HeldLock
    from tracker.services.context import Call, Context
    from tracker.services.locks.queue import LockQueue
    from tracker.services.locks.reporter import LockObserver, LockReporter
    from tracker.stores.events import EventStore
    from tracker.stores.locks import LockStore

_ANSWER_SECONDS = 0.1
"""How long before the deadline of its caller a call stops waiting, so that the answer arrives in time."""

_CHANGEABLE = ("service", "environment", "resource", "event_id")


@dataclass(frozen=True, slots=True)
class LockService:
    """Answers `tracker.lock.v1alpha1.LockService`."""

    _store: LockStore
    _queue: LockQueue
    _reporter: LockReporter
    _context: Context
    _observer: LockObserver
    _events: EventStore
    _is_current: Callable[[Call], bool]
    """Whether the credentials of a call are still valid: it may have waited."""

    async def create_lock(self, request: lock_pb.CreateLockRequest, call: Call) -> lock_pb.CreateLockResponse:
        call.require(Permission.LOCK_WRITE, request.service, request.environment)
        await self._require_event(request.event_id, call)
        lock_id = self._context.new_id()

        def lock_at(now: int) -> lock_pb.Lock:
            if wait and not self._is_current(call):
                raise invalid_credentials()
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
            return begin_lease(taken_by(call.principal, lock), now, ttl)

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
            refused = lock_held(shown_to(call, error.holder))
            raise self._reporter.refused(refused, error.holder, call) from None
        except WaitTimeoutError as error:
            holder = shown_to(call, error.holder)
            refused = wait_timeout(holder, error.place, error.waiting) if wait else lock_held(holder)
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

    async def get_lock(self, request: lock_pb.GetLockRequest, call: Call) -> lock_pb.GetLockResponse:
        lock = await self._store.get(request.id.lower())
        if lock is None or not may_touch(call, Permission.LOCK_READ, lock):
            raise lock_not_found(request.id)
        return lock_pb.GetLockResponse(lock=lock, waiters=list(self._queue.waiters(lock)))

    async def update_lock(self, request: lock_pb.UpdateLockRequest, call: Call) -> lock_pb.UpdateLockResponse:
        before = lock_pb.Lock()
        await self._require_event(request.event_id, call)

        def change(held: HeldLock) -> lock_pb.Lock:
            nonlocal before
            _require_held(held, request, call)
            before, lock = held.lock, copy.copy(held.lock)
            for name in _CHANGEABLE:
                setattr(lock, name, getattr(request, name) or getattr(before, name))
            if request.who:
                lock = named_holder(lock, request.who)
            lock.event_id = event_key(lock.event_id).value
            require_change(call, Permission.LOCK_WRITE, lock)
            if lock_key(lock) != lock_key(before):
                self._queue.require_turn(lock)
            return lock

        try:
            lock = await self._store.modify(request.id.lower(), change, call.once(_updated))
        except LockHeldError as error:
            holder = await self._store.holder(lock_key(error.holder)) or error.holder
            raise self._reporter.refused(lock_held(shown_to(call, holder)), holder, call) from None
        if lock is None:
            raise await self._not_held(request.id, call)
        self._reporter.updated(before, lock, call)
        return _updated(lock)

    async def un_lock(self, request: lock_pb.UnLockRequest, call: Call) -> lock_pb.UnLockResponse:
        now = self._context.now()
        if call.verb == "GET":
            request = _without_proof(request, call)

        def decide(held: HeldLock) -> Release:
            lock = held.lock
            if request.force:
                require_change(call, Permission.LOCK_FORCE, lock, partial(lock_not_found, request.id))
                forced = changelog.unlocked(lock, now, request.who, f" by force: {request.reason}")
                forced = changelog.signed_entry(forced, call.principal, request.who)
                return Release(Ending.FORCED, now, request.reason, forced)
            _require_held(held, request, call)
            released = changelog.unlocked(lock, now, lock.who) if lock.event_id else None
            if released is not None:
                released = changelog.signed_entry(released, call.principal, request.who)
            return Release(Ending.RELEASED, now, request.reason, released)

        def answer(lock: lock_pb.Lock) -> lock_pb.UnLockResponse:
            return lock_pb.UnLockResponse(message="lock deleted", id=lock.id, count=1, forced=request.force)

        self._queue.releasing(request.id.lower())
        lock = await self._store.release(request.id.lower(), decide, call.once(answer))
        if lock is None:
            return await self._released_before(request, call)
        if request.force:
            who = request.who if call.principal.is_anonymous else call.principal.name
            self._reporter.forced(lock, call, who=who, reason=request.reason)
        else:
            self._reporter.released(lock, call)
        return answer(lock)

    async def renew_lock(self, request: lock_pb.RenewLockRequest, call: Call) -> lock_pb.RenewLockResponse:
        now = self._context.now()

        def renew(held: HeldLock) -> lock_pb.Lock:
            _require_held(held, request, call)
            if held.lock.ttl is None and request.ttl is None:
                message = f"lock {held.lock.id} is held until it is released; give a ttl to make it a lease"
                raise TrackerError(Reason.LOCK_WITHOUT_LEASE, message, metadata={"lock_id": held.lock.id})
            return renew_lease(held.lock, now, request.ttl)

        lock = await self._store.modify(request.id.lower(), renew, call.once(_renewed))
        if lock is None:
            raise await self._not_held(request.id, call)
        return _renewed(lock)

    async def check_lock(self, request: lock_pb.CheckLockRequest, call: Call) -> lock_pb.CheckLockResponse:
        call.require(Permission.LOCK_READ, request.service, request.environment)
        holder = await self._store.holder(lock_key(request))
        if holder is None or holder.expired_at is not None:
            return lock_pb.CheckLockResponse()
        return lock_pb.CheckLockResponse(current=holder.fencing_token == request.fencing_token, holder=holder)

    async def list_locks(self, request: lock_pb.ListLocksRequest, call: Call) -> lock_pb.ListLocksResponse:
        where = lock_filter(request.service, request.environment, request.resource)
        query = own(f"locks {where}", call)
        page = requested_page(request, query, default=None, call=call)
        if call.principal.scopes(Permission.LOCK_READ) is None:
            found = await self._store.find(where, page)
        else:
            within = partial(may_touch, call, Permission.LOCK_READ)
            held = (await self._store.find(where, Page())).records
            found = page_within(held, page, within, lock_cursor, descending=True)
        note_short_page(request, page, found, call)
        return lock_pb.ListLocksResponse(
            locks=list(found.records),
            total_count=found.total,
            next_page_token=page_token(found.next, query),
            waiters=[each for lock in found.records for each in self._queue.waiters(lock)],
        )

    async def _require_event(self, event_id: str, call: Call) -> None:
        """Check that a lock may be held in the name of an event: its changelog will say so.

        Raises:
            TrackerError: PERMISSION_DENIED; the event is outside of what the permission is narrowed to.
        """
        if event_id and call.principal.scopes(Permission.LOCK_WRITE) is not None:
            event = await self._events.get(event_key(event_id))
            if event is not None and not may_touch(call, Permission.LOCK_WRITE, event):
                where = f" for the event {event_id}"  # and not for its service, which the caller may not know
                raise permission_required(call.principal, Permission.LOCK_WRITE, where)

    async def _released_before(self, request: lock_pb.UnLockRequest, call: Call) -> lock_pb.UnLockResponse:
        """Answer the release of a lock that has ended: repeated, if its holder has released it."""
        ended = await self._store.ended(request.id.lower())
        if (
            ended is None
            or ended.ending is not Ending.RELEASED
            or request.force
            or not is_of(ended, request.lock_token, call.principal)
            or not may_touch(call, Permission.LOCK_WRITE, ended.lock)
        ):
            raise await self._not_held(request.id, call)
        message = "lock was deleted before"
        return lock_pb.UnLockResponse(message=message, id=ended.lock.id, already_released=True)

    async def _not_held(self, lock_id: str, call: Call) -> TrackerError:
        """Return the error of a call for a lock that has ended, or is unknown."""
        ended = await self._store.ended(lock_id.lower())
        if ended is None or not may_name(call, Permission.LOCK_WRITE, ended.lock):
            return lock_not_found(lock_id)
        holder = await self._store.holder(lock_key(ended.lock))
        return lock_lost(ended, None if holder is None else shown_to(call, holder))


def _created(acquired: Acquired) -> lock_pb.CreateLockResponse:
    return lock_pb.CreateLockResponse(lock=acquired.lock, replayed=acquired.replayed)


_updated = answer_with(lock_pb.UpdateLockResponse, "lock")
_renewed = answer_with(lock_pb.RenewLockResponse, "lock")


def _without_proof(request: lock_pb.UnLockRequest, call: Call) -> lock_pb.UnLockRequest:
    """Return what a GET may ask for: whoever follows a link makes one, and servers log its query.

    Raises:
        TrackerError: INVALID_ARGUMENT, for the use of force; PERMISSION_DENIED, for people, whose browsers
            add their credentials to whatever they request.
    """
    instead = f"use POST /api/v1alpha1/lock/{request.id}/unlock"
    if call.principal.kind is PrincipalKind.USER:
        raise TrackerError(Reason.PERMISSION_REQUIRED, f"a GET releases no lock for a person; {instead}")
    if request.force:
        raise invalid(FieldViolation("force", f"a GET releases no lock by force; {instead}"))
    return lock_pb.UnLockRequest(id=request.id)


def _require_held(
    held: HeldLock,
    request: lock_pb.UnLockRequest | lock_pb.UpdateLockRequest | lock_pb.RenewLockRequest,
    call: Call,
) -> None:
    """Refuse a caller that is not the holder of a lock, or comes after its lease has expired."""
    lock = held.lock
    require_change(call, Permission.LOCK_WRITE, lock, partial(lock_not_found, request.id))
    if not is_of(held, request.lock_token, call.principal):
        given = request.lock_token or call.principal.is_anonymous
        refusal = token_mismatch if held.token_hash and given else lock_of_another
        raise refusal(lock, is_known=may_touch(call, Permission.LOCK_READ, lock))
    if lock.expired_at is not None:
        ended = EndedLock(lock, held.token_hash, Ending.EXPIRED, micros(lock.expired_at))
        raise lock_lost(ended, lock)
