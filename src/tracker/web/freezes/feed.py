"""The address of freeze windows that calendar programs subscribe to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.errors import TrackerError
from tracker.pb import freeze_pb
from tracker.web.freezes.ical import calendar
from tracker.web.icalendar import calendar_answer, refusal

if TYPE_CHECKING:
    from tracker.api.http_exchange import HttpResponse
    from tracker.web.visit import Visit


class FreezeFeed:
    """Answers with the freeze windows that are on as iCalendar, or those for a service and environment."""

    path = "/freezes.ics"

    async def show(self, visit: Visit) -> HttpResponse:
        """Return the windows with their rules, which `tracker freeze import` reads again.

        Programs that subscribe send a user name and a password, the API key, once they are asked for them.
        """
        windows: list[freeze_pb.FreezeWindow] = []
        request = freeze_pb.ListFreezeWindowsRequest(
            service=visit.one("service"), environment=visit.one("environment"), team=visit.one("team")
        )
        try:
            visit.refuse_ignored()
            while True:
                found = await visit.ask(request, freeze_pb.ListFreezeWindowsResponse)
                windows += [each for each in found.freeze_windows if each.active]
                request.page_token = found.next_page_token
                if not request.page_token:
                    break
        except TrackerError as error:
            return refusal(error)
        return calendar_answer(visit, calendar(windows, visit.clock.now))
