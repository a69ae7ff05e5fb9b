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

from tracker.errors import Reason, TrackerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.pb import catalog_pb, link_pb
    from tracker.stores.changes import ChangeLog, ConsumerStore
    from tracker.stores.events import EventStore
    from tracker.stores.idempotency import IdempotencyStore, Once
    from tracker.stores.locks import LockStore
    from tracker.stores.pages import Found, Page


class StoreObserver(Protocol):
    """What a store reports of its work, for metrics."""

    def committed(self, seconds: float, changes: int) -> None:
        """`changes` changes were made durable by one commit that took `seconds`."""

    def queued(self, changes: int) -> None:
        """`changes` changes wait for a commit."""


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

    async def find(self, page: Page) -> Found[catalog_pb.Catalog]:
        """Return a page of the entries, ordered by name (code points)."""


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


class Store(Protocol):
    """One database with all that Tracker keeps."""

    events: EventStore
    changes: ChangeLog
    consumers: ConsumerStore
    catalog: CatalogStore
    locks: LockStore
    links: LinkStore
    idempotency: IdempotencyStore

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


def unavailable(message: str) -> TrackerError:
    """Return the error for a store that can't work now."""
    return TrackerError(Reason.STORE_UNAVAILABLE, message)


def overloaded() -> TrackerError:
    """Return the error for a call while too many others wait."""
    return TrackerError(Reason.STORE_OVERLOADED, "too many calls wait for the database")
