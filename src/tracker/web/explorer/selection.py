"""What is done to the events that a reader has selected in the list of the Explorer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.domain.events import event_id as id_of
from tracker.errors import FieldViolation, TrackerError, invalid
from tracker.pb import event_pb
from tracker.permissions import Permission
from tracker.web.event_rows import event_row
from tracker.web.explorer.state import period_of
from tracker.web.searches import search
from tracker.web.site import View
from tracker.web.visit import Part, part

if TYPE_CHECKING:
    from tracker.web.event_rows import EventRow
    from tracker.web.explorer.state import State
    from tracker.web.visit import Visit

SELECTED: Final = "e-"
"""What the names of the check boxes begin with, before the id of an event."""
MOST: Final = 1_000
"""Events that are changed together."""
SHOWN: Final = 20
_AT_ONCE: Final = 50
_WORDS: Final = {"comment": "Comment on", "close": "Close", "delete": "Delete"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a selected event: `problem` is "" where it was changed."""

    id: str
    title: str
    problem: str


async def confirm(visit: Visit, state: State) -> View:
    """Show the selected events, and ask whether it is to be done to all of them."""
    visit.require(Permission.EVENT_WRITE)
    what, ids, matching = _what(visit), _ids(visit), 0
    rows: list[tuple[str, Part[EventRow]]] = []
    if visit.form.text("which") == "all":
        rows, matching = await _matching(visit, state)
        ids = [event_id for event_id, _ in rows]
    else:
        rows = [(event_id, await part(_row(visit, event_id))) for event_id in ids[:SHOWN]]
    if not ids:
        raise invalid(FieldViolation("", "select some events of the list first"))
    return View(
        "explorer/confirm.html",
        what=what,
        word=_WORDS[what],
        rows=rows[:SHOWN],
        ids=ids,
        matching=matching,
        most=MOST,
        back=state.address(),
    )


async def apply(visit: Visit, state: State) -> View:
    """Do it, to some events at once; what is refused for one stops none of the others."""
    visit.require(Permission.EVENT_WRITE)
    what, ids = _what(visit), _ids(visit)
    if what == "comment" and not visit.form.text("comment").strip():
        raise invalid(FieldViolation("comment", "expected some text"))
    outcomes: list[Outcome] = []
    for place in range(0, len(ids), _AT_ONCE):
        outcomes += await asyncio.gather(
            *(_outcome(visit, what, each) for each in ids[place : place + _AT_ONCE])
        )
    failed = [each for each in outcomes if each.problem]
    return View(
        "explorer/outcome.html",
        what=what,
        done=len(outcomes) - len(failed),
        failed=failed,
        left=[each.id for each in outcomes if what != "delete" or each.problem],
        gone=[each.id for each in outcomes if what == "delete" and not each.problem],
        back=state.address(),
    )


def _what(visit: Visit) -> str:
    what = visit.form.text("what") or visit.form.action
    if what not in _WORDS:
        raise invalid(FieldViolation("action", "expected one that the page has"))
    return what


def _ids(visit: Visit) -> list[str]:
    """Return the ids of the selected events, of check boxes and of `ids`, which has those that have none."""
    ticked = (name.removeprefix(SELECTED) for name in visit.form.sent if name.startswith(SELECTED))
    ids = list(dict.fromkeys((*ticked, *visit.form.text("ids").split())))
    if len(ids) > MOST:
        raise invalid(FieldViolation("ids", f"expected at most {MOST:,} events, got {len(ids):,}"))
    return ids


async def _matching(visit: Visit, state: State) -> tuple[list[tuple[str, Part[EventRow]]], int]:
    """Return the events that the list of a state has, up to `MOST`, and how many there are."""
    dates, order = period_of(state, visit.clock).dates, "time" if state.oldest_first else ""
    found = await search(visit, state.query, MOST, order_by=order, time_zone=visit.zone, **dates)
    rows = [(id_of(each), Part(event_row(each, visit.times))) for each in found.events]
    return rows, found.total_count


async def _row(visit: Visit, event_id: str) -> EventRow:
    answer = await visit.ask(event_pb.GetEventRequest(id=event_id), event_pb.GetEventResponse)
    return event_row(answer.event or event_pb.Event(), visit.times)


async def _outcome(visit: Visit, what: str, event_id: str) -> Outcome:
    found, problem = await part(_row(visit, event_id)), ""
    try:
        await _apply(visit, what, event_id)
    except TrackerError as error:
        problem = error.message
    return Outcome(event_id, found.value.title if found.value else event_id, problem)


async def _apply(visit: Visit, what: str, event_id: str) -> None:
    who, comment = visit.form.text("who"), visit.form.text("comment").strip()
    if what == "delete":
        request = event_pb.DeleteEventRequest(id=event_id)
        await visit.change(request, event_pb.DeleteEventResponse, event_id)
        return
    if what == "close":
        closed = event_pb.EventAttributes(status=event_pb.Status.close)
        update = event_pb.UpdateEventRequest(id=event_id, attributes=closed, merge=True, who=who)
        await visit.change(update, event_pb.UpdateEventResponse, event_id)
    if comment:
        entry = event_pb.ChangelogEntry(change_type=event_pb.ChangeType.commented, comment=comment, user=who)
        entered = event_pb.AddChangelogEntryRequest(id=event_id, entry=entry)
        await visit.change(entered, event_pb.AddChangelogEntryResponse, f"{event_id}-comment")
