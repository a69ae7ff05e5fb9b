"""Changelog entries that changes of locks append to events.

An event remembers the changes that its last entries came from, in `notes`: an entry that is delivered twice
is appended once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.domain.event_locks import with_entries
from tracker.errors import TrackerError
from tracker.pb import event_pb
from tracker.stores.changes import ChangeKind, RecordKind
from tracker.stores.documents import parse
from tracker.stores.mongo import event_records
from tracker.stores.mongo.change_log import logged
from tracker.stores.mongo.changes import turn_of
from tracker.stores.mongo.outbox import new_entry

if TYPE_CHECKING:
    from tracker.domain.locks import EventEntry
    from tracker.stores.mongo.changes import Changes
    from tracker.stores.mongo.connections import Connections
    from tracker.stores.mongo.writes import Document

_REMEMBERED = 64


def note(noted: EventEntry | None) -> Document | None:
    """Return the part of an outbox entry that appends an entry to an event's changelog."""
    return None if noted is None else {"event": noted.event_id, "entry": noted.entry.to_json()}


class EventEntries:
    """Appends changelog entries to events."""

    def __init__(self, connections: Connections, changes: Changes) -> None:
        self._connections = connections
        self._changes = changes

    async def append(self, entry: Document) -> Document | None:
        """Deliver the `note` of an outbox entry once; return the event's document if that has changed."""
        event_id = entry["note"]["event"]
        events = self._connections.newest(event_records.NAME)
        async with self._changes.turn(turn_of(event_records.NAME, event_id)):
            while (stored := await events.find_one({"_id": event_id, "tombstone": None})) is not None:
                notes = stored.get("notes", [])
                if entry["op"] in notes:
                    return None
                appended = parse(event_pb.ChangelogEntry, event_id, entry["note"]["entry"])
                try:
                    event = with_entries(event_records.event_of(stored), [appended])
                except TrackerError:  # nobody can read the event
                    return None
                stored["notes"] = [*notes, entry["op"]][-_REMEMBERED:]
                log = logged(RecordKind.EVENT, ChangeKind.UPDATED, event_id, before=stored["document"])
                change = new_entry(entry["at"], log=[log])
                new = await event_records.replace(events, stored, event, change)
                if new is not None:
                    return new
        return None
