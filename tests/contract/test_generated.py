"""What is committed is what the protos generate, and the protos follow the rules of buf."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mode", ["--check", "--lint"])
def test_generator_finds_nothing_to_say(mode: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tools.generate", mode],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
