"""Durations and times mean the same in queries, requests, options, settings and files."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
import typer

from tracker.cli.main import app
from tracker.cli.time_options import read_moment
from tracker.config import ConfigurationError, load
from tracker.domain.query.lexer import QueryError
from tracker.domain.query.text import parse
from tracker.domain.query.tree import Range, Term
from tracker.domain.times import micros as micros_in
from tracker.domain.times import period, read_interval
from tracker.errors import TrackerError
from tracker.pb import event_pb, lock_pb
from tracker.time_text import MICROS, Clock, datetime_of, micros_of, read_date, read_zone
from tracker.transcoding.json_request import make_message, normalise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

DAY = 86_400
MONTHS = "months have no fixed length: write 30d, and m for minutes"
UNITS = "units are us, ms, s, m, h, d, w"

SPELLINGS = [
    ("90s", 90.0),
    ("1.5s", 1.5),
    ("250ms", 0.25),
    ("500000us", 0.5),
    ("5m", 300.0),
    ("1h30m", 5_400.0),
    ("30m1h", 5_400.0),
    ("1.5h", 5_400.0),
    ("2H", 7_200.0),
    ("1d12h", 1.5 * DAY),
    ("1w", 7.0 * DAY),
    ("1W", 7.0 * DAY),
]
REFUSED = [
    ("1M", MONTHS),
    ("1h1M", MONTHS),
    ("1Ms", UNITS),
    ("1mo", MONTHS),
    ("2months", MONTHS),
    ("5min", UNITS),
    ("1y", UNITS),
    ("soon", ""),
    ("1h-5m", ""),
]


def in_query(text: str) -> float:
    node = parse(f"duration:>={text}", Clock(0, ZoneInfo("UTC")))
    assert isinstance(node, Term)
    (test,) = node.tests
    assert isinstance(test, Range)
    assert test.low is not None
    return test.low / MICROS


def in_option(text: str) -> float:
    command: Any = app
    for name in ("lock", "acquire"):
        command = command.commands[name]
    option = next(each for each in command.params if "--ttl" in each.opts)
    duration = option.process_value(command.make_context(None, [], resilient_parsing=True), text)
    assert isinstance(duration, timedelta)
    return duration.total_seconds()


def in_variable(text: str) -> float:
    return load(flags={}, environ={"LOCKS_AUTO_TTL": text}).settings.locks_auto_ttl


@pytest.fixture
def in_file(tmp_path: Path) -> Callable[[str], float]:
    def read(text: str) -> float:
        file = tmp_path / "tracker.toml"
        file.write_text(f'locks_auto_ttl = "{text}"')
        return load(flags={}, environ={}, file=file).settings.locks_auto_ttl

    return read


@pytest.mark.parametrize(("text", "seconds"), SPELLINGS)
def test_a_duration_means_the_same_everywhere(
    text: str, seconds: float, in_file: Callable[[str], float]
) -> None:
    assert [read(text) for read in (in_query, in_option, in_variable, in_file)] == [seconds] * 4


@pytest.mark.parametrize(("text", "hint"), REFUSED)
def test_an_unknown_unit_is_refused_everywhere_with_what_to_write(
    text: str, hint: str, in_file: Callable[[str], float]
) -> None:
    for read, error in (
        (in_query, QueryError),
        (in_option, typer.BadParameter),
        (in_variable, ConfigurationError),
        (in_file, ConfigurationError),
    ):
        with pytest.raises(error) as refused:
            read(text)
        assert str(refused.value).endswith(hint)


@pytest.mark.parametrize("text", ["30", "1.5", "0", "1e2"])
def test_a_setting_takes_bare_seconds(text: str, in_file: Callable[[str], float]) -> None:
    assert in_variable(text) == in_file(text) == float(text)


def test_an_option_takes_bare_seconds() -> None:
    assert (in_option("30"), in_option("1.5"), in_option("1m30")) == (30, 1.5, 90)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("today", "2026-03-29T22:00:00"),
        ("today-1d", "2026-03-28T23:00:00"),
        ("today-1w", "2026-03-22T23:00:00"),
        ("tomorrow-2D", "2026-03-28T23:00:00"),
        ("today-1d12h", "2026-03-28T11:00:00"),
        ("yesterday+1d", "2026-03-29T22:00:00"),
        ("today-24h", "2026-03-28T22:00:00"),
        ("today-1.0d", "2026-03-28T22:00:00"),
        ("1d", "2026-03-29T10:00:00"),
    ],
)
def test_days_counted_from_a_day_are_those_of_the_calendar(text: str, moment: str) -> None:
    noon_after_clocks_changed = micros_of(datetime(2026, 3, 30, 10, tzinfo=UTC))
    found = Clock(noon_after_clocks_changed, ZoneInfo("Europe/Paris")).read(text)
    assert found is not None
    assert datetime_of(found.low).isoformat() == f"{moment}+00:00"


@pytest.mark.parametrize("text", ["1M", "-1M", "+1M", "today-1M"])
def test_a_time_takes_no_months_for_minutes(text: str) -> None:
    with pytest.raises(QueryError, match=MONTHS):
        parse(f"since:{text}", Clock(0, ZoneInfo("UTC")))


def test_an_interval_takes_no_months_for_minutes() -> None:
    assert read_interval("1M") is None
    assert [getattr(read_interval(each), "name", None) for each in ("1m", "1mo", "1h30m")] == [
        "1m",
        "month",
        "1h30m",
    ]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T12:30:00.25Z", datetime(2026, 1, 31, 12, 30, 0, 250_000, UTC)),
        ("2026-01-31T12:30:00,123456789Z", datetime(2026, 1, 31, 12, 30, 0, 123_456, UTC)),
        ("2026-01-31 14:30+0200", datetime(2026, 1, 31, 12, 30, tzinfo=UTC)),
        ("2026-01-31T12:30", datetime(2026, 1, 31, 12, 30, tzinfo=UTC)),
        ("2026-01", datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_date_means_the_same_in_a_query_and_in_a_request(text: str, moment: datetime) -> None:
    found = Clock(0, ZoneInfo("UTC")).read(text)
    assert found is not None
    assert found.low == micros_of(moment)
    assert period(text, "")[0] == micros_of(moment.replace(microsecond=0))


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Europe/Paris", "2026-03-29"),
        ("Europe/Paris", "2026-10-25"),
        ("Australia/Lord_Howe", "2026-04-05"),
        ("Australia/Lord_Howe", "2026-10-04"),
        ("America/Sao_Paulo", "2018-02-18"),
        ("America/Sao_Paulo", "2018-11-04"),
        ("America/St_Johns", "2010-11-07"),
        ("America/Havana", "2026-11-01"),
        ("Pacific/Apia", "2011-12-30"),
    ],
)
def test_a_date_is_all_moments_at_which_clocks_show_it(zone: str, day: str) -> None:
    local, first = ZoneInfo(zone), micros_of(datetime.fromisoformat(f"{day}T00:00Z")) // MICROS - 2 * DAY
    for form, step in (("%Y-%m-%d", 60), ("%Y-%m-%dT%H", 60), ("%Y-%m-%dT%H:%M", 60)):
        shown = defaultdict(list)
        for second in range(first, first + 4 * DAY, step):
            shown[datetime.fromtimestamp(second, local).strftime(form)].append(second)
        for text, seconds in [*shown.items()][1:-1]:
            found = read_date(text, local)
            assert found is not None
            assert found.interval == (seconds[0] * MICROS, (seconds[-1] + step) * MICROS), text


@pytest.mark.parametrize(
    ("text", "winter", "summer"),
    [
        ("Europe/Paris", 1, 2),
        ("<-03>3", -3, -3),
        ("<+0330>-3:30", 3.5, 3.5),
        ("JST-9", 9, 9),
        ("EST5EDT", -5, -4),
        ("CET-1CEST,M3.5.0,M10.5.0/3", 1, 2),
        ("CET-1CEST", 1, 2),
        ("UTC0", 0, 0),
    ],
)
def test_a_zone_is_a_name_or_has_the_form_of_posix(text: str, winter: float, summer: float) -> None:
    zone = read_zone(text)
    assert zone is not None
    assert zone.key == text
    found = (datetime(2026, month, 15, tzinfo=zone).utcoffset() for month in (1, 7))
    assert [*found] == [timedelta(hours=winter), timedelta(hours=summer)]


@pytest.mark.parametrize(
    "text", ["", "Mars/Olympus", "America", "/etc/localtime", "A1", "CET-1CEST,M3", "CET-99", "\0"]
)
def test_what_names_no_zone_is_none(text: str) -> None:
    assert read_zone(text) is None


@pytest.mark.parametrize("decimals", range(1, 11))
def test_a_second_has_as_many_decimals_wherever_it_is_written(decimals: int) -> None:
    text = f"2026-01-31T12:30:00.{'1234567891'[:decimals]}Z"
    second = micros_of(datetime(2026, 1, 31, 12, 30, tzinfo=UTC))
    micros = second + int("1234567891"[: min(decimals, 6)].ljust(6, "0"))

    def in_body() -> int:
        fields, _ = normalise(event_pb.EventAttributes.desc(), {"startDate": text})
        made = make_message(event_pb.EventAttributes, fields)
        assert isinstance(made, event_pb.EventAttributes)
        assert made.start_date is not None
        return micros_in(made.start_date)

    def in_time_query() -> int:
        node = parse(f"start:>={text}", Clock(0, ZoneInfo("UTC")))
        assert isinstance(node, Term)
        (test,) = node.tests
        assert isinstance(test, Range)
        assert test.low is not None
        return test.low

    read: Sequence[tuple[Callable[[], int | None], int, type[Exception]]] = (
        (in_body, micros, TrackerError),
        (in_time_query, micros, QueryError),
        (lambda: micros_of(read_moment(text)), micros, typer.BadParameter),
        (lambda: period(text, "")[0], second, TrackerError),
    )
    for read_one, wanted, error in read:
        if decimals <= 9:
            assert read_one() == wanted
        else:
            with pytest.raises(error):
                read_one()


@pytest.mark.parametrize(("text", "seconds"), SPELLINGS)
def test_a_duration_in_a_body_has_the_same_units(text: str, seconds: float) -> None:
    fields, _ = normalise(lock_pb.CreateLockRequest.desc(), {"ttl": text})
    made = make_message(lock_pb.CreateLockRequest, fields)
    assert isinstance(made, lock_pb.CreateLockRequest)
    assert made.ttl is not None
    assert made.ttl.to_timedelta().total_seconds() == seconds


@pytest.mark.parametrize(("text", "hint"), REFUSED)
def test_a_duration_in_a_body_is_refused_with_what_to_write(text: str, hint: str) -> None:
    with pytest.raises(TrackerError, match=f"expected a duration in seconds.*{hint}"):
        make_message(lock_pb.CreateLockRequest, normalise(lock_pb.CreateLockRequest.desc(), {"ttl": text})[0])
