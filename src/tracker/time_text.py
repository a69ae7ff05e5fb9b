"""Durations, times and zones as people write them, in queries, requests, commands and settings alike."""

from __future__ import annotations

import re
import struct
from bisect import bisect_left
from calendar import isleap, monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone
from io import BytesIO
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from datetime import tzinfo

MICROS: Final = 1_000_000
"""Microseconds in a second."""
MINUTE: Final = 60 * MICROS
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_UNITS: Final = {
    "us": 1,
    "ms": 1_000,
    "s": MICROS,
    "m": MINUTE,
    "h": HOUR,
    "d": DAY,
    "w": 7 * DAY,
}
_PART: Final = re.compile(r"(\d{1,18})(?:\.(\d{1,9}))?([uU][sS]|m[sS]?|[sShHdDwW])")
_WITH_UNITS: Final = re.compile(
    r"(?:now|today|yesterday|tomorrow)?[-+]?(?:[\d.]+\s*[^\W\d_]+\s*)+", re.IGNORECASE
)
_UNIT: Final = re.compile(r"(?<=\d)\s*([^\W\d_]+)")
_MONTH: Final = frozenset({"mo", "mon", "month", "months"})
_RELATIVE: Final = re.compile(r"(?i:(?P<base>now|today|yesterday|tomorrow))?(?P<sign>[-+])?(?P<length>\d.*)?")
_LOWEST: Final = {"year": 1, "month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0}
_DATE: Final = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d{2})(?:-(?P<day>\d{2})"
    r"(?:[Tt ](?P<hour>\d{2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?)?"
    r"(?P<zone>[Zz]|[-+]\d{2}(?::?\d{2})?)?)?)?)?"
)

_ABBREVIATION = r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)"
_OFFSET = r"[-+]?\d{1,2}(?::\d\d){0,2}"
_POSIX_ZONE: Final = re.compile(
    rf"{_ABBREVIATION}{_OFFSET}(?P<summer>{_ABBREVIATION}(?:{_OFFSET})?(?P<rules>,.+)?)?", re.ASCII
)
_USUAL_RULES: Final = ",M3.2.0,M11.1.0"
"""When summer time begins and ends in a POSIX zone that does not name it, as in the GNU C library."""
_TZIF: Final = 2 * (struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, 4) + bytes(6) + b"UTC\0")
"""A file of a zone (RFC 9636) without transitions, which a POSIX zone in its footer completes."""

DURATION: Final = "a duration such as 90s, 5m or 1h30m"
"""What `read_duration` takes, for messages."""
TIME: Final = "a time such as 2h, yesterday, 2026-01-31 or 2026-01-31T12:30Z"
"""What `Clock.read` takes, for messages."""


class Interval(NamedTuple):
    """What a text names, in microseconds: from `low` up to, but not including, `high`.

    A day is an interval of 24 hours, mostly; a moment that is not a date lasts one microsecond.
    """

    low: int
    high: int


def micros_of(moment: datetime) -> int:
    """Return a datetime with a zone as microseconds since the epoch."""
    return (moment - _EPOCH) // _MICROSECOND


