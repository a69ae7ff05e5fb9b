"""Changes of an event that forms of several pages make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracker.domain.deployments import decided
from tracker.domain.events import attributes_of
from tracker.pb import event_pb
from tracker.pb.options import wire_name

if TYPE_CHECKING:
    from tracker.web.visit import Visit

_Change = event_pb.ChangeType
DECISIONS: Final = {"approve": _Change.approved, "reject": _Change.rejected}
"""What a decision is recorded as."""


async def decide(visit: Visit, event_id: str, action: str) -> str:
    """Approve or reject an event for the form that was sent, and return what is told."""
    kind = DECISIONS[action]
    after = decided(attributes_of(await enter(visit, event_id, kind)).status, kind)
    if after is not None:
        await set_status(visit, event_id, after)
    return f"{wire_name(kind).capitalize()}."


async def set_status(visit: Visit, event_id: str, status: event_pb.Status, override: str = "") -> None:
    """Change the status of an event; `override` is the reason to begin it even if that is not allowed."""
    await visit.change(
        event_pb.UpdateEventRequest(
            id=event_id,
            attributes=event_pb.EventAttributes(status=status),
            merge=True,
            who=visit.form.text("who"),
            override_reason=override,
        ),
        event_pb.UpdateEventResponse,
    )


async def enter(visit: Visit, event_id: str, kind: event_pb.ChangeType) -> event_pb.Event:
    """Add the comment of a form to the changelog of an event, and return that."""
    entry = event_pb.ChangelogEntry(
        change_type=kind, comment=visit.form.text("comment"), user=visit.form.text("who")
    )
    answer = await visit.change(
        event_pb.AddChangelogEntryRequest(id=event_id, entry=entry), event_pb.AddChangelogEntryResponse
    )
    return answer.event or event_pb.Event()
