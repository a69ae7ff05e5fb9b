"""`tracker event related`."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest
from tests.cli.commands import at, on_terminal, tracker
from tests.cli.events import created, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.server_process import ServerProcess


@pytest.fixture(scope="module")
def chain(server: ServerProcess) -> Mapping[str, str]:
    """Give the ids of a deployment, what followed from it, and what followed from that, by their names."""
    ids = {"": ""}
    for name, minute, to in (
        ("deployment", 0, ""),
        ("incident", 12, "deployment"),
        ("rollback", 25, "incident"),
        ("notice", 30, "deployment"),
    ):
        told = ("--start", f"2026-03-02T08:{minute:02}Z", "--status", "done", "--related-id", ids[to])
        ids[name] = created(server, f"the {name}", "shop", *told, "--environment", "production")
    return ids


@pytest.mark.parametrize("name", ["deployment", "rollback"])
def test_a_chain_is_a_tree_with_the_time_between_its_events(
    server: ServerProcess, chain: Mapping[str, str], name: str
) -> None:
    head, *lines = run(server, "related", chain[name]).stdout.splitlines()
    assert head.split() == ["TIME", "AFTER", "STATUS", "EVENT", "TYPE", "SERVICE", "ENVIRONMENT", "ID"]
    assert [line[: head.index("TYPE")].rstrip() for line in lines] == [
        "2026-03-02 08:00:00  -      done    the deployment",
        "2026-03-02 08:12:00  +12m   done    ├─ the incident",
        "2026-03-02 08:25:00  +13m   done    │  └─ the rollback",
        "2026-03-02 08:30:00  +30m   done    └─ the notice",
    ]
    assert [line.split()[-4:] for line in lines] == [
        ["deployment", "shop", "production", chain[each]]
        for each in ("deployment", "incident", "rollback", "notice")
    ]


def test_a_chain_is_printed_for_scripts(server: ServerProcess, chain: Mapping[str, str]) -> None:
    def printed(output: str) -> str:
        return run(server, "related", chain["incident"], "--output", output).stdout

    rows = list(csv.DictReader(printed("csv").splitlines()))
    assert [(row["title"], row["after"], row["after_previous"], row["depth"]) for row in rows] == [
        ("the deployment", "", "", "0"),
        ("the incident", "12m", "12m", "1"),
        ("the rollback", "13m", "13m", "2"),
        ("the notice", "30m", "5m", "1"),
    ]
    assert [row["parent_id"] for row in rows] == [
        chain[each] for each in ("", "deployment", "incident", "deployment")
    ]
    answer = json.loads(printed("json"))
    assert (answer["rootId"], answer["duration"]) == (chain["deployment"], "1800s")
    assert [json.loads(line) for line in printed("ndjson").splitlines()] == answer["events"]


def test_a_chain_on_a_narrow_terminal_stays_a_tree(server: ServerProcess, chain: Mapping[str, str]) -> None:
    shown = on_terminal("event", "related", chain["rollback"], columns=60, environ=at(server))
    lines = shown.splitlines()
    assert len([line for line in lines if "─ the" in line]) == 3
    assert lines[-1] == "4 events in 30m"


def test_a_chain_of_an_unknown_event_is_told_in_words(server: ServerProcess) -> None:
    assert "no event found" in run(server, "related", "1700000000.000900", code=1).stderr
    done = tracker("event", "related", "x", "--output", "json", environ=at(server))
    assert json.loads(done.stdout)["error"]["reason"] == "EVENT_NOT_FOUND"
