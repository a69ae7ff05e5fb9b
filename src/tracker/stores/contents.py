"""All records of a store, as a migration reads them from one store and writes them to another.

A record has what a store can't derive: the document as it was written, with unknown fields, and what is
stored with it. Interrupted changes are not included: opening a store to read completes them first.
"""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias, TypeVar

from tracker.audit.chain import Entry
from tracker.domain.commits import Commit
from tracker.stores.base import StoreOpenError
from tracker.stores.intakes import KeptMessage, Tally
from tracker.stores.terraform import StatePart
from tracker.stores.webhooks import Delivery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tracker.domain.locks import LockKey

BATCH_RECORDS = 1_000
"""The maximum number of records in a batch."""

BATCH_CHARACTERS = 4 * 2**20
"""The length of the documents at which a batch ends."""


class Kind(StrEnum):
    """The kinds of records; events come last, since they take longest."""

    CATALOG = "catalog entries"
    LINKS = "links"
    FREEZES = "freeze windows"
    POLICIES = "retention policies"
    HOLDS = "legal holds"
    ACCESS = "records of access control"
    AUDIT = "entries of the audit log"
    WEBHOOKS = "webhooks"
    WEBHOOK_DELIVERIES = "messages of webhooks"
    TERRAFORM_PARTS = "parts of states of Terraform"
    TERRAFORM_STATES = "states of Terraform"
    INTAKES = "counts of intakes"
    INTAKE_MESSAGES = "messages of intakes"
    COMMITS = "commits"
    LOCK_KEYS = "lock keys"
    ENDED_LOCKS = "ended locks"
    IDEMPOTENCY_KEYS = "idempotency keys"
    CHANGELOG = "changelog entries"
    EVENTS = "events"


class StoredDocument(NamedTuple):
    """A record that is all in its document: its id (the name of a catalog entry), and its ProtoJSON."""

    id: str
    document: str


class StoredEntry(NamedTuple):
    """An entry of an event's changelog that is not stored with the event, its number, and its ProtoJSON."""

    event: str
    number: int
    document: str


class StoredLock(NamedTuple):
    """A held lock, and the hash of its token, empty for none."""

    id: str
    token_hash: bytes
    document: str


class StoredKey(NamedTuple):
    """A key that was ever locked, its last fencing token, and the lock that holds it now."""

    key: LockKey
    fencing_token: int
    holder: StoredLock | None


class StoredEnd(NamedTuple):
    """A lock that has ended, its key, and how it ended; `at` is microseconds since the epoch."""

    id: str
    key: LockKey
    token_hash: bytes
    ending: str
    at: int
    reason: str
    document: str


class StoredAnswer(NamedTuple):
    """An idempotency key, the digest of its request, its time (microseconds since the epoch), its answer."""

    key: str
    request: bytes
    at: int
    answer: bytes


class StoredAccessDocument(NamedTuple):
    """A record of access control; `changed_at` is microseconds since the epoch."""

    id: str
    changed_at: int
    secret_hash: bytes
    document: str


class StoredWebhookDocument(NamedTuple):
    """A webhook, and the secrets that its messages are signed with, as JSON."""

    id: str
    secrets: str
    document: str


StoredRecord: TypeAlias = (
    StoredDocument
    | StoredEntry
    | StoredKey
    | StoredEnd
    | StoredAnswer
    | StoredAccessDocument
    | StoredWebhookDocument
    | Delivery
    | StatePart
    | Tally
    | KeptMessage
    | Commit
    | Entry
)
R = TypeVar("R", bound=StoredRecord)


def digest(record: StoredRecord) -> int:
    """Return the SHA-256 of a record as a number: a sum of digests doesn't depend on the order."""
    text = json.dumps(record, default=bytes.hex, ensure_ascii=False, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest())


def characters(record: StoredRecord) -> int:
    """Return the length of a record's document, or answer."""
    match record:
        case StoredAnswer(answer=content) | StatePart(data=content):
            return len(content)
        case Delivery(body=body) | KeptMessage(body=body):
            return len(body)
        case (
            StoredDocument(document=text)
            | StoredEntry(document=text)
            | StoredEnd(document=text)
            | StoredAccessDocument(document=text)
            | StoredWebhookDocument(document=text)
            | StoredKey(holder=StoredLock(document=text))
            | Entry(content=text)
        ):
            return len(text)
        case StoredKey() | Tally() | Commit():
            return 0


class Records(Protocol[R]):
    """The records of one kind in a store."""

    async def count(self) -> int:
        """Return about how many records there are."""

    def batches(self) -> AsyncIterator[Sequence[R]]:
        """Yield all records, up to `BATCH_RECORDS` at a time, in any order."""

    async def add(self, records: Sequence[R]) -> None:
        """Store the records that are missing, durably.

        Raises:
            StoreOpenError: A record can't be stored.
        """


class StoreContents(Protocol):
    """A store, opened for a migration only; its methods raise `TrackerError` as those of a `Store` do."""

    @property
    def name(self) -> str:
        """The name of the store for people, without credentials; always the same."""

    async def open_to_read(self) -> None:
        """Open a store that exists, and complete interrupted changes.

        Raises:
            StoreOpenError: It can't be read; the message says what to do.
        """

    async def open_to_fill(self, source: str) -> None:
        """Open a store that is missing, empty or partly filled from `source`; `finish` lets it be served.

        Raises:
            StoreOpenError: It has records of its own, or can't be opened.
        """

    def records(self, kind: Kind) -> Records[StoredRecord]:
        """Return the records of a kind."""

    async def finish(self) -> None:
        """Allow the filled store to be served."""

    async def close(self) -> None:
        """Close the store."""


def unfinished(source: str) -> StoreOpenError:
    """Return the error for a store that is partly filled."""
    return StoreOpenError(
        f"it is not filled to its end, from {source};"
        " run the same command again to continue, or begin with another store that is empty"
    )


def not_empty(what: str) -> StoreOpenError:
    """Return the error for a store that can't be filled, since it has records of a kind."""
    return StoreOpenError(f"it has {what} already; only a store that is empty can be filled")
