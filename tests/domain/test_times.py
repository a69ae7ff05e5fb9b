from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.times import micros, period, timestamp
from tracker.errors import TrackerError
from tracker.time_text import MICROS, Clock, micros_of, read_zone

NOON = micros_of(datetime(2026, 1, 31, 12, tzinfo=UTC))
DAY = 86_400 * MICROS


@given(st.integers(-62_135_596_800 * MICROS, 253_402_300_799 * MICROS))
def test_a_timestamp_keeps_every_microsecond(moment: int) -> None:
    assert micros(timestamp(moment)) == moment


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31t12:00:00z",
        "2026-01-31T12:00:00.999Z",
        "2026-01-31T14:00:00+02:00",
        "2026-01-31T14:00:00 02:00",
        "2026-01-31T14:00:00+0200",
        "2026-01-31T14:00:00+02",
        "2026-01-31T10:30:00-01:30",
        "2026-01-31T12:00:00",
        "2026-01-31 12:00:00",
        "2026-01-31T12:00",
        "2026-01-31T12",
    ],
)
def test_a_date_can_be_written_in_every_form_that_clients_use(text: str) -> None:
    assert period(text, "")[0] == NOON


def test_an_end_includes_its_whole_second() -> None:
    assert period("", "2026-01-31T12:00:00.250Z")[1] == NOON + MICROS


def test_an_end_without_a_time_of_day_includes_that_day() -> None:
    assert period("2026-01-31", "2026-01-31") == (NOON - DAY // 2, NOON + DAY // 2)


@pytest.mark.parametrize(
    "text",
    ["yesterday", "2026-02-30", "2026-01-31T25:00:00Z", "2026-1-3", "20260131", "2026-01-31T12:00:00+99:00"],
)
@pytest.mark.parametrize("field", ["start_date", "end_date"])
def test_text_that_is_no_date_is_refused_by_the_name_of_its_field(text: str, field: str) -> None:
    with pytest.raises(TrackerError) as refused:
        period(text if field == "start_date" else "", text if field == "end_date" else "")
    assert refused.value.violations[0].field == field
    assert text in refused.value.message


def test_an_end_before_its_start_is_refused() -> None:
    with pytest.raises(TrackerError, match="are inversed"):
        period("2026-02-01", "2026-01-31")


@pytest.mark.parametrize(
    ("zone", "start", "end", "since", "until"),
    [
        ("Europe/Paris", "2026-03-29", "2026-03-29", "2026-03-28T23:00Z", "2026-03-29T22:00Z"),
        ("Europe/Paris", "2026-10-25", "2026-10-25", "2026-10-24T22:00Z", "2026-10-25T23:00Z"),
        ("Europe/Paris", "2026-03-29T02:30", "2026-03-29T02:30", "2026-03-29T01:00Z", "2026-03-29T01:00:01Z"),
        ("Europe/Paris", "2026-10-25T02:30", "2026-10-25T02:30", "2026-10-25T00:30Z", "2026-10-25T01:30:01Z"),
        (
            "Europe/Paris",
            "2026-10-25T02:30Z",
            "2026-10-25T02:30Z",
            "2026-10-25T02:30Z",
            "2026-10-25T02:30:01Z",
        ),
        ("<-03>3", "2026-03-29", "2026-03-29", "2026-03-29T03:00Z", "2026-03-30T03:00Z"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04", "2018-11-04T03:00Z", "2018-11-05T02:00Z"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30", "2011-12-30T10:00Z", "2011-12-31T10:00Z"),
    ],
)
def test_dates_of_a_period_are_those_of_its_zone(
    zone: str, start: str, end: str, since: str, until: str
) -> None:
    found = read_zone(zone)
    assert found is not None
    assert period(start, end, found) == tuple(
        micros_of(datetime.fromisoformat(each)) for each in (since, until)
    )


def test_a_day_begins_and_ends_at_the_midnights_of_its_zone() -> None:
    day = Clock(NOON, ZoneInfo("America/New_York")).day()
    assert day == (NOON - DAY // 2 + 5 * 3600 * MICROS, NOON + DAY // 2 + 5 * 3600 * MICROS)


def test_a_day_on_which_clocks_change_is_shorter_or_longer() -> None:
    spring = Clock(micros_of(datetime(2026, 3, 29, 12, tzinfo=UTC)), ZoneInfo("Europe/Paris")).day()
    autumn = Clock(micros_of(datetime(2026, 10, 25, 12, tzinfo=UTC)), ZoneInfo("Europe/Paris")).day()
    assert spring.high - spring.low == 23 * 3600 * MICROS
    assert autumn.high - autumn.low == 25 * 3600 * MICROS
