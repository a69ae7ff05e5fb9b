"""The sample events that fill a new server on this machine at the press of a button."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from tracker.api.calls.callers import is_local
from tracker.demo.company import Company
from tracker.errors import Reason, TrackerError
from tracker.pb import catalog_pb, event_pb

if TYPE_CHECKING:
    from tracker.web.visit import Visit

_EVENTS: Final = 1_000
_DAYS: Final = 14
_SEED: Final = 1


def may_fill(visit: Visit) -> bool:
    """Return whether a reader may fill the server with sample events: on this machine, with the right to."""
    return is_local(visit.call) and visit.may("event:write") and visit.may("catalog:write")


async def fill(visit: Visit) -> None:
    """Record the events of sample services for the last days, and the services in the catalog.

    Raises:
        TrackerError: PERMISSION_DENIED; the reader is elsewhere. As `ImportEvents` and `CreateUpdateCatalog`.
    """
    if not is_local(visit.call):
        raise TrackerError(Reason.PERMISSION_REQUIRED, "only a browser on the server's machine fills it")
    now = visit.clock.now
    company = Company(_SEED)
    request = event_pb.ImportEventsRequest(events=list(company.story(_EVENTS, until=now, days=_DAYS)))
    await visit.change(request, event_pb.ImportEventsResponse)
    await asyncio.gather(
        *(
            visit.change(
                catalog_pb.CreateUpdateCatalogRequest(
                    name=entry.name,
                    type=entry.type,
                    owner=entry.owner,
                    version=entry.version,
                    description=entry.description,
                ),
                catalog_pb.CreateUpdateCatalogResponse,
            )
            for entry in company.catalog()
        )
    )
