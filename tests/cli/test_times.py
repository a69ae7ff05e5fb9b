"""Times as people write them, whatever the command."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.main import get_command

from tracker.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator


def options(command: Any = None, *path: str) -> Iterator[tuple[str, Any]]:
    """Give each option that takes a time, with its command."""
    command = command or get_command(app)
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
