"""Points in time: microseconds since the epoch internally, Timestamps in messages, text in requests.

Intervals of the calendar are the hours, days, weeks and months of a period.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from protobuf.wkt import Duration, Timestamp

from tracker.errors import FieldViolation, invalid
from tracker.time_text import (
    DAY,
    EARLIEST,
    LATEST,
    MICROS,
    MINUTE,
    datetime_of,
    local_moment,
    read_date,
    read_duration,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import tzinfo
    from zoneinfo import ZoneInfo

    from tracker.time_text import Date

_DAY_CHARACTERS = len("2026-01-31")


def micros(timestamp: Timestamp) -> int:
    """Return a Timestamp as whole microseconds since 1970-01-01T00:00:00Z, rounded down."""
    return timestamp.seconds * MICROS + timestamp.nanos // 1000


def timestamp(micros_: int) -> Timestamp:
    """Return microseconds since the epoch as a Timestamp."""
    seconds, rest = divmod(micros_, MICROS)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


def nearest_timestamp(micros_: int) -> Timestamp:
    """Return microseconds since the epoch as a Timestamp, or the first or last one that there is."""
    return timestamp(min(max(micros_, EARLIEST), LATEST))


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


def period(start_date: str, end_date: str, zone: tzinfo = UTC) -> tuple[int | None, int | None]:
    """Return the period between two dates of a request, both included; None for an open side, given as "".

    It is in microseconds since the epoch; its end is excluded.

    A date is RFC 3339, or shorter: without a zone (then `zone`), seconds, minutes or the time of day.
    Whole seconds count. An end without a time of day includes that day.

    Raises:
        TrackerError: INVALID_ARGUMENT for text that is not a date, or an end before the start.
    """
    since = _second(read_named("start_date", start_date, zone).interval.low) if start_date else None
    until = _end(read_named("end_date", end_date, zone)) if end_date else None
    if since is not None and until is not None and until <= since:
        text = f"start_date {start_date} and end_date {end_date} are inversed"
        raise invalid(FieldViolation("start_date", text))
    return since, until


def read_named(field: str, text: str, zone: tzinfo = UTC) -> Date:
    """Return the date that a field of a request has.

    Raises:
        TrackerError: INVALID_ARGUMENT for text that is not a date.
    """
    # A '+' that was not escaped in a query string arrives as a space.
    found = read_date(text[: _DAY_CHARACTERS + 1] + text[_DAY_CHARACTERS + 1 :].replace(" ", "+"), zone)
    if found is None:
        expected = "expected a date such as 2026-01-31 or 2026-01-31T12:00:00Z"
        raise invalid(FieldViolation(field, f"{expected}, got {text!r}"))
    return found


def _second(micros_: int) -> int:
    return micros_ - micros_ % MICROS


def _end(named: Date) -> int:
    """Return when an end date ends: with its second, or with its day if it names no time of day."""
    return named.interval.high if named.last is None else _second(named.last) + MICROS


MOST_INTERVALS: Final = 10_000
"""Most intervals of a period."""

_DAYS: Final = {"day": 1, "week": 7, "month": 28}
"""The fewest days of each interval that is not a fixed time."""
_ALIASES: Final = {"minute": "1m", "hour": "1h", "1mo": "month"}


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval of the calendar: its name, and its least length in microseconds."""

    name: str
    length: int

    def starts(self, since: int, until: int, zone: ZoneInfo) -> Sequence[int]:
        """Return the starts of the intervals of a period, the first of them at `since` or before.

        An interval begins when clocks show a multiple of its length since midnight: one of 6 hours lasts 5 or
        7 when they change. One no longer than what they repeat is repeated. Weeks begin on Mondays.
        """
        day = datetime_of(since).astimezone(zone).date()
        if self.name == "week":
            day -= timedelta(days=day.weekday())
        elif self.name == "month":
            day = day.replace(day=1)
        starts: list[int] = []
        while not starts or starts[-1] < until:
            following = self._following(day)
            for start, repeated in self._of_day(day, following, zone):
                after = starts[-1] + (self.length if repeated else 1) if starts else start
                if start >= after:  # not that of a day that clocks skip
                    starts.append(start)
            day = following
        return starts[bisect_right(starts, since) - 1 : bisect_left(starts, until)]

    def _of_day(self, day: date, following: date, zone: ZoneInfo) -> Iterable[tuple[int, bool]]:
        """Return the starts of the intervals from a day to the following one, and which are repeated."""
        midnight, end = (local_moment(datetime.combine(each, time()), zone) for each in (day, following))
        if self.length >= DAY:
            return [(midnight, False)]
        if end - midnight == DAY:
            return [(each, False) for each in range(midnight, end, self.length)]
        times = [
            datetime.combine(day, time()) + timedelta(microseconds=each)
            for each in range(0, DAY, self.length)
        ]
        return sorted(
            {local_moment(each, zone, last=last): last for last in (True, False) for each in times}.items()
        )

    def _following(self, day: date) -> date:
        if self.name == "month":
            return date(day.year + day.month // 12, day.month % 12 + 1, 1)
        return day + timedelta(days=7 if self.name == "week" else 1)


def read_interval(text: str) -> Interval | None:
    """Return the interval that a text names, or None: `month`, `week`, `day`, or what divides a day."""
    name = _ALIASES.get(text.lower(), text)
    if name.lower() in _DAYS:
        return Interval(name.lower(), _DAYS[name.lower()] * DAY)
    found = read_duration(name) if name.isalnum() else None
    match found.low if found else 0:
        case 0:
            return None
        case length if length == DAY:
            return Interval("day", length)
        case length if length == 7 * DAY:
            return Interval("week", length)
        case length:
            return Interval(name.lower(), length) if not length % MINUTE and not DAY % length else None


def interval_for(since: int, until: int, most: int) -> Interval:
    """Return the shortest usual interval of which a period has no more than `most`, else the longest."""
    return next((each for each in _USUAL if (until - since) // each.length < most), _USUAL[-1])


_NAMES: Final = ("1m", "5m", "15m", "1h", "3h", "6h", "day", "week", "month")
_USUAL: Final = tuple(filter(None, map(read_interval, _NAMES)))
