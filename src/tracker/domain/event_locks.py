"""Which locks an event takes, renews and releases when it is created and changed."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from protobuf import enum_is_unknown

from tracker.domain import changelog
from tracker.domain.access import ANONYMOUS
from tracker.domain.events import FINISHED, RUNNING, attributes_of, metadata_of
from tracker.domain.locks import Ending, HeldLock, Release, begin_lease, lock_key, renew_lease, taken_by
from tracker.domain.times import timestamp
from tracker.pb import event_pb, lock_pb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from protobuf.wkt import Duration

    from tracker.domain.access import Principal

_LOCKING_TYPES = frozenset({event_pb.Type.deployment, event_pb.Type.operation})


def event_lock(
    event: event_pb.Event,
    *,
    lock_id: str,
    now: int,
    ttl: Duration | None = None,
    principal: Principal = ANONYMOUS,
) -> lock_pb.Lock | None:
    """Return the lock of the work that an event describes, whatever its status, as a principal takes it.

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
        who=attributes.owner or changelog.SYSTEM,
        created_at=timestamp(now),
        environment=attributes.environment.name,
        resource=attributes.type.name,
        event_id=metadata_of(event).id,
    )
    return begin_lease(taken_by(principal, lock), now, ttl)


LockOf: TypeAlias = "Callable[[event_pb.Event], lock_pb.Lock | None]"
"""Returns the lock of an event's work: `event_lock` with an id and a time, or nothing."""


class LockPlan(NamedTuple):
    """Which locks an event releases and which one it takes, in this order, and whose leases it renews."""

    release: tuple[lock_pb.Lock, ...] = ()
    acquire: lock_pb.Lock | None = None
    renew: tuple[lock_pb.Lock, ...] = ()


@dataclass(frozen=True, slots=True)
class EventChange:
    """A change of an event and of the locks with its id.

    `release` are those that end (by id), and how; `renew` are new documents of others; `acquire` is a lock
    to take after that.
    """

    event: event_pb.Event
    release: Mapping[str, Release] = field(default_factory=dict)
    renew: Sequence[lock_pb.Lock] = ()
    acquire: lock_pb.Lock | None = None


@dataclass(frozen=True, slots=True)
class EventOutcome:
    """The result of a change for an event and its locks.

    `event` has the changelog entries of the locks that end. `ends` are these locks and how they end,
    `renewed` are locks before and after their renewal, and `claim` is the lock to take after that.
    """

    event: event_pb.Event
    ends: Sequence[tuple[HeldLock, Release]]
    renewed: Sequence[tuple[HeldLock, lock_pb.Lock]]
    claim: HeldLock | None


def plan_for_update(
    before: event_pb.Event, after: event_pb.Event, held: Sequence[lock_pb.Lock], lock_of: LockOf
) -> LockPlan:
    """Return the lock plan of the change of an event; `held` are the locks with its id.

    The event is new where `before` is empty. The end of the work releases all its locks. Where the work moves
    to another service, environment or type, its own lock moves with it; where it continues, the lease of its
    own lock is renewed. Work that begins takes a lock; a lock that ended during the work is not taken again.
    """
    if attributes_of(after).status in FINISHED:
        return LockPlan(release=tuple(held))
    old, new = lock_of(before), lock_of(after)
    old_key, new_key = old and lock_key(old), new and lock_key(new)
    own = tuple(lock for lock in held if lock_key(lock) == old_key)
    if old_key == new_key:
        runs, ran = (attributes_of(each).status in RUNNING for each in (after, before))
        begins = runs and not ran and not own
        leased = tuple(lock for lock in own if lock.ttl is not None and lock.expired_at is None)
        return LockPlan(acquire=new if begins else None, renew=leased)
    return LockPlan(release=own, acquire=new if own or attributes_of(after).status in RUNNING else None)


def apply_plan(plan: LockPlan, event: event_pb.Event, now: int) -> EventChange:
    """Return the change that carries out a plan, with an entry in the event's changelog for each lock."""
    entries = [changelog.unlocked(lock, now, lock.who) for lock in plan.release]
    if plan.acquire is not None:
        entries.append(changelog.locked(plan.acquire, now))
    return EventChange(
        with_entries(event, entries),
        release={lock.id: Release(Ending.EVENT_ENDED, now) for lock in plan.release},
        renew=[renew_lease(lock, now) for lock in plan.renew],
        acquire=plan.acquire,
    )


def decide_event_change(change: EventChange, held: Sequence[HeldLock]) -> EventOutcome:
    """Return the result of a change for an event and the locks with its id, which are `held`."""
    ends = [(each, change.release[each.lock.id]) for each in held if each.lock.id in change.release]
    renewed = {lock.id: lock for lock in change.renew}
    return EventOutcome(
        with_entries(change.event, [release.entry for _, release in ends if release.entry is not None]),
        [(each, replace(release, entry=None)) for each, release in ends],
        [(each, renewed[each.lock.id]) for each in held if each.lock.id in renewed],
        None if change.acquire is None else HeldLock(change.acquire),
    )


def with_entries(event: event_pb.Event, entries: Sequence[event_pb.ChangelogEntry]) -> event_pb.Event:
    """Return an event with further entries in its changelog."""
    if entries:
        event = copy.copy(event)
        event.changelog = [*event.changelog, *entries]
    return event
