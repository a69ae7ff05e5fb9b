"""When something repeats: recurrence rules and durations of iCalendar (RFC 5545).

A rule is asked about single days. So the cost of a period depends on its length alone: not on when the rule
begins, and not on whether any day fits it.
"""

from __future__ import annotations

import re
from calendar import isleap, monthrange
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final

from tracker.time_text import micros_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

LONGEST_DAYS: Final = 366
"""Days that a repetition may last."""

_WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_BY_DAY: Final = re.compile(rf"([-+]?\d{{1,2}})?({'|'.join(_WEEKDAYS)})")
_UNTIL: Final = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?")
_DURATION: Final = re.compile(
    r"P(?:(?P<weeks>\d{1,4})W|(?:(?P<days>\d{1,5})D)?"
    r"(?:T(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,9})S)?)?)"
)
_MOST: Final = 1_000
_WEEKS: Final = 53
_COUNTED_DAYS: Final = 100 * 366


@dataclass(frozen=True, slots=True)
class Length:
    """How long something lasts: days of the calendar, and then an exact time in microseconds."""

    days: int
    micros: int

    def end(self, start: int, local: datetime) -> int:
        """Return when something ends that begins at `start`, when clocks show `local`."""
        if not self.days:
            return start + self.micros
        return moment_of(local + timedelta(days=self.days)) + self.micros


