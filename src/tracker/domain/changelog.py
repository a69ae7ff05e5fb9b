"""The changelog of an event: an entry for each change of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protobuf import Enum, Message, message_to_json_value

from tracker.domain.events import attributes_of, metadata_of
from tracker.domain.times import micros, timestamp
from tracker.pb import event_pb
from tracker.pb.options import wire_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.pb import lock_pb

_ChangeType = event_pb.ChangeType
_Entry = event_pb.ChangelogEntry

SYSTEM = "system"
"""The author of changes whose author is not named."""

_APPROVAL_YIELDS_TO = frozenset({"status", "priority", "title", "ticket"})
"""A new owner approves the event, unless one of these fields changed with it."""


def author(event: event_pb.Event) -> str:
    """Return the author of a change of an event: its owner."""
    return attributes_of(event).owner or SYSTEM


def created(event: event_pb.Event, now: int) -> _Entry:
    """Return the first entry of a new event."""
    return _entry(event, now, _ChangeType.created, "Event created")


def locked(lock: lock_pb.Lock, now: int) -> _Entry:
    """Return the entry for a lock that was acquired for an event."""
    return _lock_entry(lock, now, _ChangeType.locked, lock.who, "")


def unlocked(lock: lock_pb.Lock, now: int, who: str, how: str = "") -> _Entry:
    """Return the entry for a lock of an event that `who` released, "" for the server, and how."""
    return _lock_entry(lock, now, _ChangeType.unlocked, who, how)


def _lock_entry(lock: lock_pb.Lock, now: int, change_type: _ChangeType, who: str, how: str) -> _Entry:
    where = f" in {lock.environment}" if lock.environment else ""
    comment = f"Service {change_type.name}{where}{how}"
    return _Entry(timestamp=timestamp(now), user=who or SYSTEM, change_type=change_type, comment=comment)


def slack_linked(event: event_pb.Event, old: str, new: str, now: int) -> _Entry:
    """Return the entry for a Slack message that was linked to an event."""
    return _entry(event, now, _ChangeType.linked, "Slack message linked", ("slack_id", old, new))


def differences(before: event_pb.Event, after: event_pb.Event, now: int) -> list[_Entry]:
    """Return an entry for each field that differs: title, attributes, links and Slack id."""
    changes: list[tuple[str, str, str]] = []
    if before.title != after.title:
        changes.append(("title", before.title, after.title))
    changes += _changed_fields(attributes_of(before), attributes_of(after))
    no_links = event_pb.EventLinks()
    changes += _changed_fields(before.links or no_links, after.links or no_links)
    entries = [_difference(after, change, changes, now) for change in changes]
    old, new = metadata_of(before).slack_id, metadata_of(after).slack_id
    if old != new:
        entries.append(slack_linked(after, old, new, now))
    return entries


def status_since(event: event_pb.Event) -> int | None:
    """Return when an event got its status (microseconds since the epoch), or None at its creation."""
    status = wire_name(attributes_of(event).status)
    for entry in reversed(event.changelog):
        if (entry.field, entry.new_value) == ("status", status) and entry.timestamp is not None:
            return micros(entry.timestamp)
    return None


def _changed_fields(before: Message, after: Message) -> Iterator[tuple[str, str, str]]:
    for field in type(before).desc().fields:
        old, new = before[field], after[field]
        if old != new:
            yield field.name, _text(old), _text(new)


def _text(value: object) -> str:
    """Return the value of a field as in the JSON of an event; "" where it is unset."""
    if isinstance(value, dict):
        value = [f"{name}={item}" for name, item in sorted(value.items())]
    match value:
        case None:
            return ""
        case Enum():
            return wire_name(value)
        case bool():
            return "true" if value else "false"
        case Message():
            return str(message_to_json_value(value))
        case list():
            return ", ".join(_text(item) for item in value)
        case _:
            return str(value)


def _difference(
    event: event_pb.Event, change: tuple[str, str, str], changes: Sequence[tuple[str, str, str]], now: int
) -> _Entry:
    field, _, new = change
    change_type, comment = _ChangeType.updated, f"{field.replace('_', ' ').capitalize()} updated"
    match field:
        case "status":
            change_type = _ChangeType.status_changed
        case "ticket" if new:
            change_type, comment = _ChangeType.linked, "Jira ticket linked"
        case "owner" if new and not any(name in _APPROVAL_YIELDS_TO for name, _, _ in changes):
            change_type, comment = _ChangeType.approved, f"Event approved by {new}"
    return _entry(event, now, change_type, comment, change)


def _entry(
    event: event_pb.Event, now: int, kind: _ChangeType, comment: str, change: tuple[str, str, str] = ("",) * 3
) -> _Entry:
    field, old, new = change
    return _Entry(
        timestamp=timestamp(now),
        user=author(event),
        change_type=kind,
        field=field,
        old_value=old,
        new_value=new,
        comment=comment,
    )
