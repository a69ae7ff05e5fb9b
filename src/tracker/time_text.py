"""Durations and times as people write them, in queries, requests, commands and settings alike."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

MICROS: Final = 1_000_000
"""Microseconds in a second."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final = {
    "us": 1,
    "ms": 1_000,
    "s": MICROS,
    "m": 60 * MICROS,
    "h": 3_600 * MICROS,
    "d": 86_400 * MICROS,
    "w": 7 * 86_400 * MICROS,
}
_PART: Final = re.compile(r"(\d{1,18})(?:\.(\d{1,9}))?([uU][sS]|m[sS]?|[sShHdDwW])")
_WITH_UNITS: Final = re.compile(
    r"(?:now|today|yesterday|tomorrow)?[-+]?(?:[\d.]+\s*[^\W\d_]+\s*)+", re.IGNORECASE
)
_UNIT: Final = re.compile(r"(?<=\d)\s*([^\W\d_]+)")
_MONTH: Final = frozenset({"mo", "mon", "month", "months"})
_RELATIVE: Final = re.compile(r"(?i:(?P<base>now|today|yesterday|tomorrow))?(?P<sign>[-+])?(?P<length>\d.*)?")
_DATE: Final = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d{2})(?:-(?P<day>\d{2})"
    r"(?:[Tt ](?P<hour>\d{2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?)?"
    r"(?P<zone>[Zz]|[-+]\d{2}(?::?\d{2})?)?)?)?)?"
)

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
    return (moment - _EPOCH) // timedelta(microseconds=1)


EARLIEST: Final = micros_of(datetime.min.replace(tzinfo=UTC))
"""The first moment that a Timestamp can hold."""
LATEST: Final = micros_of(datetime.max.replace(tzinfo=UTC))
"""The last one."""
LONGEST: Final = LATEST - EARLIEST
"""The longest time between two of them."""


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
    if seconds < 10:  # noqa: PLR2004  # two digits are enough
        return f"{round(seconds, 1):g}s"
    text, rest = "", round(seconds) * MICROS
    for name in "dhms":
        number, rest = divmod(rest, _UNITS[name])
        text += f"{number}{name}" if number else ""
    return text


def moment_text(micros: int, *, exact: bool = False) -> str:
    """Return a moment in UTC: to the microsecond if `exact` or needed, else to the second."""
    moment = datetime(1970, 1, 1) + timedelta(microseconds=micros)  # noqa: DTZ001 - the text ends in its zone
    return f"{moment.isoformat(timespec='microseconds' if exact or micros % MICROS else 'seconds')}Z"


def read_date(text: str, zone: ZoneInfo | timezone) -> Interval | None:
    """Return the time that a date names, or None if it names none.

    It has a year at least, and may go down to a fraction of a second; `zone` is for one that names none.
    """
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    part = match.groupdict()
    year, month, day = int(part["year"]), int(part["month"] or 1), int(part["day"] or 1)
    try:
        first = datetime(year, month, day, tzinfo=_zone(part["zone"]) or zone)
        if part["hour"] is not None:
            fraction = (part["fraction"] or "")[:6]
            moment = first.replace(
                hour=int(part["hour"]), minute=int(part["minute"] or 0), second=int(part["second"] or 0)
            )
            low = micros_of(moment) + int(fraction.ljust(6, "0"))
            return Interval(low, low + _resolution(part["minute"], part["second"], fraction))
        low = micros_of(first)
    except (ValueError, OverflowError):
        return None
    try:
        if part["day"]:
            following = first + timedelta(days=1)
        elif part["month"]:
            following = first.replace(year=year + month // 12, month=month % 12 + 1)
        else:
            following = first.replace(year=year + 1)
        return Interval(low, micros_of(following))
    except (ValueError, OverflowError):
        return Interval(low, LATEST + 1)


@dataclass(frozen=True, slots=True)
class Clock:
    """When and where a text is read: now, in microseconds since the epoch, and the zone of its dates."""

    now: int
    zone: ZoneInfo

    def read(self, text: str) -> Interval | None:
        """Return the time that a text names, or None if it names none.

        It is a date with or without a time of day (`2026`, `2026-01-31`, `2026-01-31T12:30Z`), a day
        (`today`), a time ago (`2h`), one to come (`+2h`), or one counted from a day (`today-12h`).
        """
        try:
            found = self._relative(text) or read_date(text, self.zone)
        except (ValueError, OverflowError):
            return None
        return None if found is None or found.low > LATEST or found.high <= EARLIEST else found

    def day(self, offset: int = 0) -> Interval:
        """Return a day of the calendar: today, or so many days after it."""
        day = datetime.fromtimestamp(self.now / MICROS, self.zone).date() + timedelta(days=offset)
        midnights = (datetime.combine(each, time(), self.zone) for each in (day, day + timedelta(days=1)))
        return Interval(*map(micros_of, midnights))

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
            start, ahead = self.day({"yesterday": -1, "today": 0, "tomorrow": 1}[base]), sign != "-"
            if length:
                start = Interval(start.low, start.low + 1)
        moved = distance.low if ahead else -distance.low
        return Interval(start.low + moved, start.high + moved)


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
        return 3_600 * MICROS
    if second is None:
        return 60 * MICROS
    return MICROS // int("1".ljust(len(fraction) + 1, "0"))
