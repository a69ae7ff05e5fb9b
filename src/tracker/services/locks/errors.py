"""The answers of calls that a lock stands in the way of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.domain.lock_messages import delayed_message, end_message, held_message, holder_metadata
from tracker.domain.times import shown, timestamp
from tracker.errors import Reason, TrackerError

if TYPE_CHECKING:
    from tracker.domain.locks import EndedLock
    from tracker.pb import lock_pb


def lock_held(holder: lock_pb.Lock, prefix: str = "", suffix: str = "") -> TrackerError:
    """Return the answer to a call that wants what `holder` has, or had and is not free yet."""
    metadata = holder_metadata(holder)
    if holder.expired_at is not None:
        text = f"{prefix}{delayed_message(holder)}{suffix}"
        return TrackerError(Reason.LOCK_DELAY, text, metadata=metadata)
    text = f"{prefix}{held_message(holder)}{suffix}"
    return TrackerError(Reason.LOCK_HELD, text, metadata=metadata)


def wait_timeout(holder: lock_pb.Lock, place: int, waiting: int) -> TrackerError:
    """Return the error of a call whose `wait` is over, at a place (1 is next) among the waiting ones."""
    return TrackerError(
        Reason.LOCK_WAIT_TIMEOUT,
        f"{held_message(holder)}; waited in vain: place {place} of {waiting}",
        metadata=holder_metadata(holder) | {"place": str(place), "waiting": str(waiting)},
    )


def token_used(ended: EndedLock) -> TrackerError:
    """Return the answer to a call whose token took this lock before."""
    return TrackerError(
        Reason.LOCK_TOKEN_USED,
        f"this lock_token has been used: {_end(ended)}; take the lock with a new one",
        metadata=_end_metadata(ended),
    )


def token_mismatch(lock: lock_pb.Lock) -> TrackerError:
    """Return the answer to a call that does not show the token of a lock."""
    return TrackerError(
        Reason.LOCK_TOKEN_MISMATCH,
        f"lock {lock.id} was taken with a lock_token, and this is not it;"
        " give that token, or release the lock with force and a reason",
        metadata={"lock_id": lock.id, "who": lock.who},
    )


def lock_lost(ended: EndedLock, holder: lock_pb.Lock | None) -> TrackerError:
    """Return the answer to a call for a lock that has ended; `holder` has its key now."""
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
    """Return the answer to a renewal of a lock that is held until it is released."""
    return TrackerError(
        Reason.LOCK_WITHOUT_LEASE,
        f"lock {lock.id} is held until it is released; give a ttl to make it a lease",
        metadata={"lock_id": lock.id},
    )


def lock_not_found(lock_id: str) -> TrackerError:
    """Return the answer to a call for a lock that nothing is known of."""
    return TrackerError(Reason.LOCK_NOT_FOUND, f"no lock found in tracker for id {lock_id}")


def shutting_down() -> TrackerError:
    """Return the answer to a call that waits for a lock while the server stops."""
    return TrackerError(
        Reason.SHUTTING_DOWN,
        "the server stops, and the lock was not free yet; ask again with the same lock_token",
    )


def _end(ended: EndedLock) -> str:
    return end_message(ended.lock, ended.ending, ended.at, ended.reason)


def _end_metadata(ended: EndedLock) -> dict[str, str]:
    return {"ended_lock_id": ended.lock.id, "ending": ended.ending, "ended_at": shown(timestamp(ended.at))}
