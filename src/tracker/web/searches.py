"""Searches for the events that pages show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

from protobuf.wkt import UInt32Value

from tracker.pb import event_pb

if TYPE_CHECKING:
    from typing import Unpack

    from tracker.web.visit import Visit


_PER_PAGE: Final = 2_000
"""Events that are read at once."""


class More(TypedDict, total=False):
    """What a search may say beside the query, as SearchEvents has it."""

    start_date: str
    end_date: str
    order_by: str
    page_token: str
    time_zone: str


async def search(visit: Visit, query: str, most: int, **more: Unpack[More]) -> event_pb.SearchEventsResponse:
    """Return up to so many of the events that a query finds, the newest first, with the rights of the reader.

    Raises:
        TrackerError: As SearchEvents does.
    """
    request = event_pb.SearchEventsRequest(query=query, per_page=UInt32Value(value=most), **more)
    return await visit.ask(request, event_pb.SearchEventsResponse)


async def search_all(
    visit: Visit, query: str, most: int, **more: Unpack[More]
) -> tuple[list[event_pb.Event], bool]:
    """Return up to so many events, of several pages as `search` finds them, and whether these are all.

    Raises:
        TrackerError: As SearchEvents does.
    """
    events: list[event_pb.Event] = []
    while len(events) < most:
        found = await search(visit, query, min(_PER_PAGE, most - len(events)), **more)
        events += found.events
        more["page_token"] = found.next_page_token
        if not found.next_page_token:
            return events, True
    return events, False
