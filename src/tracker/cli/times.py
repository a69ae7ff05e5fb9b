"""Options that take durations and times."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer

from tracker.time_text import DURATION, Clock, hint, read_timedelta

if TYPE_CHECKING:
    from datetime import timedelta

    from tracker.time_text import Interval

_LOCAL = Path("/etc/localtime")


def duration_option(help_: str) -> object:
    """Return an option that takes a duration."""
    return typer.Option(parser=_duration, metavar="DURATION", help=help_)


def moment_option(text: str) -> datetime:
    """Return the moment that an option names, in the time zone of this machine unless it names one."""
    return datetime.fromtimestamp(_interval(text).low / 1_000_000, UTC)


def end_option(text: str) -> datetime:
    """Return the last second of the time that an option names: a day ends before midnight."""
    return datetime.fromtimestamp((_interval(text).high - 1) // 1_000_000, UTC)


def local_zone_name() -> str:
    """Return the name of the time zone of this machine: from `TZ`, else the system's, else UTC."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if not name and _LOCAL.is_symlink():
        _, _, name = str(_LOCAL.resolve()).partition("/zoneinfo/")
    try:
        return ZoneInfo(name).key
    except (OSError, ValueError, KeyError):
        return "UTC"


def _duration(text: str) -> timedelta:
    found = read_timedelta(text.strip())
    if found is None:
        raise typer.BadParameter(f"expected {DURATION}, got {text!r}{hint(text)}")
    return found


def _interval(text: str) -> Interval:
    found = Clock(time.time_ns() // 1_000, ZoneInfo(local_zone_name())).read(text)
    if found is None:
        expected = "a time such as 2h (ago), +2h, today, 2026-01-31 or 2026-01-31T12:30"
        raise typer.BadParameter(f"expected {expected}, got {text!r}{hint(text)}")
    return found
