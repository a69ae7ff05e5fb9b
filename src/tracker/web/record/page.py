"""The form for a new event, or for several planned ones that repeat."""

from __future__ import annotations

import calendar
import copy
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tracker.domain.events import attributes_of, event_id
from tracker.domain.times import micros, timestamp
from tracker.errors import FieldViolation, TrackerError, invalid
from tracker.pb import event_pb
from tracker.permissions import Permission
from tracker.time_text import MICROS, TIME, micros_of, moment_text
from tracker.web.deployments.address import check_address
from tracker.web.forms import Done
from tracker.web.record.entries import CHOICES, entries_of, event_in, moment_entry, moment_of, options
from tracker.web.site import View
from tracker.web.visit import address

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from protobuf.wkt import Timestamp

    from tracker.web.visit import Visit

PATH: Final = "/record"
MOST: Final = 53
"""Events that one form plans: once a week for a year."""
_RULES: Final = (
    ("", "does not repeat"),
    ("day", "every day"),
    ("weekday", "every weekday"),
    ("week", "every week"),
    ("fortnight", "every two weeks"),
    ("month", "every month"),
)
_DAYS: Final = {"day": 1, "week": 7, "fortnight": 14}
_MOMENTS: Final = {"start_date": "start", "end_date": "end"}
"""The parameters of the address for fields with times."""
_SATURDAY: Final = 5
_NUMBER: Final = re.compile(r"[0-9]{1,3}")


class Record:
    """Records an event; the address says what the form begins with."""

    path = PATH

    async def show(self, visit: Visit) -> View:
        """Show the form."""
        begins = entries_of(event_pb.Event(), visit.times)
        choices = {"impact": ("1",), **{name: dict(options(name)) for name in CHOICES}}
        for name in (each for each in begins if each not in _MOMENTS):
            begins[name] = visit.choice(name, choices[name]) if name in choices else visit.one(name)
        for name, short in _MOMENTS.items():
            text = visit.one(short)
            moment = moment_of(visit, text) if text else None
            if moment is not None:
                begins[name] = moment_entry(moment, visit.times)
                if moment > visit.clock.now:
                    begins["status"] = begins["status"] or "planned"
            elif text:
                visit.ignore(short, TIME, text)
        return View(
            "record/record.html",
            begins=begins,
            check=check_address(*(begins[name] for name in ("service", "environment", "version"))),
            options=options,
            rules=_RULES,
            most=MOST,
            may_record=visit.call.principal.may(Permission.EVENT_WRITE),
        )

    async def submit(self, visit: Visit) -> Done:
        """Record the event, or each of those that are planned."""
        visit.require("event:write")
        event = event_in(visit, event_pb.Event())
        events = _repeated(visit, event)
        stored: list[event_pb.Event] = []
        for each in events:
            request = event_pb.CreateEventRequest(
                title=each.title, attributes=each.attributes, links=each.links, who=visit.form.text("who")
            )
            try:
                answer = await visit.change(request, event_pb.CreateEventResponse)
            except TrackerError as error:
                if stored:
                    error.message = (
                        f"{len(stored)} of {len(events)} are recorded, the next is not: {error.message}"
                    )
                raise
            stored.append(answer.event or event_pb.Event())
        if len(stored) == 1:
            return Done(f"/events/{event_id(stored[0])}", "The event is recorded.")
        last = attributes_of(events[-1]).start_date
        period = {"from": "all", "to": moment_text((micros(last) if last else 0) + MICROS)}
        found = {"q": f"label.series:{attributes_of(events[0]).labels['series']}", **period}
        return Done(address("/events", found), f"{len(stored)} planned events are recorded.")


def _repeated(visit: Visit, event: event_pb.Event) -> Sequence[event_pb.Event]:
    """Return an event as often as a form wants it, each with a time of its own."""
    form, attributes = visit.form, attributes_of(event)
    rule = form.text("repeat")
    if not rule:
        return [event]
    wrong = []
    if rule not in dict(_RULES):
        wrong.append(FieldViolation("repeat", "unknown rule"))
    if attributes.status is not event_pb.Status.planned:
        wrong.append(FieldViolation("status", "expected planned, as for all work that repeats"))
    if attributes.start_date is None:
        wrong.append(FieldViolation("start_date", "expected when the first one begins"))
    count = int(form.text("times")) if _NUMBER.fullmatch(form.text("times")) else 0
    if not 2 <= count <= MOST:  # noqa: PLR2004 - several
        wrong.append(FieldViolation("times", f"expected a number from 2 to {MOST}"))
    if wrong or attributes.start_date is None:
        raise invalid(*wrong)
    try:
        return list(_series(visit, event, attributes.start_date, rule, count))
    except (OverflowError, ValueError):  # there is no year 10000
        raise invalid(FieldViolation("start_date", "expected an earlier time")) from None


def _series(
    visit: Visit, event: event_pb.Event, first: Timestamp, rule: str, count: int
) -> Iterator[event_pb.Event]:
    """Yield the events of a series, at the same time of day in the zone of the reader, and equally long."""
    labels = attributes_of(event).labels | {"series": visit.form.digest[:12]}
    begins, zone = _local(visit, first), visit.clock.zone
    end = attributes_of(event).end_date
    takes = None if end is None else _local(visit, end) - begins
    for start in _starts(begins, rule, count):
        attributes = copy.copy(attributes_of(event))
        attributes.labels = labels
        attributes.start_date = timestamp(micros_of(start.replace(tzinfo=zone)))
        if takes is not None:
            attributes.end_date = timestamp(micros_of((start + takes).replace(tzinfo=zone)))
        yield event_pb.Event(title=event.title, attributes=attributes, links=event.links)


def _local(visit: Visit, moment: Timestamp) -> datetime:
    return visit.times.local(micros(moment)).replace(tzinfo=None)


def _starts(first: datetime, rule: str, count: int) -> Iterator[datetime]:
    day = timedelta(days=1)
    for number in range(count):
        if rule == "month":
            years, month = divmod(first.month - 1 + number, 12)
            year = first.year + years
            last = calendar.monthrange(year, month + 1)[1]
            yield first.replace(year=year, month=month + 1, day=min(first.day, last))
        elif rule == "weekday":
            while first.weekday() >= _SATURDAY:
                first += day
            yield first
            first += day
        else:
            yield first + number * _DAYS[rule] * day
