"""`tracker demo`."""

from __future__ import annotations

import json
import re
import shlex
import signal
from typing import TYPE_CHECKING

from tests.cli.commands import at, start, tracker
from tests.patience import PATIENCE
from tests.server_process import ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

UNTIL = ("--until", "2026-06-01T00:00Z")


def test_a_store_is_filled_and_served(tmp_path: Path) -> None:
    file = tmp_path / "demo.db"
    done = tracker("demo", str(file), "--events", "1500", *UNTIL)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{file} has 1,500 events now")
    with ServerProcess(file) as server:
        answer = json.loads(tracker("stats", "--by", "type", "--output", "json", environ=at(server)).stdout)
    assert answer["totalCount"] == 1_500
    again = tracker("demo", str(file), "--events", "10", *UNTIL)
    assert again.returncode == 1
    assert "only a store that is empty can be filled" in again.stderr


def test_one_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "demo.db"
    arguments = ("demo", str(file), "--events", "20000", *UNTIL)
    with start(*arguments) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("events: 0 of 20,000")
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    command = re.search(r"interrupted; run (tracker demo .*) again to continue", told)
    assert command is not None, told
    refused = tracker("demo", str(file), "--events", "10", *UNTIL)
    assert refused.returncode == 1
    assert "it is not filled to its end, from tracker demo --events 20000" in refused.stderr
    done = tracker(*shlex.split(command[1])[1:])
    assert done.returncode == 0, done.stderr
    assert "has 20,000 events now" in done.stdout
