"""The contract of a store: what each method does in one atomic step, in what order, what it raises.

Every method raises `TrackerError` with UNAVAILABLE (`STORE_UNAVAILABLE`, `STORE_FULL`, `STORE_READ_ONLY`)
when the database can't do it now, and with DATA_LOSS (`STORE_CORRUPT`) when what it holds can't be read.
A method that has returned has its effect on durable storage; one that raised has had none, unless the error
is UNAVAILABLE with `STORE_OUTCOME_UNKNOWN`. A store with too much to do refuses with UNAVAILABLE
(`STORE_OVERLOADED`), and ends a query that takes too long with DEADLINE_EXCEEDED (`QUERY_TOO_LONG`).
Cancelling a call before its effect began prevents the effect.

A store keeps no rules: it is given finished messages, or a pure function from the stored document to
the new one. That function runs inside the atomic step, may run more than once, and aborts the step with
whatever it raises. Messages given to a store or to such a function are never changed by it. A change that is
given a `Once` is made once for its idempotency key, as `stores/idempotency.py` says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracker.domain.events import EventFilter, EventKey, ExternalId
    from tracker.domain.locks import Ending, LockFilter, LockKey
    from tracker.domain.paging import Cursor
    from tracker.domain.query.fields import Field
    from tracker.pb import catalog_pb, event_pb, link_pb, lock_pb
    from tracker.stores.idempotency import IdempotencyStore, Once

T = TypeVar("T")


CHANGES_KEPT = 100_000
"""How many changes of events are kept for those who watch, at least."""

LARGEST_LOGGED = 65_536
"""Bytes of the longest document that the log of events keeps a copy of."""

MOST_COUNTED = 10_000
"""Up to how many events the total of a list is exact."""


class LockHeldError(Exception):
    """The key of a lock to be taken belongs to `holder`."""

    def __init__(self, holder: lock_pb.Lock) -> None:
        super().__init__(holder.id)
        self.holder = holder


class LockTokenUsedError(Exception):
    """The token that a lock was to be taken with has taken it before; `ended` is what became of that lock."""

    def __init__(self, ended: EndedLock) -> None:
        super().__init__(ended.lock.id)
        self.ended = ended


class SlackIdTakenError(Exception):
    """The Slack id of an event to be stored belongs to the event `event_id`."""

    def __init__(self, event_id: str) -> None:
        super().__init__(event_id)
        self.event_id = event_id


class ExternalIdTakenError(Exception):
    """The external id of an event to be stored belongs to the event `event_id` of the same source."""

    def __init__(self, external: ExternalId, event_id: str) -> None:
        super().__init__(event_id)
        self.external = external
        self.event_id = event_id


Added: TypeAlias = "bool | SlackIdTakenError | ExternalIdTakenError"
"""What became of one of many events: whether it was new and is stored, or why it can't be."""


class ChangesForgottenError(Exception):
    """What followed a place in the log of events is no longer kept, or never was in it."""


class ChangeKind(IntEnum):
    """What became of an event; the numbers are stored."""

    CREATED = 1
    UPDATED = 2
    DELETED = 3


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """A change of an event: its number in the log, when it was made (microseconds since the epoch), and what.

    `event` is as the change left it, or as it was when it was deleted. Where its document is longer than
    `LARGEST_LOGGED`, it is as it is now; None where it is no more.
    """

    number: int
    at: int
    kind: ChangeKind
    event: event_pb.Event | None


class Total(NamedTuple):
    """How many records match; where it is `estimated`, about as many, or at least."""

    records: int
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of an ordered result to answer.

    `limit` None means all that remain. `after` continues behind the record that the cursor names;
    `offset` skips that many records first. `total` is what the answer for an earlier part said: it is said
    again, and not counted.
    """

    limit: int | None = None
    offset: int = 0
    after: Cursor | None = None
    total: Total | None = None


@dataclass(slots=True)
class Explanation:
    """What a store did for the calls that it was given to: steps, for people, and documents searched."""

    steps: list[str] = field(default_factory=list)
    documents: int = 0

    def count(self, *_: object) -> bool:
        """Count a document."""
        self.documents += 1
        return True

    def add(self, other: Explanation) -> None:
        """Add what was done for another call."""
        self.steps += other.steps
        self.documents += other.documents


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A part of an ordered result, how many records match in all, and where the next part starts.

    `next` is the cursor of the last record given, or None where nothing remains behind it. With `estimated`,
    `total` is about how many match, or how many at least.
    """

    records: Sequence[T]
    total: int
    next: Cursor | None
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class HeldLock:
    """A lock as a store keeps it; `token_hash` is the SHA-256 of its `lock_token`, empty for none."""

    lock: lock_pb.Lock
    token_hash: bytes = b""


