"""Points in time: microseconds since the epoch internally, Timestamps in messages, text in requests."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, NamedTuple

from protobuf.wkt import Duration, Timestamp

from tracker.errors import FieldViolation, invalid
from tracker.time_text import MICROS, read_date

if TYPE_CHECKING:
    from tracker.time_text import Interval

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


class Period(NamedTuple):
    """Microseconds since the epoch, from `since` (included) to `until` (excluded); None is open."""

    since: int | None
    until: int | None


def period(start_date: str, end_date: str) -> Period:
    """Return the period between two dates of a request, both included; "" leaves a side open.

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
    return Period(since, until)


def _read(field: str, text: str) -> Interval:
    # A '+' that was not escaped in a query string arrives as a space.
    found = read_date(text[: _DAY_CHARACTERS + 1] + text[_DAY_CHARACTERS + 1 :].replace(" ", "+"), UTC)
    if found is None:
        expected = "expected a date such as 2026-01-31 or 2026-01-31T12:00:00Z"
        raise invalid(FieldViolation(field, f"{expected}, got {text!r}"))
    return found


def _second(micros_: int) -> int:
    return micros_ - micros_ % MICROS


def _end(named: Interval) -> int:
    """Return when an end date ends: with its second, or with its day if it names no time of day."""
    return named.high if named.high - named.low > _HOUR else _second(named.low) + MICROS
