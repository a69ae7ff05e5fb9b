"""Keeps the files of tests in memory, where there is room: a test waits for the disk for most of its time.

They are removed at the end. `--basetemp` keeps them, and `make soak` has them on the disk.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.soak import size

if TYPE_CHECKING:
    import pytest

_MEMORY: Final = Path("/dev/shm")
_ROOM: Final = size(6, soak=1_000_000) * 2**30
_ROOT: Final = "PYTEST_DEBUG_TEMPROOT"


def pytest_configure(config: pytest.Config) -> None:
    has_room = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _ROOM
    if has_room and _ROOT not in os.environ and not config.option.basetemp:
        os.environ[_ROOT] = root = tempfile.mkdtemp(prefix="tracker-tests-", dir=_MEMORY)
        config.add_cleanup(partial(shutil.rmtree, root, ignore_errors=True))
