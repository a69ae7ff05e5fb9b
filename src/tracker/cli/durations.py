"""Durations as people write them: `30s`, `5m`, `1h30m`."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_WRITTEN = re.compile(r"(?:(?P<d>\d+)d)?(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m)?(?:(?P<s>\d+(?:\.\d+)?)s?)?")


def duration(text: str) -> timedelta:
    """Return the duration that a text says; a number alone counts seconds.

    Raises:
        ValueError: It is no duration.
    """
    found = _WRITTEN.fullmatch(text.strip())
    if found is None or not found[0]:
        raise ValueError(f"expected a duration such as 30s, 5m or 1h30m, got {text!r}")
    try:
        return timedelta(seconds=sum(float(found[unit] or 0) * each for unit, each in _UNITS.items()))
    except OverflowError:
        raise ValueError(f"{text!r} is longer than can be counted") from None


def written(value: timedelta) -> str:
    """Return a duration as people write it, in whole seconds from ten seconds on."""
    seconds = value.total_seconds()
    if seconds < 10:  # noqa: PLR2004  # two digits are enough
        return f"{round(seconds, 1):g}s"
    parts, rest = [], round(seconds)
    for unit, each in _UNITS.items():
        number, rest = divmod(rest, each)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts)
