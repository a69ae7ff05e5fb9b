"""Options for times and durations, and their values as requests have them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

from tracker.cli.local_time import local_zone
from tracker.time_text import DURATION, Clock, Interval, datetime_of, hint, read_timedelta

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from protobuf.wkt import Duration, Timestamp


def duration_option(help_: str) -> object:
    """Return an option that takes a duration."""
    return typer.Option(parser=_duration, metavar="DURATION", help=help_)


def moment_option(help_: str, *names: str) -> object:
    """Return an option that takes a time, in the time zone of this machine unless it names one."""
    return typer.Option(*names, parser=read_moment, metavar="TIME", help=help_)


def end_option(help_: str) -> object:
    """Return an option that takes the end of a time, to the second: a day ends before midnight."""
    return typer.Option(parser=_end, metavar="TIME", help=help_)


def timestamp(moment: datetime | None) -> Timestamp | None:
    """Return the time of an option as requests have it."""
    from protobuf.wkt import Timestamp

    return None if moment is None else Timestamp.from_datetime(moment)


def duration(length: timedelta | None) -> Duration | None:
    """Return the duration of an option as requests have it."""
    from protobuf.wkt import Duration

    return None if length is None else Duration.from_timedelta(length)


def read_moment(text: str) -> datetime:
    """Return the beginning of the time that a text names."""
    return datetime_of(_interval(text).low)


def _end(text: str) -> datetime:
    return datetime_of(_interval(text).high - 1).replace(microsecond=0)


def _duration(text: str) -> timedelta:
    found = read_timedelta(text.strip())
    if found is None:
        raise typer.BadParameter(f"expected {DURATION}, got {text!r}{hint(text)}")
    return found


def _interval(text: str) -> Interval:
    found = Clock(time.time_ns() // 1_000, local_zone()).read(text)
    if found is None:
        expected = "a time such as 2h (ago), +2h, today, 2026-01-31 or 2026-01-31T12:30"
        raise typer.BadParameter(f"expected {expected}, got {text!r}{hint(text)}")
    return found
