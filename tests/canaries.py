"""Secrets that tests give to servers, by a mark that nothing may have that a server writes."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = "canary7c1d"
"""What all of them have."""


def canary(name: str) -> str:
    """Return a secret."""
    return f"{MARK} {name}"


def files_with_secrets(folder: Path) -> list[str]:
    """Return the files below a folder that have a secret, in stores, logs or anything else."""
    return [str(file) for file in _files(folder) if _has_secret(file)]


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith("mongo")]  # which are compressed
        for name in names:
            yield Path(parent, name)


def _has_secret(file: Path) -> bool:
    if not file.is_file() or file.is_symlink() or not file.stat().st_size:
        return False
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(MARK.encode()) >= 0
