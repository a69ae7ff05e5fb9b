"""The page of one event, which prints as the record of what happened, and the forms that go on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracker.domain.events import FINISHED
from tracker.errors import FieldViolation, invalid
from tracker.pb import event_pb
from tracker.pb.options import wire_name
from tracker.web.causes import SAYINGS, say
from tracker.web.event_detail import event_detail
from tracker.web.forms import Done
from tracker.web.site import View
from tracker.web.visit import address

if TYPE_CHECKING:
    from tracker.web.visit import Visit

_Change = event_pb.ChangeType
_Status = event_pb.Status
_ENDS: Final = tuple(
    (each.name, each.name)
    for each in (_Status.success, _Status.done, _Status.failure, _Status.error, _Status.close)
)
_DECISIONS: Final = {
    "approve": (_Change.approved, _Status.planned),
    "reject": (_Change.rejected, _Status.close),
}
"""What a decision is recorded as, and the status that follows from it."""


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
            await _set_status(visit, status)
            return Done(visit.address_path, f"The event ended: {wire_name(status)}.")
        if action in _DECISIONS:
            kind, status = _DECISIONS[action]
            await _enter(visit, kind)
            await _set_status(visit, status)
            return Done(visit.address_path, f"{wire_name(kind).capitalize()}.")
        if action in SAYINGS:
            return Done(visit.address_path, await say(visit, action))
        if not form.text("comment").strip():
            raise invalid(FieldViolation("comment", "expected some text"))
        await _enter(visit, _Change.commented)
        return Done(visit.address_path, "The comment is recorded.")


async def _set_status(visit: Visit, status: event_pb.Status) -> None:
    await visit.change(
        event_pb.UpdateEventRequest(
            id=visit.captures[0],
            attributes=event_pb.EventAttributes(status=status),
            merge=True,
            who=visit.form.text("who"),
        ),
        event_pb.UpdateEventResponse,
    )


async def _enter(visit: Visit, kind: event_pb.ChangeType) -> None:
    entry = event_pb.ChangelogEntry(
        change_type=kind, comment=visit.form.text("comment"), user=visit.form.text("who")
    )
    await visit.change(
        event_pb.AddChangelogEntryRequest(id=visit.captures[0], entry=entry),
        event_pb.AddChangelogEntryResponse,
    )
