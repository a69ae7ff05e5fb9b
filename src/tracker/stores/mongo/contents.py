"""The contents of a MongoDB database, record by record."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic
from urllib.parse import urlsplit

import bson
import pymongo
from bson import ObjectId
from pymongo.errors import BulkWriteError, WriteConcernError

from tracker.domain.events import event_id
from tracker.domain.locks import HeldLock, LockKey
from tracker.pb import event_pb, lock_pb
from tracker.stores.base import StoreOpenError
from tracker.stores.contents import (
    BATCH_CHARACTERS,
    BATCH_RECORDS,
    Kind,
    R,
    StoredAccessDocument,
    StoredAnswer,
    StoredDocument,
    StoredEnd,
    StoredEntry,
    StoredKey,
    StoredLock,
    StoredWebhookDocument,
    characters,
)
from tracker.stores.documents import parse
from tracker.stores.mongo import (
    access,
    audit,
    catalog,
    changelogs,
    commits,
    event_records,
    idempotency,
    intakes,
    lock_documents,
    records,
    schema,
    terraform,
    webhooks,
    writes,
)
from tracker.stores.mongo.database import CHANGE_SECONDS
from tracker.stores.mongo.failures import store_errors
from tracker.stores.mongo.opening import open_database
from tracker.stores.mongo.reconciler import COLLECTIONS
from tracker.stores.mongo.store import MongoStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from tracker.stores.base import StoreObserver
    from tracker.stores.contents import Records, StoredRecord
    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.writes import Collection, Document

SETTLE_SECONDS = 10.0
"""How long to try to finish interrupted changes."""

_SETTLE_PAUSE = 0.1
_LARGEST_DOCUMENT = 16 * 2**20
_THERE: Document = {"tombstone": None}
_ACCESS_FIELDS = StoredAccessDocument._fields[1:]


class MongoContents:
    """The `StoreContents` of a MongoDB database; `argument` is what messages call its address."""

    def __init__(self, uri: str, argument: str, observer: StoreObserver) -> None:
        self._uri = uri
        store = MongoStore(uri, observer, argument=argument)
        self._database, self._reconciler = store.database, store.reconciler
        collection = partial(_Collection, self._database)
        self._records: Mapping[Kind, Records[Any]] = {
            Kind.CATALOG: collection(catalog.NAME, _THERE, _document, _catalog_entry),
            Kind.LINKS: collection(records.LINKS.name, _THERE, _document, records.LINKS.stored),
            Kind.FREEZES: collection(records.FREEZES.name, _THERE, _document, records.FREEZES.stored),
            Kind.POLICIES: collection(records.POLICIES.name, _THERE, _document, records.POLICIES.stored),
            Kind.HOLDS: collection(records.HOLDS.name, _THERE, _document, records.HOLDS.stored),
            Kind.ACCESS: collection(access.NAME, {}, _access, _access_document),
            Kind.AUDIT: collection(audit.NAME, {}, audit.entry, audit.document),
            Kind.WEBHOOKS: collection(webhooks.NAME, _THERE, _webhook, _webhook_document),
            Kind.WEBHOOK_DELIVERIES: collection(
                webhooks.MESSAGES, {}, webhooks.delivery, webhooks.delivery_document
            ),
            Kind.TERRAFORM_PARTS: collection(terraform.PARTS, {}, terraform.part, terraform.part_document),
            Kind.TERRAFORM_STATES: collection(terraform.NAME, _THERE, _document, _catalog_entry),
            Kind.INTAKES: collection(intakes.NAME, {}, intakes.tally, intakes.tally_document),
            Kind.INTAKE_MESSAGES: collection(intakes.MESSAGES, {}, intakes.kept, intakes.message_document),
            Kind.COMMITS: collection(commits.NAME, {}, commits.commit, commits.document),
            Kind.LOCK_KEYS: collection(lock_documents.NAME, {}, _key, _key_document),
            Kind.ENDED_LOCKS: collection(
                lock_documents.ENDED, {}, _end, lock_documents.end_document, self._still_held
            ),
            Kind.IDEMPOTENCY_KEYS: collection(idempotency.NAME, {"outbox": None}, _answer, _answer_document),
            Kind.CHANGELOG: collection(changelogs.NAME, {}, _entry, _entry_document),
            Kind.EVENTS: collection(event_records.NAME, _THERE, _document, _event_document),
        }

    @property
    def name(self) -> str:
        hosts = urlsplit(self._uri).netloc.rpartition("@")[2]
        return f"mongodb://{hosts}/{self._database.database_name}"

    async def open_to_read(self) -> None:
        await open_database(self._database, schema.require)
        with store_errors():
            await self._settle()

    async def open_to_fill(self, source: str) -> None:
        await open_database(self._database, partial(schema.begin_filling, source=source))

    def records(self, kind: Kind) -> Records[StoredRecord]:
        return self._records[kind]

    async def finish(self) -> None:
        with pymongo.timeout(CHANGE_SECONDS):
            await schema.end_filling(self._database)

    async def close(self) -> None:
        await self._database.close()

    async def _settle(self) -> None:
        """Finish interrupted changes, as servers do."""
        give_up = time.monotonic() + SETTLE_SECONDS
        while await self._has_unfinished():
            if time.monotonic() > give_up:
                raise StoreOpenError(f"servers go on changing {self.name}; stop them first")
            await self._reconciler.look(early=True)
            await asyncio.sleep(_SETTLE_PAUSE)

    async def _has_unfinished(self) -> bool:
        """Return whether there are unfinished changes."""
        with pymongo.timeout(CHANGE_SECONDS):
            for name in COLLECTIONS:
                waiting = {"outbox.at": {"$exists": True}}
                if await self._database.newest(name).find_one(waiting, {"_id": 1}) is not None:
                    return True
        return False

    async def _still_held(self, lock_ids: list[str]) -> set[str]:
        """Return which locks are held: a stored end of these does not count."""
        keys = self._database.confirmed(lock_documents.NAME)
        rows = await keys.find({"holder.id": {"$in": lock_ids}}, {"holder.id": 1}).to_list()
        return {row["holder"]["id"] for row in rows}


async def _none(_: list[str]) -> set[str]:
    return set()


@dataclass(eq=False)
class _Collection(Generic[R]):
    """The `Records` of a collection that match `_where`, except for the ids that `_skip` returns."""

    _database: Database
    _name: str
    _where: Document
    _record: Callable[[Document], R]
    _document: Callable[[R], Document]
    _skip: Callable[[list[str]], Awaitable[set[str]]] = _none

    async def count(self) -> int:
        async with self._database.asking(self._name) as collection:
            return await collection.count_documents(self._where)

    async def batches(self) -> AsyncIterator[Sequence[R]]:
        after: Document = {}
        while rows := await self._page(after):
            after = {"_id": {"$gt": rows[-1]["_id"]}}
            async with self._database.asking(self._name):
                skipped = await self._skip([row["_id"] for row in rows])
            yield [self._record(row) for row in rows if row["_id"] not in skipped]

    async def add(self, records: Sequence[R]) -> None:
        documents = [self._document(record) | {"rev": 1, "op": ObjectId()} for record in records]
        for record, document in zip(records, documents, strict=True):
            if characters(record) > _LARGEST_DOCUMENT // 4 and len(bson.encode(document)) > _LARGEST_DOCUMENT:
                raise StoreOpenError(
                    f"{document['_id']} in {self._name} is larger than 16 MiB, which MongoDB can't keep"
                )

        async def attempt(_: int) -> None:
            collection = self._database.newest(self._name)
            known = collection.find({"_id": {"$in": [each["_id"] for each in documents]}}, {"_id": 1})
            there = {row["_id"] for row in await known.to_list()}
            missing = [each for each in documents if each["_id"] not in there]
            if missing:
                await _insert(collection, missing)

        await self._database.reach()
        with pymongo.timeout(CHANGE_SECONDS):
            await writes.until_certain(attempt)

    async def _page(self, after: Document) -> list[Document]:
        """Return the next documents after an id."""
        rows: list[Document] = []
        length = 0
        async with (
            self._database.asking(self._name) as collection,
            collection.find(self._where | after, sort=[("_id", 1)], limit=BATCH_RECORDS) as found,
        ):
            async for row in found:
                rows.append(row)
                length += characters(self._record(row))
                if length >= BATCH_CHARACTERS:
                    break
        return rows


async def _insert(collection: Collection, documents: list[Document]) -> None:
    """Insert documents, some of which may be inserted already.

    Raises:
        StoreOpenError: One can't be stored.
    """
    try:
        await collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        errors = [each for each in error.details["writeErrors"] if "_id_" not in each["errmsg"]]
        if errors:
            raise StoreOpenError(
                f"{collection.name} has what contradicts the other store: {errors[0]['errmsg']}"
            ) from None
        raise WriteConcernError(str(error), error.code, error.details) from error


def _document(row: Document) -> StoredDocument:
    return StoredDocument(row["_id"], row["document"])


def _access(row: Document) -> StoredAccessDocument:
    return StoredAccessDocument(row["_id"], row["changed_at"], row["secret_hash"], row["document"])


def _access_document(stored: StoredAccessDocument) -> Document:
    record_id, *fields = stored
    return {"_id": record_id, **dict(zip(_ACCESS_FIELDS, fields, strict=True))}


def _webhook(row: Document) -> StoredWebhookDocument:
    return StoredWebhookDocument(row["_id"], row["secrets"], row["document"])


def _webhook_document(stored: StoredWebhookDocument) -> Document:
    return {"_id": stored.id, "secrets": stored.secrets, "document": stored.document}


def _catalog_entry(stored: StoredDocument) -> Document:
    return {"_id": stored.id, "document": stored.document}


def _event_document(stored: StoredDocument) -> Document:
    event = parse(event_pb.Event, *stored)
    return {"_id": stored.id, **_event_fields(event), "document": stored.document}


def _event_fields(event: event_pb.Event) -> Document:
    """Return the fields of an event's document; the id of the event becomes its history."""
    history = {"history": event_id(event)} if event.changelog_total else {}
    return event_records.fields(event) | history


