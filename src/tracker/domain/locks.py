"""What a lock excludes, and when an event takes or lets go of one."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from protobuf import enum_is_unknown

from tracker.domain.changelog import SYSTEM
from tracker.domain.lifecycle import FINISHED, RUNNING, attributes_of, metadata_of
from tracker.domain.times import MICROS, duration_micros, shown, timestamp
from tracker.pb import event_pb, lock_pb

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from protobuf.wkt import Duration

DEFAULT_RESOURCE = "deployment"
"""What a lock that names no resource excludes."""

_ENVIRONMENTS = {
    value.name.casefold(): value.name.casefold()
    for value in event_pb.Environment.desc().values
    if value.number
} | {
    "environment_unspecified": "",
    "dev": "development",
    "int": "integration",
    "preprod": "preproduction",
    "prod": "production",
}


_REASON_TOLD = 200
"""Characters of a holder's reason in an error."""

_LOCKING_TYPES = frozenset({event_pb.Type.deployment, event_pb.Type.operation})


class LockKey(NamedTuple):
    """What at most one lock may hold."""

    service: str
    environment: str
    resource: str


def lock_key(lock: lock_pb.Lock | lock_pb.CheckLockRequest) -> LockKey:
    """Return the key of a lock, the same however its environment and resource are written.

    `PROD`, `prod` and `production` are one environment; a lock without a resource is one of a deployment.
    """
    return LockKey(
        lock.service,
        environment_key(lock.environment),
        lock.resource.strip().casefold() or DEFAULT_RESOURCE,
    )


def environment_key(environment: str) -> str:
    """Return an environment as locks compare it."""
    environment = environment.strip().casefold()
    return _ENVIRONMENTS.get(environment, environment)


@dataclass(frozen=True, slots=True)
class LockFilter:
    """Which locks: those whose `LockKey` has all these parts; None matches any."""

    service: str | None = None
    environment: str | None = None
    resource: str | None = None


def lock_filter(service: str, environment: str, resource: str) -> LockFilter:
    """Return the filter for locks of what is given and not empty, however it is written."""
    return LockFilter(
        service=service or None,
        environment=environment_key(environment) or None,
        resource=resource.strip().casefold() or None,
    )


class Ending(StrEnum):
    """How a lock came to its end."""

    RELEASED = "released"
    """Its holder let it go."""
    EXPIRED = "expired"
    """Its lease ran out."""
    FORCED = "forced"
    """Somebody released it by force."""
    EVENT_ENDED = "event_ended"
    """The event it was held for ended, moved on, or was deleted."""
    ABANDONED = "abandoned"
    """Whoever asked for it was gone before the answer: nobody ever knew that it was held."""


def is_remembered(lock: lock_pb.Lock, token_hash: bytes, ending: Ending) -> bool:
    """Return whether a store remembers the end of a lock: somebody may ask for it by its token or lease.

    The token of an abandoned lock may be used again.
    """
    return ending is not Ending.ABANDONED and (bool(token_hash) or lock.ttl is not None)


