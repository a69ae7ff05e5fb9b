"""Recurrence rules beside those of python-dateutil, and how long repetitions last when clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr  # type: ignore[import-untyped]  # ships no types
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tracker.domain.recurrence import moment_of, read_length, read_rule, starts
from tracker.time_text import datetime_of

PARIS = ZoneInfo("Europe/Paris")
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def listed(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(values, min_size=1, max_size=3, unique=True).map(",".join)


@st.composite
def rules(draw: st.DrawFn) -> str:
    freq = draw(st.sampled_from(("DAILY", "WEEKLY", "MONTHLY", "YEARLY")))
    days = listed(st.sampled_from(DAYS))
    parts = {
        "INTERVAL": st.integers(1, 5).map(str),
        "BYMONTH": listed(st.integers(1, 12).map(str)),
        "WKST": st.sampled_from(DAYS),
    }
    if freq in {"MONTHLY", "YEARLY"}:
        # dateutil takes TU,1MO as days that are both, and finds none.
        days |= listed(st.tuples(st.sampled_from(("1", "2", "-1", "5")), st.sampled_from(DAYS)).map("".join))
        parts["BYSETPOS"] = st.sampled_from(("1", "-1", "2", "1,-1"))
    if freq != "WEEKLY":
        parts["BYMONTHDAY"] = listed((st.integers(1, 31) | st.sampled_from((-1, -2, -31))).map(str))
    parts["BYDAY"] = days
    chosen = draw(st.sets(st.sampled_from(sorted(parts))))
    assume("BYSETPOS" not in chosen or chosen & {"BYDAY", "BYMONTHDAY"})
    end = draw(st.sampled_from(("", ";COUNT=7", ";UNTIL=20250615T090000Z", ";UNTIL=20250615T110000Z")))
    return f"FREQ={freq}" + "".join(f";{name}={draw(parts[name])}" for name in sorted(chosen)) + end


@settings(max_examples=50)
@given(rules(), st.dates(date(2024, 1, 1), date(2025, 12, 31)))
def test_a_rule_is_read_as_by_dateutil(text: str, day: date) -> None:
    first = datetime(day.year, day.month, day.day, 10, tzinfo=UTC)
    endless = text.partition(";COUNT")[0].partition(";UNTIL")[0]
    try:
        read_rule(endless, first)
    except ValueError as error:
        assume("none follows it" not in str(error))  # dateutil would look for one up to the year 9999
        found = rrulestr(endless, dtstart=first)[0]
        if not str(error).endswith(f"the first after it is {found.date()}"):
            raise
        first = found
    theirs = rrulestr(text, dtstart=first).between(first, datetime(2032, 1, 1, tzinfo=UTC), inc=True)
    ours = starts(read_rule(text, first), first, day, date(2031, 12, 31))
    assert [datetime_of(each) for each, _ in ours] == theirs


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "expected parts such as"),
        ("FREQ=HOURLY", "expected FREQ=DAILY|WEEKLY|MONTHLY|YEARLY, got HOURLY"),
        ("FREQ=DAILY;FREQ=DAILY", "each once"),
        ("FREQ=DAILY;BYHOUR=3", "got BYHOUR"),
        ("FREQ=WEEKLY;BYMONTHDAY=3", "BYMONTHDAY has no meaning with FREQ=WEEKLY"),
        ("FREQ=WEEKLY;BYDAY=1MO", "expected days of BYDAY"),
        ("FREQ=DAILY;INTERVAL=0", "expected INTERVAL from 1"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20270101", "either COUNT or UNTIL"),
        ("FREQ=DAILY;UNTIL=20261301", "expected UNTIL"),
        ("FREQ=WEEKLY;BYDAY=MO", "2026-01-02 is none, the first after it is 2026-01-05"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "2026-01-02 is none, none follows it"),
    ],
)
def test_what_is_no_rule_is_told_why(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as refused:
        read_rule(text, datetime(2026, 1, 2, 16, tzinfo=PARIS))
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("begin", "length", "end"),
    [
        ("2026-03-29T01:30", "PT1H", "2026-03-29T03:30+02:00"),  # clocks skip 02:30
        ("2026-03-29T02:30", "PT1H", "2026-03-29T04:30+02:00"),  # itself skipped: an hour from 03:30 on
        ("2026-10-25T02:30", "PT1H", "2026-10-25T02:30+01:00"),  # shown twice
        ("2026-10-24T12:00", "PT24H", "2026-10-25T11:00+01:00"),
        ("2026-10-24T12:00", "P1D", "2026-10-25T12:00+01:00"),
        ("2026-10-23T16:00", "P2DT16H", "2026-10-26T08:00+01:00"),
        ("2026-03-27T16:00", "P2DT16H", "2026-03-30T08:00+02:00"),
        ("2026-03-27T16:00", "P1W", "2026-04-03T16:00+02:00"),
    ],
)
def test_hours_are_exact_and_days_are_those_of_the_calendar(begin: str, length: str, end: str) -> None:
    local, found = datetime.fromisoformat(begin).replace(tzinfo=PARIS), read_length(length)
    assert found is not None
    assert datetime_of(found.end(moment_of(local), local)) == datetime.fromisoformat(end)


@pytest.mark.parametrize("text", ["", "P", "PT", "PT0S", "1h", "P1H", "PT1D", "P1M", "P1W2D", "-PT1H"])
def test_other_lengths_are_none(text: str) -> None:
    assert read_length(text) is None


def test_a_rule_that_began_long_ago_costs_no_more() -> None:
    first = datetime(1900, 1, 5, 16, tzinfo=PARIS)
    rule = read_rule("FREQ=WEEKLY;INTERVAL=2;BYDAY=FR", first)
    since = date(2199, 1, 1)
    ours = [datetime_of(each) for each, _ in starts(rule, first, since, since + timedelta(days=30))]
    assert [each.day for each in ours] == [11, 25]
