"""The contract of a store for the change log and its consumers.

Every change of an event, a lock, a catalog entry, a link, a webhook, a freeze window, a retention policy, a
legal hold or a record of access control is appended to the log once, soon after it was made, with consecutive
numbers from 1. Renewals of leases (`domain.locks.is_renewal`) are not logged: they are frequent and carry no
news. A migration does not copy the log.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

from tracker.domain.locks import Ending
from tracker.pb import (
    access_pb,
    catalog_pb,
    event_pb,
    freeze_pb,
    link_pb,
    lock_pb,
    retention_pb,
    terraform_pb,
    webhook_pb,
)
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

ORIGIN: ContextVar[str] = ContextVar("origin", default="")
"""Where the caller who makes changes is, as `Origin.text` has it; set and read as `PRINCIPAL` is."""

Record: TypeAlias = (
    event_pb.Event
    | lock_pb.Lock
    | catalog_pb.Catalog
    | access_pb.Access
    | link_pb.Link
    | webhook_pb.Webhook
    | terraform_pb.State
    | freeze_pb.FreezeWindow
    | retention_pb.RetentionPolicy
    | retention_pb.LegalHold
)

AGED_OUT = "aged_out"
"""The `ending` of events that a retention policy deleted; `reason` names the policy."""

_LONGEST_USER_AGENT = 200


class Origin(NamedTuple):
    """Where a change came from: the address of the caller, the id of the call, and the client's name."""

    address: str = ""
    request_id: str = ""
    user_agent: str = ""

    @property
    def text(self) -> str:
        """The origin on one line, as it is stored."""
        return f"{self.address} {self.request_id} {self.user_agent[:_LONGEST_USER_AGENT]}"

    @classmethod
    def of(cls, text: str) -> Origin:
        """Return the origin in a stored text."""
        return cls(*text.split(" ", 2))


class RecordKind(IntEnum):
    """The kind of a changed record; the numbers are stored."""

    EVENT = 1
    LOCK = 2
    CATALOG_ENTRY = 3
    ACCESS = 4
    LINK = 5
    WEBHOOK = 6
    STATE = 7
    FREEZE = 8
    RETENTION_POLICY = 9
    LEGAL_HOLD = 10


MESSAGES: Final[Mapping[int, type[Record]]] = {
    RecordKind.EVENT: event_pb.Event,
    RecordKind.LOCK: lock_pb.Lock,
    RecordKind.CATALOG_ENTRY: catalog_pb.Catalog,
    RecordKind.ACCESS: access_pb.Access,
    RecordKind.LINK: link_pb.Link,
    RecordKind.WEBHOOK: webhook_pb.Webhook,
    RecordKind.STATE: terraform_pb.State,
    RecordKind.FREEZE: freeze_pb.FreezeWindow,
    RecordKind.RETENTION_POLICY: retention_pb.RetentionPolicy,
    RecordKind.LEGAL_HOLD: retention_pb.LegalHold,
}
"""The message of each kind of record."""


class ChangeKind(IntEnum):
    """The kind of a change; the numbers are stored. A lock is created when it is acquired."""

    CREATED = 1
    UPDATED = 2
    DELETED = 3


_RECORD_KINDS: Final[Mapping[int, RecordKind]] = {kind: kind for kind in RecordKind}
_CHANGE_KINDS: Final[Mapping[int, ChangeKind]] = {kind: kind for kind in ChangeKind}
_ENDINGS: Final[Mapping[str, Ending]] = {ending: ending for ending in Ending}
# `Enum.name` takes twenty times as long.
_RECORD_NAMES: Final[Mapping[int, str]] = {kind: kind.name.lower() for kind in RecordKind}
_ACTIONS: Final[Mapping[int, str]] = {kind: kind.name.lower() for kind in ChangeKind}


class Position(NamedTuple):
    """A position in a log: the number of the entry before it, and its time in microseconds since the epoch.

    Both are 0 before the first entry. A store restored from an older copy reuses numbers, at later times: the
    time shows that a position is after a lost entry.
    """

    log: str
    number: int = 0
    at: int = 0


@dataclass
class Change:  # not frozen: that takes seven times as long to make, for each change of a busy server
    """An entry of the log: what happened to which record, by whom and from where.

    During an upgrade, a newer server of the database may log a `record`, a `kind` or an `ending` that this
    version does not know. It is then what the log has.

    `document_before` is None for a record that was created, `document_after` for one that was deleted. For a
    document that exceeds `LARGEST_LOGGED`, `document_after` is the current one, or None if the record no
    longer exists, and `document_before` is None. A deleted record is always kept whole. `ending` and `reason`
    say how a deleted lock ended.
    """

    position: Position
    record: RecordKind | int
    kind: ChangeKind | int
    id: str
    principal: str
    origin: Origin
    document_before: bytes | str | None
    document_after: bytes | str | None
    ending: Ending | str | None = None
    reason: str = ""

    @property
    def record_name(self) -> str:
        """The kind of record in words."""
        return _RECORD_NAMES.get(self.record) or f"record of kind {self.record}"

    @property
    def action(self) -> str:
        """What happened to the record, in words; the end of a lock is how it ended."""
        if self.ending is not None:
            return str(self.ending)
        return _ACTIONS.get(self.kind) or f"change of kind {self.kind}"

    @cached_property
    def before(self) -> Record | None:
        """The record before the change."""
        return self._read(self.document_before)

    @cached_property
    def after(self) -> Record | None:
        """The record after the change."""
        return self._read(self.document_after)

    def _read(self, document: bytes | str | None) -> Record | None:
        message = MESSAGES.get(self.record)
        if document is None or message is None:
            return None
        return (
            read_event(self.id, document) if message is event_pb.Event else parse(message, self.id, document)
        )


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
    origin: str,
) -> Change:
    """Return a change as the log has it."""
    return Change(
        position,
        _RECORD_KINDS.get(record, record),
        _CHANGE_KINDS.get(kind, kind),
        record_id,
        principal,
        Origin.of(origin),
        before,
        after,
        None if ending is None else _ENDINGS.get(ending, ending),
        reason or "",
    )


class Batch(NamedTuple):
    """Consecutive changes, and the position after them, which without changes is the requested one."""

    changes: Sequence[Change]
    end: Position


class ChangesForgottenError(Exception):
    """Changes after a position are no longer kept, or the position is not of this log's timeline."""


Rewrite: TypeAlias = "Callable[[RecordKind | int, str, bytes | str], str]"
"""Returns what takes the place of the document of a record of a kind and id."""


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

    async def read(self, after: Position, most: int, kinds: Sequence[RecordKind] | None = None) -> Batch:
        """Read up to `most` changes after a position, and return all, or those of some kinds of record.

        Raises:
            ChangesForgottenError: The position is not in this log, or changes after it are no longer kept.
        """

    async def rewrite(self, texts: Sequence[str], rewrite: Rewrite) -> int:
        """Replace the documents of the changes that contain one of some texts; return how many changed."""


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
