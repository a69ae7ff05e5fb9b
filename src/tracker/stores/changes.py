"""The contract of a store for the change log, and for the consumers that read it.

Every change of an event, a lock or a catalog entry is in the log soon after it was made, once, in one order,
with consecutive numbers from 1. Only the renewal of a lease (`domain.locks.is_renewal`) is not: it happens
most often and says nothing new. The log is the store's own: a migration does not copy it.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

from tracker.domain.locks import Ending
from tracker.pb import catalog_pb, event_pb, lock_pb
from tracker.stores.documents import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CHANGES_KEPT = 100_000
"""How many of the last changes are kept at least, unless the store is given another number."""

LARGEST_LOGGED = 65_536
"""Bytes of the longest document that the log keeps a copy of."""

PRINCIPAL: ContextVar[str] = ContextVar("principal", default="")
"""The id of the caller for whom changes are made; empty while the server makes them itself.

The chain of a call sets it. A store reads it when a change is asked for: so no method of a store takes it.
"""

Record: TypeAlias = event_pb.Event | lock_pb.Lock | catalog_pb.Catalog


class RecordKind(IntEnum):
    """What kind of record changed; the numbers are stored."""

    EVENT = 1
    LOCK = 2
    CATALOG_ENTRY = 3


_MESSAGES: Final[Mapping[RecordKind, type[Record]]] = {
    RecordKind.EVENT: event_pb.Event,
    RecordKind.LOCK: lock_pb.Lock,
    RecordKind.CATALOG_ENTRY: catalog_pb.Catalog,
}
"""The message of each kind of record."""


class ChangeKind(IntEnum):
    """What happened to a record; the numbers are stored. A lock is created when it is acquired."""

    CREATED = 1
    UPDATED = 2
    DELETED = 3


class Position(NamedTuple):
    """A place in a log: after the entry of a number, made at a moment (microseconds since the epoch).

    Number and moment are 0 before the first entry. A store that is restored from an older copy gives the same
    numbers again, at later moments: so a position after an entry that was lost is recognised.
    """

    log: str
    number: int = 0
    at: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """An entry of the log: what happened to which record, by whom.

    `before` is None for a record that was created, `after` for one that was deleted. In place of a document
    longer than `LARGEST_LOGGED`, `after` is the record as it is now, or None where it no longer exists, and
    `before` is None; what was deleted is kept whole. `ending` and `reason` say how a deleted lock ended.
    """

    position: Position
    record: RecordKind
    kind: ChangeKind
    id: str
    principal: str
    before: Record | None
    after: Record | None
    ending: Ending | None = None
    reason: str = ""


def read_change(  # noqa: PLR0913, PLR0917 - what the log has of a change
    position: Position,
    record: int,
    kind: int,
    record_id: str,
    principal: str,
    before: bytes | str | None,
    after: bytes | str | None,
    ending: str | None,
    reason: str | None,
) -> Change:
    """Return a change as the log has it, with the documents of its record."""
    message = _MESSAGES[RecordKind(record)]
    return Change(
        position,
        RecordKind(record),
        ChangeKind(kind),
        record_id,
        principal,
        None if before is None else parse(message, record_id, before),
        None if after is None else parse(message, record_id, after),
        None if ending is None else Ending(ending),
        reason or "",
    )


class Batch(NamedTuple):
    """Consecutive changes, and the position after them; where nothing follows, that is the one asked for."""

    changes: Sequence[Change]
    end: Position


class ChangesForgottenError(Exception):
    """What followed a position is no longer kept, or the position is not of this log's timeline."""


class ChangeLog(Protocol):
    """The changes of all records, in order."""

    @property
    def poll_seconds(self) -> float | None:
        """Seconds after which to look for changes made by other servers; None where `notify` reports all."""

    def notify(self, grown: Callable[[], None]) -> None:
        """Call `grown` whenever there may be more to read."""

    async def end(self) -> Position:
        """Return the position after the last change."""

    async def oldest(self) -> Position:
        """Return the oldest position from which all that follows is still kept."""

    async def read(
        self, after: Position, most: int, kinds: Sequence[RecordKind] = tuple(RecordKind)
    ) -> Batch:
        """Return, of up to `most` changes that follow a position, those of some kinds of record.

        Raises:
            ChangesForgottenError: The position is not in this log, or what followed it is no longer kept.
        """


@dataclass(frozen=True, slots=True)
class ConsumerState:
    """How far a consumer has come, which server runs it (empty: none), and how often that was confirmed."""

    position: Position
    server: str
    beats: int


class ConsumerStore(Protocol):
    """The states of the consumers of the log, by name."""

    async def get(self, name: str) -> ConsumerState | None:
        """Return the state of a consumer, or None where it has never run."""

    async def put(self, name: str, state: ConsumerState, instead_of: ConsumerState | None) -> bool:
        """Store a state in the place of another, or of none; return False where that one is not stored."""
