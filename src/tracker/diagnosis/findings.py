"""What a check finds, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from tracker.number_text import number_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

SOON = timedelta(days=30)
"""How long before the end of a certificate or a token there is a warning."""
LATE = timedelta(days=7)
"""How long before the end of a certificate the check fails."""


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    SKIPPED = "skipped"
    """It was not made: what it needs is missing, such as a permission."""
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check: what was found, and in one sentence what to do.

    `names` are those of the records that it is about, which may be those of persons.
    """

    check: str
    status: Status
    found: str
    advice: str = ""
    names: Sequence[str] = ()


def ok(check: str, found: str) -> Finding:
    """Return a finding that needs nothing."""
    return Finding(check, Status.OK, found)


def skipped(check: str, found: str, advice: str = "") -> Finding:
    """Return why a check was not made."""
    return Finding(check, Status.SKIPPED, found, advice)


def warning(check: str, found: str, advice: str, names: Sequence[str] = ()) -> Finding:
    """Return what needs attention."""
    return Finding(check, Status.WARNING, found, advice, names)


def failed(check: str, found: str, advice: str, names: Sequence[str] = ()) -> Finding:
    """Return what is broken."""
    return Finding(check, Status.FAILED, found, advice, names)


def size(number: float) -> str:
    """Return a number of bytes as people read it, such as `1.5 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1_024:  # noqa: PLR2004 - what a unit is of the one before it
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1_024
    return f"{number:.1f} TiB"


def days(length: timedelta) -> str:
    """Return a length of time in days, or in hours where it is short."""
    hours = max(0, round(length.total_seconds() / 3_600))
    return number_of(hours, "hour") if hours < 48 else number_of(hours // 24, "day")  # noqa: PLR2004 - two days


def date(moment: datetime) -> str:
    """Return a moment as a date and a time in UTC."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"
