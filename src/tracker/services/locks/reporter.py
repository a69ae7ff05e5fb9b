"""What is reported of locks: to callers as errors, and to the log, the metrics and the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tracker.domain.environments import environment_name
from tracker.domain.locks import DEFAULT_RESOURCE, Ending, lock_key
from tracker.domain.times import duration_seconds, micros, shown, timestamp
from tracker.errors import Reason, TrackerError
from tracker.pb import lock_pb
from tracker.permissions import Permission
from tracker.services.narrowing import may_touch
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.domain.locks import EndedLock, LockKey
    from tracker.services.context import Call, Context

_EXCLUDES = (
    "service", "environment", "resource", "created_at", "expires_at", "expired_at", "lock_delay",
)  # fmt: skip
"""Fields of a lock that those who wait for it need."""

_LONGEST_REASON = 200
"""Characters of a lock's reason that a message quotes."""


_HOW_ENDED = {
    Ending.RELEASED: "it was released",
    Ending.EXPIRED: "its lease expired",
    Ending.FORCED: "it was released by force",
    Ending.EVENT_ENDED: "its event ended",
    Ending.ABANDONED: "its caller disconnected",
}


def lock_held(holder: lock_pb.Lock, refused: str = "") -> TrackerError:
    """Return the error of a call for a lock that `holder` has, or had until its lease expired.

    `refused` is the change of an event that needs the lock, such as `create`. The message then begins with
    the whole one of the Go implementation.
    """
    reason, text = Reason.LOCK_HELD, held_message(holder)
    if refused:
        locked = f"{_locked(holder)} in {environment_name(holder.environment)}"
        text = f"cannot {refused} event: {locked}. Please unlock it first: it is held {_how(holder)}"
    if holder.expired_at is not None:
        reason, delay = Reason.LOCK_DELAY, f"{duration_seconds(holder.lock_delay):g} s"
        text += (
            f"; its lease expired at {shown(holder.expired_at)}, and its lock_delay of {delay} is not over"
        )
    return TrackerError(reason, text, metadata=holder_metadata(holder))


def wait_timeout(holder: lock_pb.Lock, place: int, waiting: int) -> TrackerError:
    """Return the error of a call whose `wait` is over, at a place (1: next) among the waiting calls."""
    return TrackerError(
        Reason.LOCK_WAIT_TIMEOUT,
        f"{held_message(holder)}; waited in vain: place {place} of {waiting}",
        metadata=holder_metadata(holder) | {"place": str(place), "waiting": str(waiting)},
    )


def token_used(ended: EndedLock) -> TrackerError:
    """Return the error of a call whose token was used for a lock that has ended."""
    return TrackerError(
        Reason.LOCK_TOKEN_USED,
        f"this lock_token has been used: {_end(ended)}; take the lock with a new one",
        metadata=_end_metadata(ended),
    )


def lock_lost(ended: EndedLock, holder: lock_pb.Lock | None) -> TrackerError:
    """Return the error of a call for a lock that has ended; `holder` has its key now."""
    if holder is None:
        now = "nobody holds it now"
    elif holder.expired_at is not None:
        now = "it is free when its lock_delay is over"
    else:
        now = held_message(holder)
    return TrackerError(
        Reason.LOCK_LOST,
        f"{_end(ended)}; {now}",
        metadata=(holder_metadata(holder) if holder is not None else {"lock_id": ended.lock.id})
        | _end_metadata(ended),
    )


def token_mismatch(lock: lock_pb.Lock, *, is_known: bool) -> TrackerError:
    """Return the error of a call without the token of a lock."""
    return TrackerError(
        Reason.LOCK_TOKEN_MISMATCH,
        f"lock {lock.id} was taken with a lock_token, and this is not it;"
        " give that token, or release the lock with force and a reason:"
        f" POST /api/v1alpha1/lock/{lock.id}/unlock",
        metadata={"lock_id": lock.id, "who": lock.who if is_known else ""},
    )


