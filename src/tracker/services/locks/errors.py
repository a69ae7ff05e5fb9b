"""The errors of calls for locks, and the words in which they describe a lock and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.domain.locks import DEFAULT_RESOURCE, Ending
from tracker.domain.times import MICROS, duration_micros, shown, timestamp
from tracker.errors import Reason, TrackerError

if TYPE_CHECKING:
    from tracker.domain.locks import EndedLock
    from tracker.pb import lock_pb


_LONGEST_REASON = 200
"""Characters of a lock's reason that a message quotes."""


_HOW_ENDED = {
    Ending.RELEASED: "it was released",
    Ending.EXPIRED: "its lease expired",
    Ending.FORCED: "it was released by force",
    Ending.EVENT_ENDED: "its event ended",
    Ending.ABANDONED: "its caller was gone",
}


def lock_held(holder: lock_pb.Lock, prefix: str = "", suffix: str = "") -> TrackerError:
    """Return the error of a call for a lock that `holder` has, or had until its lease expired."""
    reason, text = Reason.LOCK_HELD, held_message(holder)
    if holder.expired_at is not None:
        reason, text = Reason.LOCK_DELAY, _delayed_message(holder)
    return TrackerError(reason, f"{prefix}{text}{suffix}", metadata=holder_metadata(holder))


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


def token_mismatch(lock: lock_pb.Lock) -> TrackerError:
    """Return the error of a call without the token of a lock."""
    return TrackerError(
        Reason.LOCK_TOKEN_MISMATCH,
        f"lock {lock.id} was taken with a lock_token, and this is not it;"
        " give that token, or release the lock with force and a reason",
        metadata={"lock_id": lock.id, "who": lock.who},
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


def without_lease(lock: lock_pb.Lock) -> TrackerError:
    """Return the error of a renewal of a lock that is held until it is released."""
    message = f"lock {lock.id} is held until it is released; give a ttl to make it a lease"
    return TrackerError(Reason.LOCK_WITHOUT_LEASE, message, metadata={"lock_id": lock.id})


def lock_not_found(lock_id: str) -> TrackerError:
    """Return the error of a call for an unknown lock."""
    return TrackerError(Reason.LOCK_NOT_FOUND, f"no lock found in tracker for id {lock_id}")


def shutting_down() -> TrackerError:
    """Return the error of a call that waits for a lock while the server stops."""
    message = "the server stops, and the lock was not free yet; ask again with the same lock_token"
    return TrackerError(Reason.SHUTTING_DOWN, message)


def held_message(holder: lock_pb.Lock) -> str:
    """Return the sentence that names the holder of a lock."""
    details = {
        "reason: ": _short(holder.reason),
        "since ": shown(holder.created_at),
        "until ": shown(holder.expires_at),
    }
    return (
        f"service {holder.service} is already locked {_where(holder)} by {holder.who or 'nobody named'}"
        f" (lock_id: {holder.id}, event_id: {holder.event_id})"
    ) + "".join(f"; {name}{text}" for name, text in details.items() if text)


def _delayed_message(expired: lock_pb.Lock) -> str:
    delay = duration_micros(expired.lock_delay) / MICROS if expired.lock_delay is not None else 0
    return (
        f"{held_message(expired)}; its lease expired at {shown(expired.expired_at)},"
        f" and its lock_delay of {delay:g} s is not over"
    )


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
    }


def end_message(lock: lock_pb.Lock, ending: Ending, at: int, reason: str) -> str:
    """Return the sentence that says how a lock ended."""
    how = f"{_HOW_ENDED[ending]} at {shown(timestamp(at))}"
    if reason:
        how = f"{how}, reason: {_short(reason)}"
    return f"lock {lock.id} of service {lock.service} {_where(lock)} is held no more: {how}"


def _end(ended: EndedLock) -> str:
    return end_message(ended.lock, ended.ending, ended.at, ended.reason)


def _end_metadata(ended: EndedLock) -> dict[str, str]:
    return {"ended_lock_id": ended.lock.id, "ending": ended.ending, "ended_at": shown(timestamp(ended.at))}


def _where(lock: lock_pb.Lock) -> str:
    return f"for {lock.resource or DEFAULT_RESOURCE} in {lock.environment or 'no environment'}"


def _short(reason: str) -> str:
    """Return a reason, shortened: gRPC carries only a few KiB of error details."""
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[: _LONGEST_REASON - 1]}…"
