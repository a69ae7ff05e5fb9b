"""Times and lengths of time as people write them in a query."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.domain.times import MICROS, day_of, micros_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

EARLIEST: Final = micros_of(datetime.min.replace(tzinfo=UTC))
"""The first moment that a Timestamp can hold."""
LATEST: Final = micros_of(datetime.max.replace(tzinfo=UTC))
"""The last one."""
LONGEST: Final = LATEST - EARLIEST
"""The longest time between two of them."""

_UNITS = {
    "us": 1,
    "ms": 1_000,
    "s": MICROS,
    "m": 60 * MICROS,
    "h": 3_600 * MICROS,
    "d": 86_400 * MICROS,
    "w": 7 * 86_400 * MICROS,
}
_LENGTH = re.compile(r"(?:\d{1,18}(?:\.\d{1,6})?(?:us|ms|[smhdw]))+")
_PART = re.compile(r"(\d+)(?:\.(\d+))?([a-z]+)")
_RELATIVE = re.compile(r"(?P<base>now|today|yesterday|tomorrow)?(?P<sign>[-+])?(?P<length>\d.*)?")
_DATE = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d{2})(?:-(?P<day>\d{2})"
    r"(?:[Tt ](?P<hour>\d{2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{1,6}))?)?)?"
    r"(?P<zone>[Zz]|[-+]\d{2}(?::?\d{2})?)?)?)?)?"
)


class Stretch(NamedTuple):
    """What a text names, in microseconds: from `low` on, up to before `high`.

    A day is a stretch of 24 hours, mostly; a moment that is not on any calendar has one microsecond.
    """

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Clock:
    """When and where a query is asked: now, in microseconds since the epoch, and the zone of its dates."""

    now: int
    zone: ZoneInfo

    def read(self, text: str) -> Stretch | None:
        """Return the stretch of time that a text names, or None where it names none.

        It is a date with or without a time of day (`2026`, `2026-01-31`, `2026-01-31T12:30Z`), a day
        (`today`), a time ago (`2h`), one to come (`+2h`), or one counted from a day (`today-12h`).
        """
        try:
            found = self._relative(text.lower()) or self._date(text)
        except (ValueError, OverflowError):
            return None
        if found is None or found.low > LATEST or found.high <= EARLIEST:
            return None
        return found

    def _relative(self, text: str) -> Stretch | None:
        match = _RELATIVE.fullmatch(text)
        if match is None or not text:
            return None
        base, sign, length = match["base"], match["sign"], match["length"]
        if (sign and not length) or (base and length and not sign):
            return None
        distance = read_length(length) if length else Stretch(0, 0)
        if distance is None:
            return None
        if base in {None, "now"}:
            start, ahead = Stretch(self.now, self.now + 1), sign == "+"
        else:
            start, ahead = self._day({"yesterday": -1, "today": 0, "tomorrow": 1}[base]), sign != "-"
            if length:
                start = Stretch(start.low, start.low + 1)
        moved = distance.low if ahead else -distance.low
        return Stretch(start.low + moved, start.high + moved)

    def _day(self, ahead: int) -> Stretch:
        """Return a day of the calendar, counted from today."""
        today = datetime.fromtimestamp(self.now / MICROS, self.zone).date()
        noon = datetime.combine(today + timedelta(days=ahead), time(12), tzinfo=self.zone)
        day = day_of(micros_of(noon), self.zone)
        return Stretch(day.since or 0, day.until or 0)

    def _date(self, text: str) -> Stretch | None:
        match = _DATE.fullmatch(text)
        if match is None:
            return None
        part = match.groupdict()
        year, month, day = int(part["year"]), int(part["month"] or 1), int(part["day"] or 1)
        first = datetime(year, month, day, tzinfo=_zone(part["zone"]) or self.zone)
        if part["hour"] is not None:
            moment = first.replace(
                hour=int(part["hour"]), minute=int(part["minute"] or 0), second=int(part["second"] or 0)
            )
            fraction = part["fraction"]
            low = micros_of(moment) + (int(fraction.ljust(6, "0")) if fraction else 0)
            return Stretch(low, low + _resolution(part["minute"], part["second"], fraction))
        low = micros_of(first)
        try:
            if part["day"]:
                following = first + timedelta(days=1)
            elif part["month"]:
                following = first.replace(year=year + month // 12, month=month % 12 + 1)
            else:
                following = first.replace(year=year + 1)
            return Stretch(low, micros_of(following))
        except (ValueError, OverflowError):
            return Stretch(low, LATEST + 1)


def read_length(text: str) -> Stretch | None:
    """Return the lengths of time that a text names, or None where it names none.

    `5m` is from five minutes to below six; parts may follow each other, as in `1h30m`.
    """
    if text == "0":
        return Stretch(0, 1)
    if not _LENGTH.fullmatch(text):
        return None
    total, smallest = 0, LONGEST
    for whole, fraction, name in _PART.findall(text):
        unit = _UNITS[name]
        total += int(whole) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)
        smallest = min(smallest, max(1, unit // 10 ** len(fraction)))
    return Stretch(total, total + smallest) if total <= LONGEST else None


def moment_text(micros: int, *, exact: bool = False) -> str:
    """Return a moment as a query writes it: to the microsecond if `exact` or needed, else to the second."""
    moment = datetime(1970, 1, 1) + timedelta(microseconds=micros)  # noqa: DTZ001 - the text ends in its zone
    return f"{moment.isoformat(timespec='microseconds' if exact or micros % MICROS else 'seconds')}Z"


def length_text(micros: int) -> str:
    """Return a length of time as a query writes it, in the largest unit that has no rest."""
    name, unit = next((name, unit) for name, unit in reversed(_UNITS.items()) if micros % unit == 0)
    return f"{micros // unit}{name}" if micros else "0s"


def _zone(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text in "Zz":
        return UTC
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return timezone(-offset if text[0] == "-" else offset)


def _resolution(minute: str | None, second: str | None, fraction: str | None) -> int:
    """Return how long a time of day lasts: an hour, a minute, a second or less."""
    if minute is None:
        return 3_600 * MICROS
    if second is None:
        return 60 * MICROS
    return MICROS if fraction is None else 10 ** (6 - len(fraction))
