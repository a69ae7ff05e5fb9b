"""`tracker stats`."""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING

import pytest
from tests.cli.commands import at, on_terminal, tracker
from tests.server_process import ServerProcess

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Give a server with three deployments of March 2026."""
    with ServerProcess(tmp_path_factory.mktemp("stats") / "tracker.db") as server:
        for service, status, start in (
            ("cart", "success", "2026-03-02T08:30Z"),
            ("cart", "failure", "2026-03-02T09:30Z"),
            ("shop", "success", "2026-03-04T09:30Z"),
        ):
            options = ("--service", service, "--type", "deployment", "--status", status, "--start", start)
            assert tracker("event", "create", "Deploy", *options, environ=at(server)).returncode == 0
        yield server


def run(server: ServerProcess, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = tracker("stats", *arguments, environ=at(server) | {"TZ": "UTC"})
    assert done.returncode == code, done.stderr
    return done


def test_events_are_counted_by_value(filled: ServerProcess) -> None:
    lines = run(filled).stdout.splitlines()
    assert lines[:5] == ["3 events", "", "status   events", "success       2", "failure       1"]
    assert "environment  events" in lines
    assert "(none)            3" in lines
    lines = run(filled, "service:cart", "status:failure", "--by", "service").stdout.splitlines()
    assert lines == ["1 event", "", "service  events", "cart          1"]
    assert (
        run(filled, "--query", "service:cart status:failure", "--by", "service").stdout.splitlines() == lines
    )
    assert "(others)       1" in run(filled, "--by", "service", "-n", "1").stdout


def test_events_are_counted_over_time(filled: ServerProcess) -> None:
    query = ("since:2026-03-02", "before:2026-03-05", "--every", "day")
    rows = list(csv.reader(run(filled, *query, "--by", "status", "--output", "csv").stdout.splitlines()))
    assert rows == [
        ["time", "events", "success", "failure"],
        ["2026-03-02 00:00:00+00:00", "2", "1", "1"],
        ["2026-03-03 00:00:00+00:00", "0", "0", "0"],
        ["2026-03-04 00:00:00+00:00", "1", "1", "0"],
    ]
    answer = json.loads(run(filled, *query[:2], "--every", "auto", "--output", "json").stdout)
    assert (answer["totalCount"], answer["interval"], answer["timeZone"]) == (3, "1h", "UTC")


def test_counts_are_explained(filled: ServerProcess) -> None:
    told = run(filled, "service:cart", "--by", "owner", "--explain").stdout.splitlines()
    assert told[:3] == ["query     service:cart", "events    2", "searched  0 documents"]
    assert told[4].startswith("- owner: scan events_by_service")
    over_time = ("since:2026-03-02", "before:2026-03-05", "--every", "day", "--explain")
    plan = json.loads(run(filled, *over_time, "--output", "json").stdout)
    assert plan["steps"][-1].startswith("intervals: ")
    rows = run(filled, *over_time, "--output", "csv").stdout.splitlines()
    assert rows[0] == "step"
    assert [step for (step,) in csv.reader(rows[1:])] == plan["steps"]


def test_a_terminal_has_bars_and_a_pipe_has_none(filled: ServerProcess) -> None:
    shown = on_terminal("stats", "--by", "status", columns=80, environ=at(filled))
    bars = [line.count("\N{FULL BLOCK}") for line in shown.splitlines()]
    assert sorted(bars)[-2:] == [15, 30]
    assert "\N{FULL BLOCK}" not in run(filled).stdout
    narrow = on_terminal("stats", "--by", "status", columns=25, environ=at(filled))
    assert max(len(re.sub(r"\x1b\[[\d;]*m", "", line)) for line in narrow.splitlines()) <= 25


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--by", "title"), "expected a field to count by"),
        (("--every", "7m"), "interval"),
        (("--every", "day", "--by", "status", "--by", "type"), "one field at most"),
        (("--limit", "0"), "--limit"),
        (("statsu:failure",), "did you mean status?"),
        (("--nonsense",), "--nonsense"),
    ],
)
def test_what_is_wrong_is_told_in_words(filled: ServerProcess, arguments: tuple[str, ...], told: str) -> None:
    assert told in run(filled, *arguments, code=64).stderr
