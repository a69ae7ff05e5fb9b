"""Changelog entries of events that follow from changes of locks.

The change of a lock and the entry are two documents. So the entry is first put into the outbox of the lock's
key, in the change itself, and from there into the event, which remembers the entries that came last: an entry
that is delivered twice, by whoever finds it in the outbox, is appended once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bson import ObjectId

from tracker.pb import event_pb
from tracker.stores.changes import ChangeKind
from tracker.stores.documents import parse
from tracker.stores.mongo import event_log, event_records, lock_documents, writes

if TYPE_CHECKING:
    from tracker.domain.locks import EventEntry
    from tracker.stores.mongo.changes import Changes
    from tracker.stores.mongo.connections import Connections
    from tracker.stores.mongo.event_log import MongoEventLog
    from tracker.stores.mongo.writes import Document

_REMEMBERED = 64


def note(noted: EventEntry | None, now: int) -> list[Document]:
    """Return what goes into the outbox of a lock's key: an entry for an event, or nothing."""
    if noted is None:
        return []
    return [{"op": ObjectId(), "event": noted.event_id, "entry": noted.entry.to_json(), "at": now}]


class Notes:
    """Takes changelog entries from the outboxes of keys to their events."""

    def __init__(self, connections: Connections, changes: Changes, log: MongoEventLog) -> None:
        self._connections = connections
        self._changes = changes
        self._log = log

    async def deliver(self, key: str, outbox: list[Document]) -> None:
        """Append entries to their events, where these exist, and take them out of a key's outbox."""
        keys = self._connections.newest(lock_documents.NAME)
        for each in outbox:
            await self._append(each)
            await writes.update(keys, {"_id": key}, {"$pull": {"outbox": {"op": each["op"]}}})

    async def _append(self, note: Document) -> None:
        events = self._connections.newest(event_records.NAME)
        async with self._changes.turn(f"event {note['event']}"):
            while (stored := await events.find_one({"_id": note["event"]})) is not None:
                taken = stored.get("notes", [])
                if "gone" in stored or note["op"] in taken:
                    return
                event = event_records.event_of(stored)
                event.changelog.append(parse(event_pb.ChangelogEntry, note["event"], note["entry"]))
                new = stored | {
                    "document": event.to_json(),
                    "notes": [*taken, note["op"]][-_REMEMBERED:],
                    "unlogged": event_log.note(stored, ChangeKind.UPDATED, note["at"]),
                }
                if await writes.replace(events, stored, new):
                    self._log.add(new)
                    return
