"""Locks: what one excludes, how long it lasts, who gets it, and what follows from its end.

A store reads what these functions need, and applies their decision in one atomic step.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from protobuf.wkt import Duration

from tracker.domain.environments import environment_key
from tracker.domain.times import duration_micros, micros, timestamp
from tracker.errors import Reason, TrackerError
from tracker.number_text import number_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from tracker.domain.access import Principal
    from tracker.pb import event_pb, lock_pb

DEFAULT_RESOURCE = "deployment"
"""What a lock that names no resource excludes."""

WAIT_TTL: Final = Duration(seconds=4 * 60 * 60)
"""The lease of a lock that is waited for without a `ttl`: its caller may leave without having the answer."""


class LockKey(NamedTuple):
    """What at most one lock may hold."""

    service: str
    environment: str
    resource: str


def lock_key(lock: lock_pb.Lock | lock_pb.CheckLockRequest) -> LockKey:
    """Return the key of a lock, the same however its environment and resource are written.

    `PROD`, `prod` and `production` are one environment; a lock without a resource is one of a deployment.
    """
    resource = lock.resource.strip().casefold() or DEFAULT_RESOURCE
    return LockKey(lock.service, environment_key(lock.environment), resource)


class LockFilter(NamedTuple):
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
    """How a lock ended."""

    RELEASED = "released"
    """Its holder released it."""
    EXPIRED = "expired"
    """Its lease ran out."""
    FORCED = "forced"
    """Somebody released it by force."""
    EVENT_ENDED = "event_ended"
    """The event that it was held for ended, moved to another key, or was deleted."""
    ABANDONED = "abandoned"
    """Its caller disconnected before the answer, and never knew that it held the lock."""


@dataclass(frozen=True, slots=True)
class HeldLock:
    """A lock as a store keeps it; `token_hash` is the SHA-256 of its `lock_token`, empty for none."""

    lock: lock_pb.Lock
    token_hash: bytes = b""


class LeaseState(NamedTuple):
    """What decides when a held lock ends: durations in microseconds, 0 where it has none.

    `renewals` changes with every renewal. An `expired` lock is no longer held and waits for its delay to end.
    """

    lock_id: str
    ttl: int
    lock_delay: int
    renewals: int
    expired: bool


def lease_state(lock: lock_pb.Lock) -> LeaseState:
    """Return what decides when a lock ends."""
    ttl, delay = (0 if each is None else duration_micros(each) for each in (lock.ttl, lock.lock_delay))
    return LeaseState(lock.id, ttl, delay, lock.renewals, lock.expired_at is not None)


def created_at(lock: lock_pb.Lock) -> int:
    """Return when a lock was taken, in microseconds since the epoch."""
    return micros(lock.created_at) if lock.created_at is not None else 0


def lock_cursor(lock: lock_pb.Lock) -> tuple[int, str]:
    """Return where a lock stands in a list of locks, by when it was taken."""
    return (created_at(lock), lock.id)


@dataclass(frozen=True, slots=True)
class Release:
    """How a lock ends: in which way, when (microseconds since the epoch), and why, where it was forced.

    `entry` is appended to the changelog of the event that the lock names, where that event exists.
    """

    ending: Ending
    at: int
    reason: str = ""
    entry: event_pb.ChangelogEntry | None = None


@dataclass(frozen=True, slots=True)
class EndedLock:
    """A lock that has ended, as it was, and how it ended."""

    lock: lock_pb.Lock
    token_hash: bytes
    ending: Ending
    at: int
    reason: str = ""


class EventEntry(NamedTuple):
    """A changelog entry, and the id of the event that it is appended to, where that event exists."""

    event_id: str
    entry: event_pb.ChangelogEntry


@dataclass(frozen=True, slots=True)
class KeyState:
    """What decides who gets a key: the last fencing token it gave, 0 for none, and its holder."""

    last_token: int = 0
    holder: HeldLock | None = None


@dataclass(frozen=True, slots=True)
class Acquired:
    """The lock that a claim led to; `replayed` if an earlier claim with the same token had taken it."""

    lock: lock_pb.Lock
    replayed: bool = False


class LockHeldError(Exception):
    """A key belongs to `holder`, or the lease of that lock has expired and its delay is not over."""

    def __init__(self, holder: lock_pb.Lock) -> None:
        super().__init__(holder.id)
        self.holder = holder


class LockTokenUsedError(Exception):
    """The token of a claim took the key before; `ended` is the end of that lock."""

    def __init__(self, ended: EndedLock) -> None:
        super().__init__(ended.lock.id)
        self.ended = ended


@dataclass(frozen=True, slots=True)
class LockEnd:
    """What follows from the end of a lock: what is remembered of it, and the entry for its event."""

    remembered: EndedLock | None
    entry: EventEntry | None


def next_fencing_token(last: int, now: int) -> int:
    """Return the fencing token that follows `last` (0: none yet) for a key, at `now` (microseconds).

    It is at least the milliseconds since the epoch: tokens increase even after an old backup is restored,
    unless the key was taken more than a thousand times a second since then. It is at least `last` + 1: tokens
    increase whatever the clock does.
    """
    return max(last + 1, now // 1000)


def hash_token(lock_token: str) -> bytes:
    """Return the SHA-256 of a lock's token, which is stored, or nothing for no token.

    Tokens are random and long: a slow hash would add nothing.
    """
    return hashlib.sha256(lock_token.encode()).digest() if lock_token else b""


def taken_by(principal: Principal, lock: lock_pb.Lock) -> lock_pb.Lock:
    """Return a new lock, whose caller names its holder, as a principal takes it."""
    if principal.is_anonymous:
        return lock
    taken = copy.copy(lock)
    taken.owner, taken.who = principal.id, principal.name
    return named_holder(taken, lock.who)


def named_holder(lock: lock_pb.Lock, who: str) -> lock_pb.Lock:
    """Return a lock whose caller names `who` as its holder; where a principal took it, that is a claim."""
    lock = copy.copy(lock)
    if not lock.owner:
        lock.who = who
    elif who not in {"", lock.who}:
        lock.claimed_who = who
    return lock


def is_of(lock: HeldLock | EndedLock, lock_token: str, principal: Principal) -> bool:
    """Return whether a caller is the holder of a lock: it has its token, or gives none and has taken it.

    Of callers without credentials, those have taken a lock who have its token, or all, if it has none.
    """
    if lock.token_hash and (lock_token or principal.is_anonymous):
        return hmac.compare_digest(lock.token_hash, hash_token(lock_token))
    return lock.lock.owner == principal.known_id


def begin_lease(lock: lock_pb.Lock, now: int, ttl: Duration | None) -> lock_pb.Lock:
    """Return a lock whose lease of `ttl` begins at `now`; one without `ttl` is held until released."""
    lock = copy.copy(lock)
    lock.renewed_at = timestamp(now)
    lock.ttl = ttl
    lock.expires_at = None if ttl is None else timestamp(now + duration_micros(ttl))
    return lock


def renew_lease(lock: lock_pb.Lock, now: int, ttl: Duration | None = None) -> lock_pb.Lock:
    """Return a lock whose lease begins again at `now`, with another `ttl` where one is given."""
    lock = begin_lease(lock, now, ttl or lock.ttl)
    lock.renewals += 1
    return lock


def is_renewal(before: lock_pb.Lock, after: lock_pb.Lock) -> bool:
    """Return whether a change of a lock is the renewal of its lease."""
    return after.renewals != before.renewals


def decide_claim(
    key: KeyState, claim: HeldLock, now: int, *, used: EndedLock | None = None, freed: Collection[str] = ()
) -> Acquired:
    """Decide who has a key after a claim at `now` (microseconds): the lock it grants has its fencing token.

    `used` is the remembered end of a lock of this key that had the claim's token; where the key has a holder,
    it need not be looked up. `freed` are the ids of the locks that end in the same step.

    Raises:
        LockHeldError: Another lock has the key.
        LockTokenUsedError: The claim's token took the key before, and that lock has ended.
    """
    holder = key.holder
    if holder is not None and holder.lock.id not in freed:
        is_replay = bool(claim.token_hash) and claim.token_hash == holder.token_hash
        if not is_replay or holder.lock.expired_at is not None:
            raise LockHeldError(holder.lock)
        return Acquired(holder.lock, replayed=True)
    if used is not None:
        raise LockTokenUsedError(used)
    return Acquired(_fenced(claim.lock, key, now))


def require_room(owner: str, held: int, most: int) -> None:
    """Check that a principal may hold one more lock than it does.

    Raises:
        TrackerError: RESOURCE_EXHAUSTED.
    """
    if held >= most:
        held_by = f"{owner} holds {number_of(most, 'lock')}"
        message = f"{held_by}, which is the limit: release some, or let them expire"
        raise TrackerError(Reason.TOO_MANY_LOCKS, message)


def decide_move(key: KeyState, lock: lock_pb.Lock, now: int) -> lock_pb.Lock:
    """Return a held lock as it moves to another key: there it gets that key's next fencing token.

    Raises:
        LockHeldError: Another lock has the key.
    """
    if key.holder is not None:
        raise LockHeldError(key.holder.lock)
    return _fenced(lock, key, now)


def moves(before: lock_pb.Lock, after: lock_pb.Lock) -> bool:
    """Return whether a change of a lock moves it to another key."""
    return lock_key(before) != lock_key(after)


def decide_end(held: HeldLock, release: Release) -> LockEnd:
    """Decide what follows from the end of a held lock.

    It is remembered if it had a token or a lease. The token of an abandoned lock may be used again.
    """
    lock, ending = held.lock, release.ending
    is_remembered = ending is not Ending.ABANDONED and (bool(held.token_hash) or lock.ttl is not None)
    ended = EndedLock(lock, held.token_hash, ending, release.at, release.reason)
    return LockEnd(ended if is_remembered else None, event_entry(lock, release.entry))


def event_entry(lock: lock_pb.Lock, entry: event_pb.ChangelogEntry | None) -> EventEntry | None:
    """Return which entry a change of a lock appends to which event, or None."""
    return None if entry is None or not lock.event_id else EventEntry(lock.event_id, entry)


def _fenced(lock: lock_pb.Lock, key: KeyState, now: int) -> lock_pb.Lock:
    lock = copy.copy(lock)
    lock.fencing_token = next_fencing_token(key.last_token, now)
    return lock
