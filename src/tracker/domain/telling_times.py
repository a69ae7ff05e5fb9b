"""When people are told of something: not in their quiet hours, or all of a day at once."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from tracker.time_text import datetime_of, local_moment

if TYPE_CHECKING:
    from datetime import tzinfo


def end_of_quiet(at: int, quiet_hours: str, zone: tzinfo) -> int:
    """Return when the quiet hours end that a moment is in, or the moment itself.

    Moments are microseconds since the epoch; `quiet_hours` are two times of day of the zone, `22:00-07:00`.
    """
    if not quiet_hours:
        return at
    begin, end = (time.fromisoformat(each) for each in quiet_hours.split("-"))
    today = datetime_of(at).astimezone(zone).date()
    for days in (-1, 0):
        day = today + timedelta(days=days)
        until = day + timedelta(days=1) if end <= begin else day
        first = local_moment(datetime.combine(day, begin), zone)
        last = local_moment(datetime.combine(until, end), zone, last=True)
        if first <= at < last:
            return last
    return at


def next_at(after: int, time_of_day: str, zone: tzinfo) -> int:
    """Return the first moment after another one at which clocks of a zone show a time of day.

    Where they skip it, that is the next time that they show; where they show it twice, the first one.
    """
    shown, today = time.fromisoformat(time_of_day), datetime_of(after).astimezone(zone).date()
    moments = (local_moment(datetime.combine(today + timedelta(days=days), shown), zone) for days in range(3))
    return next(each for each in moments if each > after)