@dataclass(frozen=True, slots=True)
class Acquired:
    """The lock that a claim led to; `replayed` if an earlier claim with the same token had taken it."""

    lock: lock_pb.Lock
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Release:
    """How a lock ends: in which way, when (microseconds since the epoch), and why, where it was forced.

    `entry` is appended to the changelog of the event that the lock names, where that event exists.
    """

    ending: Ending
    at: int
    reason: str = ""
    entry: event_pb.ChangelogEntry | None = None


@dataclass(frozen=True, slots=True)
class EndedLock:
    """A lock that is held no more, as it was, and how it ended."""

    lock: lock_pb.Lock
    token_hash: bytes
    ending: Ending
    at: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LeaseState:
    """What decides when a held lock ends: durations in microseconds, 0 where it has none.

    `renewals` changes with every renewal. `expired` locks are held no more, and wait for their delay to end.
    """

    lock_id: str
    ttl: int
    lock_delay: int
    renewals: int
    expired: bool


@dataclass(frozen=True, slots=True)
class EventChange:
    """What one change of an event leads to, for the event and for the locks that carry its id.

    `release` says which of them (by id) end, and how; `renew` holds new documents for others of them;
    `acquire` is a lock to take after that.
    """

    event: event_pb.Event
    release: Mapping[str, Release] = field(default_factory=dict)
    renew: Sequence[lock_pb.Lock] = ()
    acquire: lock_pb.Lock | None = None


@dataclass(frozen=True, slots=True)
class DeletedEvent:
    """An event that is no more, as it was, and the locks that ended with it."""

    event: event_pb.Event
    locks: Sequence[lock_pb.Lock] = ()


@dataclass(frozen=True, slots=True)
class MonthCount:
    """How many events fell in one month (UTC); `service` is empty unless counted by service."""

    year: int
    month: int
    service: str
    count: int


class Tally(NamedTuple):
    """How many events have a value: a text, "" where it is unset, or the number of a choice or a flag."""

    value: str | int
    events: int