def next_fencing_token(last: int, now: int) -> int:
    """Return the fencing token that follows `last` (0: none yet) for a key, at `now` (microseconds).

    Never less than the milliseconds since the epoch: so tokens rise even over a restored backup that
    does not know of the latest, as long as a key is not taken more than a thousand times a second for
    as long as the backup is old. Never less than `last` + 1: so they rise whatever the clock does.
    """
    return max(last + 1, now // 1000)


def hash_token(lock_token: str) -> bytes:
    """Return what is stored of a lock's token: its SHA-256, or nothing for no token.

    The tokens are random and long, so that a slow hash would add nothing.
    """
    return hashlib.sha256(lock_token.encode()).digest() if lock_token else b""


def begin_lease(lock: lock_pb.Lock, now: int, ttl: Duration | None) -> lock_pb.Lock:
    """Return a lock whose lease of `ttl` begins at `now`; one without `ttl` is held until released."""
    lock = copy.copy(lock)
    lock.renewed_at = timestamp(now)
    lock.ttl = ttl
    lock.expires_at = None if ttl is None else timestamp(now + duration_micros(ttl))
    return lock


def renew_lease(lock: lock_pb.Lock, now: int, ttl: Duration | None = None) -> lock_pb.Lock:
    """Return a lock whose lease begins anew at `now`, with another `ttl` where one is given."""
    lock = begin_lease(lock, now, ttl or lock.ttl)
    lock.renewals += 1
    return lock


def held_message(holder: lock_pb.Lock) -> str:
    """Return the sentence that tells a caller who holds the lock it wants."""
    told = (
        ("reason", _short(holder.reason)),
        ("since", shown(holder.created_at)),
        ("until", shown(holder.expires_at)),
    )
    return (
        f"service {holder.service} is already locked {_where(holder)} by {holder.who or 'nobody named'}"
        f" (lock_id: {holder.id}, event_id: {holder.event_id})"
    ) + "".join(
        f"; {name}: {text}" if name == "reason" else f"; {name} {text}" for name, text in told if text
    )


def delayed_message(expired: lock_pb.Lock) -> str:
    """Return the sentence that tells a caller that the lock it wants has expired, and is not free yet."""
    delay = duration_micros(expired.lock_delay) / MICROS if expired.lock_delay is not None else 0
    return (
        f"{held_message(expired)}; its lease expired at {shown(expired.expired_at)},"
        f" and its lock_delay of {delay:g} s is not over"
    )


def holder_metadata(holder: lock_pb.Lock) -> dict[str, str]:
    """Return what a program may want to know of the lock in its way."""
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
    """Return the words that tell how a lock came to its end."""
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
    """Return as much of a reason as an error tells: gRPC carries no more than a few KiB of it all."""
    return reason if len(reason) <= _REASON_TOLD else f"{reason[: _REASON_TOLD - 1]}…"


def event_lock(
    event: event_pb.Event, *, lock_id: str, now: int, ttl: Duration | None = None
) -> lock_pb.Lock | None:
    """Return the lock that stands for the work an event tells of, whatever its status.

    None where the event is neither a deployment nor an operation, or names no service or environment.
    """
    attributes = event.attributes
    if (
        attributes is None
        or attributes.type not in _LOCKING_TYPES
        or not attributes.service
        or not attributes.environment
        or enum_is_unknown(attributes.environment)
    ):
        return None
    lock = lock_pb.Lock(
        id=lock_id,
        service=attributes.service,
        who=attributes.owner or SYSTEM,
        created_at=timestamp(now),
        environment=attributes.environment.name,
        resource=attributes.type.name,
        event_id=metadata_of(event).id,
    )
    return begin_lease(lock, now, ttl)


LockOf: TypeAlias = "Callable[[event_pb.Event], lock_pb.Lock | None]"
"""Makes the lock that stands for an event's work: `event_lock` with an id and a time, or nothing at all."""


class LockPlan(NamedTuple):
    """Which locks an event lets go of and which one it takes, in this order, and whose leases it renews."""

    release: tuple[lock_pb.Lock, ...] = ()
    acquire: lock_pb.Lock | None = None
    renew: tuple[lock_pb.Lock, ...] = ()


def plan_for_new(event: event_pb.Event, lock_of: LockOf) -> LockPlan:
    """Return what a new event means for locks: work that is under way takes one."""
    return LockPlan(acquire=lock_of(event) if attributes_of(event).status in RUNNING else None)


def plan_for_update(
    before: event_pb.Event, after: event_pb.Event, held: Sequence[lock_pb.Lock], lock_of: LockOf
) -> LockPlan:
    """Return what the change of an event means for locks; `held` are those that carry its id.

    The end of the work lets go of all of them. Where the work moves to another service, environment
    or type, its own lock moves with it; where it goes on, the lease of its own lock begins anew. Work
    that begins takes a lock; one that ended while the work went on is not taken again.
    """
    if attributes_of(after).status in FINISHED:
        return LockPlan(release=tuple(held))
    old, new = lock_of(before), lock_of(after)
    old_key, new_key = old and lock_key(old), new and lock_key(new)
    own = tuple(lock for lock in held if lock_key(lock) == old_key)
    if old_key == new_key:
        begins = (
            not own and attributes_of(after).status in RUNNING and attributes_of(before).status not in RUNNING
        )
        leased = tuple(lock for lock in own if lock.ttl is not None and lock.expired_at is None)
        return LockPlan(acquire=new if begins else None, renew=leased)
    return LockPlan(release=own, acquire=new if own or attributes_of(after).status in RUNNING else None)
