"""The contents of a database file, record by record."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

import apsw

from tracker.domain.commits import Commit
from tracker.domain.locks import LockKey
from tracker.pb import access_pb, catalog_pb, event_pb, lock_pb, terraform_pb, webhook_pb
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
from tracker.stores.intakes import KeptMessage, Tally
from tracker.stores.sqlite import (
    access,
    audit,
    commits,
    event_records,
    idempotency,
    intakes,
    lock_records,
    migrations,
    records,
    terraform,
    webhooks,
)
from tracker.stores.sqlite.failures import store_error
from tracker.stores.sqlite.opening import FileLock, open_database, refusal
from tracker.stores.sqlite.search import word_index
from tracker.stores.terraform import StatePart
from tracker.stores.webhooks import Delivery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from protobuf import Message

    from tracker.stores.contents import Records, StoredRecord

_CATALOG = "SELECT name, CAST(document AS BLOB) FROM catalog"
_ACCESS = "SELECT id, changed_at, secret_hash, CAST(document AS BLOB) FROM access"
_WEBHOOKS = "SELECT id, secrets, CAST(document AS BLOB) FROM webhooks"
_EVENTS = "SELECT id, CAST(document AS BLOB) FROM events ORDER BY number"
_ENTRIES = "SELECT event, number, CAST(document AS BLOB) FROM changelog"
_KEYS = (
    "SELECT key.service, key.environment, key.resource, fencing_token,"
    " id, token_hash, CAST(document AS BLOB) FROM lock_keys key LEFT JOIN locks ON id = lock_id"
)
_ENDS = (
    "SELECT id, service, environment, resource, token_hash, ending, ended_at, reason,"
    " CAST(document AS BLOB) FROM ended_locks"
)
_ANSWERS = "SELECT key, request, at, answer FROM idempotency_keys"


class SqliteContents:
    """The `StoreContents` of one SQLite file, for one process at a time."""

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path).resolve()
        self._lock = FileLock(self._path)
        self._db: apsw.Connection | None = None
        self._records: Mapping[Kind, Records[Any]] = {}

    @property
    def name(self) -> str:
        return str(self._path)

    async def open_to_read(self) -> None:
        if not self._path.is_file() or not self._path.stat().st_size:
            raise StoreOpenError(refusal(self._path, "there is no store"))
        self._open(open_database(self._path, self._lock))

    async def open_to_fill(self, source: str) -> None:
        db = open_database(self._path, self._lock, filled_from=source)
        self._open(db)
        try:
            migrations.begin_filling(db, source)
        except StoreOpenError as error:
            raise StoreOpenError(refusal(self._path, str(error))) from None

    def records(self, kind: Kind) -> Records[StoredRecord]:
        return self._records[kind]

    async def finish(self) -> None:
        if self._db is not None:
            more = True
            while more:
                with self._db:
                    more = word_index.advance(self._db)
            migrations.end_filling(self._db)

    async def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
        self._lock.release()

    def _open(self, db: apsw.Connection) -> None:
        self._db = db
        self._records = {
            Kind.CATALOG: _Table(db, "catalog", _CATALOG, partial(_document, catalog_pb.Catalog), _add_entry),
            Kind.LINKS: _records(db, records.LINKS),
            Kind.FREEZES: _records(db, records.FREEZES),
            Kind.POLICIES: _records(db, records.POLICIES),
            Kind.HOLDS: _records(db, records.HOLDS),
            Kind.ACCESS: _Table(db, "access", _ACCESS, _access, access.add),
            Kind.AUDIT: _Table(db, "audit", audit.SELECT, audit.entry, audit.add),
            Kind.WEBHOOKS: _Table(db, "webhooks", _WEBHOOKS, _webhook, webhooks.add),
            Kind.WEBHOOK_DELIVERIES: _Table(
                db, "webhook_deliveries", webhooks.SELECT_DELIVERIES, Delivery, webhooks.add_delivery
            ),
            Kind.TERRAFORM_PARTS: _Table(
                db, "terraform_parts", terraform.SELECT_PARTS, StatePart, terraform.add_part
            ),
            Kind.TERRAFORM_STATES: _Table(
                db,
                "terraform_states",
                terraform.SELECT,
                partial(_document, terraform_pb.State),
                terraform.add,
            ),
            Kind.INTAKES: _Table(db, "intakes", intakes.SELECT_TALLIES, Tally, intakes.add_tally),
            Kind.INTAKE_MESSAGES: _Table(
                db, "intake_messages", intakes.SELECT_MESSAGES, KeptMessage, intakes.add_message
            ),
            Kind.COMMITS: _Table(db, "commits", commits.SELECT, Commit, commits.add),
            Kind.LOCK_KEYS: _Table(db, "lock_keys", _KEYS, _key, lock_records.add_key),
            Kind.ENDED_LOCKS: _Table(db, "ended_locks", _ENDS, _end, lock_records.add_ended),
            Kind.IDEMPOTENCY_KEYS: _Table(db, "idempotency_keys", _ANSWERS, StoredAnswer, idempotency.add),
            Kind.CHANGELOG: _Table(db, "changelog", _ENTRIES, _entry, event_records.add_entry),
            Kind.EVENTS: _Table(db, "events", _EVENTS, partial(_document, event_pb.Event), event_records.add),
        }


@dataclass(eq=False)
class _Table(Generic[R]):
    """The `Records` of one table. Nothing else uses the file: so its methods block."""

    _db: apsw.Connection
    _name: str
    _select: str
    _record: Callable[..., R]
    _add: Callable[[apsw.Connection, R], None]

    async def count(self) -> int:
        return int(self._db.execute(f"SELECT count(*) FROM {self._name}").get)

    async def batches(self) -> AsyncIterator[Sequence[R]]:
        batch: list[R] = []
        length = 0
        try:
            for row in self._db.execute(self._select):
                batch.append(self._record(*row))
                length += characters(batch[-1])
                if len(batch) == BATCH_RECORDS or length >= BATCH_CHARACTERS:
                    yield batch
                    batch, length = [], 0
        except apsw.Error as error:
            raise store_error(error, self._db.system_errno) from error
        if batch:
            yield batch

    async def add(self, records: Sequence[R]) -> None:
        try:
            with self._db:
                for record in records:
                    self._add(self._db, record)
        except apsw.ConstraintError as error:
            raise StoreOpenError(f"{self._name} has what contradicts the other store: {error}") from error
        except apsw.Error as error:
            raise store_error(error, self._db.system_errno) from error


def _records(db: apsw.Connection, table: records.Table[Any]) -> _Table[StoredDocument]:
    return _Table(db, table.name, table.select, partial(_document, table.message), table.add)


def _text(kind: type[Message], name: str, document: bytes) -> str:
    """Return a document as text; one that is not UTF-8 raises the error of reading it."""
    try:
        return document.decode()
    except UnicodeDecodeError:
        return parse(kind, name, document).to_json()


def _document(kind: type[Message], name: str, document: bytes) -> StoredDocument:
    return StoredDocument(name, _text(kind, name, document))


def _entry(of_event: str, number: int, document: bytes) -> StoredEntry:
    return StoredEntry(of_event, number, _text(event_pb.ChangelogEntry, of_event, document))


def _access(record_id: str, changed_at: int, secret_hash: bytes, document: bytes) -> StoredAccessDocument:
    text = _text(access_pb.Access, record_id, document)
    return StoredAccessDocument(record_id, changed_at, secret_hash, text)


def _webhook(webhook_id: str, secrets: str, document: bytes) -> StoredWebhookDocument:
    return StoredWebhookDocument(webhook_id, secrets, _text(webhook_pb.Webhook, webhook_id, document))


def _add_entry(db: apsw.Connection, entry: StoredDocument) -> None:
    db.execute("INSERT INTO catalog (name, document) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", entry)


def _key(service: str, environment: str, resource: str, fencing_token: int, *lock: Any) -> StoredKey:  # noqa: ANN401 - columns
    lock_id, token_hash, document = lock
    holder = (
        None if lock_id is None else StoredLock(lock_id, token_hash, _text(lock_pb.Lock, lock_id, document))
    )
    return StoredKey(LockKey(service, environment, resource), fencing_token, holder)


def _end(lock_id: str, *columns: Any) -> StoredEnd:  # noqa: ANN401 - columns
    *key, token_hash, ending, at, reason, document = columns
    text = _text(lock_pb.Lock, lock_id, document)
    return StoredEnd(lock_id, LockKey(*key), token_hash, ending, at, reason, text)
