"""Clients in JavaScript, installed from their lock files the first time that a test needs them."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path


def installed(folder: Path) -> Path:
    """Return a folder with what its programs need; without npm or packages, the test is skipped."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip(f"NODE AND NPM ARE MISSING: the clients in {folder.name} are not tried")
    lock, done = folder / "package-lock.json", folder / "node_modules" / ".package-lock.json"
    with (folder / "package.json").open() as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)  # other processes run tests too
        if not done.exists() or done.stat().st_mtime < lock.stat().st_mtime:
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            run = subprocess.run(command, cwd=folder, check=False, capture_output=True, timeout=PATIENCE)
            if run.returncode:
                pytest.skip(f"NPM CAN'T INSTALL {folder.name}: {run.stderr.decode()[-300:]}")
            done.touch()
    return folder
