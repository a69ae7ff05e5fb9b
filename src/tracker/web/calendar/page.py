"""The page of the Calendar."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from protobuf.wkt import UInt32Value

from tracker.domain.events import attributes_of, event_id
from tracker.domain.times import micros, timestamp
from tracker.errors import FieldViolation, invalid
from tracker.pb import event_pb
from tracker.permissions import Permission
from tracker.time_text import TIME, moment_text
from tracker.web.calendar.days import Days
from tracker.web.calendar.hours import HOUR_PIXELS, MOVABLE, column_of
from tracker.web.calendar.state import FIRST_DAYS, PATH, WEEKDAYS, days_of, first_weekday, state_of
from tracker.web.explorer.commands import same_search
from tracker.web.explorer.page import fault_of
from tracker.web.explorer.state import Period
from tracker.web.forms import Done
from tracker.web.freezes.rows import occurrences
from tracker.web.site import View
from tracker.web.timeline.found import events_of
from tracker.web.visit import address, part

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from tracker.web.calendar.days import Day
    from tracker.web.calendar.state import State
    from tracker.web.visit import Visit

SHOWN: Final = "(type:incident OR type:operation OR status:planned,waiting_approval)"
"""The query for what a calendar shows: planned work, operations, and incidents."""


@dataclass(frozen=True, slots=True)
class Moves:
    """The addresses around a month or week."""

    earlier: str
    later: str
    today: str
    month: str
    week: str


class Calendar:
    """Shows planned work and incidents by day, in the zone of the reader."""

    path = PATH

    async def show(self, visit: Visit) -> View:
        """Show the page, or with `part` only what changes with the month or week."""
        state = state_of(visit)
        first = first_weekday(state, visit.call.headers.get("accept-language", ""))
        dates = days_of(state, first)
        edges = Days(state, visit.times)
        period = Period(edges.start(dates[0]), edges.start(dates[-1] + timedelta(days=1)))
        found, counts, freezes = await asyncio.gather(
            part(events_of(visit, narrowed(state.query), period)),
            part(_counts(visit, state, period)),
            part(occurrences(visit, period.since, period.until)),
        )
        events = () if found.value is None else found.value.events
        days = Days(state, visit.times, events, counts.value, freezes.value or ())
        by_start = sorted(events, key=lambda each: each.start)
        weeks = [[days.day(each) for each in dates[at : at + 7]] for at in range(0, len(dates), 7)]
        return View(
            "calendar/main.html" if visit.choice("part", ("main",)) else "calendar/page.html",
            state=state,
            weeks=weeks,
            columns=[
                column_of(day, by_start, days, visit.times, picked=day.date == state.day) for day in weeks[0]
            ]
            if state.week
            else (),
            hour=HOUR_PIXELS,
            weekdays=[WEEKDAYS[(first + place) % 7] for place in range(7)],
            found=found,
            fault=fault_of(state.query, counts.error),
            title=_title(state, weeks[0]),
            moves=_moves(visit, state),
            first=WEEKDAYS[first],
            first_days=FIRST_DAYS,
            may_plan=visit.call.principal.may(Permission.EVENT_WRITE),
            same=same_search(
                narrowed(state.query), period, moment_text(period.since), moment_text(period.until)
            ),
            feed=address("/calendar.ics", [("query", narrowed(state.query))]),
        )

    async def submit(self, visit: Visit) -> Done:
        """Move the planned event that a form names to another time; it stays as long as it is."""
        visit.require(Permission.EVENT_WRITE)
        form = visit.form
        answer = await visit.ask(event_pb.GetEventRequest(id=form.text("id")), event_pb.GetEventResponse)
        stored = answer.event or event_pb.Event()
        attributes = attributes_of(stored)
        start, end = attributes.start_date, attributes.end_date
        if attributes.status not in MOVABLE or start is None or end is None:
            raise invalid(FieldViolation("", "expected a planned event with a begin and an end"))
        if moment_text(micros(start)) != form.text("was"):
            message = "somebody else moved this event since you opened the calendar: look, and move it again"
            raise invalid(FieldViolation("", message))
        wanted = visit.clock.read(form.text("start"))
        if wanted is None:
            raise invalid(FieldViolation("start", f"expected {TIME}, got {form.text('start')!r}"))
        moved = event_pb.EventAttributes(
            start_date=timestamp(wanted.low), end_date=timestamp(wanted.low + micros(end) - micros(start))
        )
        await visit.change(
            event_pb.UpdateEventRequest(
                id=event_id(stored), attributes=moved, merge=True, who=form.text("who")
            ),
            event_pb.UpdateEventResponse,
        )
        now, before = visit.times.full(wanted.low), visit.times.full(micros(start))
        return Done(visit.here(PATH), f"{stored.title} begins at {now}, before at {before}.")


def narrowed(query: str) -> str:
    """Return a query for what of its events a calendar shows."""
    return f"({query}) {SHOWN}" if query else SHOWN


def _title(state: State, week: list[Day]) -> str:
    if not state.week:
        return f"{state.day:%B %Y}"
    low, high = week[0].date, week[-1].date
    begin = f"{low.day}" if low.month == high.month else f"{low.day} {low:%B}"
    return f"{begin} to {high.day} {high:%B %Y}"


def _moves(visit: Visit, state: State) -> Moves:
    today = visit.times.local(visit.clock.now).date()
    return Moves(
        state.address(day=state.moved(-1)),
        state.address(day=state.moved(1)),
        state.address(day=today),
        state.address(week=False),
        state.address(week=True, day=today if _same_month(state.day, today) else state.day),
    )


def _same_month(one: date, other: date) -> bool:
    return (one.year, one.month) == (other.year, other.month)


async def _counts(visit: Visit, state: State, period: Period) -> Mapping[int, int]:
    """Return how many events of any kind each day has, by when it begins."""
    answer = await visit.ask(
        event_pb.GetEventHistogramRequest(
            query=state.query,
            interval="day",
            limit=UInt32Value(value=1),
            time_zone=visit.zone,
            **period.dates,
        ),
        event_pb.GetEventHistogramResponse,
    )
    return {micros(each.start): each.count for each in answer.buckets if each.start is not None}
