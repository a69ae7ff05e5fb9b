"""All that a store keeps, record by record: what a migration reads from one and puts into another.

A record is what its store keeps of it and can't derive: the document as it was written, unknown fields
included, and what is stored with it. Only the ends of locks that are still held, half-made changes and the
like are left out: opening a store to read it completes those first.
"""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias, TypeVar

from tracker.stores.base import StoreOpenError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tracker.domain.locks import LockKey

BATCH_RECORDS = 1_000
"""How many records a batch has at most."""

BATCH_CHARACTERS = 4 * 2**20
"""How long the documents of a batch are together, but for the last one."""


class Kind(StrEnum):
    """What there are records of; events come last, since they take longest."""

    CATALOG = "catalog entries"
    LINKS = "links"
    LOCK_KEYS = "lock keys"
    ENDED_LOCKS = "ended locks"
    IDEMPOTENCY_KEYS = "idempotency keys"
    EVENTS = "events"


class StoredDocument(NamedTuple):
    """An event, a catalog entry or a link: its id (an entry's name), and its ProtoJSON."""

    id: str
    document: str


class StoredLock(NamedTuple):
    """A lock that is held, and the hash of its token, empty for none."""

    id: str
    token_hash: bytes
    document: str


class StoredKey(NamedTuple):
    """A key that was ever locked, the last fencing token that it gave, and the lock that has it now."""

    key: LockKey
    fencing_token: int
    holder: StoredLock | None


class StoredEnd(NamedTuple):
    """A lock that is held no more, its key, and how it ended; `at` is microseconds since the epoch."""

    id: str
    key: LockKey
    token_hash: bytes
    ending: str
    at: int
    reason: str
    document: str


class StoredAnswer(NamedTuple):
    """An idempotency key, the digest of the request it was used for, when, and what was answered.

    `at` is microseconds since the epoch.
    """

    key: str
    request: bytes
    at: int
    answer: bytes


StoredRecord: TypeAlias = StoredDocument | StoredKey | StoredEnd | StoredAnswer
R = TypeVar("R", bound=StoredRecord)


def digest(record: StoredRecord) -> int:
    """Return the SHA-256 of a record, as a number: the sum of many doesn't depend on their order."""
    text = json.dumps(record, default=bytes.hex, ensure_ascii=False, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest())


def characters(record: StoredRecord) -> int:
    """Return the length of a record's document, or answer."""
    match record:
        case StoredKey(holder=holder):
            return 0 if holder is None else len(holder.document)
        case StoredAnswer(answer=answer):
            return len(answer)
        case StoredDocument(document=document) | StoredEnd(document=document):
            return len(document)


class Records(Protocol[R]):
    """The records of one kind in a store."""

    async def count(self) -> int:
        """Return about how many there are."""

    def batches(self) -> AsyncIterator[Sequence[R]]:
        """Give all records, up to `BATCH_RECORDS` at a time, in any order."""

    async def add(self, records: Sequence[R]) -> None:
        """Store those records that are not there yet, durably.

        Raises:
            StoreOpenError: One can't be stored.
        """


class StoreContents(Protocol):
    """A whole store, opened for a migration and for nothing else.

    All its methods raise `TrackerError` with UNAVAILABLE or DATA_LOSS as those of a `Store` do.
    """

    @property
    def name(self) -> str:
        """Which store it is, for people, without credentials; the same whenever it is opened."""

    async def open_to_read(self) -> None:
        """Open a store that exists, and complete the changes that were cut off.

        Raises:
            StoreOpenError: It can't be read; the message says what to do.
        """

    async def open_to_fill(self, source: str) -> None:
        """Open a store, made if missing, that is empty, or was being filled from `source`.

        From then on until `finish` it can't be served.

        Raises:
            StoreOpenError: It has records of its own, or can't be opened.
        """

    def records(self, kind: Kind) -> Records[StoredRecord]:
        """Return the records of a kind."""

    async def finish(self) -> None:
        """Let a store that was filled be served."""

    async def close(self) -> None:
        """Close the store."""


def unfinished(source: str) -> StoreOpenError:
    """Return the error for a store that was not filled to its end."""
    return StoreOpenError(
        f"it is not filled to its end, from {source};"
        " run the same command again, which goes on, or begin with another store that is empty"
    )


def not_empty(what: str) -> StoreOpenError:
    """Return the error for a store that can't be filled, since there are records of a kind in it."""
    return StoreOpenError(f"it has {what} already; only a store that is empty can be filled")
