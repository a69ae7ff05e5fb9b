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

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tracker.stores.catalog import CatalogStore
    from tracker.stores.changes import ChangeLog, ConsumerStore
    from tracker.stores.events import EventStore
    from tracker.stores.idempotency import IdempotencyStore
    from tracker.stores.links import LinkStore
    from tracker.stores.locks import LockStore


class StoreObserver(Protocol):
    """What a store reports of its work, for metrics."""

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
    def changes(self) -> ChangeLog:
        """The log of the changes made in it."""

    @property
    def consumers(self) -> ConsumerStore:
        """How far the consumers of that log have come."""

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
