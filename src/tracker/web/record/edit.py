"""The form that changes an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.domain.events import attributes_of, event_id
from tracker.domain.scopes import subject_of
from tracker.pb import event_pb
from tracker.web.forms import Done, require_unchanged
from tracker.web.record.entries import entries_of, event_in, options, state_of
from tracker.web.site import View

if TYPE_CHECKING:
    from tracker.web.visit import Visit


class Edit:
    """Changes an event; one that has changed since the form was shown is shown again first."""

    path = "/events/{id}/edit"

    async def show(self, visit: Visit) -> View:
        """Show the form with what is stored."""
        event = await _stored(visit)
        return View(
            "record/edit.html",
            title=event.title,
            id=event_id(event),
            back=f"/events/{event_id(event)}",
            begins=entries_of(event, visit.times),
            state=state_of(event),
            options=options,
            may_record=visit.may("event:write", *subject_of(event)),
        )

    async def submit(self, visit: Visit) -> Done:
        """Store what was entered."""
        visit.require("event:write")
        stored = await _stored(visit)
        require_unchanged(visit.form, "event", state_of(stored), entries_of(stored, visit.times))
        wanted = event_in(visit, stored)
        for name in attributes_of(stored).labels:
            attributes_of(wanted).labels.setdefault(name, "")  # which takes it away
        request = event_pb.UpdateEventRequest(
            id=event_id(stored),
            title=wanted.title,
            attributes=wanted.attributes,
            links=wanted.links,
            who=visit.form.text("who"),
        )
        await visit.change(request, event_pb.UpdateEventResponse)
        return Done(f"/events/{event_id(stored)}", "The event is changed.")


async def _stored(visit: Visit) -> event_pb.Event:
    answer = await visit.ask(event_pb.GetEventRequest(id=visit.captures[0]), event_pb.GetEventResponse)
    return answer.event or event_pb.Event()