@dataclass(frozen=True, slots=True)
class Rule:
    """Days on which something repeats, from the `first` one to the `last` one, if there is one.

    `until` is the last moment at which it may begin. Of `by_day`, the second number is which of these
    weekdays of the month or year it is, or 0 for each.
    """

    freq: str
    first: date
    interval: int = 1
    by_month: frozenset[int] = frozenset()
    by_month_day: frozenset[int] = frozenset()
    by_day: frozenset[tuple[int, int]] = frozenset()
    by_position: frozenset[int] = frozenset()
    week_start: int = 0
    until: int | None = None
    last: date | None = None

    def days(self, since: date, until: date) -> Iterator[date]:
        """Yield the days of a period, both ends included, on which it repeats."""
        day = max(since, self.first)
        end = until if self.last is None else min(until, self.last)
        while day <= end:
            if self.has(day):
                yield day
            day += timedelta(days=1)

    def has(self, day: date) -> bool:
        """Return whether it repeats on a day, not before the first one."""
        if not self._in_turn(day) or not self._fits(day):
            return False
        if not self.by_position:
            return True
        low, high = _period(self.freq, day)
        fitting = [each for each in _each(low, high) if self._fits(each)]
        place = fitting.index(day)
        return place + 1 in self.by_position or place - len(fitting) in self.by_position

    def _in_turn(self, day: date) -> bool:
        """Return whether the year, month, week or day of a day is one that the interval selects."""
        match self.freq:
            case "DAILY":
                passed = (day - self.first).days
            case "WEEKLY":
                passed = (self._week(day) - self._week(self.first)).days // 7
            case "MONTHLY":
                passed = 12 * (day.year - self.first.year) + day.month - self.first.month
            case _:
                passed = day.year - self.first.year
        return passed % self.interval == 0

    def _week(self, day: date) -> date:
        return day - timedelta(days=(day.weekday() - self.week_start) % 7)

    def _fits(self, day: date) -> bool:
        if self.by_month and day.month not in self.by_month:
            return False
        if self.by_month_day:
            from_end = day.day - monthrange(day.year, day.month)[1] - 1
            if day.day not in self.by_month_day and from_end not in self.by_month_day:
                return False
        return not self.by_day or any(self._is(day, *each) for each in self.by_day)

    def _is(self, day: date, weekday: int, ordinal: int) -> bool:
        if day.weekday() != weekday:
            return False
        if not ordinal:
            return True
        if self.freq == "MONTHLY" or self.by_month:
            place, length = day.day, monthrange(day.year, day.month)[1]
        else:
            place, length = day.timetuple().tm_yday, 366 if isleap(day.year) else 365
        return ordinal == ((place - 1) // 7 + 1 if ordinal > 0 else -((length - place) // 7 + 1))


def read_rule(text: str, first: datetime) -> Rule:
    """Return the rule that a text names; `first` is when it begins, as clocks of its zone show it.

    Raises:
        ValueError: It is none, or its first day is not one of them; the message says what is wrong.
    """
    return _read_rule(text, first.replace(tzinfo=None), first.tzinfo)


@lru_cache(maxsize=1024)
def _read_rule(text: str, shown: datetime, zone: tzinfo | None) -> Rule:
    # Datetimes of several zones are equal, and their rules are not: so the zone is a parameter of its own.
    first = shown.replace(tzinfo=zone)
    parts: dict[str, str] = {}
    for part in text.strip().upper().removeprefix("RRULE:").split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value or name in parts:
            raise ValueError(f"expected parts such as FREQ=WEEKLY;BYDAY=FR, each once, got {part!r}")
        parts[name] = value
    if unknown := parts.keys() - _PARTS:
        raise ValueError(f"expected parts of {', '.join(_PARTS)}, got {min(unknown)}")
    freq = parts.get("FREQ", "")
    if freq not in _ALLOWED:
        raise ValueError(f"expected FREQ={'|'.join(_ALLOWED)}, got {freq or 'none'}")
    if wrong := parts.keys() & _ALLOWED[freq]:
        raise ValueError(f"{min(wrong)} has no meaning with FREQ={freq}")
    rule = Rule(
        freq=freq,
        first=first.date(),
        interval=_number("INTERVAL", parts.get("INTERVAL", "1"), 1, _MOST),
        by_month=_numbers("BYMONTH", parts, 1, 12),
        by_month_day=_numbers("BYMONTHDAY", parts, -31, 31),
        by_day=frozenset(_weekday(each, freq) for each in _listed("BYDAY", parts)),
        by_position=_numbers("BYSETPOS", parts, -_MOST, _MOST),
        week_start=_week_start(parts.get("WKST", "MO")),
        until=_until(parts["UNTIL"], first) if "UNTIL" in parts else None,
    )
    rule = _completed(rule)
    if not rule.has(rule.first):
        found = next(rule.days(rule.first, _after(rule.first, 12 * 366)), None)
        follows = f"the first after it is {found}" if found else "none follows it"
        raise ValueError(f"the window must begin on a day of this rule: {rule.first} is none, {follows}")
    if "COUNT" not in parts:
        return rule
    if rule.until is not None:
        raise ValueError("expected either COUNT or UNTIL")
    return replace(rule, last=_last(rule, _number("COUNT", parts["COUNT"], 1, _MOST)))


def read_length(text: str) -> Length | None:
    """Return how long a DURATION of iCalendar lasts, or None for another text, or one that lasts no time."""
    found = _DURATION.fullmatch(text.strip().upper())
    if found is None or not any(found.groups()):
        return None
    weeks, days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
    exact = timedelta(hours=hours, minutes=minutes, seconds=seconds) // timedelta(microseconds=1)
    length = Length(7 * weeks + days, exact)
    return length if length.days or length.micros else None


def moment_of(local: datetime) -> int:
    """Return when clocks of its zone show a date and time, as RFC 5545 (3.3.5) has it.

    One that they show twice is the first of both; one that they skip is read as if they had not yet changed.
    """
    return micros_of(local.replace(fold=0).astimezone(UTC))


def starts(rule: Rule, first: datetime, since: date, until: date) -> Iterator[tuple[int, datetime]]:
    """Yield when repetitions begin within some days, as a moment, and as clocks show it."""
    for day in rule.days(since, until):
        local = datetime.combine(day, first.time(), first.tzinfo)
        start = micros_of(first.astimezone(UTC)) if day == rule.first else moment_of(local)
        if rule.until is not None and start > rule.until:
            return
        yield start, local


def _completed(rule: Rule) -> Rule:
    """Return a rule with what it takes from its first day where it does not name it."""
    if rule.by_day or rule.by_month_day:
        return rule
    match rule.freq:
        case "WEEKLY":
            return replace(rule, by_day=frozenset({(rule.first.weekday(), 0)}))
        case "MONTHLY":
            return replace(rule, by_month_day=frozenset({rule.first.day}))
        case "YEARLY":
            months = rule.by_month or frozenset({rule.first.month})
            return replace(rule, by_month=months, by_month_day=frozenset({rule.first.day}))
        case _:
            return rule


def _last(rule: Rule, count: int) -> date | None:
    """Return the last day of so many, or None if it is more than a century away."""
    days = rule.days(rule.first, _after(rule.first, _COUNTED_DAYS))
    return next(islice(days, count - 1, None), None)


def _after(day: date, days: int) -> date:
    return date.max if (date.max - day).days < days else day + timedelta(days=days)


def _period(freq: str, day: date) -> tuple[date, date]:
    if freq == "MONTHLY":
        return day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1])
    return date(day.year, 1, 1), date(day.year, 12, 31)