def _entry(row: Document) -> StoredEntry:
    return StoredEntry(row["event"], row["number"], row["document"])


def _entry_document(stored: StoredEntry) -> Document:
    return changelogs.document_of(stored.event, *stored)


def _key(row: Document) -> StoredKey:
    key, holder = LockKey(row["service"], row["environment"], row["resource"]), row.get("holder")
    if holder is None:
        return StoredKey(key, row["token"], None)
    lock = StoredLock(holder["id"], holder.get("token_hash", b""), holder["document"])
    return StoredKey(key, row["token"], lock)


def _key_document(stored: StoredKey) -> Document:
    document = lock_documents.new_key(stored.key) | {"token": stored.fencing_token}
    if stored.holder is None:
        return document
    lock = parse(lock_pb.Lock, stored.holder.id, stored.holder.document)
    holder = lock_documents.holder_fields(HeldLock(lock, stored.holder.token_hash))
    return document | {"holder": holder | {"document": stored.holder.document}}


def _end(row: Document) -> StoredEnd:
    key, token_hash = lock_documents.key_of(row["key"]), row.get("token_hash", b"")
    return StoredEnd(row["_id"], key, token_hash, row["ending"], row["at"], row["reason"], row["document"])


def _answer(row: Document) -> StoredAnswer:
    return StoredAnswer(row["_id"], row["request"], row["at"], row["answer"])


def _answer_document(stored: StoredAnswer) -> Document:
    return {"_id": stored.key, "request": stored.request, "at": stored.at, "answer": stored.answer}
