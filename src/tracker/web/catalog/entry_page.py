"""One entry of the catalog: what it is, what runs where, what it depends on, and how it does."""

from __future__ import annotations

import asyncio
import shlex
from http import HTTPStatus
from typing import TYPE_CHECKING

from tracker.errors import Reason, TrackerError
from tracker.pb import catalog_pb, lock_pb
from tracker.web.catalog.activity import figures, last_events, running
from tracker.web.catalog.description import description
from tracker.web.catalog.entries import all_entries
from tracker.web.catalog.health import health
from tracker.web.catalog.names import events_address, graph_address
from tracker.web.catalog.relations import relations
from tracker.web.deployments.address import check_address
from tracker.web.lock_rows import lock_row
from tracker.web.site import View
from tracker.web.visit import address, part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.web.lock_rows import LockRow
    from tracker.web.visit import Visit


async def entry_page(visit: Visit, name: str) -> View:
    """Show an entry, or what else is known of a name that no entry has."""
    (entry, entries, now), (where, numbers, events, locks) = await asyncio.gather(
        asyncio.gather(part(_entry(visit, name)), part(all_entries(visit)), part(health(visit))),
        asyncio.gather(
            part(running(visit, name)),
            part(figures(visit, name)),
            part(last_events(visit, name)),
            part(_locks(visit, name)),
        ),
    )
    unknown = entry.error is not None and entry.error.reason is Reason.CATALOG_NOT_FOUND
    return View(
        "catalog/entry.html",
        HTTPStatus.NOT_FOUND if unknown else HTTPStatus.OK,
        name=name,
        unknown=unknown,
        now=(now.value or {}).get(name, ()),
        description=description(entry.value, visit.times) if entry.value is not None else None,
        entry_error=None if unknown else entry.error,
        relations=relations(name, entries.value, now.value or {}) if entries.value is not None else None,
        relations_error=entries.error,
        running=where,
        figures=numbers,
        events=events,
        events_href=events_address(name),
        locks=locks,
        check_href=check_address(name),
        graph_href=graph_address(name),
        api=address("/api/v1alpha1/catalog", {"name": name}),
        tracker=f"tracker catalog get {shlex.quote(name)}",
    )


async def _entry(visit: Visit, name: str) -> catalog_pb.Catalog:
    found = await visit.ask(catalog_pb.GetCatalogRequest(name=name), catalog_pb.GetCatalogResponse)
    if found.catalog is None:
        raise TrackerError(Reason.CATALOG_NOT_FOUND, name)
    return found.catalog


async def _locks(visit: Visit, name: str) -> Sequence[LockRow]:
    found = await visit.ask(lock_pb.ListLocksRequest(service=name), lock_pb.ListLocksResponse)
    return [lock_row(lock, visit.times) for lock in found.locks]
