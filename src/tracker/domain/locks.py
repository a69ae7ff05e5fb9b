"""What a lock excludes, and when an event takes or lets go of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from protobuf import enum_is_unknown

from tracker.domain.changelog import SYSTEM
from tracker.domain.lifecycle import FINISHED, RUNNING, attributes_of, metadata_of
from tracker.domain.times import timestamp
from tracker.pb import event_pb, lock_pb

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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


_LOCKING_TYPES = frozenset({event_pb.Type.deployment, event_pb.Type.operation})


class LockKey(NamedTuple):
    """What at most one lock may hold."""

    service: str
    environment: str
    resource: str


def lock_key(lock: lock_pb.Lock) -> LockKey:
    """Return the key of a lock, the same however its environment and resource are written.

    `PROD`, `prod` and `production` are one environment; a lock without a resource is one of a deployment.
    """
    environment = lock.environment.strip().casefold()
    return LockKey(
        lock.service,
        _ENVIRONMENTS.get(environment, environment),
        lock.resource.strip().casefold() or DEFAULT_RESOURCE,
    )


def held_message(holder: lock_pb.Lock) -> str:
    """Return the sentence that tells a caller who holds the lock it wants."""
    return (
        f"service {holder.service} is already locked for {holder.resource or DEFAULT_RESOURCE}"
        f" in {holder.environment or 'no environment'} by {holder.who or 'nobody named'}"
        f" (lock_id: {holder.id}, event_id: {holder.event_id})"
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
    }


def event_lock(event: event_pb.Event, *, lock_id: str, now: int) -> lock_pb.Lock | None:
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
    return lock_pb.Lock(
        id=lock_id,
        service=attributes.service,
        who=attributes.owner or SYSTEM,
        created_at=timestamp(now),
        environment=attributes.environment.name,
        resource=attributes.type.name,
        event_id=metadata_of(event).id,
    )


LockOf: TypeAlias = "Callable[[event_pb.Event], lock_pb.Lock | None]"
"""Makes the lock that stands for an event's work: `event_lock` with an id and a time, or nothing at all."""


class LockPlan(NamedTuple):
    """Which locks an event lets go of and which one it takes, in this order."""

    release: tuple[lock_pb.Lock, ...] = ()
    acquire: lock_pb.Lock | None = None


def plan_for_new(event: event_pb.Event, lock_of: LockOf) -> LockPlan:
    """Return what a new event means for locks: work that is under way takes one."""
    return LockPlan(acquire=lock_of(event) if attributes_of(event).status in RUNNING else None)


def plan_for_update(
    before: event_pb.Event, after: event_pb.Event, held: Sequence[lock_pb.Lock], lock_of: LockOf
) -> LockPlan:
    """Return what the change of an event means for locks; `held` are those that carry its id.

    The end of the work lets go of all of them. Where the work moves to another service, environment
    or type, its own lock moves with it. Work that begins takes a lock; one that somebody released
    while the work went on is not taken again.
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
        return LockPlan(acquire=new if begins else None)
    return LockPlan(release=own, acquire=new if own or attributes_of(after).status in RUNNING else None)
