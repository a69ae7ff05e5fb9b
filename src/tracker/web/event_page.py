"""The page of one event, which prints as the record of what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.web.event_detail import event_detail
from tracker.web.site import View

if TYPE_CHECKING:
    from tracker.web.visit import Visit


class EventPage:
    """Shows an event by its id or Slack id."""

    path = "/events/{id}"

    async def show(self, visit: Visit) -> View:
        """Show the event with all that belongs to it."""
        return View("event.html", event=await event_detail(visit, visit.captures[0]))
