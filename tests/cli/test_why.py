"""`tracker why`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.cli.commands import at, tracker
from tests.server_process import ServerProcess

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

INCIDENTS = 24


def events() -> Iterator[dict[str, Any]]:
    """Yield incidents a day apart, each caused by the operation before the deployment that came last."""
    for day in range(1, INCIDENTS + 1):
        ids = [f"0190d6e0-0000-7000-8000-{day:08}000{number}" for number in range(3)]
        for id_, title, type_, hour in (
            (ids[0], "Resize pool", "operation", "08"),
            (ids[1], "Deploy cart", "deployment", "09"),
            (ids[2], "cart is down", "incident", "10"),
        ):
            start = f"2026-03-{day:02}T{hour}:00:00Z"
            attributes = {"service": "cart", "environment": "production", "type": type_, "startDate": start}
            caused = {"causedBy": ids[:1]} if type_ == "incident" and day > 1 else {}
            yield {"title": title, "attributes": attributes, "metadata": {"id": id_, **caused}}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("why")
    lines = folder / "events.ndjson"
    lines.write_text("".join(f"{json.dumps(event)}\n" for event in events()))
    with ServerProcess(folder / "tracker.db") as server:
        assert tracker("import", str(lines), environ=at(server)).returncode == 0
        yield server


def why(server: ServerProcess, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = tracker("why", *arguments, environ=at(server) | {"TZ": "UTC"})
    assert done.returncode == code, done.stderr
    return done


FIRST, CAUSE = ("0190d6e0-0000-7000-8000-000000010002", "0190d6e0-0000-7000-8000-000000010000")


def test_changes_are_ranked_with_reasons_and_parts(filled: ServerProcess) -> None:
    lines = why(filled, FIRST, "--parts").stdout.splitlines()
    assert lines[0] == "cart is down"
    listed = [line for line in lines if re.match(r"\d+ %", line)]
    assert "Deploy cart" in listed[0]
    assert "of the same service" in listed[0]
    assert any(re.search(r"same_service +1\.00 ", line) for line in lines)
    answer = json.loads(why(filled, FIRST, "--output", "json").stdout)
    assert [each["change"]["title"] for each in answer["suspects"]] == ["Deploy cart", "Resize pool"]
    rows = why(filled, FIRST, "--output", "csv").stdout.splitlines()
    assert (rows[0].split(",")[0], len(rows)) == ("share", 3)


def test_what_was_found_out_is_recorded_and_taken_back(filled: ServerProcess) -> None:
    said = why(filled, FIRST, "--caused-by", CAUSE, "--comment", "the pool was too small", "--who", "ada")
    assert "caused by Resize pool, as somebody recorded" in said.stdout
    assert (
        "the pool was too small"
        in tracker("event", "get", FIRST, "--output", "json", environ=at(filled)).stdout
    )
    assert "as somebody recorded" not in why(filled, FIRST, "--unlink", CAUSE).stdout


def test_weights_are_computed_from_recorded_causes(filled: ServerProcess) -> None:
    done = why(filled, "--train")
    assert f"{INCIDENTS - 1} incidents with recorded causes" in done.stdout
    (figures,) = [line.split() for line in done.stdout.splitlines() if line.startswith("hit@1")]
    assert float(figures[1]) < float(figures[2])
    (setting,) = [line for line in done.stdout.splitlines() if line.startswith("WHY_WEIGHTS=")]
    weights = dict(pair.split("=") for pair in setting.removeprefix("WHY_WEIGHTS=").split(","))
    assert float(weights["operation"]) > 0
    checked = tracker("config", environ={"WHY_WEIGHTS": setting.removeprefix("WHY_WEIGHTS=")})
    assert checked.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [((), "expected the id of an incident, or --train"), ((FIRST, "--train"), "expected no incident")],
)
def test_a_wrong_command_line_is_refused(
    filled: ServerProcess, arguments: tuple[str, ...], says: str
) -> None:
    assert says in why(filled, *arguments, code=64).stderr
