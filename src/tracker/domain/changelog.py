"""The changelog of an event: an entry for each change of it.

An event has its whole changelog up to a bound. Beyond that, all entries are records of their own, numbered
from 0, and the event has the newest of them, shortened, and their number (`changelog_total`).
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final, NamedTuple

from protobuf import Enum, Message, message_to_json_value

from tracker.domain.events import attributes_of, metadata_of
from tracker.domain.times import micros, timestamp
from tracker.pb import event_pb
from tracker.pb.options import wire_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.domain.access import Principal
    from tracker.pb import incident_pb, lock_pb

_ChangeType = event_pb.ChangeType
_Entry = event_pb.ChangelogEntry

SYSTEM = "system"
"""The author of changes whose author is not named."""

MOST_ENTRIES: Final = 50
"""Entries of the changelog in an event, without that of its last change of status."""

MOST_BYTES: Final = 32_768
"""Bytes of the changelog in an event."""

LONGEST_VALUE: Final = 65_536
"""Bytes of a value in an entry."""

_SHORT_VALUE = 1_024
_ENTRY_BYTES = 40
"""What an entry has besides its texts: its time and the tags of its fields."""

_APPROVAL_YIELDS_TO = frozenset({"status", "priority", "title", "ticket"})
"""A new owner approves the event, unless one of these fields changed with it."""


def signed(event: event_pb.Event, known: int, principal: Principal, claimed: str) -> event_pb.Event:
    """Return an event whose changelog has a principal as the author of all but its first `known` entries.

    `claimed` is whom the caller named. A caller without credentials is the author that it names.
    """
    if principal.is_anonymous:
        return event
    event = copy.copy(event)
    new = [signed_entry(entry, principal, claimed) for entry in event.changelog[known:]]
    event.changelog = [*event.changelog[:known], *new]
    return event


def signed_entry(entry: _Entry, principal: Principal, claimed: str) -> _Entry:
    """Return an entry with a principal as its author, as `signed` does."""
    entry = copy.copy(entry)
    entry.clear_field("principal")
    entry.clear_field("claimed_user")
    if not principal.is_anonymous:
        entry.principal, entry.user = principal.id, principal.name
        if claimed not in {"", principal.name}:
            entry.claimed_user = claimed
    return entry


def author(event: event_pb.Event, who: str) -> str:
    """Return the author of a change of an event: `who`, or else its owner."""
    return who or attributes_of(event).owner or SYSTEM


def created(event: event_pb.Event, now: int, who: str) -> _Entry:
    """Return the first entry of a new event."""
    return _entry(event, now, _ChangeType.created, "Event created", who=who)


def locked(lock: lock_pb.Lock, now: int) -> _Entry:
    """Return the entry for a lock that was acquired for an event."""
    entry = _lock_entry(lock, now, _ChangeType.locked, lock.who, "")
    if lock.owner:
        entry.principal = lock.owner
    if lock.claimed_who:
        entry.claimed_user = lock.claimed_who
    return entry


def unlocked(lock: lock_pb.Lock, now: int, who: str, how: str = "") -> _Entry:
    """Return the entry for a lock of an event that `who` released, "" for the server, and how."""
    return _lock_entry(lock, now, _ChangeType.unlocked, who, how)


def _lock_entry(lock: lock_pb.Lock, now: int, change_type: _ChangeType, who: str, how: str) -> _Entry:
    where = f" in {lock.environment}" if lock.environment else ""
    comment = f"Service {change_type.name}{where}{how}"
    return _Entry(timestamp=timestamp(now), user=who or SYSTEM, change_type=change_type, comment=comment)


def overridden(reason: str, user: str, now: int) -> event_pb.ChangelogEntry:
    """Return the entry for work that begins, for a reason, although it is not allowed."""
    return _Entry(timestamp=timestamp(now), user=user, change_type=_ChangeType.overridden, comment=reason)


def slack_linked(event: event_pb.Event, old: str, new: str, now: int, who: str = "") -> _Entry:
    """Return the entry for a Slack message that was linked to an event."""
    return _entry(event, now, _ChangeType.linked, "Slack message linked", ("slack_id", old, new), who=who)


def change_linked(  # noqa: PLR0913, PLR0917 - the parts of an entry
    event: event_pb.Event, link: incident_pb.Link, old: str, new: str, now: int, comment: str, who: str
) -> _Entry:
    """Return the entry for a change that was linked to an incident, or whose link was withdrawn."""
    words = link.name.replace("_", " ").capitalize()
    said = comment or (words if new else f"{words}: withdrawn")
    return _entry(event, now, _ChangeType.linked, said, (link.name, old, new), who=who)


def differences(before: event_pb.Event, after: event_pb.Event, now: int, who: str = "") -> list[_Entry]:
    """Return an entry for each field that differs: title, attributes, links and Slack id."""
    changes: list[tuple[str, str, str]] = []
    if before.title != after.title:
        changes.append(("title", before.title, after.title))
    changes += _changed_fields(attributes_of(before), attributes_of(after))
    no_links = event_pb.EventLinks()
    changes += _changed_fields(before.links or no_links, after.links or no_links)
    entries = [_difference(after, change, changes, now, who) for change in changes]
    old, new = metadata_of(before).slack_id, metadata_of(after).slack_id
    if old != new:
        entries.append(slack_linked(after, old, new, now, who))
    return entries


class Divided(NamedTuple):
    """An event as it is stored, and the changelog entries that become records, with the number of the first.

    If that is 0, they replace all such records of the event.
    """

    event: event_pb.Event
    first: int
    entries: Sequence[_Entry]


def divided(before: event_pb.Event | None, event: event_pb.Event) -> Divided:
    """Divide a new event, or a changed one whose new entries follow those that it had `before`."""
    if before is None or not event.changelog_total:
        stored = shown(event)
        return Divided(stored, 0, event.changelog if stored.changelog_total else ())
    entries = event.changelog[len(before.changelog) :]
    return Divided(_abridged(event, event.changelog_total + len(entries)), event.changelog_total, entries)


def shown(event: event_pb.Event) -> event_pb.Event:
    """Return an event as it is answered; an earlier version may have stored it with a longer changelog."""
    entries = event.changelog
    if event.changelog_total or (len(entries) <= MOST_ENTRIES and sum(map(_size, entries)) <= MOST_BYTES):
        return event
    return _abridged(event, len(entries))


def _abridged(event: event_pb.Event, total: int) -> event_pb.Event:
    """Return an event with the newest entries of its changelog and the last of its status, all shortened."""
    last = next((entry for entry in reversed(event.changelog) if entry.field == "status"), None)
    status = [] if last is None else [shortened_entry(last)]
    room = MOST_BYTES - sum(map(_size, status))
    kept: list[_Entry] = []
    for entry in reversed(event.changelog[-MOST_ENTRIES:]):
        short = status[0] if entry is last else shortened_entry(entry)
        room -= 0 if entry is last else _size(short)
        if room < 0:
            break
        kept.append(short)
    event = copy.copy(event)
    event.changelog = [*(each for each in status if each not in kept), *reversed(kept)]
    event.changelog_total = total
    return event


def _size(entry: _Entry) -> int:
    """Return about how many bytes an entry takes."""
    texts = (entry.user, entry.field, entry.old_value, entry.new_value, entry.comment)
    return _ENTRY_BYTES + sum(len(text) if text.isascii() else len(text.encode()) for text in texts)


def shortened_entry(entry: _Entry, most: int = _SHORT_VALUE) -> _Entry:
    """Return an entry with values of up to `most` bytes."""
    if _size(entry) <= most:
        return entry
    short = copy.copy(entry)
    short.old_value = _shortened(entry.old_value, most)
    short.new_value = _shortened(entry.new_value, most)
    short.comment = _shortened(entry.comment, most)
    return short


def _shortened(text: str, most: int) -> str:
    """Return a text of up to `most` bytes; a longer one ends with an ellipsis."""
    if 4 * len(text) <= most or len(encoded := text.encode()) <= most:
        return text
    return encoded[: most - len("…".encode())].decode(errors="ignore") + "…"


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
            yield field.name, _shortened(_text(old), LONGEST_VALUE), _shortened(_text(new), LONGEST_VALUE)


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
    event: event_pb.Event,
    change: tuple[str, str, str],
    changes: Sequence[tuple[str, str, str]],
    now: int,
    who: str,
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
    return _entry(event, now, change_type, comment, change, who=who)


def _entry(  # noqa: PLR0913 - the parts of an entry
    event: event_pb.Event,
    now: int,
    kind: _ChangeType,
    comment: str,
    change: tuple[str, str, str] | None = None,
    *,
    who: str = "",
) -> _Entry:
    entry = _Entry(timestamp=timestamp(now), user=author(event, who), change_type=kind, comment=comment)
    if change is not None:
        entry.field, entry.old_value, entry.new_value = change
    return entry