def lock_of_another(lock: lock_pb.Lock, *, is_known: bool) -> TrackerError:
    """Return the error of a call for a lock that another principal took; the caller may know who."""
    whose = lock.who if lock.owner else "a caller without credentials"
    return TrackerError(
        Reason.LOCK_OF_ANOTHER,
        f"lock {lock.id} was taken by {whose if is_known else 'another caller'};"
        " give the lock_token that it was taken with, or release it with force and a reason:"
        f" POST /api/v1alpha1/lock/{lock.id}/unlock",
        metadata={"lock_id": lock.id, "who": lock.who if is_known else ""},
    )


def lock_not_found(lock_id: str) -> TrackerError:
    """Return the error of a call for an unknown lock."""
    return TrackerError(Reason.LOCK_NOT_FOUND, f"no lock found in tracker for id {lock_id}")


def shown_to(call: Call, holder: lock_pb.Lock) -> lock_pb.Lock:
    """Return what a call may know of a holder: without `lock:read`, what it excludes, and how long."""
    if may_touch(call, Permission.LOCK_READ, holder):
        return holder
    return lock_pb.Lock(**{name: getattr(holder, name) for name in _EXCLUDES})


def held_message(holder: lock_pb.Lock) -> str:
    """Return the sentence that names the holder of a lock."""
    return f"{_locked(holder)} {_how(holder)}"


def _locked(holder: lock_pb.Lock) -> str:
    return f"service {holder.service} is already locked"


def _how(holder: lock_pb.Lock) -> str:
    details = {
        "reason: ": _short(holder.reason),
        "since ": shown(holder.created_at),
        "until ": shown(holder.expires_at),
    }
    name = f"{holder.who} as {holder.claimed_who}" if holder.claimed_who else holder.who or "nobody named"
    who = f"{name} (lock_id: {holder.id}, event_id: {holder.event_id})"
    shown_details = "".join(f"; {name}{text}" for name, text in details.items() if text)
    return f"{_where(holder)} by {who}{shown_details}"


def holder_metadata(holder: lock_pb.Lock) -> dict[str, str]:
    """Return the metadata of an error about the holder of a lock."""
    return {
        "lock_id": holder.id,
        "service": holder.service,
        "environment": holder.environment,
        "resource": holder.resource,
        "who": holder.who,
        "event_id": holder.event_id,
        "reason": _short(holder.reason),
        "since": shown(holder.created_at),
        "until": shown(holder.expires_at),
        "fencing_token": str(holder.fencing_token),
    } | ({"claimed_who": holder.claimed_who} if holder.claimed_who else {})


def end_message(lock: lock_pb.Lock, ending: Ending, at: int, reason: str) -> str:
    """Return the sentence that says how a lock ended."""
    how = f"{_HOW_ENDED[ending]} at {shown(timestamp(at))}"
    if reason:
        how = f"{how}, reason: {_short(reason)}"
    return f"lock {lock.id} of service {lock.service} {_where(lock)} is no longer held: {how}"


def _end(ended: EndedLock) -> str:
    return end_message(ended.lock, ended.ending, ended.at, ended.reason)


def _end_metadata(ended: EndedLock) -> dict[str, str]:
    return {"ended_lock_id": ended.lock.id, "ending": ended.ending, "ended_at": shown(timestamp(ended.at))}


def _where(lock: lock_pb.Lock) -> str:
    return f"for {lock.resource or DEFAULT_RESOURCE} in {lock.environment or 'no environment'}"


def _short(reason: str) -> str:
    """Return a reason, shortened: gRPC carries only a few KiB of error details."""
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[: _LONGEST_REASON - 1]}…"


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
        self._context.report(call, message, **_fields(lock))


def _fields(lock: lock_pb.Lock) -> dict[str, str | int]:
    return {name: getattr(lock, name) for name in _LOGGED}
