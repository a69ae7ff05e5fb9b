"""The contract of a store for the links of the start page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.pb import link_pb
    from tracker.stores.idempotency import Once


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
