"""Times as people write them, whatever the command."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
import typer
from protobuf.wkt import Timestamp

from tracker.cli.local_time import local_zone
from tracker.cli.main import app
from tracker.cli.printing import shown_time
from tracker.cli.time_options import read_moment
from tracker.time_text import read_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def options(command: Any = None, *path: str) -> Iterator[tuple[str, Any]]:
    """Give each option that takes a time, with its command."""
    command = command or app
    for parameter in command.params:
        if parameter.metavar == "TIME":
            yield " ".join([*path, *parameter.opts]), (command, parameter)
    for name, below in getattr(command, "commands", {}).items():
        yield from options(below, *path, name)


OPTIONS = dict(options())


def read(name: str, text: str) -> datetime:
    """Return the moment that an option takes a text for."""
    command, option = OPTIONS[name]
    moment = option.process_value(command.make_context(None, [], resilient_parsing=True), text)
    assert isinstance(moment, datetime)
    return moment


@pytest.mark.parametrize("name", OPTIONS)
def test_every_time_is_taken_as_people_write_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    for text, hour, minute in (("2026-01-31T12:30", 7, 0), ("2026-01-31T12:30Z", 12, 30)):
        # The end of a period may be the last second of that minute.
        assert read(name, text).replace(second=0) == datetime(2026, 1, 31, hour, minute, tzinfo=UTC)
    now, second = datetime.now(UTC), timedelta(seconds=30)
    assert abs(read(name, "2h") - (now - timedelta(hours=2))) < second
    assert abs(read(name, "+2h") - (now + timedelta(hours=2))) < second
    assert now - timedelta(days=2) <= read(name, "yesterday") <= now
    with pytest.raises(typer.BadParameter, match="expected a time such as 2h"):
        read(name, "soon")


def copied(folder: Path) -> str:
    """Return a file with the rules of a zone and a name that doesn't tell which."""
    file = folder / "localtime"
    file.write_bytes(files("tzdata.zoneinfo.America").joinpath("Sao_Paulo").read_bytes())
    return str(file)


@pytest.mark.parametrize(
    ("zone", "times", "key"),
    [
        ("Europe/Paris", ("2026-07-01T12:00", "2026-07-01T10:00Z"), "Europe/Paris"),
        (":Europe/Paris", ("2026-07-01T12:00", "2026-07-01T10:00Z"), "Europe/Paris"),
        ("/usr/share/zoneinfo/Europe/Paris", ("2026-01-01T12:00", "2026-01-01T11:00Z"), "Europe/Paris"),
        ("<-03>3", ("2026-07-01T12:00", "2026-07-01T15:00Z"), "<-03>3"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", ("2026-07-01T12:00", "2026-07-01T10:00Z"), ""),
        (copied, ("2018-12-01T12:00", "2018-12-01T14:00Z"), ""),
        ("", ("2026-07-01T12:00", "2026-07-01T12:00Z"), "UTC"),
        ("Mars/Olympus", ("2026-07-01T12:00", "2026-07-01T12:00Z"), "UTC"),
    ],
)
def test_times_are_read_and_shown_in_the_zone_of_this_machine_in_whatever_form_it_has_it(
    zone: str | Callable[[Path], str],
    times: tuple[str, str],
    key: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", zone if isinstance(zone, str) else zone(tmp_path))
    local, moment = times[0], datetime.fromisoformat(times[1])
    assert read_moment(local) == moment
    assert shown_time(Timestamp.from_datetime(moment)).startswith(local.replace("T", " "))
    assert local_zone().key.startswith(key)
    assert read_zone(local_zone().key) is not None


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_the_first_and_the_last_moment_of_the_calendar_are_shown(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    assert read_moment("0001-01-01") >= datetime.min.replace(tzinfo=UTC)
    first = Timestamp(seconds=-62_135_596_800)
    assert shown_time(first).endswith("(0001-01-01T00:00:00Z)")
    last = Timestamp(seconds=253_402_300_799, nanos=999_999_999)
    assert shown_time(last).endswith("(9999-12-31T23:59:59.999999Z)")
