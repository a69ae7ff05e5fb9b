"""The words in which messages describe a lock and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.domain.locks import DEFAULT_RESOURCE, Ending
from tracker.domain.times import MICROS, duration_micros, shown, timestamp

if TYPE_CHECKING:
    from tracker.pb import lock_pb

_LONGEST_REASON = 200
"""Characters of a lock's reason that a message quotes."""


def held_message(holder: lock_pb.Lock) -> str:
    """Return the sentence that names the holder of a lock to a caller who wants it."""
    details = (
        ("reason", _short(holder.reason)),
        ("since", shown(holder.created_at)),
        ("until", shown(holder.expires_at)),
    )
    return (
        f"service {holder.service} is already locked {_where(holder)} by {holder.who or 'nobody named'}"
        f" (lock_id: {holder.id}, event_id: {holder.event_id})"
    ) + "".join(
        f"; {name}: {text}" if name == "reason" else f"; {name} {text}" for name, text in details if text
    )


def delayed_message(expired: lock_pb.Lock) -> str:
    """Return the sentence for a caller who wants a lock that has expired and whose delay is not over."""
    delay = duration_micros(expired.lock_delay) / MICROS if expired.lock_delay is not None else 0
    return (
        f"{held_message(expired)}; its lease expired at {shown(expired.expired_at)},"
        f" and its lock_delay of {delay:g} s is not over"
    )


def holder_metadata(holder: lock_pb.Lock) -> dict[str, str]:
    """Return what an error says about the holder of a lock, for programs."""
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
    how = f"{_HOW_ENDED[ending]} at {shown(timestamp(at))}" + (
        f", reason: {_short(reason)}" if reason else ""
    )
    return f"lock {lock.id} of service {lock.service} {_where(lock)} is held no more: {how}"


_HOW_ENDED = {
    Ending.RELEASED: "it was released",
    Ending.EXPIRED: "its lease expired",
    Ending.FORCED: "it was released by force",
    Ending.EVENT_ENDED: "its event ended",
    Ending.ABANDONED: "its caller was gone",
}


def _where(lock: lock_pb.Lock) -> str:
    return f"for {lock.resource or DEFAULT_RESOURCE} in {lock.environment or 'no environment'}"


def _short(reason: str) -> str:
    """Return a reason, shortened: gRPC carries only a few KiB of error details."""
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[: _LONGEST_REASON - 1]}…"
