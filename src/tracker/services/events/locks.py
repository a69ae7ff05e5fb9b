"""The locks that events take and release automatically."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tracker.domain.event_locks import apply_plan, event_lock
from tracker.domain.locks import lock_key
from tracker.services.locks.errors import lock_held

if TYPE_CHECKING:
    from protobuf.wkt import Duration

    from tracker.domain.event_locks import EventChange, LockOf, LockPlan
    from tracker.errors import TrackerError
    from tracker.pb import event_pb
    from tracker.services.call import Call
    from tracker.services.context import Context
    from tracker.services.locks.queue import LockQueue
    from tracker.services.locks.reporter import LockReporter
    from tracker.stores.locks import LockHeldError, LockStore


@dataclass(frozen=True, slots=True)
class AutomaticLocks:
    """Whether events take locks automatically, and for how long the lease of one lasts: None is for ever."""

    enabled: bool = True
    ttl: Duration | None = None


@dataclass(frozen=True, slots=True)
class EventLocks:
    """Carries out the lock plan of a change of an event, and reports it."""

    _store: LockStore
    _queue: LockQueue
    _reporter: LockReporter
    _context: Context
    _automatic: AutomaticLocks

    def lock_of(self, now: int) -> LockOf:
        """Return what makes the lock of an event's work at `now`; no lock where events take none."""
        if not self._automatic.enabled:
            return lambda _: None
        return partial(event_lock, lock_id=self._context.new_id(), now=now, ttl=self._automatic.ttl)

    def carry_out(self, plan: LockPlan, event: event_pb.Event, now: int) -> EventChange:
        """Return the change that a plan makes of an event and its locks.

        Raises:
            LockHeldError: Others wait for the lock that the event would take.
        """
        if plan.acquire is not None:
            self._queue.require_turn(plan.acquire)
        return apply_plan(plan, event, now)

    def report(self, plan: LockPlan, call: Call) -> None:
        """Report that a plan was carried out, also to calls that wait for a released lock."""
        for lock in plan.release:
            self._reporter.released(lock, call, "lock released for event")
        if plan.acquire is not None:
            self._reporter.acquired(plan.acquire, call)

    async def refused(self, what: str, error: LockHeldError, call: Call) -> TrackerError:
        """Report and return the error of a call that can't `what` (create, update) an event, for a lock."""
        holder = await self._store.holder(lock_key(error.holder)) or error.holder
        refused = lock_held(holder, f"cannot {what} event: ", ". Please unlock it first")
        return self._reporter.refused(refused, holder, call)