class EventStore(Protocol):
    """Events. A Slack id, where set, belongs to one event; an external id, to one of its source.

    Where a call that finds or counts events is given an `Explanation`, it adds to that how it did so.
    """

    async def create(
        self, event: event_pb.Event, lock: lock_pb.Lock | None, once: Once[event_pb.Event] | None = None
    ) -> None:
        """Store a new event and take `lock`, as `LockStore.acquire` does, with it: both or neither.

        Raises:
            LockHeldError: The lock's key is held.
            SlackIdTakenError: Another event has this Slack id.
            ExternalIdTakenError: Another event has this external id; where that one is being stored at the
                same time, it may be for the lock that it takes that this one is refused.
        """

    async def add(self, events: Sequence[event_pb.Event]) -> Sequence[Added]:
        """Store those of many events whose ids are new, without locks; return what became of each.

        Each event is a step of its own, and of two that exclude each other the first is stored. Where the
        call raises, some of them may be stored; adding them again passes those over.
        """

    async def get(self, key: EventKey) -> event_pb.Event | None:
        """Return the event of a key, or None."""

    async def modify(
        self,
        key: EventKey,
        change: Callable[[event_pb.Event, Sequence[lock_pb.Lock]], EventChange],
        once: Once[event_pb.Event] | None = None,
    ) -> event_pb.Event | None:
        """Replace an event by what `change` makes of it and of the locks that carry its id.

        What follows for locks happens with it, or nothing does. Returns the new document, or None
        where there is no such event.

        Raises:
            LockHeldError: The key of the lock to be taken is held.
            SlackIdTakenError: Another event has the new Slack id.
            ExternalIdTakenError: Another event has the new external id.
        """

    async def delete(
        self, key: EventKey, release: Release, once: Once[DeletedEvent] | None = None
    ) -> DeletedEvent | None:
        """Delete an event and end the locks that carry its id; return what that was, or None."""

    async def find(
        self,
        where: EventFilter,
        part: Page,
        explanation: Explanation | None = None,
        *,
        oldest_first: bool = False,
    ) -> Found[event_pb.Event]:
        """Return a part of the matching events, newest first: by descending (`event_time`, id), or ascending.

        The total is exact up to `MOST_COUNTED`; more need not be counted, where that would take long.
        """

    async def count(self, where: EventFilter) -> int:
        """Count the matching events."""

    async def count_by_month(self, where: EventFilter, *, by_service: bool) -> Sequence[MonthCount]:
        """Count the matching events by the month (UTC) of their time, ordered by year, month, service."""

    async def count_by(
        self,
        where: EventFilter,
        fields: Sequence[Field],
        most: int,
        explanation: Explanation | None = None,
    ) -> tuple[int, Sequence[Sequence[Tally]]]:
        """Count the matching events, and those of the `most` most frequent values of each field.

        The fields are of one value each; of values as frequent, the lesser come first.
        """

    async def count_between(
        self,
        where: EventFilter,
        edges: Sequence[int],
        by: Field | None,
        explanation: Explanation | None = None,
    ) -> Sequence[Mapping[str | int, int]]:
        """Count the matching events whose time is between each two neighbours of `edges`, by a field.

        Edges (microseconds since the epoch) rise; each belongs to what follows. Without a field, all count
        under "". `where` has no `since` and no `until`.
        """

    async def durations_between(
        self, where: EventFilter, edges: Sequence[int], explanation: Explanation | None = None
    ) -> Sequence[Sequence[int]]:
        """Return the durations, in microseconds and rising, of what `count_between` would count."""


class EventLog(Protocol):
    """What happened to events, in order: each change is in it soon after it was made, by the next number."""

    @property
    def name(self) -> str:
        """Which log this is: numbers mean nothing in another one."""

    @property
    def poll_seconds(self) -> float | None:
        """After how long to look for changes that others have made; None where `notify` tells of all."""

    def notify(self, grown: Callable[[], None]) -> None:
        """Call `grown` whenever there may be more to read."""

    async def end(self) -> int:
        """Return the number of the last change; 0 where there is none."""

    async def read(self, after: int, most: int) -> Sequence[LoggedChange]:
        """Return the changes behind a number, up to `most` of them.

        Raises:
            ChangesForgottenError: The next one is no longer kept, or the log never came so far.
        """


class CatalogStore(Protocol):
    """Catalog entries, one a name."""

    async def upsert(
        self,
        name: str,
        change: Callable[[catalog_pb.Catalog | None], catalog_pb.Catalog],
        once: Once[catalog_pb.Catalog] | None = None,
    ) -> catalog_pb.Catalog:
        """Store what `change` makes of the entry `name`, or of None, and return the new document."""

    async def modify(
        self,
        name: str,
        change: Callable[[catalog_pb.Catalog], catalog_pb.Catalog],
        once: Once[catalog_pb.Catalog] | None = None,
    ) -> catalog_pb.Catalog | None:
        """Replace the entry `name` by what `change` makes of it.

        Returns the new document, or None where there is none.
        """

    async def get(self, name: str) -> catalog_pb.Catalog | None:
        """Return the entry `name`, or None."""

    async def delete(self, name: str, once: Once[bool] | None = None) -> bool:
        """Delete the entry `name`; return whether there was one."""

    async def find(self, part: Page) -> Found[catalog_pb.Catalog]:
        """Return a part of the entries, ordered by name (code points)."""


