"""A mounted `forgetful_fs`, for tests."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Self

import pytest
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path


def require_fuse() -> None:
    """Skip the test, saying why, where a program can't mount a file system of its own."""
    missing = [
        what
        for what, there in (
            ("/dev/fuse", os.access("/dev/fuse", os.R_OK | os.W_OK)),
            ("the program fusermount3 (package fuse3)", shutil.which("fusermount3")),
            ("the Python package mfusepy", importlib.util.find_spec("mfusepy")),
        )
        if not there
    ]
    if missing:
        pytest.skip(f"NOT TESTED: power cuts and failing disks; this machine lacks {', '.join(missing)}")


class ForgetfulFileSystem:
    """A directory on a file system that obeys; unmounted at the end of the `with` block."""

    def __init__(self, directory: Path) -> None:
        require_fuse()
        self.path = directory

    def __enter__(self) -> Self:
        self.path.mkdir()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.forgetful_fs", str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + PATIENCE
        while not self.path.is_mount():
            assert self._process.poll() is None, "the file system ended"
            assert time.monotonic() < deadline, "the file system did not mount"
            time.sleep(0.01)  # between two polls
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["fusermount3", "-u", "-z", str(self.path)], check=False, timeout=PATIENCE)
        self._process.kill()
        self._process.communicate()

    def cut(self, survivors: Path, seed: int | None = None) -> None:
        """Cut the power; write to a directory what a disk would still have."""
        survivors.mkdir()
        self._tell(f"cut {survivors} {'' if seed is None else seed}")

    def fail(self, call: str, error: str) -> None:
        """Let every `write` or `fsync` fail."""
        self._tell(f"fail {call} {error}")

    def heal(self) -> None:
        """Let all calls work again."""
        self._tell("heal")

    def _tell(self, command: str) -> None:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{command}\n")
        stdin.flush()
        assert stdout.readline() == "ok\n"
