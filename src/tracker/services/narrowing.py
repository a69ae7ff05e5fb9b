"""What a call may see and change, by what the grants of its principal are narrowed to.

What a principal may neither read nor change is unknown to it: such a record is answered as one that does not
exist. A change of one that it may read is refused with the permission that it lacks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from tracker.domain.events import EventId
from tracker.domain.query.tree import both
from tracker.domain.scopes import events_within, subject_of
from tracker.pb import event_pb
from tracker.permissions import Permission

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tracker.domain.query.tree import EventFilter
    from tracker.errors import TrackerError
    from tracker.pb import catalog_pb, lock_pb, terraform_pb
    from tracker.services.context import Call
    from tracker.stores.events import EventStore, IdTakenError

    Record: TypeAlias = event_pb.Event | catalog_pb.Catalog | lock_pb.Lock | terraform_pb.State

_READ: Final = {
    Permission.EVENT_WRITE: Permission.EVENT_READ,
    Permission.CATALOG_WRITE: Permission.CATALOG_READ,
    Permission.LOCK_WRITE: Permission.LOCK_READ,
    Permission.LOCK_FORCE: Permission.LOCK_READ,
    Permission.STATE_WRITE: Permission.STATE_READ,
}
_DECISIONS: Final = {
    event_pb.ChangeType.approved: Permission.DEPLOYMENT_APPROVE,
    event_pb.ChangeType.rejected: Permission.DEPLOYMENT_APPROVE,
    event_pb.ChangeType.overridden: Permission.DEPLOYMENT_OVERRIDE,
}


def visible(where: EventFilter, call: Call) -> EventFilter:
    """Return the filter for those of its events that a call may read."""
    scopes = call.principal.scopes(Permission.EVENT_READ)
    return where if scopes is None else replace(where, query=both(where.query, events_within(scopes)))


def may_touch(call: Call, permission: Permission, record: Record) -> bool:
    """Return whether the principal of a call has a permission for a record."""
    principal = call.principal
    return principal.scopes(permission) is None or principal.may_touch(permission, *subject_of(record))


def may_name(call: Call, permission: Permission, record: Record) -> bool:
    """Return whether the principal of a call may read a record, or has a permission to change it."""
    return may_touch(call, permission, record) or may_touch(call, _READ[permission], record)


async def shown_taken(error: IdTakenError, call: Call, events: EventStore) -> IdTakenError:
    """Return an error as a call may see it: without the id of an event that it may not read."""
    if call.principal.scopes(Permission.EVENT_READ) is None:
        return error
    event = await events.get(EventId(error.event_id))
    readable = event is not None and may_touch(call, Permission.EVENT_READ, event)
    return error if readable else error.without_event()


def require_change(
    call: Call,
    permission: Permission,
    record: Record,
    unknown: Callable[[], TrackerError] | None = None,
) -> None:
    """Check that the principal of a call may store a record, or change a stored one.

    Raises:
        TrackerError: UNAUTHENTICATED, PERMISSION_DENIED, or `unknown` for a record that it may not read.
    """
    if may_touch(call, permission, record):
        return
    if unknown is not None and not may_touch(call, _READ[permission], record):
        raise unknown()
    call.require(permission, *subject_of(record))


def require_decisions(call: Call, event: event_pb.Event, entries: Iterable[event_pb.ChangelogEntry]) -> None:
    """Check that the principal of a call may decide about an event what changelog entries say was decided.

    Raises:
        TrackerError: UNAUTHENTICATED or PERMISSION_DENIED.
    """
    for entry in entries:
        if (needed := _DECISIONS.get(entry.change_type)) is not None:
            call.require(needed, *subject_of(event))