class LockStore(Protocol):
    """Locks; at any moment at most one for each `domain.locks.lock_key`, an expired one included.

    For each key the store remembers, for ever, the last fencing token it gave. Of a lock for which
    `domain.locks.is_remembered` says so it remembers how it ended, until told to forget.
    """

    async def acquire(
        self, claim: HeldLock, entry: event_pb.ChangelogEntry | None, once: Once[Acquired] | None = None
    ) -> Acquired:
        """Store a new lock with the next fencing token of its key, and append `entry` to the event it names.

        The fencing token is `domain.locks.next_fencing_token`. Where the key is held with the same
        token hash (not empty), nothing changes, `once` is not used, and the answer is the lock that is held.
        The event need not exist. Where the call is cancelled, the lock may have been taken, or still be: a
        `release` that follows sees what came of it.

        Raises:
            LockHeldError: The key is held, or its lock expired and waits for its delay to end.
            LockTokenUsedError: A lock of this key with this token hash has ended, and that is remembered.
        """

    async def get(self, lock_id: str) -> lock_pb.Lock | None:
        """Return the lock of an id, or None."""

    async def holder(self, key: LockKey) -> lock_pb.Lock | None:
        """Return the lock of a key, or None. Never answers with a state from before an acquired lock."""

    async def ended(self, lock_id: str) -> EndedLock | None:
        """Return what is remembered of the end of a lock, or None."""

    async def modify(
        self,
        lock_id: str,
        change: Callable[[HeldLock], lock_pb.Lock | None],
        once: Once[lock_pb.Lock] | None = None,
    ) -> lock_pb.Lock | None:
        """Replace a lock by what `change` makes of it; where that is None, the lock stays as it is.

        A lock that moves to another key gets the next fencing token of that key. Returns the new
        document, or None where there is no such lock or it stayed as it is.

        Raises:
            LockHeldError: The new key is held by another lock.
        """

    async def release(
        self,
        lock_id: str,
        decide: Callable[[HeldLock], Release | None],
        once: Once[lock_pb.Lock] | None = None,
    ) -> lock_pb.Lock | None:
        """End a lock the way that `decide` says; where that is None, it stays.

        Returns the lock that ended, or None where there is no such lock or it stayed.
        """

    async def find(self, where: LockFilter, part: Page) -> Found[lock_pb.Lock]:
        """Return a part of the matching locks, newest first: by descending (creation time, id)."""

    async def leases(self) -> Sequence[LeaseState]:
        """Return the state of every lock, in no particular order."""

    async def forget_ended(self, before: int) -> None:
        """Forget the ends of locks that ended before a moment (microseconds since the epoch)."""


class LinkStore(Protocol):
    """Links of the start page."""

    async def create(self, link: link_pb.Link, once: Once[link_pb.Link] | None = None) -> None:
        """Store a new link."""

    async def modify(
        self,
        link_id: str,
        change: Callable[[link_pb.Link], link_pb.Link],
        once: Once[link_pb.Link] | None = None,
    ) -> link_pb.Link | None:
        """Replace a link by what `change` makes of it; return the new document, or None."""

    async def delete(self, link_id: str, once: Once[bool] | None = None) -> bool:
        """Delete a link; return whether there was one."""

    async def find(self) -> Sequence[link_pb.Link]:
        """Return all links, ordered by group, name and id (code points)."""


class StoreObserver(Protocol):
    """What a store tells of its work, for metrics."""

    def committed(self, seconds: float, changes: int) -> None:
        """`changes` changes were made durable by one commit that took `seconds`."""

    def queued(self, changes: int) -> None:
        """`changes` changes wait for a commit."""


class Store(Protocol):
    """One database with all that Tracker keeps."""

    @property
    def events(self) -> EventStore:
        """The events in it."""

    @property
    def event_log(self) -> EventLog:
        """What happened to the events in it."""

    @property
    def catalog(self) -> CatalogStore:
        """The catalog in it."""

    @property
    def locks(self) -> LockStore:
        """The locks in it."""

    @property
    def links(self) -> LinkStore:
        """The links in it."""

    @property
    def idempotency(self) -> IdempotencyStore:
        """The idempotency keys of the changes in it."""

    def now(self) -> int:
        """Return the time in microseconds since the epoch, by the clock that all servers on it share."""

    async def open(self) -> None:
        """Open the database, make or upgrade its schema, check that it is sound.

        Raises:
            StoreOpenError: It can't be served; the message says what to do.
        """

    async def check(self) -> None:
        """Prove that a change can be made durable now.

        Raises:
            TrackerError: UNAVAILABLE, with the reason why not.
        """

    async def close(self) -> None:
        """Finish the changes under way and close the database."""


class StoreOpenError(Exception):
    """A database can't be served; the message says why and what to do about it."""
