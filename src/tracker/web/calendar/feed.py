"""The address that calendar programs subscribe to."""

from __future__ import annotations

import gzip
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from tracker.api.http_exchange import HttpResponse
from tracker.errors import Code, TrackerError
from tracker.time_text import MICROS
from tracker.web.calendar.ical import calendar
from tracker.web.calendar.page import SHOWN
from tracker.web.explorer.state import Period
from tracker.web.timeline.found import events_of

if TYPE_CHECKING:
    from tracker.web.visit import Visit

_DAY: Final = 86_400 * MICROS
_BACK: Final = 60 * _DAY
_AHEAD: Final = 366 * _DAY
_MOST: Final = 2_000
"""Events of a feed, the latest ones."""
_LEVEL: Final = 4
"""How hard a feed is compressed: a higher level takes longer than it saves."""


class CalendarFeed:
    """Answers with the events of a query as iCalendar; by default, what the Calendar shows."""

    path = "/calendar.ics"

    async def show(self, visit: Visit) -> HttpResponse:
        """Return the events from 60 days ago to a year ahead.

        Programs that subscribe send a user name and a password, the API key, once they are asked for them.
        """
        now = visit.clock.now - visit.clock.now % MICROS
        try:
            found = await events_of(visit, visit.one("query") or SHOWN, Period(now - _BACK, now + _AHEAD))
        except TrackerError as error:
            headers = [("content-type", "text/plain; charset=utf-8")]
            if error.code is Code.UNAUTHENTICATED:
                headers.append(("www-authenticate", 'Basic realm="tracker", charset="UTF-8"'))
            return HttpResponse(f"{error.message}\n".encode(), headers, HTTPStatus(error.reason.http_status))
        headers = [
            ("content-type", "text/calendar; charset=utf-8"),
            ("content-disposition", 'inline; filename="tracker.ics"'),
            ("cache-control", "private, no-cache"),
            ("vary", "accept-encoding"),
        ]
        body = calendar(found.events[-_MOST:])
        if "gzip" in visit.call.headers.get("accept-encoding", ""):
            body = gzip.compress(body, _LEVEL, mtime=0)
            headers.append(("content-encoding", "gzip"))
        return HttpResponse(body, headers)
