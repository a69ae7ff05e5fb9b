"""The address that calendar programs subscribe to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracker.errors import TrackerError
from tracker.time_text import DAY, MICROS
from tracker.web.calendar.ical import calendar
from tracker.web.calendar.page import SHOWN
from tracker.web.explorer.state import Period
from tracker.web.icalendar import calendar_answer, refusal
from tracker.web.timeline.found import events_of

if TYPE_CHECKING:
    from tracker.api.http_exchange import HttpResponse
    from tracker.web.visit import Visit

_BACK: Final = 60 * DAY
_AHEAD: Final = 366 * DAY
_MOST: Final = 2_000
"""Events of a feed, the latest ones."""


class CalendarFeed:
    """Answers with the events of a query as iCalendar; by default, what the Calendar shows."""

    path = "/calendar.ics"

    async def show(self, visit: Visit) -> HttpResponse:
        """Return the events from 60 days ago to a year ahead.

        Programs that subscribe send a user name and a password, the API key, once they are asked for them.
        """
        now = visit.clock.now - visit.clock.now % MICROS
        query = visit.one("query") or SHOWN
        try:
            visit.refuse_ignored()
            found = await events_of(visit, query, Period(now - _BACK, now + _AHEAD))
        except TrackerError as error:
            return refusal(error)
        return calendar_answer(visit, calendar(found.events[-_MOST:]))
