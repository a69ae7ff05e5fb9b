"""The contract of a store: what each method does in one atomic step, and what it raises.

Every method raises `TrackerError` with UNAVAILABLE (`STORE_UNAVAILABLE`, `STORE_FULL`, `STORE_READ_ONLY`)
when the database is not available, and with DATA_LOSS (`STORE_CORRUPT`) when stored data can't be read.
When a method returns, its effect is durable; when it raises, it had none, unless the error is UNAVAILABLE
with `STORE_OUTCOME_UNKNOWN`. An overloaded store refuses calls with UNAVAILABLE (`STORE_OVERLOADED`), and
ends a query that takes too long with DEADLINE_EXCEEDED (`QUERY_TOO_LONG`). Cancelling a call before its
effect began prevents the effect.

A store applies no rules: it is given complete messages, or a pure function from the stored document to
the new one. That function runs inside the atomic step, may run more than once, and aborts the step with
whatever it raises. Neither the store nor the function changes the messages given to it. A change that is
given a `Once` is made once for its idempotency key (`stores/idempotency.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tracker.errors import Reason, TrackerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.pb import catalog_pb, freeze_pb, link_pb, retention_pb
    from tracker.stores.access import AccessStore
    from tracker.stores.audit import AuditStore
    from tracker.stores.changes import ChangeLog, ConsumerStore
    from tracker.stores.commits import CommitStore
    from tracker.stores.events import EventStore
    from tracker.stores.idempotency import IdempotencyStore, Once
    from tracker.stores.intakes import IntakeStore
    from tracker.stores.locks import LockStore
    from tracker.stores.pages import Found, Page
    from tracker.stores.records import RecordStore
    from tracker.stores.terraform import TerraformStore
    from tracker.stores.webhooks import WebhookStore


class StoreObserver(Protocol):
    """Receives measurements of a store, for metrics."""

    def committed(self, seconds: float, changes: int) -> None:
        """Record one commit of `changes` changes that took `seconds`."""

    def queued(self, changes: int) -> None:
        """Record that `changes` changes wait for a commit."""


class Unobserved:
    """Discards the measurements of a store."""

    def committed(self, seconds: float, changes: int) -> None:
        """Discard a commit."""

    def queued(self, changes: int) -> None:
        """Discard the length of a queue."""


class CatalogStore(Protocol):
    """Catalog entries, identified by their names."""

    async def upsert(
        self,
        name: str,
        change: Callable[[catalog_pb.Catalog | None], catalog_pb.Catalog],
        once: Once[catalog_pb.Catalog] | None = None,
    ) -> catalog_pb.Catalog:
        """Store what `change` returns for the entry `name`, or for None, and return it."""

    async def modify(
        self,
        name: str,
        change: Callable[[catalog_pb.Catalog], catalog_pb.Catalog],
        once: Once[catalog_pb.Catalog] | None = None,
    ) -> catalog_pb.Catalog | None:
        """Replace the entry `name` with what `change` returns for it; return that, or None if missing."""

    async def get(self, name: str) -> catalog_pb.Catalog | None:
        """Return the entry `name`, or None."""

    async def delete(
        self,
        name: str,
        once: Once[bool] | None = None,
        check: Callable[[catalog_pb.Catalog], None] | None = None,
    ) -> bool:
        """Delete the entry `name`; return whether there was one.

        The step is aborted with what `check` raises for the entry.
        """

    async def find(self, page: Page) -> Found[catalog_pb.Catalog]:
        """Return a page of the entries, ordered by name (code points)."""


class Store(Protocol):
    """A database that holds all records of Tracker."""

    events: EventStore
    changes: ChangeLog
    consumers: ConsumerStore
    catalog: CatalogStore
    locks: LockStore
    links: RecordStore[link_pb.Link]
    freezes: RecordStore[freeze_pb.FreezeWindow]
    policies: RecordStore[retention_pb.RetentionPolicy]
    holds: RecordStore[retention_pb.LegalHold]
    access: AccessStore
    audit: AuditStore
    webhooks: WebhookStore
    terraform: TerraformStore
    intakes: IntakeStore
    commits: CommitStore
    idempotency: IdempotencyStore

    def now(self) -> int:
        """Return the time in microseconds since the epoch, by the clock that all its servers share."""

    async def open(self) -> None:
        """Open the database, create or upgrade its schema, and check its integrity.

        Raises:
            StoreOpenError: It can't be served; the message says what to do.
        """

    async def check(self) -> None:
        """Check that a change can be made durable now.

        Raises:
            TrackerError: UNAVAILABLE, with the reason.
        """

    async def close(self) -> None:
        """Finish the changes in progress and close the database."""


class StoreOpenError(Exception):
    """A database can't be served; the message says why and what to do about it."""


def unavailable(message: str) -> TrackerError:
    """Return the error for a store that can't work now."""
    return TrackerError(Reason.STORE_UNAVAILABLE, message)


def overloaded() -> TrackerError:
    """Return the error for a call while too many others wait."""
    return TrackerError(Reason.STORE_OVERLOADED, "too many calls wait for the database")
