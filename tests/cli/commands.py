"""Runs the command `tracker` as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tracker.config import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_OURS = {setting.variable for setting in SETTINGS.values()} | {"TRACKER_CONFIG"}
CLEAN = {
    name: value for name, value in os.environ.items() if name not in _OURS and not name.startswith("DB_")
}
"""The environment of this process without what would set a server up."""


def tracker(
    *arguments: str, environ: Mapping[str, str] | None = None, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `tracker` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "tracker", *arguments],
        env=CLEAN | dict(environ or {}),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
