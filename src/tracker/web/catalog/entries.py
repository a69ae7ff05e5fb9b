"""The entries of the catalog that a reader may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.pb import catalog_pb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.web.visit import Visit


async def all_entries(visit: Visit) -> Sequence[catalog_pb.Catalog]:
    """Return the entries that the reader may see, ordered by name.

    Raises:
        TrackerError: As `ListCatalogs`.
    """
    found = await visit.ask(catalog_pb.ListCatalogsRequest(), catalog_pb.ListCatalogsResponse)
    return sorted(found.catalogs, key=lambda entry: entry.name)
