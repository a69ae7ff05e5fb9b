"""When people are told: quiet hours and digests, also over changes of the clocks."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tracker.domain.telling_times import end_of_quiet, next_at
from tracker.time_text import datetime_of, micros_of

PARIS = ZoneInfo("Europe/Paris")


def at(text: str) -> int:
    return micros_of(datetime.fromisoformat(text))


def shown(moment: int) -> str:
    return datetime_of(moment).isoformat()


@pytest.mark.parametrize(
    ("moment", "hours", "end"),
    [
        ("2026-01-10T21:59:59+01:00", "22:00-07:00", "2026-01-10T20:59:59+00:00"),
        ("2026-01-10T22:00:00+01:00", "22:00-07:00", "2026-01-11T06:00:00+00:00"),
        ("2026-01-11T06:59:59+01:00", "22:00-07:00", "2026-01-11T06:00:00+00:00"),
        ("2026-01-11T07:00:00+01:00", "22:00-07:00", "2026-01-11T06:00:00+00:00"),
        ("2026-01-10T12:30:00+01:00", "12:00-14:00", "2026-01-10T13:00:00+00:00"),
        ("2026-01-10T12:30:00+01:00", "09:00-09:00", "2026-01-11T08:00:00+00:00"),  # all day, until nine
        ("2026-03-28T23:00:00+01:00", "22:00-07:00", "2026-03-29T05:00:00+00:00"),  # the clocks go forward
        ("2026-03-29T01:30:00+01:00", "01:00-02:30", "2026-03-29T01:00:00+00:00"),  # 02:30 is skipped
        ("2026-10-24T23:00:00+02:00", "22:00-07:00", "2026-10-25T06:00:00+00:00"),  # they go back
        ("2026-10-25T02:15:00+01:00", "01:00-02:30", "2026-10-25T01:30:00+00:00"),  # 02:15 is there twice
        ("2026-10-25T02:45:00+02:00", "", "2026-10-25T00:45:00+00:00"),
    ],
)
def test_quiet_hours_end_at_their_time_of_day(moment: str, hours: str, end: str) -> None:
    assert shown(end_of_quiet(at(moment), hours, PARIS)) == end


@pytest.mark.parametrize(
    ("after", "time", "following"),
    [
        ("2026-01-10T08:59:59+01:00", "09:00", "2026-01-10T08:00:00+00:00"),
        ("2026-01-10T09:00:00+01:00", "09:00", "2026-01-11T08:00:00+00:00"),
        ("2026-03-28T09:00:00+01:00", "09:00", "2026-03-29T07:00:00+00:00"),
        (
            "2026-03-28T02:30:00+01:00",
            "02:30",
            "2026-03-29T01:00:00+00:00",
        ),  # skipped: the next that is shown
        ("2026-10-24T02:30:00+02:00", "02:30", "2026-10-25T00:30:00+00:00"),  # shown twice: the first
        ("2026-10-25T02:30:00+02:00", "02:30", "2026-10-26T01:30:00+00:00"),  # and once a day
    ],
)
def test_a_digest_comes_once_a_day(after: str, time: str, following: str) -> None:
    assert shown(next_at(at(after), time, PARIS)) == following
