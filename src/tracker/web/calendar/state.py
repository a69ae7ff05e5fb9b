"""What the address of the Calendar says; nothing else decides what it shows."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from tracker.errors import FieldViolation, invalid
from tracker.web.page_state import PageState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.web.visit import Visit

PATH: Final = "/calendar"
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
FIRST_DAYS: Final = ("Monday", "Sunday", "Saturday")
"""The days that weeks begin on somewhere."""
_FIRST_YEAR, _LAST_YEAR = 1900, 2199
_SUNDAYS: Final = frozenset(
    {"US", "CA", "MX", "BR", "CO", "PE", "VE", "JP", "KR", "TW", "HK", "TH", "PH", "IN", "IL", "ZA"}
)
_SATURDAYS: Final = frozenset({"EG", "DZ", "IQ", "JO", "KW", "LY", "OM", "QA", "SD", "SY", "YE", "IR", "AF"})
_REGION: Final = re.compile(r"[A-Za-z]{2,3}[-_](?:[A-Za-z]{4}[-_])?([A-Za-z]{2})\b")
_WEEK: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class State(PageState):
    """A query, the month or the week of `day`, and the first day of weeks, "" for that of the reader."""

    path = PATH

    day: date
    week: bool = False
    query: str = ""
    zone: str = ""
    first: str = ""

    def _parameters(self) -> Sequence[tuple[str, str]]:
        shown = ("week", self.day.isoformat()) if self.week else ("month", self.day.isoformat()[:7])
        return [shown, ("q", self.query), ("zone", self.zone), ("first", self.first)]

    def moved(self, step: int) -> date:
        """Return a day of the month or week that is so many after this one."""
        if self.week:
            return self.day + step * _WEEK
        month = self.day.year * 12 + self.day.month - 1 + step
        return date(month // 12, month % 12 + 1, 1)


def state_of(visit: Visit) -> State:
    """Return what the address of a visit says.

    Raises:
        TrackerError: INVALID_ARGUMENT; it names no month or week.
    """
    week, month = visit.one("week"), visit.one("month")
    day = visit.times.local(visit.clock.now).date()
    if week or month:
        day = _read("week", week) if week else _read("month", f"{month}-01")
    return State(day, bool(week), visit.one("q"), visit.asked_zone, visit.choice("first", FIRST_DAYS))


def _read(name: str, text: str) -> date:
    example = "2026-01-31" if name == "week" else "2026-01"
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise invalid(
            FieldViolation(name, f"expected a {name} such as {example}, of {_FIRST_YEAR} to {_LAST_YEAR}")
        )
    return day


def first_weekday(state: State, languages: str) -> int:
    """Return the first day of weeks, 0 for Monday: that of the address, else of Accept-Language."""
    if state.first:
        return WEEKDAYS.index(state.first)
    region = _REGION.match(languages.strip())
    place = region[1].upper() if region else ""
    return 6 if place in _SUNDAYS else 5 if place in _SATURDAYS else 0


def days_of(state: State, first: int) -> list[date]:
    """Return the days of the weeks that have the month, or of the week, of a state."""
    begin = state.day if state.week else state.day.replace(day=1)
    begin -= timedelta(days=(begin.weekday() - first) % 7)
    after = begin + _WEEK if state.week else replace(state, week=False).moved(1)
    weeks = -(-(after - begin).days // 7)
    return [begin + timedelta(days=each) for each in range(7 * weeks)]
