"""The contract of a store for the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.pb import catalog_pb
    from tracker.stores.idempotency import Once
    from tracker.stores.pages import Found, Page


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
