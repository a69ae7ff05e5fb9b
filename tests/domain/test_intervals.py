"""Intervals of a calendar with days of 23 and 25 hours."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.times import interval_for, read_interval
from tracker.time_text import MICROS, micros_of

PARIS = ZoneInfo("Europe/Paris")
DAY = 86_400 * MICROS


def moment(text: str) -> int:
    return micros_of(datetime.fromisoformat(text).replace(tzinfo=PARIS))


def shown(micros: int) -> str:
    return datetime.fromtimestamp(micros / MICROS, PARIS).strftime("%m-%dT%H:%M%z")


def starts(name: str, since: str, until: str) -> list[str]:
    interval = read_interval(name)
    assert interval is not None
    return [shown(start) for start in interval.starts(moment(since), moment(until), PARIS)]


@pytest.mark.parametrize(
    ("name", "since", "until", "wanted"),
    [
        (
            "6h",
            "2026-03-29T07:00",
            "2026-03-30",
            ["03-29T06:00+0200", "03-29T12:00+0200", "03-29T18:00+0200"],
        ),
        (
            "1h",
            "2026-10-25T01:30",
            "2026-10-25T04:00",
            ["10-25T01:00+0200", "10-25T02:00+0200", "10-25T02:00+0100", "10-25T03:00+0100"],
        ),
        (
            "12h",
            "2026-10-25",
            "2026-10-26T12:00",
            ["10-25T00:00+0200", "10-25T12:00+0100", "10-26T00:00+0100"],
        ),
        ("12h", "2026-03-29", "2026-03-30", ["03-29T00:00+0100", "03-29T12:00+0200"]),
        (
            "2h",
            "2026-10-25T01:30",
            "2026-10-25T05:00",
            ["10-25T00:00+0200", "10-25T02:00+0200", "10-25T04:00+0100"],
        ),
        (
            "30m",
            "2026-10-25T02:00",
            "2026-10-25T03:10",
            [
                *("10-25T02:00+0200", "10-25T02:30+0200", "10-25T02:00+0100", "10-25T02:30+0100"),
                "10-25T03:00+0100",
            ],
        ),
        (
            "2h",
            "2026-03-29",
            "2026-03-29T05:00",
            ["03-29T00:00+0100", "03-29T03:00+0200", "03-29T04:00+0200"],
        ),
        ("day", "2026-10-25T05:00", "2026-10-26T05:00", ["10-25T00:00+0200", "10-26T00:00+0100"]),
        ("week", "2026-01-01", "2026-01-06", ["12-29T00:00+0100", "01-05T00:00+0100"]),
        ("month", "2025-12-31", "2026-02-01", ["12-01T00:00+0100", "01-01T00:00+0100"]),
        ("15m", "2026-01-01T05:20", "2026-01-01T05:25", ["01-01T05:15+0100"]),
    ],
)
def test_intervals_begin_where_people_expect(name: str, since: str, until: str, wanted: list[str]) -> None:
    assert starts(name, since, until) == wanted


@pytest.mark.parametrize("text", ["", "0m", "7m", "5h", "2d", "year", "25h", "-1h", "1.5h", "m", "99999m"])
def test_what_parts_no_day_is_no_interval(text: str) -> None:
    assert read_interval(text) is None


@pytest.mark.parametrize(
    ("text", "name"), [("hour", "1h"), ("24h", "day"), ("1W", "week"), ("1mo", "month"), ("90m", "90m")]
)
def test_intervals_have_other_names(text: str, name: str) -> None:
    interval = read_interval(text)
    assert interval is not None
    assert interval.name == name


@given(
    name=st.sampled_from(["15m", "1h", "6h", "day", "week", "month"]),
    since=st.integers(moment("2026-03-01"), moment("2026-11-30")),
    length=st.integers(1, 40 * DAY),
    zone=st.sampled_from(["UTC", "Europe/Paris", "Australia/Lord_Howe", "Asia/Kathmandu"]).map(ZoneInfo),
)
def test_intervals_cover_a_period_and_nothing_else(
    name: str, since: int, length: int, zone: ZoneInfo
) -> None:
    interval = read_interval(name)
    assert interval is not None
    found = interval.starts(since, since + length, zone)
    assert found[0] <= since
    assert all(low < high for low, high in pairwise(found))
    assert all(since < start < since + length for start in found[1:])


def test_the_interval_chosen_is_the_shortest_that_gives_few_enough() -> None:
    assert interval_for(0, DAY, 120).name == "15m"
    assert interval_for(0, 30 * DAY, 120).name == "day"
    assert interval_for(0, 30_000 * DAY, 120).name == "month"


@pytest.mark.parametrize(("name", "days"), [("day", [29, 31]), ("12h", [29, 29, 31, 31])])
def test_a_day_that_clocks_skip_has_no_interval(name: str, days: list[int]) -> None:
    apia, interval = ZoneInfo("Pacific/Apia"), read_interval(name)
    assert interval is not None
    since, until = (micros_of(datetime(2011, 12, day, tzinfo=apia)) for day in (29, 31))
    found = interval.starts(since, until + DAY, apia)
    assert [datetime.fromtimestamp(start / MICROS, apia).day for start in found] == days
    assert all(low < high for low, high in pairwise(found))
