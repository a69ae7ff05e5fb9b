"""What follows for locks from the change of an event.

The event and its locks are documents of their own. So what is to happen to the locks is put into the event's
outbox, in the change itself, and carried out right after, by the janitor if need be. All of it may be done
twice. A lock that is to be taken is taken before, provisionally, so that the change can be refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.domain.locks import Ending, Release
from tracker.stores.mongo import event_records, writes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bson import ObjectId

    from tracker.stores.mongo.connections import Connections
    from tracker.stores.mongo.lock_keys import LockKeys
    from tracker.stores.mongo.writes import Document


def outbox(op: ObjectId, at: int, *, release: Mapping[str, Release], taken: str | None) -> Document:
    """Return what follows from a change: locks that end, by id, and the lock that was taken for it."""
    ends = [{"lock": lock_id, **_fields(each)} for lock_id, each in release.items()]
    return {"op": op, "at": at, "release": ends, "taken": taken}


def outbox_of_deleted(op: ObjectId, at: int, release: Release) -> Document:
    """Return what follows from the deletion of an event: all its locks end."""
    return {"op": op, "at": at, "release_all": _fields(release)}


class FollowUps:
    """Carries out what follows for locks from changes of events."""

    def __init__(self, connections: Connections, keys: LockKeys) -> None:
        self._connections = connections
        self._keys = keys

    async def carry_out(self, stored: Document) -> Document:
        """Do what the outbox of an event says, and return the event without it."""
        outbox = stored.get("outbox")
        if outbox is None:
            return stored
        events = self._connections.newest(event_records.NAME)
        where = {"_id": stored["_id"], "outbox.op": outbox["op"]}
        if "release_all" in outbox:
            release = _release(outbox["release_all"])
            for key in await self._keys.of_event(stored["_id"]):
                await self._keys.end_unless_gone(key["holder"]["id"], release)
        else:
            for each in outbox["release"]:
                await self._keys.end_unless_gone(each["lock"], _release(each))
            if outbox["taken"] is not None:
                await self._keys.confirm(outbox["taken"], outbox["op"])
        await writes.update(events, where, {"$unset": {"outbox": ""}})
        return {name: value for name, value in stored.items() if name != "outbox"}


def _fields(release: Release) -> Document:
    return {"ending": release.ending.value, "at": release.at, "reason": release.reason}


def _release(fields: Document) -> Release:
    return Release(Ending(fields["ending"]), fields["at"], fields["reason"])
