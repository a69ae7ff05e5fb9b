"""The contract of a store for records of which there are few, such as links, and freeze windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from tracker.pb import freeze_pb, link_pb, retention_pb

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.stores.idempotency import Once

R = TypeVar("R", link_pb.Link, freeze_pb.FreezeWindow, retention_pb.RetentionPolicy, retention_pb.LegalHold)


class RecordStore(Protocol[R]):
    """Records of one kind, identified by their ids."""

    async def create(self, record: R, once: Once[R] | None = None) -> None:
        """Store a new record."""

    async def modify(self, record_id: str, change: Callable[[R], R], once: Once[R] | None = None) -> R | None:
        """Replace a record with what `change` returns for it; return that, or None if missing."""

    async def delete(
        self, record_id: str, once: Once[bool] | None = None, check: Callable[[R], None] | None = None
    ) -> bool:
        """Delete a record; return whether there was one.

        The step is aborted with what `check` raises for the record.
        """

    async def get(self, record_id: str) -> R | None:
        """Return a record, or None if missing."""

    async def find(self) -> Sequence[R]:
        """Return all records: links by group, name and id, freeze windows by their first begin and id.

        Retention policies and legal holds are ordered by name and id.
        """
