"""The events that a query finds, page by page, as lines of JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import orjson
from protobuf.wkt import UInt32Value

from tracker.cli.errors import CommandError
from tracker.client.events import SEARCH_EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.client import Connection

_EVENTS = 1_000
"""Events of a page."""

_SECONDS = 60.0
"""How long an answer may take, and for how long a call without one is repeated."""

_EVER = "0001-01-01"
"""The first day of the calendar: a search needs a filter, and this one matches all events."""


class Wanted(NamedTuple):
    """The query and the order of the events."""

    query: str
    order: str


class Page(NamedTuple):
    """Events as lines, their number, the number of all matches, and the token of the next page."""

    lines: bytes
    events: int
    total: int
    next_token: str


def pages(connection: Connection, wanted: Wanted, token: str) -> Iterator[Page]:
    """Yield the pages of the wanted events, starting with that of a token.

    Raises:
        ApiError: The server refused the query, or the token.
        UnreachableError: There was no answer.
    """
    while True:
        request = SEARCH_EVENTS.request(
            query=wanted.query,
            start_date="" if wanted.query else _EVER,
            order_by=wanted.order,
            per_page=UInt32Value(value=_EVENTS),
            page_token=token,
        )
        answer = connection.exchange(SEARCH_EVENTS, request, timeout=_SECONDS, patience=_SECONDS)
        match answer:
            case {"events": list() as events, "totalCount": int() as total, "nextPageToken": str() as token}:
                lines = b"".join(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE) for event in events)
                yield Page(lines, len(events), total, token)
            case _:
                raise CommandError("the server answered, but not as a Tracker server does")
        if not token:
            return
