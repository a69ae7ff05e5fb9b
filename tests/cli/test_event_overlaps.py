"""`tracker event overlaps`."""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING

import pytest
from tests.cli.commands import at, on_terminal
from tests.cli.events import created, run
from tests.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = ("--from", "2026-03-02", "--until", "2026-03-02")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Give a server with events of one day, which end when the day does."""
    with ServerProcess(tmp_path_factory.mktemp("overlaps") / "tracker.db") as server:
        for title, service, start, end in (
            ("Deploy", "cart", "08:00", "09:00"),
            ("Reindex", "cart", "08:30", "10:00"),
            ("Restart", "cart", "09:30", "09:40"),
            ("Deploy", "shop", "08:15", "08:45"),
            ("Restart", "shop", "23:00", "23:59"),
            ("Reindex", "shop", "23:30", "23:59"),
        ):
            times = ("--start", f"2026-03-02T{start}Z", "--end", f"2026-03-02T{end}Z")
            created(server, title, service, *times, "--status", "planned", "--environment", "UAT")
        yield server


def test_groups_are_tables_with_what_each_event_overlaps(filled: ServerProcess) -> None:
    head = "FROM TOOK STATUS EVENT TYPE SERVICE ENVIRONMENT ID"
    lines = run(filled, "overlaps", *DAY).stdout.splitlines()
    assert [" ".join(line.split()).partition(" deployment ")[0] for line in lines] == [
        "cart UAT",
        head,
        "2026-03-02 08:00:00 1h planned Deploy",
        "2026-03-02 08:30:00 1h30m planned Reindex",
        "2026-03-02 08:30:00 30m - └─ at once with Deploy - - - -",
        "2026-03-02 09:30:00 10m planned Restart",
        "2026-03-02 09:30:00 10m - └─ at once with Reindex - - - -",
        "",
        "shop UAT",
        head,
        "2026-03-02 23:00:00 59m planned Restart",
        "2026-03-02 23:30:00 29m planned Reindex",
        "2026-03-02 23:30:00 29m - └─ at once with Restart - - - -",
    ]


def test_overlaps_are_printed_for_scripts(filled: ServerProcess) -> None:
    done = run(filled, "overlaps", *DAY, "service:cart", "--by", "type", "-n", "1", "--output", "csv")
    (row,) = csv.DictReader(done.stdout.splitlines())
    ids = (row.pop("first_id"), row.pop("second_id"))
    assert row == {
        "type": "deployment",
        "from": "2026-03-02 08:30:00+00:00",
        "until": "2026-03-02 09:00:00+00:00",
        "took": "30m",
        "first": "Deploy",
        "second": "Reindex",
    }
    assert done.stderr == "1 of 2 overlaps; --limit gives more\n"
    answer = json.loads(run(filled, "overlaps", *DAY, "--output", "json").stdout)
    assert answer["pairCount"] == 3
    assert (answer["groups"][0]["pairs"][0]["firstId"], answer["groups"][0]["pairs"][0]["secondId"]) == ids
    lines = run(filled, "overlaps", *DAY, "--output", "ndjson").stdout.splitlines()
    assert [json.loads(line) for line in lines] == answer["groups"]


def test_overlaps_are_explained(filled: ServerProcess) -> None:
    told = run(filled, "overlaps", *DAY, "service:cart", "--explain").stdout.splitlines()
    assert told[0].startswith("query     service:cart time:")
    assert told[1] == "events    3"
    assert told[4].startswith("- list: scan events_by_service")
    (line,) = run(filled, "overlaps", *DAY, "--explain", "--output", "ndjson").stdout.splitlines()
    assert json.loads(line)["steps"]


def test_only_groups_of_overlaps_that_are_printed_are_shown(filled: ServerProcess) -> None:
    done = run(filled, "overlaps", *DAY, "-n", "2")
    assert "cart" in done.stdout
    assert "shop" not in done.stdout
    assert done.stderr == "2 of 3 overlaps; --limit gives more\n"


def test_a_line_ends_where_the_terminal_does(filled: ServerProcess) -> None:
    shown = on_terminal("event", "overlaps", *DAY, columns=50, environ=at(filled) | {"TZ": "UTC"})
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in shown.splitlines()]
    assert len(lines) == 13
    assert max(map(len, lines)) <= 50
    assert len([line for line in lines if "Deploy" in line]) == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--by", "title"), "expected a field to compare by"),
        (("--from", "soon"), "expected a time such as 2h"),
        (("--from", "2026-03-03", "--until", "2026-03-02"), "inversed"),
        (("--limit", "0"), "--limit"),
        (("statsu:failure",), "did you mean status?"),
    ],
)
def test_what_is_wrong_is_told_in_words(filled: ServerProcess, arguments: tuple[str, ...], told: str) -> None:
    assert told in run(filled, "overlaps", *arguments, code=64).stderr


def test_nothing_is_told_of_in_words_too(filled: ServerProcess) -> None:
    done = run(filled, "overlaps", "--from", "2026-03-03", "--until", "2026-03-03")
    assert (done.stdout, done.stderr) == ("", "no overlaps\n")
