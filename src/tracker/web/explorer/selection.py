"""What is done to the events that a reader has selected in the list of the Explorer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.errors import FieldViolation, TrackerError, invalid
from tracker.pb import event_pb
from tracker.permissions import Permission
from tracker.web.event_rows import event_row
from tracker.web.site import View
from tracker.web.visit import part

if TYPE_CHECKING:
    from tracker.web.event_rows import EventRow
    from tracker.web.explorer.state import State
    from tracker.web.visit import Visit

SELECTED: Final = "e-"
"""What the names of the check boxes begin with, before the id of an event."""
_WORDS: Final = {"comment": "Comment on", "close": "Close", "delete": "Delete"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a selected event: `problem` is "" where it was changed."""

    id: str
    title: str
    problem: str


async def confirm(visit: Visit, state: State) -> View:
    """Show the selected events, and ask whether it is to be done to all of them."""
    what, ids = _asked(visit)
    rows = [(event_id, await part(_row(visit, event_id))) for event_id in ids]
    return View(
        "explorer/confirm.html",
        what=what,
        word=_WORDS[what],
        rows=rows,
        back=state.address(),
        selected=SELECTED,
    )


async def apply(visit: Visit, state: State) -> View:
    """Do it, one event after the other; what is refused for one stops none of the others."""
    what, ids = _asked(visit)
    if what == "comment" and not visit.form.text("comment").strip():
        raise invalid(FieldViolation("comment", "expected some text"))
    outcomes = []
    for event_id in ids:
        found, problem = await part(_row(visit, event_id)), ""
        try:
            await _apply(visit, what, event_id)
        except TrackerError as error:
            problem = error.message
        outcomes.append(Outcome(event_id, found.value.title if found.value else event_id, problem))
    failed = [each for each in outcomes if each.problem]
    done = len(outcomes) - len(failed)
    return View("explorer/outcome.html", what=what, done=done, failed=failed, back=state.address())


def _asked(visit: Visit) -> tuple[str, list[str]]:
    visit.require(Permission.EVENT_WRITE)
    what = visit.form.text("what") or visit.form.action
    if what not in _WORDS:
        raise invalid(FieldViolation("action", "expected one that the page has"))
    ids = [name.removeprefix(SELECTED) for name in visit.form.sent if name.startswith(SELECTED)]
    if not ids:
        raise invalid(FieldViolation("", "select some events of the list first"))
    return what, ids


async def _row(visit: Visit, event_id: str) -> EventRow:
    answer = await visit.ask(event_pb.GetEventRequest(id=event_id), event_pb.GetEventResponse)
    return event_row(answer.event or event_pb.Event(), visit.times)


async def _apply(visit: Visit, what: str, event_id: str) -> None:
    who, comment = visit.form.text("who"), visit.form.text("comment").strip()
    if what == "delete":
        await visit.change(event_pb.DeleteEventRequest(id=event_id), event_pb.DeleteEventResponse)
        return
    if what == "close":
        closed = event_pb.EventAttributes(status=event_pb.Status.close)
        request = event_pb.UpdateEventRequest(id=event_id, attributes=closed, merge=True, who=who)
        await visit.change(request, event_pb.UpdateEventResponse)
    if comment:
        entry = event_pb.ChangelogEntry(change_type=event_pb.ChangeType.commented, comment=comment, user=who)
        entered = event_pb.AddChangelogEntryRequest(id=event_id, entry=entry)
        await visit.change(entered, event_pb.AddChangelogEntryResponse)
