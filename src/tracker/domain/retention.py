"""How long events are kept: what is due by a policy, and what legal holds keep from deletion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.domain.events import event_id
from tracker.domain.query.fields import BY_NAME
from tracker.domain.query.matching import matches
from tracker.domain.query.tree import EVERYTHING, EventFilter, Not, Range, Term, any_of, both
from tracker.domain.times import duration_micros, timestamp
from tracker.errors import Reason, TrackerError
from tracker.pb import retention_pb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.access import Principal
    from tracker.domain.query.tree import Node
    from tracker.pb import event_pb

_END: Final = BY_NAME["end"]


@dataclass(frozen=True, slots=True)
class Holds:
    """The legal holds at a moment: the name of each, and the query for what it holds."""

    queries: Sequence[tuple[str, Node]] = ()

    @property
    def query(self) -> Node | None:
        """The query for all that is held; None for nothing."""
        return any_of(tuple(query for _, query in self.queries)) if self.queries else None

    def names_for(self, event: event_pb.Event) -> Sequence[str]:
        """Return the names of the holds that hold an event."""
        return [name for name, query in self.queries if matches(query, event)]

    def require_free(self, event: event_pb.Event) -> None:
        """Check that an event may be deleted.

        Raises:
            TrackerError: FAILED_PRECONDITION (`EVENT_HELD`), which names the hold.
        """
        for name in self.names_for(event):
            raise _held(event, name, "it can't be deleted")

    def require_kept(self, before: event_pb.Event, after: event_pb.Event) -> None:
        """Check that a change leaves an event in the holds that hold it.

        Raises:
            TrackerError: FAILED_PRECONDITION (`EVENT_HELD`), which names the hold.
        """
        left = {*self.names_for(before)} - {*self.names_for(after)} if self.queries else ()
        for name in sorted(left):
            raise _held(before, name, "this change would take it out of the hold")


def _held(event: event_pb.Event, name: str, why: str) -> TrackerError:
    message = f"event {event_id(event)} is held by the legal hold {name}: {why}"
    return TrackerError(Reason.EVENT_HELD, message, metadata={"hold": name})


def due_filter(query: Node, due_before: int, holds: Holds | None) -> EventFilter | None:
    """Return the filter for the events that are due before a moment; None where all are held.

    They began before it (microseconds since the epoch), and have no later end. Without `holds`, held events
    are among them.
    """
    query = both(query, Not(Term(_END, (Range(due_before, None),))))
    held = None if holds is None else holds.query
    if held is not None:
        if holds is not None and any(each == EVERYTHING for _, each in holds.queries):
            return None
        query = both(query, Not(held))
    return EventFilter(query, until=due_before)


def due_before(policy: retention_pb.RetentionPolicy, now: int) -> int:
    """Return the moment (microseconds since the epoch) before which events are due by a policy."""
    if policy.keep_for is None:
        raise ValueError("a policy without an age")
    return now - duration_micros(policy.keep_for)


def new_policy(
    request: retention_pb.CreateRetentionPolicyRequest, *, policy_id: str, now: int, principal: Principal
) -> retention_pb.RetentionPolicy:
    """Return the policy that a request describes."""
    return retention_pb.RetentionPolicy(
        id=policy_id,
        name=request.name.strip(),
        query=request.query,
        keep_for=request.keep_for,
        export=request.export,
        active=request.active,
        created_by="" if principal.is_anonymous else principal.name,
        created_at=timestamp(now),
        updated_at=timestamp(now),
    )


def updated_policy(
    stored: retention_pb.RetentionPolicy, request: retention_pb.UpdateRetentionPolicyRequest, now: int
) -> retention_pb.RetentionPolicy:
    """Return what a request makes of a policy; who created it stays, and what it last deleted."""
    return retention_pb.RetentionPolicy(
        id=stored.id,
        name=request.name.strip(),
        query=request.query,
        keep_for=request.keep_for,
        export=request.export,
        active=request.active,
        created_by=stored.created_by,
        created_at=stored.created_at,
        updated_at=timestamp(now),
        last_run=stored.last_run,
    )


def new_hold(
    request: retention_pb.CreateLegalHoldRequest, query: str, *, hold_id: str, now: int, principal: Principal
) -> retention_pb.LegalHold:
    """Return the hold that a request describes, with its query in absolute times."""
    return retention_pb.LegalHold(
        id=hold_id,
        name=request.name.strip(),
        query=query,
        reason=request.reason,
        created_by="" if principal.is_anonymous else principal.name,
        created_at=timestamp(now),
    )
