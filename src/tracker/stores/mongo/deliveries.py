"""What is delivered right after a change: the ends of locks, and the changelog entries of events."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pymongo.errors import PyMongoError

from tracker.domain.locks import Ending, Release
from tracker.errors import TrackerError
from tracker.stores.mongo import event_records, lock_documents
from tracker.stores.mongo.outbox import entries_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bson import ObjectId

    from tracker.stores.mongo.courier import Courier
    from tracker.stores.mongo.event_entries import EventEntries
    from tracker.stores.mongo.lock_keys import LockKeys
    from tracker.stores.mongo.writes import Document

_ENDS = {"ends", "ends_all"}
_REMEMBERED = 10_000


def ends_of(release: Mapping[str, Release]) -> list[Document]:
    """Return the part of an outbox entry that ends locks, by id."""
    return [{"lock": lock_id, **end_fields(each)} for lock_id, each in release.items()]


def end_fields(release: Release) -> Document:
    """Return what an outbox entry says of how a lock ends."""
    return {"ending": release.ending.value, "at": release.at, "reason": release.reason}


class Deliveries:
    """Delivers what is in the outboxes of documents; the rest, which nobody waits for, the courier does."""

    def __init__(self, keys: LockKeys, entries: EventEntries, courier: Courier) -> None:
        self._keys = keys
        self._entries = entries
        self._courier = courier
        self._delivered: dict[ObjectId, None] = {}

    async def deliver(self, collection: str, stored: Document, *, again: bool = False) -> None:
        """Deliver what is in the outbox of a document, `again` even what this server has delivered before."""
        for entry in entries_of(stored):
            if "undecided" in entry:
                break
            if again or entry["op"] not in self._delivered:
                await self._deliver(stored["_id"], entry)
                self._delivered[entry["op"]] = None
        while len(self._delivered) > _REMEMBERED:
            del self._delivered[next(iter(self._delivered))]
        self._courier.add(collection, stored)

    async def try_to_deliver(self, collection: str, stored: Document) -> None:
        """Deliver what is in the outbox of a document; what fails is left to the reconciler."""
        with suppress(TrackerError, PyMongoError):
            await self.deliver(collection, stored)

    async def finish_ends(self, collection: str, stored: Document) -> None:
        """Deliver what is in the outbox of a document if earlier changes end locks that may still be held."""
        if any(entry.keys() & _ENDS and entry["op"] not in self._delivered for entry in entries_of(stored)):
            await self.deliver(collection, stored)

    async def _deliver(self, record_id: str, entry: Document) -> None:
        for each in entry.get("ends", ()):
            await self._end(each["lock"], each)
        if "ends_all" in entry:
            for key in await self._keys.of_event(record_id):
                await self._end(key["holder"]["id"], entry["ends_all"])
        if "note" in entry and (event := await self._entries.append(entry)) is not None:
            await self.deliver(event_records.NAME, event)

    async def _end(self, lock_id: str, fields: Document) -> None:
        """End a lock, whatever it has become meanwhile, if it is held."""
        release = Release(Ending(fields["ending"]), fields["at"], fields["reason"])
        while (stored := await self._keys.settled(lock_id)) is not None:
            ended = await self._keys.end(stored, release)
            if ended is not None:
                await self.deliver(lock_documents.NAME, ended)
                return
