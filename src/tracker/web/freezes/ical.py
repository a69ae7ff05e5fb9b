"""Freeze windows as iCalendar (RFC 5545), with their rules and the time zones of these."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from tracker.domain.freezes import first_start, repetitions, scopes_of
from tracker.domain.times import micros
from tracker.pb import freeze_pb
from tracker.time_text import MICROS, datetime_of, micros_of, read_zone
from tracker.web.icalendar import calendar_of, escaped, utc_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from zoneinfo import ZoneInfo

_LATER: Final = timedelta(days=10 * 366)
"""How far ahead the changes of clocks are told; programs know the usual zones anyway."""
_STEP: Final = timedelta(days=7)


def calendar(windows: Sequence[freeze_pb.FreezeWindow], now: int) -> bytes:
    """Return freeze windows as a calendar; times are those of their zones, where they repeat."""
    first: dict[str, int] = {}
    for each in windows:
        if each.rrule and each.timezone not in {"UTC", "Etc/UTC"}:
            first[each.timezone] = min(first.get(each.timezone, now), first_start(each))
    lines = [
        *(line for name, since in first.items() for line in _zone(name, since, now)),
        *(line for each in windows for line in _event(each)),
    ]
    return calendar_of(lines)


def _event(window: freeze_pb.FreezeWindow) -> Iterator[str]:
    start = first_start(window)
    changed = 0 if window.updated_at is None else micros(window.updated_at)
    yield "BEGIN:VEVENT"
    yield f"UID:{escaped(window.uid or window.id)}"
    yield f"DTSTAMP:{utc_text(changed)}"
    yield f"LAST-MODIFIED:{utc_text(changed)}"
    yield f"DTSTART{_moment(window, start)}"
    if window.duration and window.rrule:  # else its days may be those of another zone than UTC
        yield f"DURATION:{window.duration}"
    else:
        end = start if window.ends_at is None else micros(window.ends_at)
        yield f"DTEND{_moment(window, end)}"
    if window.rrule:
        yield f"RRULE:{window.rrule}"
        for each in repetitions(window, window.exceptions):
            yield f"EXDATE{_moment(window, each)}"
    yield f"SUMMARY:{escaped(window.title)}"
    yield f"DESCRIPTION:{escaped(window.description)}"
    yield f"CATEGORIES:{'SOFT' if window.type is freeze_pb.FreezeType.SOFT else 'HARD'} FREEZE"
    yield f"X-TRACKER-TYPE:{'SOFT' if window.type is freeze_pb.FreezeType.SOFT else 'HARD'}"
    listed, patterns = scopes_of(window)
    for part in ("services", "environments", "teams"):
        names = getattr(listed, part) or getattr(patterns, part)
        if names:
            yield f"X-TRACKER-{part.upper()}:{escaped(','.join(names))}"
    yield "TRANSP:TRANSPARENT"
    yield "END:VEVENT"


def _moment(window: freeze_pb.FreezeWindow, moment: int) -> str:
    """Return a property's value for a moment: in the window's zone if it repeats there, else in UTC."""
    zone = read_zone(window.timezone)
    if not window.rrule or zone is None or window.timezone in {"UTC", "Etc/UTC"}:
        return f":{utc_text(moment)}"
    return f";TZID={window.timezone}:{datetime_of(moment).astimezone(zone):%Y%m%dT%H%M%S}"


def _zone(name: str, since: int, now: int) -> Iterator[str]:
    """Yield a time zone: what its clocks show at first, and each change of them (3.6.5)."""
    zone = read_zone(name)
    if zone is None:
        return
    first, last = datetime_of(since) - timedelta(days=366), datetime_of(now) + _LATER
    yield "BEGIN:VTIMEZONE"
    yield f"TZID:{name}"
    yield from _observance(zone, first, first)
    for before, after in _changes(zone, first, last):
        yield from _observance(zone, before, after)
    yield "END:VTIMEZONE"


def _observance(zone: ZoneInfo, before: datetime, after: datetime) -> Iterator[str]:
    """Yield what clocks show from a moment on; its DTSTART is as they showed it `before`."""
    old, new = before.astimezone(zone), after.astimezone(zone)
    offset = old.utcoffset() or timedelta()
    kind = "DAYLIGHT" if new.dst() else "STANDARD"
    yield f"BEGIN:{kind}"
    yield f"DTSTART:{after + offset:%Y%m%dT%H%M%S}"
    yield f"TZOFFSETFROM:{_offset(offset)}"
    yield f"TZOFFSETTO:{_offset(new.utcoffset() or timedelta())}"
    yield f"TZNAME:{escaped(new.tzname() or zone.key)}"
    yield f"END:{kind}"


def _changes(zone: ZoneInfo, since: datetime, until: datetime) -> Iterable[tuple[datetime, datetime]]:
    """Yield the last second before each change of clocks of a zone, and the first one after it."""
    low = since
    while low < until:
        high = low + _STEP
        if low.astimezone(zone).utcoffset() != high.astimezone(zone).utcoffset():
            before, after = micros_of(low) // MICROS, micros_of(high) // MICROS
            offset = low.astimezone(zone).utcoffset()
            while after - before > 1:
                middle = (before + after) // 2
                if datetime.fromtimestamp(middle, UTC).astimezone(zone).utcoffset() == offset:
                    before = middle
                else:
                    after = middle
            yield datetime.fromtimestamp(before, UTC), datetime.fromtimestamp(after, UTC)
        low = high


def _offset(offset: timedelta) -> str:
    seconds = int(offset.total_seconds())
    sign, seconds = "-" if seconds < 0 else "+", abs(seconds)
    text = f"{sign}{seconds // 3600:02}{seconds // 60 % 60:02}"
    return text + (f"{seconds % 60:02}" if seconds % 60 else "")
