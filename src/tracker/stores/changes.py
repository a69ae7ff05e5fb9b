"""The contract of a store for the change log and its consumers.

Every change of an event, a lock, a catalog entry or a record of access control is appended to the log once,
soon after it was made, with consecutive numbers from 1. Renewals of leases (`domain.locks.is_renewal`) are
not logged: they are frequent and carry no news. A migration does not copy the log.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

from tracker.domain.locks import Ending
from tracker.pb import access_pb, catalog_pb, event_pb, lock_pb
from tracker.stores.documents import parse, read_event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CHANGES_KEPT = 100_000
"""The default minimum number of changes that are kept."""

LARGEST_LOGGED = 65_536
"""The maximum size of a document that the log copies, in bytes."""

PRINCIPAL: ContextVar[str] = ContextVar("principal", default="")
"""The id of the caller who makes changes; empty for changes of the server itself.

The chain of a call sets it; the store reads it when it is called for a change.
"""

Record: TypeAlias = event_pb.Event | lock_pb.Lock | catalog_pb.Catalog | access_pb.Access


class RecordKind(IntEnum):
    """The kind of a changed record; the numbers are stored."""

    EVENT = 1
    LOCK = 2
    CATALOG_ENTRY = 3
    ACCESS = 4


_MESSAGES: Final[Mapping[RecordKind, type[Record]]] = {
    RecordKind.EVENT: event_pb.Event,
    RecordKind.LOCK: lock_pb.Lock,
    RecordKind.CATALOG_ENTRY: catalog_pb.Catalog,
    RecordKind.ACCESS: access_pb.Access,
}
"""The message of each kind of record."""


class ChangeKind(IntEnum):
    """The kind of a change; the numbers are stored. A lock is created when it is acquired."""

    CREATED = 1
    UPDATED = 2
    DELETED = 3


class Position(NamedTuple):
    """A position in a log: the number of the entry before it, and its time in microseconds since the epoch.

    Both are 0 before the first entry. A store restored from an older copy reuses numbers, at later times: the
    time shows that a position is after a lost entry.
    """

    log: str
    number: int = 0
    at: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """An entry of the log: what happened to which record, by whom.

    `before` is None for a record that was created, `after` for one that was deleted. For a document that
    exceeds `LARGEST_LOGGED`, `after` is the current record, or None if it no longer exists, and `before` is
    None. A deleted record is always kept whole. `ending` and `reason` say how a deleted lock ended.
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
    read = read_event if message is event_pb.Event else partial(parse, message)
    return Change(
        position,
        RecordKind(record),
        ChangeKind(kind),
        record_id,
        principal,
        None if before is None else read(record_id, before),
        None if after is None else read(record_id, after),
        None if ending is None else Ending(ending),
        reason or "",
    )


class Batch(NamedTuple):
    """Consecutive changes, and the position after them, which without changes is the requested one."""

    changes: Sequence[Change]
    end: Position


class ChangesForgottenError(Exception):
    """Changes after a position are no longer kept, or the position is not of this log's timeline."""


class ChangeLog(Protocol):
    """The changes of all records, in order."""

    @property
    def poll_seconds(self) -> float | None:
        """Seconds between reads for changes of other servers; None if `notify` reports all changes."""

    def notify(self, grown: Callable[[], None]) -> None:
        """Call `grown` whenever the log may have grown."""

    async def end(self) -> Position:
        """Return the position after the last change."""

    async def oldest(self) -> Position:
        """Return the oldest position after which all changes are kept."""

    async def read(
        self, after: Position, most: int, kinds: Sequence[RecordKind] = tuple(RecordKind)
    ) -> Batch:
        """Read up to `most` changes after a position, and return those of some kinds of record.

        Raises:
            ChangesForgottenError: The position is not in this log, or changes after it are no longer kept.
        """


@dataclass(frozen=True, slots=True)
class ConsumerState:
    """The position of a consumer, the server that runs it (empty: none), and how often that was confirmed."""

    position: Position
    server: str
    beats: int


class ConsumerStore(Protocol):
    """The states of the consumers of the log, by name."""

    async def get(self, name: str) -> ConsumerState | None:
        """Return the state of a consumer, or None if it has never run."""

    async def put(self, name: str, state: ConsumerState, instead_of: ConsumerState | None) -> bool:
        """Replace a state, or None, with another; return False if the stored state is a different one."""
