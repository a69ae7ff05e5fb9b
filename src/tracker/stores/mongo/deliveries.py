"""Makes changes of records, and delivers the ends of locks and entries of changelogs right after them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from pymongo.errors import PyMongoError

from tracker.domain.event_locks import with_entries
from tracker.domain.locks import Ending, Release
from tracker.errors import TrackerError
from tracker.pb import event_pb
from tracker.stores.base import unavailable
from tracker.stores.changes import PRINCIPAL, ChangeKind, RecordKind
from tracker.stores.documents import parse
from tracker.stores.mongo import changelogs, event_records, idempotency, lock_documents, lock_keys
from tracker.stores.mongo.outbox import entries_of, is_made, logged, made_by, new_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from bson import ObjectId

    from tracker.stores.idempotency import Once
    from tracker.stores.mongo.courier import Courier
    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.writes import Document

T = TypeVar("T")


_ENDS = {"ends", "ends_all"}
_REMEMBERED = 10_000
_NOTES_REMEMBERED = 64


class _NoRecordError(Exception):
    """There is no record to change."""


def end_fields(release: Release) -> Document:
    """Return the fields of an outbox entry for the end of a lock."""
    return {"ending": release.ending.value, "at": release.at, "reason": release.reason}


@dataclass(eq=False)
class Deliveries:
    """Makes changes, and delivers what callers wait for of their outboxes; the courier delivers the rest."""

    _database: Database
    courier: Courier
    _delivered: dict[ObjectId, None] = field(default_factory=dict, init=False)

    async def put(
        self,
        once: Once[T] | None,
        made: T,
        name: str,
        before: Document | None,
        after: Document,
        **parts: object,
    ) -> bool:
        """Make a change as `idempotency.put` does, and deliver what follows; return whether it was made."""
        change = new_entry(self._database.now(), **parts)
        new = await idempotency.put(self._database, once, made, name, before, after, change)
        if new is not None:
            await self.try_to_deliver(name, new)
        return new is not None

    async def create(
        self, name: str, kind: RecordKind, made: T, document: Document, once: Once[T] | None
    ) -> None:
        """Store the document of a new record, and log it as one of a kind."""

        async def step() -> None:
            log = [logged(kind, ChangeKind.CREATED, document["_id"])]
            if not await self.put(once, made, name, None, document, log=log):
                raise unavailable("the change took too long and was abandoned")

        await self._database.run(step)

    async def upsert(
        self,
        name: str,
        kind: RecordKind,
        record_id: str,
        change: Callable[[Document | None], tuple[T, Document]],
        once: Once[T] | None,
    ) -> T:
        """Store what `change` returns for the stored document, if any; return the record.

        That is the record, and its new document.
        """

        async def step() -> T:
            records = self._database.newest(name)
            async with self._database.turn(name, record_id):
                while True:
                    stored = await records.find_one({"_id": record_id})
                    before = "" if stored is None else stored.get("document", "")
                    made, document = change(stored if before else None)
                    change_kind = ChangeKind.UPDATED if before else ChangeKind.CREATED
                    log = [logged(kind, change_kind, record_id, before=before)]
                    if await self.put(once, made, name, stored, document, log=log):
                        return made

        return await self._database.run(step)

    async def modify(
        self,
        name: str,
        kind: RecordKind,
        record_id: str,
        change: Callable[[Document], tuple[T, Document]],
        once: Once[T] | None,
    ) -> T | None:
        """Change a record as `upsert` does; return None if there is none."""

        def change_stored(stored: Document | None) -> tuple[T, Document]:
            if stored is None:
                raise _NoRecordError
            return change(stored)

        try:
            return await self.upsert(name, kind, record_id, change_stored, once)
        except _NoRecordError:
            return None

    async def delete(
        self,
        name: str,
        kind: RecordKind,
        record_id: str,
        once: Once[bool] | None,
        check: Callable[[Document], None] = lambda _: None,
    ) -> bool:
        """Replace a record by a tombstone; return False if there is none.

        Nothing is changed where `check` raises for the document.
        """

        async def step() -> bool:
            where = {"_id": record_id, "tombstone": None}
            while (stored := await self._database.newest(name).find_one(where)) is not None:
                check(stored)
                log = [logged(kind, ChangeKind.DELETED, record_id, before=stored["document"])]
                tombstone = {"_id": record_id, "tombstone": self._database.now()}
                if await self.put(once, True, name, stored, tombstone, log=log):  # noqa: FBT003 - it is deleted
                    return True
            return False

        return await self._database.run(step)

    async def deliver(
        self, collection: str, stored: Document, made: Collection[ObjectId] = (), *, again: bool = False
    ) -> None:
        """Deliver what is in the outbox of a document, `again` even what this server has delivered before.

        The changes in `made` are known to be made.
        """
        for entry in entries_of(stored):
            if "undecided" in entry:  # it has nothing to deliver here
                if entry["op"] in made or await is_made(self._database, entry):
                    continue
                break
            if again or entry["op"] not in self._delivered:
                principal = PRINCIPAL.set(entry.get("principal", ""))
                try:
                    await self._deliver(stored, entry)
                finally:
                    PRINCIPAL.reset(principal)
                self._delivered[entry["op"]] = None
        while len(self._delivered) > _REMEMBERED:
            del self._delivered[next(iter(self._delivered))]
        self.courier.add(collection, stored)

    async def try_to_deliver(self, collection: str, stored: Document) -> None:
        """Deliver what is in the outbox of a document; what fails is left to the reconciler."""
        with suppress(TrackerError, PyMongoError):
            await self.deliver(collection, stored)

    async def finish_ends(self, collection: str, stored: Document) -> None:
        """Deliver what is in the outbox of a document if earlier changes end locks that may still be held."""
        if any(entry.keys() & _ENDS and entry["op"] not in self._delivered for entry in entries_of(stored)):
            await self.deliver(collection, stored)

    async def _deliver(self, stored: Document, entry: Document) -> None:
        made = made_by(stored)
        for each in entry.get("ends", ()):
            await self._end(each["lock"], each, made)
        if "ends_all" in entry:
            for key in await lock_keys.of_event(self._database, stored["_id"], made):
                await self._end(key["holder"]["id"], entry["ends_all"], made)
        await changelogs.deliver(self._database, entry)
        if "note" in entry and (event := await self._append(entry)) is not None:
            await self.deliver(event_records.NAME, event)

    async def _end(self, lock_id: str, fields: Document, made: Collection[ObjectId]) -> None:
        """End a lock if it is still held."""
        release = Release(Ending(fields["ending"]), fields["at"], fields["reason"])
        while (stored := await lock_keys.settled(self._database, lock_id, made)) is not None:
            ended = await lock_keys.end(self._database, stored, release)
            if ended is not None:
                await self.deliver(lock_documents.NAME, ended[1], made)
                return

    async def _append(self, entry: Document) -> Document | None:
        """Deliver the `note` of an outbox entry once; return the event's document if that has changed.

        An event remembers the changes that its last entries came from: none is appended twice.
        """
        event_id = entry["note"]["event"]
        events = self._database.newest(event_records.NAME)
        async with self._database.turn(event_records.NAME, event_id):
            while (stored := await events.find_one({"_id": event_id, "tombstone": None})) is not None:
                notes = stored.get("notes", [])
                if entry["op"] in notes:
                    return None
                appended = parse(event_pb.ChangelogEntry, event_id, entry["note"]["entry"])
                if await changelogs.move_oversized(self._database, events, stored):
                    continue
                try:
                    before = event_records.whole_event_of(stored)
                except TrackerError:  # nobody can read the event
                    return None
                stored["notes"] = [*notes, entry["op"]][-_NOTES_REMEMBERED:]
                log = logged(RecordKind.EVENT, ChangeKind.UPDATED, event_id, before=stored["document"])
                change = new_entry(entry["at"], log=[log])
                event, history = changelogs.divide(stored, before, with_entries(before, [appended]), change)
                new = await event_records.replace(events, stored, event, history, change)
                if new is not None:
                    return new
        return None
