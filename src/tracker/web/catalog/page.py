"""The addresses of the catalog, and what each shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.web.catalog.entry_page import entry_page
from tracker.web.catalog.graph_page import graph_page
from tracker.web.catalog.layout import Layouts
from tracker.web.catalog.listing import listing
from tracker.web.catalog.names import GRAPH
from tracker.web.entry_address import CATALOG

if TYPE_CHECKING:
    from tracker.web.site import View
    from tracker.web.visit import Visit


class Catalog:
    """Shows the list of entries, the graph, or the entry that `name` asks for."""

    path = CATALOG

    def __init__(self) -> None:
        self._layouts = Layouts()

    async def show(self, visit: Visit) -> View:
        """Show what the parameters of the address ask for."""
        if names := visit.all("name"):
            return await entry_page(visit, names[-1])
        if visit.choice("view", (GRAPH,)):
            return await graph_page(visit, self._layouts)
        return await listing(visit)


class CatalogEntry:
    """Shows an entry by its name."""

    path = f"{CATALOG}/{{name}}"

    async def show(self, visit: Visit) -> View:
        """Show the entry with all that belongs to it."""
        return await entry_page(visit, visit.captures[0])
