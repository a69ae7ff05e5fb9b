from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

TESTS = """
import asyncio
import time

import pytest


@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session", autouse=True)
async def one_event_loop(anyio_backend):
    pass


@pytest.mark.timeout(1)
async def test_waits():
    await asyncio.Event().wait()


async def test_after_it():
    await asyncio.sleep(0)


@pytest.mark.timeout(1)
async def test_blocks():
    time.sleep(600)


async def test_after_that():
    await asyncio.sleep(0)
"""


def test_a_test_that_takes_too_long_fails_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "test_slow.py").write_text(TESTS)
    plugins = ("tests.timeouts", "anyio.pytest_plugin", "pytest_timeout", "xdist.plugin")
    named = [argument for name in plugins for argument in ("-p", name)]
    options = (*named, "-o", "anyio_mode=auto", "--timeout", "200", "-n", "1", "-rA")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-c", "/dev/null", "--rootdir", tmp_path, tmp_path],
        cwd=Path(__file__).parents[1],
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    outcomes = {
        name: outcome
        for outcome, name in re.findall(r"^(PASSED|FAILED) \S*::(\w+)", done.stdout, re.MULTILINE)
    }
    assert outcomes == {
        "test_waits": "FAILED",
        "test_after_it": "PASSED",
        "test_blocks": "FAILED",
        "test_after_that": "PASSED",
    }, done.stdout + done.stderr