def _each(low: date, high: date) -> Iterator[date]:
    return (date.fromordinal(each) for each in range(low.toordinal(), high.toordinal() + 1))


def _until(text: str, first: datetime) -> int:
    found = _UNTIL.fullmatch(text)
    wrong = ValueError(f"expected UNTIL such as 20261231 or 20261231T120000Z, got {text}")
    if found is None:
        raise wrong
    try:
        day = datetime.strptime(found[1], "%Y%m%d").date()  # noqa: DTZ007 - a date
        if found[2] is None:
            return moment_of(datetime.combine(day, time.max, first.tzinfo))
        moment = datetime.combine(day, datetime.strptime(found[2], "%H%M%S").time())  # noqa: DTZ007 - a time
        return moment_of(moment.replace(tzinfo=UTC if found[3] else first.tzinfo))
    except (ValueError, OverflowError):
        raise wrong from None


def _weekday(text: str, freq: str) -> tuple[int, int]:
    found = _BY_DAY.fullmatch(text)
    if found is None or (
        found[1] and (freq not in {"MONTHLY", "YEARLY"} or not 1 <= abs(int(found[1])) <= _WEEKS)
    ):
        raise ValueError(f"expected days of BYDAY such as MO, or 1MO and -1FR of a month, got {text}")
    return _WEEKDAYS.index(found[2]), int(found[1] or 0)


def _week_start(text: str) -> int:
    if text not in _WEEKDAYS:
        raise ValueError(f"expected WKST of {', '.join(_WEEKDAYS)}, got {text}")
    return _WEEKDAYS.index(text)


def _listed(name: str, parts: dict[str, str]) -> list[str]:
    return parts[name].split(",") if name in parts else []


def _numbers(name: str, parts: dict[str, str], least: int, most: int) -> frozenset[int]:
    return frozenset(_number(name, each, least, most) for each in _listed(name, parts))


def _number(name: str, text: str, least: int, most: int) -> int:
    number = int(text) if re.fullmatch(r"[-+]?\d{1,6}", text) else 0
    if not number or not least <= number <= most:
        raise ValueError(f"expected {name} from {least} to {most}, got {text}")
    return number


_PARTS: Final = (
    *("FREQ", "INTERVAL", "COUNT", "UNTIL"),
    *("BYDAY", "BYMONTH", "BYMONTHDAY", "BYSETPOS", "WKST"),
)
_ALLOWED: Final = {
    "DAILY": frozenset({"BYSETPOS"}),
    "WEEKLY": frozenset({"BYSETPOS", "BYMONTHDAY"}),
    "MONTHLY": frozenset[str](),
    "YEARLY": frozenset[str](),
}
"""The frequencies, and the parts that have no meaning with each."""
