"""Times as pages show them: in the zone of the reader, with UTC and the age on hover."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from markupsafe import Markup, escape

from tracker.domain.times import duration_micros, micros
from tracker.errors import FieldViolation, invalid
from tracker.time_text import DAY, MICROS, TIME, datetime_of, local_time, moment_text, short_text

if TYPE_CHECKING:
    from datetime import datetime

    from protobuf.wkt import Duration, Timestamp

    from tracker.time_text import Clock, Interval

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_YEAR: Final = 365
_WEEKS: Final = 28
"""Days from which on a distance is said in days alone, and of two years in years."""


def length(value: Duration | int | None) -> str:
    """Return a length of time for people, in its two largest units: `1h5m`, `2d3h`; "" for none."""
    if value is None:
        return ""
    return short_text(value if isinstance(value, int) else duration_micros(value))


def _distance(size: int) -> str:
    """Return how far a moment is, in microseconds, for people: hours of the last years say nothing."""
    days = (size + DAY // 2) // DAY
    if days >= 2 * _YEAR:
        return f"{days // _YEAR:,} years"
    return f"{days}d" if days >= _WEEKS else length(size)


def read_time(clock: Clock, name: str, text: str) -> Interval:
    """Return the time that a parameter names.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is not a time.
    """
    found = clock.read(text)
    if found is None:
        raise invalid(FieldViolation(name, f"expected {TIME}, got {text!r}"))
    return found


class Times:
    """Shows moments to one reader; `clock` is when and where that is."""

    def __init__(self, clock: Clock) -> None:
        self.now = clock.now
        self.zone = clock.zone
        self._zone_name = escape(clock.zone.key)
        self._today = self.local(clock.now).date()

    def local(self, moment: int) -> datetime:
        """Return a moment, in microseconds since the epoch, as clocks of the reader's zone show it."""
        return local_time(moment, self.zone)

    def short(self, moment: int) -> str:
        """Return a moment as briefly as it can be told from others of a list."""
        return self._short(self.local(moment))

    def _short(self, local: datetime) -> str:
        if local.date() == self._today:
            return f"{local.hour:02}:{local.minute:02}:{local.second:02}"
        if local.year == self._today.year:
            return f"{local.day} {_MONTHS[local.month - 1]} {local.hour:02}:{local.minute:02}"
        return local.isoformat(" ", "minutes")[:16]

    def span(self, since: int, until: int) -> str:
        """Return a period to the minute, each end with its day; where that is one, it is said once."""
        start, end = self.local(since), self.local(until)
        shown = f"{end:%H:%M}" if start.date() == end.date() else self.minute(until)
        return f"{self.minute(since)} to {shown}"

    def minute(self, moment: int) -> str:
        """Return a moment to the minute, with its day."""
        local = self.local(moment)
        return f"today {local:%H:%M}" if local.date() == self._today else self._short(local)

    def full(self, moment: int) -> str:
        """Return a moment to the second, with its zone."""
        return f"{self.local(moment).isoformat(' ')[:19]} {self.zone.key}"

    def ago(self, moment: int) -> str:
        """Return how long ago a moment was, or how soon it will be."""
        distance = self.now - moment
        if abs(distance) < MICROS:
            return "now"
        size = _distance(abs(distance))
        return f"{size} ago" if distance > 0 else f"in {size}"

    def tag(self, moment: Timestamp | int | None, *, age: bool = False) -> Markup:
        """Return a moment as an element `time`, nothing for None; with `age`, it says how long ago."""
        if moment is None:
            return Markup()
        at = moment if isinstance(moment, int) else micros(moment)
        second = datetime_of(at - at % MICROS)
        local, ago = self.local(at), self.ago(at)
        utc, full = f"{second.isoformat()[:19]}Z", f"{local.isoformat(' ')[:19]} {self._zone_name}"
        shown = ago if age else self._short(local)
        # Digits, letters and a zone that is escaped; a list has hundreds of these.
        return Markup(f'<time datetime="{utc}" title="{utc} · {full} · {ago}">{shown}</time>')  # noqa: S704 - as said

    def long_tag(self, moment: Timestamp | None) -> Markup:
        """Return a moment to the second with its age, nothing for None."""
        if moment is None:
            return Markup()
        at = micros(moment)
        utc = moment_text(at - at % MICROS)
        return Markup('<time datetime="{}" title="{}">{}</time> <small>{}</small>').format(
            utc, utc, self.local(at).isoformat(" ")[:19], self.ago(at)
        )
