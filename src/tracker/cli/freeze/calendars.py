"""Freeze windows as iCalendar files have them (RFC 5545)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from icalendar import Calendar
from icalendar.parser import Contentlines
from protobuf.wkt import Timestamp

from tracker.cli.file_text import text_of
from tracker.pb import freeze_pb

Properties: TypeAlias = Mapping[str, Any]
"""The properties of an event, as icalendar has them."""

_OWN: Final = {
    "services": "X-TRACKER-SERVICES",
    "environments": "X-TRACKER-ENVIRONMENTS",
    "teams": "X-TRACKER-TEAMS",
}
"""What the calendar of Tracker says of a freeze window that iCalendar has no words for."""
_FOLD: Final = re.compile(rb"\r?\n[ \t](?=[\x80-\xbf])")
"""Where a long line was folded within a character (RFC 5545, 3.1)."""


class CalendarError(Exception):
    """A file, or one of its events, can't be read; the message says why."""


@dataclass
class Imported:
    """An event of a calendar: the window for it, or why it can't be one. What is `gone` was cancelled."""

    name: str
    window: freeze_pb.CreateFreezeWindowRequest = field(default_factory=freeze_pb.CreateFreezeWindowRequest)
    problem: str = ""
    gone: bool = False


def read_calendar(content: bytes, zone: ZoneInfo) -> list[Imported]:
    """Return the events of a file; `zone` is that of times that name none.

    Raises:
        CalendarError: The file is not a calendar.
    """
    try:
        text = text_of(_FOLD.sub(b"", content))
    except ValueError as error:
        raise CalendarError(str(error)) from None
    try:
        calendars = Calendar.from_ical(text, multiple=True)
        lengths = list(_lengths(text))
    except (ValueError, IndexError, KeyError) as error:
        raise CalendarError(f"not a calendar: {error}") from None
    events = [event for calendar in calendars for event in calendar.walk("VEVENT")]
    if not calendars or len(events) != len(lengths):
        raise CalendarError("not a calendar")
    return list(_imported(events, lengths, zone))


def _imported(events: Sequence[Properties], lengths: Sequence[str], zone: ZoneInfo) -> Iterator[Imported]:
    moved: dict[str, list[str]] = {}
    for event in events:
        if "RECURRENCE-ID" in event:
            # With a zone or not: its day, or its moment, is an exception of what it belongs to.
            at = event["RECURRENCE-ID"].dt
            moved.setdefault(str(event.get("UID", "")), []).append(_exception(at, zone))
    for event, length in zip(events, lengths, strict=True):
        uid = str(event.get("UID", ""))
        name = str(event.get("SUMMARY", "")) or uid or "an event without a name"
        found = Imported(name, gone=str(event.get("STATUS", "")).upper() == "CANCELLED")
        try:
            _describe(found.window, event, length, zone)
            found.window.title, found.window.uid = name, uid
            if "RECURRENCE-ID" in event:
                found.window.uid = f"{uid}/{_exception(event['RECURRENCE-ID'].dt, zone)}"
                found.window.rrule = ""
            else:
                found.window.exceptions += moved.get(uid, [])
        except (CalendarError, ValueError, OverflowError) as error:
            found.problem = str(error)
        yield found


def _describe(
    window: freeze_pb.CreateFreezeWindowRequest, event: Properties, length: str, zone: ZoneInfo
) -> None:
    if "DTSTART" not in event:
        raise CalendarError("it has no DTSTART")
    for name in ("RDATE", "EXRULE"):
        if name in event:
            raise CalendarError(f"{name} is not supported")
    start, window.timezone = _start(event["DTSTART"], zone)
    window.starts_at = Timestamp.from_datetime(start)
    window.description = str(event.get("DESCRIPTION", ""))
    soft = str(event.get("X-TRACKER-TYPE", "")).upper() == "SOFT"
    window.type = freeze_pb.FreezeType.SOFT if soft else freeze_pb.FreezeType.HARD
    window.active = True
    is_day = not isinstance(event["DTSTART"].dt, datetime)
    if "DTEND" in event:
        _end(window, event["DTSTART"].dt, event["DTEND"], is_day, zone)
    elif length or is_day:
        window.duration = length or "P1D"
    else:
        raise CalendarError("it has no end")
    for name, own in _OWN.items():
        if own in event:
            setattr(window, name, [each.strip() for each in str(event[own]).split(",") if each.strip()])
    _repeat(window, event, zone)


def _repeat(window: freeze_pb.CreateFreezeWindowRequest, event: Properties, zone: ZoneInfo) -> None:
    if "RRULE" in event:
        rules = _listed(event["RRULE"])
        if len(rules) > 1:
            raise CalendarError("several RRULE are not supported")
        window.rrule = rules[0].to_ical().decode()
    for dates in _listed(event.get("EXDATE", [])):
        window.exceptions += [_exception(each.dt, zone) for each in dates.dts]


def _start(value: Any, zone: ZoneInfo) -> tuple[datetime, str]:  # noqa: ANN401 - of icalendar
    """Return when an event begins, and the name of the zone in which it repeats."""
    moment = value.dt
    if not isinstance(moment, datetime):
        return datetime.combine(moment, time(), zone), zone.key
    if moment.tzinfo is None:
        _require_known(value)
        return moment.replace(tzinfo=zone), zone.key
    name = getattr(moment.tzinfo, "key", None)
    if name is None:
        if moment.utcoffset():
            raise CalendarError(f"its time zone {value.params.get('TZID')} is not one that has a known name")
        name = "UTC"
    return moment, name


def _end(
    window: freeze_pb.CreateFreezeWindowRequest,
    start: date,
    value: Any,  # noqa: ANN401 - of icalendar
    is_day: bool,  # noqa: FBT001 - as DTSTART is
    zone: ZoneInfo,
) -> None:
    end = value.dt
    if isinstance(end, datetime) == is_day:
        raise CalendarError("DTSTART and DTEND are not both days, or both times")
    if is_day:
        window.duration = f"P{max((end - start).days, 1)}D"
        return
    if end.tzinfo is None:
        _require_known(value)
        end = end.replace(tzinfo=zone)
    window.ends_at = Timestamp.from_datetime(end)


def _require_known(value: Any) -> None:  # noqa: ANN401 - of icalendar
    if name := value.params.get("TZID"):
        raise CalendarError(f"its time zone {name} is unknown")


def _exception(at: date, zone: ZoneInfo) -> str:
    if not isinstance(at, datetime):
        return at.isoformat()
    # A moment stands for its second; a fraction of one is never written.
    return (
        (at if at.tzinfo else at.replace(tzinfo=zone))
        .astimezone(ZoneInfo("UTC"))
        .strftime("%Y-%m-%dT%H:%M:%SZ")
    )


def _listed(value: Any) -> list[Any]:  # noqa: ANN401 - of icalendar, which has one alone or several in a list
    return value if isinstance(value, list) else [value]


def _lengths(content: str) -> Iterator[str]:
    """Yield the DURATION of each event as it is written, "" for none.

    icalendar has them as a timedelta, in which PT24H and P1D are the same.
    """
    inside: list[str] = []
    length = ""
    for line in Contentlines.from_ical(content):  # type: ignore[no-untyped-call]  # ships few types
        if not line:
            continue
        name, _, value = line.parts()
        match name.upper():
            case "BEGIN":
                inside.append(value.upper())
                if inside[-1] == "VEVENT":
                    length = ""
            case "END":
                if inside and inside.pop() == "VEVENT":
                    yield length
            case "DURATION" if inside and inside[-1] == "VEVENT":
                length = value.upper()
            case _:
                pass
