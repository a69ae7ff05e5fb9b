"""Times as people write them: `2h` ago, `+2h`, `today`, `2026-01-31T12:30`."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer

if TYPE_CHECKING:
    from tracker.domain.query.moments import Stretch

_LOCAL = Path("/etc/localtime")


def moment_option(text: str) -> datetime:
    """Return the moment that an option says, in the time zone of this machine where it names none."""
    return datetime.fromtimestamp(_stretch(text).low / 1_000_000, UTC)


def end_option(text: str) -> datetime:
    """Return the last moment of what an option says: a day ends before midnight."""
    return datetime.fromtimestamp((_stretch(text).high - 1) // 1_000_000, UTC)


def _stretch(text: str) -> Stretch:
    from tracker.domain.query.moments import Clock

    found = Clock(time.time_ns() // 1_000, ZoneInfo(local_zone_name())).read(text)
    if found is None:
        expected = "a time such as 2h (ago), +2h, today, 2026-01-31 or 2026-01-31T12:30"
        raise typer.BadParameter(f"expected {expected}, got {text!r}")
    return found


def local_zone_name() -> str:
    """Return the name of the time zone of this machine: what `TZ` says, else the system's, else UTC."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if not name and _LOCAL.is_symlink():
        _, _, name = str(_LOCAL.resolve()).partition("/zoneinfo/")
    try:
        return ZoneInfo(name).key
    except (OSError, ValueError, KeyError):
        return "UTC"
