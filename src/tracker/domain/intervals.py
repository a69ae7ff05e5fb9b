"""Intervals of the calendar: the hours, days, weeks and months of a period."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from tracker.time_text import MICROS, micros_of, read_duration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

MOST_INTERVALS: Final = 10_000
"""Most intervals of a period."""

_MINUTE: Final = 60 * MICROS
_DAY: Final = 24 * 60 * _MINUTE
_DAYS: Final = {"day": 1, "week": 7, "month": 28}
"""The fewest days of each interval that is not a fixed time."""
_ALIASES: Final = {"minute": "1m", "hour": "1h", "1mo": "month"}


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval of the calendar: its name, and its least length in microseconds."""

    name: str
    length: int

    def starts(self, since: int, until: int, zone: ZoneInfo) -> Iterator[int]:
        """Yield the starts of the intervals of a period, the first of them at `since` or before.

        Intervals shorter than a day are counted from midnight: one of 6 hours lasts 5 or 7 on the two days of
        a year that have 23 or 25. Weeks begin on Mondays.
        """
        day = datetime.fromtimestamp(since / MICROS, zone).date()
        if self.name == "week":
            day -= timedelta(days=day.weekday())
        elif self.name == "month":
            day = day.replace(day=1)
        begun = False
        previous = since
        while (start := _midnight(day, zone)) < until:
            following = self._following(day)
            end = _midnight(following, zone)
            for each in range(start, end, self.length) if self.length < _DAY else (start,):
                if each >= until:
                    break
                if each > since and not begun:
                    yield previous
                    begun = True
                if begun:
                    yield each
                previous = each
            day = following
        if not begun:
            yield previous

    def _following(self, day: date) -> date:
        if self.name == "month":
            return date(day.year + day.month // 12, day.month % 12 + 1, 1)
        return day + timedelta(days=7 if self.name == "week" else 1)


def read_interval(text: str) -> Interval | None:
    """Return the interval that a text names, or None: `month`, `week`, `day`, or what divides a day."""
    name = _ALIASES.get(text.lower(), text)
    if name.lower() in _DAYS:
        return Interval(name.lower(), _DAYS[name.lower()] * _DAY)
    found = read_duration(name) if name.isalnum() else None
    match found.low if found else 0:
        case 0:
            return None
        case length if length == _DAY:
            return Interval("day", length)
        case length if length == 7 * _DAY:
            return Interval("week", length)
        case length:
            return Interval(name.lower(), length) if not length % _MINUTE and not _DAY % length else None


def interval_for(since: int, until: int, most: int) -> Interval:
    """Return the shortest usual interval of which a period has no more than `most`, else the longest."""
    return next((each for each in _USUAL if (until - since) // each.length < most), _USUAL[-1])


def _midnight(day: date, zone: ZoneInfo) -> int:
    return micros_of(datetime.combine(day, time(), tzinfo=zone))


_NAMES: Final = ("1m", "5m", "15m", "1h", "3h", "6h", "day", "week", "month")
_USUAL: Final = tuple(filter(None, map(read_interval, _NAMES)))
