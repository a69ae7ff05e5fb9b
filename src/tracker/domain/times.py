"""Points in time: microseconds since the epoch internally, Timestamps in messages, text in requests.

Intervals of the calendar are the hours, days, weeks and months of a period.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from protobuf.wkt import Duration, Timestamp

from tracker.errors import FieldViolation, invalid
from tracker.time_text import MICROS, micros_of, read_date, read_duration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from tracker import time_text


_HOUR = 3_600 * MICROS
_DAY_CHARACTERS = len("2026-01-31")


def micros(timestamp: Timestamp) -> int:
    """Return a Timestamp as whole microseconds since 1970-01-01T00:00:00Z, rounded down."""
    return timestamp.seconds * MICROS + timestamp.nanos // 1000


def timestamp(micros_: int) -> Timestamp:
    """Return microseconds since the epoch as a Timestamp."""
    seconds, rest = divmod(micros_, MICROS)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


def duration(micros_: int) -> Duration:
    """Return a number of microseconds, not negative, as a Duration."""
    seconds, rest = divmod(micros_, MICROS)
    return Duration(seconds=seconds, nanos=rest * 1000)


def duration_micros(duration_: Duration) -> int:
    """Return a Duration as whole microseconds, rounded down."""
    return duration_.seconds * MICROS + duration_.nanos // 1000


def duration_seconds(duration_: Duration | None) -> float:
    """Return a Duration in seconds, 0 where it is unset."""
    return 0.0 if duration_ is None else duration_micros(duration_) / MICROS


def shown(timestamp_: Timestamp | None) -> str:
    """Return a Timestamp as in JSON, or "" where it is unset."""
    return "" if timestamp_ is None else timestamp_.to_json().strip('"')


def period(start_date: str, end_date: str) -> tuple[int | None, int | None]:
    """Return the period between two dates of a request, both included; None for an open side, given as "".

    It is in microseconds since the epoch; its end is excluded.

    A date is RFC 3339, or shorter: without a zone (then UTC), without seconds, minutes or the time of day.
    Whole seconds count. An end without a time of day includes that day.

    Raises:
        TrackerError: INVALID_ARGUMENT for text that is not a date, or an end before the start.
    """
    since = _second(_read("start_date", start_date).low) if start_date else None
    until = _end(_read("end_date", end_date)) if end_date else None
    if since is not None and until is not None and until <= since:
        text = f"start_date {start_date} and end_date {end_date} are inversed"
        raise invalid(FieldViolation("start_date", text))
    return since, until


def _read(field: str, text: str) -> time_text.Interval:
    # A '+' that was not escaped in a query string arrives as a space.
    found = read_date(text[: _DAY_CHARACTERS + 1] + text[_DAY_CHARACTERS + 1 :].replace(" ", "+"), UTC)
    if found is None:
        expected = "expected a date such as 2026-01-31 or 2026-01-31T12:00:00Z"
        raise invalid(FieldViolation(field, f"{expected}, got {text!r}"))
    return found


def _second(micros_: int) -> int:
    return micros_ - micros_ % MICROS


def _end(named: time_text.Interval) -> int:
    """Return when an end date ends: with its second, or with its day if it names no time of day."""
    return named.high if named.high - named.low > _HOUR else _second(named.low) + MICROS


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
