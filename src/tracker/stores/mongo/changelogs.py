"""The entries of long changelogs.

The outbox entry of a change has the new entries of the event's changelog, and they are copied from there to a
collection. Their ids begin with the `history` of the event's document. An event gets another history whenever
all its entries are replaced: so a late delivery never changes the entries of a later history.

A document of an earlier version may have a changelog that is too long for an outbox. It is moved before the
next change of the event: its entries are the same until they are moved, so this may be done again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bson import ObjectId

from tracker.domain.changelog import divided, shown
from tracker.domain.events import event_id
from tracker.pb import event_pb
from tracker.stores.documents import parse
from tracker.stores.events import changelog_page, take_entry
from tracker.stores.mongo import writes
from tracker.stores.mongo.outbox import entries_of
from tracker.stores.pages import Reading, first_number

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.writes import Collection, Document
    from tracker.stores.pages import Found, Page

NAME = "changelog"
"""The collection."""

_OVERSIZED = 2**20
"""Characters of a document of an earlier version that is moved before it is changed."""

_AT_A_TIME = 100


def divide(
    stored: Document | None, before: event_pb.Event | None, event: event_pb.Event, change: Document
) -> tuple[event_pb.Event, Document]:
    """Divide a new or changed event: return the event to store, and the field `history` of its document.

    The outbox entry `change` gets the changelog entries to deliver, and the history that ends.
    """
    event, first, entries = divided(before, event)
    history = (stored or {}).get("history")
    if history is not None and not first:
        change["forgets"], history = history, None
    if entries:
        history = history or str(ObjectId())
        part = {"history": history, "event": event_id(event), "first": first}
        change["changelog"] = part | {"entries": [entry.to_binary() for entry in entries]}
    return event, {} if history is None else {"history": history}


async def deliver(database: Database, entry: Document) -> None:
    """Deliver the changelog entries in an outbox entry, and forget a history that ended."""
    if "forgets" in entry:
        history = entry["forgets"]
        await writes.delete_all(database.newest(NAME), {"_id": {"$gt": f"{history}:", "$lt": f"{history};"}})
    if "changelog" in entry:
        part = entry["changelog"]
        entries = map(event_pb.ChangelogEntry.from_binary, part["entries"])
        await _store(database, part["history"], part["event"], part["first"], entries)


def document_of(history: str, of_event: str, number: int, document: str) -> Document:
    """Return the document of a changelog entry."""
    return {"_id": _id(history, number), "event": of_event, "number": number, "document": document}


async def read(database: Database, stored: Document, page: Page) -> Found[event_pb.ChangelogEntry]:
    """Return a page of the changelog of an event's document; its outbox may have some of the entries."""
    event = parse(event_pb.Event, stored["_id"], stored["document"])
    reading = Reading[event_pb.ChangelogEntry](page)
    if not event.changelog_total:
        for entry in event.changelog[first_number(page) :]:
            if not take_entry(reading, entry):
                break
    else:
        async for entry in _entries(database.confirmed(NAME), stored, first_number(page)):
            if not take_entry(reading, entry):
                break
    return changelog_page(reading, event)


async def _entries(
    collection: Collection, stored: Document, number: int
) -> AsyncIterator[event_pb.ChangelogEntry]:
    """Yield the entries of the history of an event's document, from a number on."""
    history = stored["history"]
    parts = [each["changelog"] for each in entries_of(stored) if "changelog" in each]
    waiting = {
        first: entry
        for part in parts
        if part["history"] == history
        for first, entry in enumerate(part["entries"], part["first"])
    }
    beyond = {"_id": {"$gte": _id(history, number), "$lt": f"{history};"}}
    async with collection.find(beyond, sort=[("_id", 1)], batch_size=_AT_A_TIME) as rows:
        async for row in rows:
            while number < row["number"] and number in waiting:
                yield event_pb.ChangelogEntry.from_binary(waiting[number])
                number += 1
            yield parse(event_pb.ChangelogEntry, row["event"], row["document"])
            number = row["number"] + 1
    while number in waiting:
        yield event_pb.ChangelogEntry.from_binary(waiting[number])
        number += 1


async def move_oversized(database: Database, events: Collection, stored: Document) -> bool:
    """Begin to move an oversized changelog, or end it; return False where there is none."""
    if len(stored["document"]) <= _OVERSIZED:
        return False
    event = parse(event_pb.Event, stored["_id"], stored["document"])
    short = shown(event)
    if short is event:
        return False
    if "history" not in stored:
        await writes.replace(events, stored, stored | {"history": str(ObjectId())})
        return True
    await _store(database, stored["history"], stored["_id"], 0, event.changelog)
    await writes.replace(events, stored, stored | {"document": short.to_json()})
    return True


async def _store(
    database: Database, history: str, of_event: str, first: int, entries: Iterable[event_pb.ChangelogEntry]
) -> None:
    """Store entries, unless they are stored."""
    numbers = enumerate(entries, first)
    new = [document_of(history, of_event, number, entry.to_json()) for number, entry in numbers]
    await writes.insert_all(database.newest(NAME), new)


def _id(history: str, number: int) -> str:
    return f"{history}:{number:08}"
