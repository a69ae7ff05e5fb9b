"""Keeps the files of tests in memory, where there is room for them: a test waits for the disk most of its time.

`make soak` has them on the disk, and so has `--basetemp`, which also keeps them for who looks for the cause of a
failure.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.soak import size

_MEMORY = Path("/dev/shm")
_ROOM = size(6, soak=1_000) * 2**30


def pytest_configure() -> None:
    if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))