def datetime_of(micros: int) -> datetime:
    """Return microseconds since the epoch as a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=micros)


EARLIEST: Final = micros_of(datetime.min.replace(tzinfo=UTC))
"""The first moment that a Timestamp can hold."""
LATEST: Final = micros_of(datetime.max.replace(tzinfo=UTC))
"""The last one."""
LONGEST: Final = LATEST - EARLIEST
"""The longest time between two of them."""


def local_time(micros: int, zone: tzinfo) -> datetime:
    """Return a moment as clocks of a zone show it, in UTC where they would show the year 0 or 10000.

    Beyond the years 1 to 9999, it is the nearest one of these.
    """
    moment = datetime_of(min(max(micros, EARLIEST), LATEST))
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment


def read_duration(text: str) -> Interval | None:
    """Return the durations that a text names, or None if it names none.

    `5m` is from five minutes to below six; parts may follow each other, as in `1h30m`. Units may be written
    in capitals, except `m`: `1M` looks like a month.
    """
    if text == "0":
        return Interval(0, 1)
    total, smallest, end = 0, LONGEST, 0
    for part in _PART.finditer(text):
        if part.start() != end:
            return None
        whole, fraction, name = part.groups(default="")
        end, unit, scale = part.end(), _UNITS[name.lower()], int("1".ljust(len(fraction) + 1, "0"))
        total += int(whole) * unit + int(fraction or 0) * unit // scale
        smallest = min(smallest, max(1, unit // scale))
    return Interval(total, total + smallest) if text and end == len(text) and total <= LONGEST else None


def read_timedelta(text: str) -> timedelta | None:
    """Return the duration that a text names, or None if it names none; a number without a unit is seconds."""
    found = read_duration(text) or read_duration(f"{text}s")
    return None if found is None else timedelta(microseconds=found.low)


def hint(text: str) -> str:
    """Return `; …` with what to write instead, if a text has the form of a duration with an unknown unit."""
    units = _UNIT.findall(text) if _WITH_UNITS.fullmatch(text.strip()) else []
    if "M" in units or not _MONTH.isdisjoint(map(str.lower, units)):
        return "; months have no fixed length: write 30d, and m for minutes"
    return "" if all(_PART.fullmatch(f"1{unit}") for unit in units) else f"; units are {', '.join(_UNITS)}"


def duration_text(micros: int) -> str:
    """Return a duration exactly, in the largest unit that divides it."""
    name, unit = next((name, unit) for name, unit in reversed(_UNITS.items()) if micros % unit == 0)
    return f"{micros // unit}{name}" if micros else "0s"


def rounded_text(duration: timedelta) -> str:
    """Return a duration for people, in whole seconds from ten seconds on."""
    seconds = duration.total_seconds()
    if seconds < 10:  # noqa: PLR2004 - two digits are enough
        return f"{round(seconds, 1):g}s"
    text, rest = "", round(seconds) * MICROS
    for name in "dhms":
        number, rest = divmod(rest, _UNITS[name])
        text += f"{number}{name}" if number else ""
    return text


def short_text(micros: int) -> str:
    """Return a duration (microseconds) for people, in its two largest units: `1h5m`, `2d3h`."""
    for larger, smaller in (("d", "h"), ("h", "m"), ("m", "s")):
        if micros >= _UNITS[larger]:
            micros -= micros % _UNITS[smaller]
            break
    return rounded_text(timedelta(microseconds=micros))


def moment_text(micros: int, *, exact: bool = False) -> str:
    """Return a moment in UTC: to the microsecond if `exact` or needed, else to the second.

    Beyond the years 1 to 9999, it is the nearest one of these.
    """
    micros = min(max(micros, EARLIEST), LATEST)
    moment = datetime_of(micros).replace(tzinfo=None)
    return f"{moment.isoformat(timespec='microseconds' if exact or micros % MICROS else 'seconds')}Z"


def read_zone(text: str) -> ZoneInfo | None:
    """Return the time zone that a text names, or None: `Europe/Paris`, or as POSIX has it, `<-03>3`."""
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):  # not found; no name; a folder of zones
        pass
    posix = _POSIX_ZONE.fullmatch(text)
    if posix is None:
        return None
    footer = text + _USUAL_RULES if posix["summer"] and not posix["rules"] else text
    try:
        return ZoneInfo.from_file(BytesIO(_TZIF + f"\n{footer}\n".encode()), key=text)
    except ValueError:
        return None


def local_moment(shown: datetime, zone: tzinfo, *, last: bool = False) -> int:
    """Return when clocks of a zone show a date and time: for the first time, or for the `last`.

    A time that they skip is the next that they show.
    """
    before, after = (shown.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    first, second = (
        micros_of(shown.replace(tzinfo=UTC)) - offset // _MICROSECOND for offset in (before, after)
    )
    if before >= after:
        return second if last else first
    seconds = range(second // MICROS, first // MICROS + 1)
    changed = bisect_left(
        seconds, after, key=lambda each: datetime.fromtimestamp(each, zone).utcoffset() or timedelta()
    )
    return seconds[changed] * MICROS


def local_interval(shown: datetime, length: timedelta, zone: tzinfo) -> Interval:
    """Return when clocks of a zone show the times from one on: both times if they are shown twice."""
    low, end = local_moment(shown, zone), shown + length
    twice = local_moment(end - _MICROSECOND, zone) < local_moment(end - _MICROSECOND, zone, last=True)
    high = local_moment(end, zone, last=twice)
    return Interval(low, high if high > low else low + length // _MICROSECOND)


class Date(NamedTuple):
    """What a date names: its interval, and the last moment that has its time of day, if it names one."""

    interval: Interval
    last: int | None


def read_date(text: str, zone: tzinfo) -> Date | None:
    """Return what a date names, or None if it is not a date.

    It has a year at least, and may go down to a fraction of a second, of which microseconds count; `zone` is
    for one that names none.
    """
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(match[name] or low) for name, low in _LOWEST.items())
    fraction = (match["fraction"] or "")[:6]
    try:
        if match["hour"]:
            length = timedelta(microseconds=_resolution(match["minute"], match["second"], fraction))
        else:
            days = 1 if match["day"] else monthrange(year, month)[1] if match["month"] else 365 + isleap(year)
            length = timedelta(days=days)
        zone = _zone(match["zone"]) or zone
        micros = int(fraction.ljust(6, "0"))
        shown = datetime(year, month, day, hour, minute, second, micros)  # noqa: DTZ001 - in `zone`
        last = local_moment(shown, zone, last=True) if match["hour"] else None
    except (ValueError, OverflowError):
        return None
    try:
        return Date(local_interval(shown, length, zone), last)
    except OverflowError:
        return Date(Interval(local_moment(shown, zone), LATEST + 1), last)


@dataclass(frozen=True, slots=True)
class Clock:
    """When and where a text is read: now, in microseconds since the epoch, and the zone of its dates."""

    now: int
    zone: ZoneInfo

    def read(self, text: str) -> Interval | None:
        """Return the time that a text names, or None if it names none.

        It is a date with or without a time of day (`2026`, `2026-01-31`, `2026-01-31T12:30Z`), a day
        (`today`), a time ago (`2h`), one to come (`+2h`), or one counted from a day (`today-12h`), where days
        are those of the calendar.
        """
        try:
            found = self._relative(text)
        except (ValueError, OverflowError):
            return None
        if found is None and (date := read_date(text, self.zone)) is not None:
            found = date.interval
        if found is None or found.low > LATEST or found.high <= EARLIEST:
            return None
        return Interval(max(found.low, EARLIEST), found.high)

    def day(self, offset: int = 0) -> Interval:
        """Return a day of the calendar: today, or so many days after it."""
        day = datetime_of(self.now).astimezone(self.zone).date() + timedelta(days=offset)
        return local_interval(datetime.combine(day, time()), timedelta(days=1), self.zone)

    def _relative(self, text: str) -> Interval | None:
        match = _RELATIVE.fullmatch(text)
        if match is None or not text:
            return None
        base, sign, length = (match["base"] or "now").lower(), match["sign"], match["length"]
        if (sign and not length) or (match["base"] and length and not sign):
            return None
        distance = read_duration(length) if length else Interval(0, 0)
        if distance is None:
            return None
        if base == "now":
            start, ahead = Interval(self.now, self.now + 1), sign == "+"
        else:
            offset, ahead = {"yesterday": -1, "today": 0, "tomorrow": 1}[base], sign != "-"
            days = _whole_days(length or "")
            start = self.day(offset + (days if ahead else -days))
            if length:
                start = Interval(start.low, start.low + 1)
            distance = Interval(distance.low - days * _UNITS["d"], 0)
        moved = distance.low if ahead else -distance.low
        return Interval(start.low + moved, start.high + moved)


def _whole_days(text: str) -> int:
    """Return how many days of the calendar a duration names in days and weeks, those with fractions apart."""
    parts = (part.groups() for part in _PART.finditer(text))
    days = (int(n) * _UNITS[unit.lower()] for n, rest, unit in parts if unit in "dDwW" and not rest)
    return sum(days) // _UNITS["d"]


def _zone(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text in "Zz":
        return UTC
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return timezone(-offset if text[0] == "-" else offset)


def _resolution(minute: str | None, second: str | None, fraction: str) -> int:
    """Return how long a time of day lasts: an hour, a minute, a second or less."""
    if minute is None:
        return HOUR
    if second is None:
        return MINUTE
    return MICROS // int("1".ljust(len(fraction) + 1, "0"))
