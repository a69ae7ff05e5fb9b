"""Points in time: microseconds since the epoch inside, Timestamps in messages, text in requests."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple

from protobuf.wkt import Duration, Timestamp

from tracker.errors import FieldViolation, invalid

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

MICROS = 1_000_000
"""Microseconds in a second."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_DATE = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})"
    r"(?:[Tt ](?P<hour>\d{2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?)?"
    # A '+' that was not escaped in a query string arrives as a space.
    r"(?:(?P<utc>[Zz])|(?P<sign>[-+ ])(?P<zone_hours>\d{2}):?(?P<zone_minutes>\d{2})?)?)?"
)


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


def shown(timestamp_: Timestamp | None) -> str:
    """Return a Timestamp as its JSON shows it, or nothing where it is unset."""
    return "" if timestamp_ is None else timestamp_.to_json().strip('"')


def micros_of(moment: datetime) -> int:
    """Return a datetime with a zone as microseconds since the epoch."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


class Period(NamedTuple):
    """A span in microseconds since the epoch: `since` belongs to it, `until` does not; None is open."""

    since: int | None
    until: int | None


def period(start_date: str, end_date: str) -> Period:
    """Return the span between two dates as clients write them, both included; "" leaves a side open.

    A date is RFC 3339, or shorter: without a zone (then UTC), without seconds, minutes or the time of day.
    Whole seconds count. An end without a time of day includes that day.

    Raises:
        TrackerError: INVALID_ARGUMENT for text that is no date, or an end before the start.
    """
    since = _parse("start_date", start_date)[0] if start_date else None
    until = _end(end_date) if end_date else None
    if since is not None and until is not None and until <= since:
        raise invalid(
            FieldViolation("start_date", f"start_date {start_date} and end_date {end_date} are inversed")
        )
    return Period(since, until)


def _end(text: str) -> int:
    moment, whole_day = _parse("end_date", text)
    return moment + (86_400 if whole_day else 1) * MICROS


def _parse(field: str, text: str) -> tuple[int, bool]:
    """Return the whole second that a text names, and whether it names a day only."""
    match = _DATE.fullmatch(text)
    if match is not None:
        part = match.groupdict()
        offset = timedelta(hours=int(part["zone_hours"] or 0), minutes=int(part["zone_minutes"] or 0))
        try:
            zone = timezone(-offset if part["sign"] == "-" else offset)
            of_day = time(int(part["hour"] or 0), int(part["minute"] or 0), int(part["second"] or 0))
            moment = datetime.combine(datetime.fromisoformat(part["day"]), of_day, tzinfo=zone)
            return micros_of(moment), part["hour"] is None
        except (ValueError, OverflowError):
            pass
    raise invalid(
        FieldViolation(field, f"expected a date such as 2026-01-31 or 2026-01-31T12:00:00Z, got {text!r}")
    )


def day_of(micros_: int, zone: ZoneInfo) -> Period:
    """Return the day, in a time zone, that a moment falls in."""
    today = datetime.fromtimestamp(micros_ / MICROS, zone).date()
    midnight = datetime.combine(today, time(), tzinfo=zone)
    return Period(
        micros_of(midnight), micros_of(datetime.combine(today + timedelta(days=1), time(), tzinfo=zone))
    )
