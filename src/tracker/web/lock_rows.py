"""Locks as pages show them in lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.domain.times import micros
from tracker.web.times import length

if TYPE_CHECKING:
    from markupsafe import Markup

    from tracker.pb import lock_pb
    from tracker.web.times import Times


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


def lock_row(lock: lock_pb.Lock, times: Times) -> LockRow:
    """Return how a list shows a lock."""
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
    )
