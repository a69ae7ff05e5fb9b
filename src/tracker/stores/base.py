"""The contract of a store: what each method does in one atomic step, in what order, what it raises.

Every method raises `TrackerError` with UNAVAILABLE (`STORE_UNAVAILABLE`, `STORE_FULL`, `STORE_READ_ONLY`)
when the database can't do it now, and with DATA_LOSS (`STORE_CORRUPT`) when what it holds can't be read.
A method that has returned has its effect on durable storage; one that raised has had none, unless the error
is UNAVAILABLE with `STORE_OUTCOME_UNKNOWN`. A store with too much to do refuses with UNAVAILABLE
(`STORE_OVERLOADED`), and ends a query that takes too long with DEADLINE_EXCEEDED (`QUERY_TOO_LONG`).
Cancelling a call before its effect began prevents the effect.

A store keeps no rules: it is given finished messages, or a pure function from the stored document to
the new one. That function runs inside the atomic step, may run more than once, and aborts the step with
whatever it raises. Messages given to a store or to such a function are never changed by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.domain.events import EventFilter, EventKey
    from tracker.domain.paging import Cursor
    from tracker.pb import catalog_pb, event_pb, link_pb, lock_pb

T = TypeVar("T")


class LockHeldError(Exception):
    """The key of a lock to be taken belongs to `holder`."""

    def __init__(self, holder: lock_pb.Lock) -> None:
        super().__init__(holder.id)
        self.holder = holder


class SlackIdTakenError(Exception):
    """The Slack id of an event to be stored belongs to the event `event_id`."""

    def __init__(self, event_id: str) -> None:
        super().__init__(event_id)
        self.event_id = event_id


@dataclass(frozen=True, slots=True)
class Slice:
    """Which part of an ordered result to answer.

    `limit` None means all that remain. `after` continues behind the record that the cursor names;
    `offset` skips that many records first.
    """

    limit: int | None = None
    offset: int = 0
    after: Cursor | None = None


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A part of an ordered result, how many records match in all, and where the next part starts.

    `next` is the cursor of the last record given, or None where nothing remains behind it.
    """

    records: Sequence[T]
    total: int
    next: Cursor | None


@dataclass(frozen=True, slots=True)
class EventChange:
    """What one change of an event leads to: the new document, the locks (by id) let go, the lock taken.

    Locks are released before `acquire` is tried.
    """

    event: event_pb.Event
    release: Sequence[str] = ()
    acquire: lock_pb.Lock | None = None


@dataclass(frozen=True, slots=True)
class MonthCount:
    """How many events fell in one month (UTC); `service` is empty unless counted by service."""

    year: int
    month: int
    service: str
    count: int


class EventStore(Protocol):
    """Events. A Slack id, where set, belongs to one event."""

    async def create(self, event: event_pb.Event, lock: lock_pb.Lock | None) -> None:
        """Store a new event and take `lock` with it: both or neither.

        Raises:
            LockHeldError: The lock's key is held.
            SlackIdTakenError: Another event has this Slack id.
        """

    async def get(self, key: EventKey) -> event_pb.Event | None:
        """Return the event of an id or a Slack id, or None."""

    async def modify(
        self,
        key: EventKey,
        change: Callable[[event_pb.Event, Sequence[lock_pb.Lock]], EventChange],
    ) -> event_pb.Event | None:
        """Replace an event by what `change` makes of it and of the locks that carry its id.

        What follows for locks happens with it, or nothing does. Returns the new document, or None
        where there is no such event.

        Raises:
            LockHeldError: The key of the lock to be taken is held.
            SlackIdTakenError: Another event has the new Slack id.
        """

    async def delete(self, key: EventKey) -> event_pb.Event | None:
        """Delete an event and release the locks that carry its id; return what was deleted, or None."""

    async def find(self, where: EventFilter, part: Slice) -> Found[event_pb.Event]:
        """Return a part of the matching events, newest first: by descending (`event_time`, id)."""

    async def count(self, where: EventFilter) -> int:
        """Count the matching events."""

    async def count_by_month(self, where: EventFilter, *, by_service: bool) -> Sequence[MonthCount]:
        """Count the matching events by the month (UTC) of their time, ordered by year, month, service."""


class CatalogStore(Protocol):
    """Catalog entries, one a name."""

    async def upsert(
        self, name: str, change: Callable[[catalog_pb.Catalog | None], catalog_pb.Catalog]
    ) -> catalog_pb.Catalog:
        """Store what `change` makes of the entry `name`, or of None, and return the new document."""

    async def modify(
        self, name: str, change: Callable[[catalog_pb.Catalog], catalog_pb.Catalog]
    ) -> catalog_pb.Catalog | None:
        """Replace the entry `name` by what `change` makes of it.

        Returns the new document, or None where there is none.
        """

    async def get(self, name: str) -> catalog_pb.Catalog | None:
        """Return the entry `name`, or None."""

    async def delete(self, name: str) -> bool:
        """Delete the entry `name`; return whether there was one."""

    async def find(self, part: Slice) -> Found[catalog_pb.Catalog]:
        """Return a part of the entries, ordered by name (code points)."""


class LockStore(Protocol):
    """Locks; at any moment at most one for each `domain.locks.lock_key`."""

    async def acquire(self, lock: lock_pb.Lock, entry: event_pb.ChangelogEntry | None) -> None:
        """Store a new lock and append `entry` to the event that it names, where that event exists.

        Raises:
            LockHeldError: The key is held.
        """

    async def get(self, lock_id: str) -> lock_pb.Lock | None:
        """Return the lock of an id, or None."""

    async def modify(
        self, lock_id: str, change: Callable[[lock_pb.Lock], lock_pb.Lock]
    ) -> lock_pb.Lock | None:
        """Replace a lock by what `change` makes of it; return the new document, or None where there is none.

        Raises:
            LockHeldError: The new key is held by another lock.
        """

    async def release(
        self, lock_id: str, entry: Callable[[lock_pb.Lock], event_pb.ChangelogEntry]
    ) -> lock_pb.Lock | None:
        """Delete a lock and append `entry` of it to the event that it names, where that event exists.

        Returns what was deleted, or None where there is no such lock.
        """

    async def find(self, part: Slice) -> Found[lock_pb.Lock]:
        """Return a part of the locks, newest first: by descending (creation time, id)."""


class LinkStore(Protocol):
    """Links of the start page."""

    async def create(self, link: link_pb.Link) -> None:
        """Store a new link."""

    async def modify(
        self, link_id: str, change: Callable[[link_pb.Link], link_pb.Link]
    ) -> link_pb.Link | None:
        """Replace a link by what `change` makes of it; return the new document, or None."""

    async def delete(self, link_id: str) -> bool:
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
    def catalog(self) -> CatalogStore:
        """The catalog in it."""

    @property
    def locks(self) -> LockStore:
        """The locks in it."""

    @property
    def links(self) -> LinkStore:
        """The links in it."""

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
