"""The time zone of this machine, as the C library finds it."""

from __future__ import annotations

import filecmp
import os
from functools import cache
from io import BytesIO
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

from tracker.time_text import read_zone

_LOCALTIME = Path("/etc/localtime")
_FOLDER = "/usr/share/zoneinfo"


def local_zone() -> ZoneInfo:
    """Return the time zone of this machine; its key is the name of it that a server knows."""
    return _zone(os.environ.get("TZ"), os.environ.get("TZDIR", _FOLDER))


@cache
def _zone(variable: str | None, folder: str) -> ZoneInfo:
    """Return the zone of the variable `TZ`: a name, a POSIX zone or a file; else that of the system."""
    if variable is None:
        return _zone_of(_LOCALTIME)
    text = variable.removeprefix(":")
    return read_zone(text) or _zone_of(Path(folder, text))


def _zone_of(file: Path) -> ZoneInfo:
    """Return the zone of a file, UTC if it has none."""
    _, _, name = str(file.resolve()).partition("/zoneinfo/")
    if named := read_zone(name):
        return named
    try:
        content = file.read_bytes()
        return ZoneInfo.from_file(BytesIO(content), key=_key(file, content))
    except (OSError, ValueError):
        return ZoneInfo("UTC")


def _key(file: Path, content: bytes) -> str:
    """Return the name of the zone with the same file, else the POSIX zone at the end of the file."""
    for folder in TZPATH:
        for each in sorted(Path(folder).rglob("[A-Z]*")):
            if each.is_file() and filecmp.cmp(each, file, shallow=False):
                return str(each.relative_to(folder))
    return content.rpartition(b"\n")[0].rpartition(b"\n")[2].decode()
