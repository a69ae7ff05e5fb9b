"""Locks as pages show them in lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.domain.locks import lock_key
from tracker.domain.times import micros
from tracker.web.times import length
from tracker.web.visit import address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from tracker.pb import lock_pb
    from tracker.web.times import Times


@dataclass(frozen=True, slots=True)
class WaiterRow:
    """A call that waits for a lock; `waits` is for how long."""

    who: str
    reason: str
    event_id: str
    since: Markup
    waits: str


@dataclass(frozen=True, slots=True)
class LockRow:
    """A lock of a list; `held` is for how long it has been held."""

    id: str
    service: str
    environment: str
    resource: str
    who: str
    reason: str
    since: Markup
    held: str
    expires: Markup
    ttl: str
    fencing_token: int
    renewals: int
    event_id: str
    labels: tuple[tuple[str, str], ...]
    owner: str
    claimed: str
    lapsed: bool
    history: str
    waiters: tuple[WaiterRow, ...] = ()

    @property
    def name(self) -> str:
        """What the lock is for, in words."""
        return f"{self.service} for {self.resource or 'deployment'} in {self.environment or 'no environment'}"


def lock_row(lock: lock_pb.Lock, times: Times, waiters: Sequence[lock_pb.LockWaiter] = ()) -> LockRow:
    """Return how a list shows a lock, with those of some calls that wait for it, the next first."""
    key = lock_key(lock)
    queue = sorted((each for each in waiters if each.lock_id == lock.id), key=lambda each: each.place)
    held = "" if lock.created_at is None else length(max(0, times.now - micros(lock.created_at)))
    return LockRow(
        id=lock.id,
        service=lock.service,
        environment=lock.environment,
        resource=lock.resource,
        who=lock.who,
        reason=lock.reason,
        since=times.tag(lock.created_at),
        held=held,
        expires=times.tag(lock.expires_at, age=True),
        ttl=length(lock.ttl),
        fencing_token=lock.fencing_token,
        renewals=lock.renewals,
        event_id=lock.event_id,
        labels=tuple(sorted(lock.labels.items())),
        owner=lock.owner or "",
        claimed=lock.claimed_who or "",
        lapsed=lock.expired_at is not None,
        history=address("/locks/history", key._asdict()),
        waiters=tuple(_waiter_row(each, times) for each in queue),
    )


def _waiter_row(waiter: lock_pb.LockWaiter, times: Times) -> WaiterRow:
    waits = "" if waiter.since is None else length(max(0, times.now - micros(waiter.since)))
    since = times.tag(waiter.since, age=True)
    return WaiterRow(waiter.who, waiter.reason, waiter.event_id, since, waits)
