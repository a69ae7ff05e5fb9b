"""The days, weeks and months of a period, in the time zone of a reader."""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from tracker.time_text import datetime_of, local_moment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

MOST_DAYS: Final = 400
"""Days that DevLake looks at."""
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """A period from `since` up to `until`, in microseconds since the epoch, and the zone of its days.

    `first_event` is when the first event was recorded that the reader may see, or None without any.
    """

    since: int
    until: int
    zone: ZoneInfo
    first_event: int | None = None

    def has(self, at: int) -> bool:
        """Return whether a moment is in the period."""
        return self.since <= at < self.until

    def day(self, at: int) -> date:
        """Return the day of a moment."""
        return datetime_of(at).astimezone(self.zone).date()

    @property
    def whole_days(self) -> Sequence[date]:
        """The days from the first to the last, those after the day of the first event: as in Four Keys."""
        first, last = self.day(self.since), self.day(self.until - 1)
        if self.first_event is not None:
            first = max(first, self.day(self.first_event) + _DAY)
        return [first + _DAY * number for number in range((last - first).days + 1)]

    @property
    def days_back(self) -> Sequence[date]:
        """The days of the moments that are whole days before the end and in the period: as in DevLake."""
        end, begin = (
            datetime_of(at).astimezone(self.zone).replace(tzinfo=None) for at in (self.until - 1, self.since)
        )
        moments = (end - _DAY * number for number in range(MOST_DAYS))
        return [moment.date() for moment in moments if moment > begin]


def days_per_week(days: Sequence[date], deployed: set[date], *, sunday: bool = False) -> dict[date, int]:
    """Return how many days of each week have a deployment, by the first day of the week."""
    weeks: Counter[date] = Counter()
    for day in days:
        weeks[day - _DAY * ((day.isoweekday() % 7) if sunday else day.weekday())] += day in deployed
    return dict(weeks)


def days_per_month(days: Sequence[date], deployed: set[date]) -> dict[date, int]:
    """Return how many days of each month have a deployment, by the first day of the month."""
    months: Counter[date] = Counter()
    for day in days:
        months[day.replace(day=1)] += day in deployed
    return dict(months)


def months_before(at: int, months: int, zone: ZoneInfo) -> int:
    """Return the beginning of the day some months before a moment, of the last day if a month is shorter."""
    day = datetime_of(at).astimezone(zone).date()
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    first = day.replace(year=year, month=month + 1, day=min(day.day, monthrange(year, month + 1)[1]))
    return local_moment(datetime.combine(first, time()), zone)
