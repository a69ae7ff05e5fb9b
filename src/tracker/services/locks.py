"""The lock service: who may work on what, and who is doing so now."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from tracker.domain import changelog
from tracker.domain.locks import held_message, holder_metadata
from tracker.domain.paging import page_token
from tracker.domain.times import timestamp
from tracker.errors import Code, TrackerError
from tracker.pb import lock_pb
from tracker.services.paging import requested_slice
from tracker.stores.base import LockHeldError

if TYPE_CHECKING:
    from tracker.services.call import Call
    from tracker.services.context import Context
    from tracker.stores.base import LockStore

_CHANGEABLE = ("service", "who", "environment", "resource", "event_id")


class LockService:
    """Answers `tracker.lock.v1alpha1.LockService`."""

    def __init__(self, store: LockStore, context: Context) -> None:
        self._store = store
        self._context = context

    async def create_lock(self, request: lock_pb.CreateLockRequest, call: Call) -> lock_pb.CreateLockResponse:
        """Take a lock, or tell who holds it."""
        now = self._context.now()
        lock = lock_pb.Lock(
            id=self._context.new_id(),
            created_at=timestamp(now),
            service=request.service,
            who=request.who,
            environment=request.environment,
            resource=request.resource,
            event_id=request.event_id.lower(),
        )
        entry = changelog.locked(lock, now) if lock.event_id else None
        try:
            await self._store.acquire(lock, entry)
        except LockHeldError as error:
            log_conflict(self._context, error.holder, call)
            raise _held(error.holder) from None
        log_lock(self._context, "lock created", lock, call)
        return lock_pb.CreateLockResponse(lock=lock)

    async def get_lock(self, request: lock_pb.GetLockRequest, _: Call) -> lock_pb.GetLockResponse:
        """Return one lock."""
        lock = await self._store.get(request.id.lower())
        if lock is None:
            raise _not_found(request.id)
        return lock_pb.GetLockResponse(lock=lock)

    async def update_lock(self, request: lock_pb.UpdateLockRequest, call: Call) -> lock_pb.UpdateLockResponse:
        """Change the fields given; a key that another lock holds is a conflict."""

        def change(stored: lock_pb.Lock) -> lock_pb.Lock:
            lock = copy.copy(stored)
            for name in _CHANGEABLE:
                setattr(lock, name, getattr(request, name) or getattr(stored, name))
            return lock

        try:
            lock = await self._store.modify(request.id.lower(), change)
        except LockHeldError as error:
            log_conflict(self._context, error.holder, call)
            raise _held(error.holder) from None
        if lock is None:
            raise _not_found(request.id)
        log_lock(self._context, "lock updated", lock, call)
        return lock_pb.UpdateLockResponse(lock=lock)

    async def un_lock(self, request: lock_pb.UnLockRequest, call: Call) -> lock_pb.UnLockResponse:
        """Release a lock."""
        now = self._context.now()
        lock = await self._store.release(request.id.lower(), lambda lock: changelog.unlocked(lock, now))
        if lock is None:
            raise _not_found(request.id)
        log_lock(self._context, "lock deleted", lock, call)
        return lock_pb.UnLockResponse(message="lock deleted", id=lock.id, count=1)

    async def list_locks(self, request: lock_pb.ListLocksRequest, _: Call) -> lock_pb.ListLocksResponse:
        """Return the locks that are held, newest first."""
        query = "locks"
        found = await self._store.find(requested_slice(request, query, default=None))
        return lock_pb.ListLocksResponse(
            locks=list(found.records), total_count=found.total, next_page_token=page_token(found.next, query)
        )


def log_lock(context: Context, message: str, lock: lock_pb.Lock, call: Call) -> None:
    """Log what happened to a lock."""
    context.log.info(
        message,
        request_id=call.request_id,
        id=lock.id,
        service=lock.service,
        environment=lock.environment,
        resource=lock.resource,
        who=lock.who,
        event_id=lock.event_id,
    )


def log_conflict(context: Context, holder: lock_pb.Lock, call: Call) -> None:
    """Log that a lock was refused because of the one that `holder` is."""
    context.log.error("service locking", request_id=call.request_id, **holder_metadata(holder))


def _held(holder: lock_pb.Lock) -> TrackerError:
    return TrackerError(
        Code.ALREADY_EXISTS, held_message(holder), "LOCK_HELD", metadata=holder_metadata(holder)
    )


def _not_found(lock_id: str) -> TrackerError:
    return TrackerError(Code.NOT_FOUND, f"no lock found in tracker for id {lock_id}", "LOCK_NOT_FOUND")
