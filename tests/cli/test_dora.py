"""`tracker dora`."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from tests.cli.commands import at, tracker

from tracker.cli.exits import USAGE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server_process import ServerProcess

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
PERIOD = ("--since", "2026-03-02", "--until", "2026-03-15")


def git(folder: Path, *arguments: str, made: str = "2026-03-01T00:00:00Z") -> str:
    who = {f"GIT_{role}_{name}": "x" for role in ("AUTHOR", "COMMITTER") for name in ("NAME", "EMAIL")}
    dates = {"GIT_AUTHOR_DATE": made, "GIT_COMMITTER_DATE": made}
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(
        command, env={**os.environ, **who, **dates}, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def committed(folder: Path, made: str) -> str:
    git(folder, "commit", "--allow-empty", "-m", "x", made=made)
    return git(folder, "rev-parse", "HEAD")


def dora(server: ServerProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = tracker("dora", *PERIOD, *arguments, environ=at(server) | {"TZ": "UTC"})
    assert done.returncode == 0, done.stderr
    return done


def test_commits_between_deployments_are_those_of_a_repository(server: ServerProcess, tmp_path: Path) -> None:
    git(tmp_path, "init", "-b", "main")
    first = committed(tmp_path, "2026-03-01T00:00:00Z")
    committed(tmp_path, "2026-03-04T06:00:00Z")
    second = committed(tmp_path, "2026-03-04T08:00:00Z")
    for sha, day in ((first, "03"), (second, "04")):
        when = f"2026-03-{day}T10:00:00Z"
        attributes = {
            "service": "git",
            "environment": "production",
            "type": "deployment",
            "status": "success",
        }
        event = {
            "title": sha,
            "attributes": {**attributes, "startDate": when, "endDate": when, "labels": {"sha": sha}},
        }
        lines = tmp_path / "event.ndjson"
        lines.write_text(json.dumps(event) + "\n")
        assert tracker("import", str(lines), environ=at(server)).returncode == 0
    asked = ("--service", "git", "--method", "datadog")
    without = json.loads(dora(server, *asked, "--output", "json").stdout)
    assert without["total"]["metrics"][1].get("value") is None
    done = dora(server, *asked, "--commits-from-git", str(tmp_path), "--output", "csv")
    assert "commits of 1 of 2 deployments" in done.stderr
    rows = {row["metric"]: row for row in csv.DictReader(StringIO(done.stdout))}
    assert rows["lead_time"]["value"] == "10800"  # the mean of four hours and of two
    assert "3h" in dora(server, *asked, "--commits-from-git", str(tmp_path)).stdout
    (event,) = map(
        json.loads,
        dora(server, *asked, "--events", "deployment_frequency", "--output", "ndjson").stdout.splitlines()[
            :1
        ],
    )
    assert (event["commit"], event["previousCommit"]) == (second, first)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--environment", "prodution"), "got 'prodution'; did you mean production?"),
        (("--by", "version"), "expected one of service, team, environment, got 'version'"),
        (("--group", "shop"), "needs --events"),
    ],
)
def test_options_that_would_measure_something_else_are_refused(
    options: tuple[str, ...], expected: str
) -> None:
    done = tracker("dora", *options)
    assert done.returncode == USAGE
    assert expected in " ".join(done.stderr.split())


def test_a_folder_without_a_repository_is_said(server: ServerProcess, tmp_path: Path) -> None:
    done = tracker("dora", "--commits-from-git", str(tmp_path / "no"), environ=at(server))
    assert done.returncode == USAGE
    assert "not in a Git repository" in done.stderr
