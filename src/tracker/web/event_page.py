"""The page of one event, which prints as the record of what happened, and the forms that go on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracker.domain.events import FINISHED
from tracker.errors import FieldViolation, invalid
from tracker.pb import event_pb
from tracker.pb.options import wire_name
from tracker.web.causes import SAYINGS, say
from tracker.web.deployments.address import check_address
from tracker.web.event_changes import DECISIONS, decide, enter, set_status
from tracker.web.event_detail import event_detail
from tracker.web.forms import Done
from tracker.web.site import View
from tracker.web.visit import address

if TYPE_CHECKING:
    from tracker.web.visit import Visit

_Status = event_pb.Status
_ENDS: Final = tuple(
    (each.name, each.name)
    for each in (_Status.success, _Status.done, _Status.failure, _Status.error, _Status.close)
)


class EventPage:
    """Shows an event by its id or Slack id."""

    path = "/events/{id}"

    async def show(self, visit: Visit) -> View:
        """Show the event with all that belongs to it."""
        event = await event_detail(visit, visit.captures[0], whole=True)
        row = event.row
        return View(
            "event.html",
            event=event,
            ended=row.status.word in dict(_ENDS),
            sayings=SAYINGS,
            waits=row.status.word == "waiting approval",
            check=check_address(row.service, row.environment, row.version, row.id)
            if row.status.tone == "plan" and row.service and row.environment
            else "",
            ends=_ENDS,
            follow_up=address(
                "/record",
                {
                    "related_id": row.id,
                    "service": row.service,
                    "environment": row.environment,
                    "version": row.version,
                },
            ),
        )

    async def submit(self, visit: Visit) -> Done:
        """Finish the event, comment on it, approve or reject it, or say what caused it."""
        visit.require("event:write")
        form, action = visit.form, visit.form.text("action")
        if action == "finish":
            status = next((each for each in FINISHED if wire_name(each) == form.text("status")), None)
            if status is None:
                raise invalid(FieldViolation("status", "expected how the event ended"))
            await set_status(visit, visit.captures[0], status)
            return Done(visit.address_path, f"The event ended: {wire_name(status)}.")
        if action in DECISIONS:
            return Done(visit.address_path, await decide(visit, visit.captures[0], action))
        if action in SAYINGS:
            return Done(visit.address_path, await say(visit, action))
        if not form.text("comment").strip():
            raise invalid(FieldViolation("comment", "expected some text"))
        await enter(visit, visit.captures[0], event_pb.ChangeType.commented)
        return Done(visit.address_path, "The comment is recorded.")
