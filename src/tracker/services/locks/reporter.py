"""Reports what happens to locks, to the log, the metrics and the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tracker.domain.locks import lock_key
from tracker.domain.times import MICROS, micros
from tracker.services.locks.errors import holder_metadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.domain.locks import LockKey
    from tracker.errors import TrackerError
    from tracker.pb import lock_pb
    from tracker.services.context import Call, Context


_LOGGED = ("id", "service", "environment", "resource", "who", "event_id", "fencing_token")


class LockObserver(Protocol):
    """What the services report of locks, for metrics."""

    def locks_held(self, locks: int) -> None:
        """So many locks are held."""

    def locks_waiting(self, calls: int) -> None:
        """So many calls wait for a lock."""

    def lock_acquired(self) -> None:
        """A lock was taken."""

    def lock_refused(self, reason: str) -> None:
        """A lock was refused; `reason` is that of the error."""

    def lock_waited(self, seconds: float) -> None:
        """A call with `wait` got its lock, or gave up, after `seconds`."""

    def lock_ended(self, seconds: float) -> None:
        """A lock ended that was held for `seconds`."""

    def lock_expired(self) -> None:
        """The lease of a lock ran out."""

    def lock_forced(self) -> None:
        """A lock was released by force."""


class LockReporter:
    """Reports what happens to locks; `freed` is called with the key of each that has become free."""

    def __init__(self, context: Context, observer: LockObserver, freed: Callable[[LockKey], None]) -> None:
        self._context = context
        self._observer = observer
        self._freed = freed

    def acquired(self, lock: lock_pb.Lock, call: Call) -> None:
        """Report that a lock was taken."""
        self._observer.lock_acquired()
        self._log("lock created", lock, call)

    def refused(self, error: TrackerError, holder: lock_pb.Lock, call: Call) -> TrackerError:
        """Report that a lock was refused because of `holder`; return the error."""
        self._observer.lock_refused(error.reason)
        self._context.log.error("service locking", request_id=call.request_id, **holder_metadata(holder))
        return error

    def updated(self, before: lock_pb.Lock, lock: lock_pb.Lock, call: Call) -> None:
        """Report that a lock was changed; it may have moved to another key."""
        self._log("lock updated", lock, call)
        if lock_key(before) != lock_key(lock):
            self._freed(lock_key(before))

    def released(self, lock: lock_pb.Lock, call: Call, message: str = "lock deleted") -> None:
        """Report that a lock was released, by a call for it or with its event."""
        self._ended(lock, self._context.now())
        self._log(message, lock, call)

    def forced(self, lock: lock_pb.Lock, call: Call, *, who: str, reason: str) -> None:
        """Report that `who` released a lock by force."""
        self._observer.lock_forced()
        self._ended(lock, self._context.now())
        self._context.log.warning(
            "lock released by force", request_id=call.request_id, **_fields(lock), by=who, reason=reason
        )

    def expired(self, lock: lock_pb.Lock, *, free: bool) -> None:
        """Report that the lease of a lock ran out, and whether others can have it now."""
        self._observer.lock_expired()
        self._context.log.warning("lock expired", **_fields(lock))
        if free:
            self._ended(lock, self._context.now())

    def delay_over(self, lock: lock_pb.Lock) -> None:
        """Report that a lock has become free, some time after its lease ran out."""
        if lock.expired_at is not None:
            self._ended(lock, micros(lock.expired_at))

    def _ended(self, lock: lock_pb.Lock, at: int) -> None:
        if lock.created_at is not None:
            self._observer.lock_ended(max(0, at - micros(lock.created_at)) / MICROS)
        self._freed(lock_key(lock))

    def _log(self, message: str, lock: lock_pb.Lock, call: Call) -> None:
        self._context.log.info(message, request_id=call.request_id, **_fields(lock))


def _fields(lock: lock_pb.Lock) -> dict[str, str | int]:
    return {name: getattr(lock, name) for name in _LOGGED}
