"""`tracker event`."""

from __future__ import annotations

import csv
import getpass
import json
import os
import pty
import re
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.cli.commands import CLEAN, at, on_terminal, shown_on, tracker
from tests.cli.events import created, run
from tests.forks import forks
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server_process import ServerProcess

COMMANDS = (
    *("create", "update", "finish", "comment", "delete", "get", "changelog", "list", "search", "tail"),
    *("related", "overlaps"),
)


def event(server: ServerProcess, id_: str) -> Any:
    return json.loads(run(server, "get", id_, "--output", "json").stdout)["event"]


def test_an_event_is_recorded_changed_finished_shown_and_deleted(server: ServerProcess, service: str) -> None:
    id_ = created(
        server,
        "Deploy 2.4.0",
        service,
        *("--status", "start", "--environment", "PRODUCTION", "--version", "2.4.0", "--owner", "ana"),
        *("--label", "team=core", "--label", "a=b=c", "--start", "2h", "--stake-holder", "ops", "--impact"),
    )
    assert run(server, "update", id_, "--ticket", "OPS-1", "--label", "team=").stdout == f"{id_}\n"
    run(server, "comment", id_, "halfway", "--who", "ben")
    run(server, "finish", id_, "--status", "failure", "--message", "timed out", "--who", "cleo")
    found = event(server, id_)
    told = found["attributes"]
    assert (told["status"], told["environment"], told["version"]) == ("failure", "production", "2.4.0")
    assert (told["labels"], told["impact"], told["message"]) == ({"a": "b=c"}, True, "timed out")
    assert (told["owner"], told["stakeHolders"]) == ("ana", ["ops"])
    assert 7_200 <= float(found["metadata"]["duration"].removesuffix("s")) < 7_300
    assert found["links"]["ticket"] == "OPS-1"
    text = run(server, "get", id_).stdout
    assert re.search(r"^took +2h", text, re.MULTILINE)
    assert re.search(r"ben +halfway$", text, re.MULTILINE)
    assert re.search(r"cleo +status: start -> failure$", text, re.MULTILINE)
    assert text.endswith(run(server, "changelog", id_).stdout)
    changelog = json.loads(run(server, "changelog", id_, "--output", "json").stdout)["changelog"]
    assert changelog == found["changelog"]
    assert run(server, "delete", id_, code=64).stderr.startswith("tracker: there is no terminal to ask on")
    assert run(server, "delete", id_, "--yes").stdout == f"deleted {id_}\n"
    assert run(server, "get", id_, code=1).stderr.startswith("tracker: no event found")


@pytest.mark.parametrize(
    ("options", "environ", "who"),
    [
        ((), {}, f"{getpass.getuser()}@{socket.gethostname()}"),
        ((), {"GITHUB_ACTOR": "octocat"}, "octocat"),
        ((), {"GITHUB_ACTOR": "octocat", "TRACKER_USER": "bot"}, "bot"),
        (("--who", "ana"), {"TRACKER_USER": "bot"}, "ana"),
    ],
)
def test_a_change_records_who_makes_it(
    server: ServerProcess, service: str, options: tuple[str, ...], environ: dict[str, str], who: str
) -> None:
    def run(*arguments: str) -> Any:
        done = tracker(*arguments, *options, "--output", "json", environ=at(server) | environ)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    created = run("event", "create", "Deploy", "--service", service, "--type", "drift")["event"]
    id_ = created["metadata"]["id"]
    assert created["attributes"]["owner"] == who
    run("event", "update", id_, "--owner", "zoe")
    run("event", "comment", id_, "halfway")
    changed = run("event", "finish", id_)["event"]
    assert (changed["attributes"]["owner"], {entry["user"] for entry in changed["changelog"]}) == (
        "zoe",
        {who},
    )
    lock = run("lock", "acquire", "--service", service)
    assert lock["lock"]["who"] == who
    run("lock", "release", lock["lock"]["id"], "--force", "--reason", "test")


def test_an_option_for_a_field_narrows_down_what_is_listed_found_and_counted(
    server: ServerProcess, service: str
) -> None:
    quoted = f'{service} "a\\b"'
    deployed = created(server, "Deploy", service, "--status", "failure", "--owner", quoted, "--impact")
    created(server, "Rotate", service, "--status", "done")
    for options in (("--status", "failure"), ("--owner", quoted), ("--impact",)):
        for command in (("search", "deploy OR rotate"), ("list",)):
            found = run(server, *command, "--service", service, *options, "--output", "ndjson").stdout
            assert [json.loads(line)["metadata"]["id"] for line in found.splitlines()] == [deployed]
    counted = tracker(
        *("stats", "--service", service, "--status", "done", "--by", "service", "--output", "json"),
        environ=at(server),
    )
    assert json.loads(counted.stdout)["totalCount"] == 1


def test_an_id_is_taken_as_short_as_a_table_has_it(server: ServerProcess, service: str) -> None:
    first, second = (created(server, title, service) for title in ("one", "two"))
    screen = on_terminal("event", "list", "--service", service, columns=80, environ=at(server))
    short = screen.splitlines()[-1].split()[-1]
    assert first != short
    assert first.startswith(short)
    for command in (("get",), ("changelog",), ("related",), ("update", "--title", "uno"), ("finish",)):
        name, *options = command
        assert run(server, name, short, *options).returncode == 0
    assert event(server, short)["title"] == "uno"
    several = run(server, "delete", first[:6], "--yes", code=64).stderr
    assert several.startswith(f"tracker: several ids begin with {first[:6]}, such as ")
    created(server, "three", service, "--slack-id", short)
    assert event(server, short)["title"] == "three"
    assert run(server, "get", "0" * 8, code=1).stderr.startswith("tracker: no event found in tracker for")
    assert event(server, second)["title"] == "two"


def test_an_event_that_is_told_of_again_is_the_same(server: ServerProcess, service: str) -> None:
    told = ("--source", "ci", "--external-id", service)
    first = created(server, "Deploy", service, *told, "--status", "planned", "--owner", "ana")
    assert created(server, "Deploy", service, *told, "--status", "success") == first
    assert event(server, first)["attributes"]["owner"] == "ana"


def test_an_event_whose_lock_is_held_is_refused(server: ServerProcess, service: str) -> None:
    options = ("--service", service, "--type", "deployment", "--status", "start", "--environment", "UAT")
    run(server, "create", "Deploy", *options, "--owner", "ana")
    done = run(server, "create", "Deploy again", *options, code=75)
    assert "by ana" in done.stderr
    error = json.loads(run(server, "create", "x", *options, "--output", "json", code=75).stdout)["error"]
    assert error["reason"] == "LOCK_HELD"


def test_events_are_found_by_a_query_and_printed_for_scripts(server: ServerProcess, service: str) -> None:
    for number in range(3):
        created(server, f"Deploy {number}", service, "--status", "success" if number else "failure")
    query = f"service:{service}"
    lines = run(server, "search", query, "status:success", "--output", "ndjson").stdout.splitlines()
    assert [json.loads(line)["title"] for line in lines] == ["Deploy 2", "Deploy 1"]
    rows = list(csv.DictReader(run(server, "list", "--query", query, "--output", "csv").stdout.splitlines()))
    assert [row["status"] for row in rows] == ["success", "success", "failure"]
    document = json.loads(run(server, "search", query, "-n", "2", "--output", "json").stdout)
    assert [each["title"] for each in document["events"]] == ["Deploy 2", "Deploy 1"]
    table = run(server, "search", query).stdout.splitlines()
    assert " ".join(table[0].split()) == "TIME SERVICE ENVIRONMENT TYPE STATUS PRIORITY TOOK TITLE ID"
    assert len(table) == 4
    assert all(line == line.rstrip() for line in table)
    assert [re.split(" {2,}", line)[5:8] for line in table[1:]] == [
        ["-", "-", f"Deploy {number}"] for number in (2, 1, 0)
    ]
    nothing = run(server, "search", query, "nonsense")
    assert (nothing.stdout, nothing.stderr) == ("", "no events\n")


def test_a_search_tells_how_its_events_are_found(server: ServerProcess, service: str) -> None:
    created(server, "Deploy explained", service)
    told = run(server, "search", f"service:{service}", "explained", "--explain").stdout.splitlines()
    assert told[0] == f"query     service:{service} explained"
    assert told[1] == "events    1"
    assert [line for line in told if line.startswith("- list: ")]
    plan = json.loads(run(server, "search", f"service:{service}", "--explain", "--output", "json").stdout)
    assert plan["query"] == f"service:{service}"


@pytest.mark.parametrize("command", ["list", "search", "tail"])
def test_a_query_is_given_as_arguments_or_as_an_option(server: ServerProcess, command: str) -> None:
    told = run(server, command, "--query", "statsu:failure", code=64).stderr
    assert "did you mean status?" in told
    assert run(server, command, "statsu:failure", code=64).stderr == told
    both = run(server, command, "status:failure", "--query", "status:failure", code=64).stderr
    assert both == "tracker: expected one query, as arguments or by --query, got both\n"


def test_more_events_than_a_page_has_are_all_printed(server: ServerProcess, service: str) -> None:
    ids = {created(server, f"Deploy {number}", service) for number in range(5)}
    script = (
        "from tracker.cli.event import commands as e; from tracker.cli import main; e._PAGE = 2; main.main()"
    )
    ndjson = ("--output", "ndjson")
    for limit, wanted in (("0", 5), ("3", 3)):
        done = subprocess.run(
            [sys.executable, "-c", script, "event", "search", f"service:{service}", "-n", limit, *ndjson],
            env=CLEAN | at(server),
            capture_output=True,
            text=True,
            check=True,
        )
        found = [json.loads(line)["metadata"]["id"] for line in done.stdout.splitlines()]
        assert len(found) == len(set(found)) == wanted
        assert set(found) <= ids


def test_a_long_changelog_is_printed_whole(server: ServerProcess, service: str) -> None:
    id_ = created(server, "Deploy", service)
    for number in range(4):
        run(server, "comment", id_, f"note {number}")
    script = (
        "from tracker.cli.event import commands as e; from tracker.cli import main; e._PAGE = 2; main.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "event", "changelog", id_],
        env=CLEAN | at(server),
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.rpartition("  ")[2] for line in done.stdout.splitlines()] == [
        "Event created",
        *(f"note {number}" for number in range(4)),
    ]


def test_a_reader_that_has_enough_ends_a_list_without_a_word(server: ServerProcess, service: str) -> None:
    for number in range(3):
        created(server, f"Deploy {number}", service, "--message", "x" * 60_000)
    done = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -m tracker event list -n 0 --output ndjson | head -c 10'],
        env=CLEAN | at(server),
        capture_output=True,
        text=True,
        check=True,
    )
    assert (len(done.stdout), done.stderr) == (10, "")


def test_options_take_the_short_names_of_queries(server: ServerProcess, service: str) -> None:
    id_ = run(server, "create", "x", "--service", service, "--type", "deploy", "--environment", "prod").stdout
    run(server, "finish", id_.strip(), "--status", "failed")
    (line,) = run(
        server, "list", f"service:{service}", "--status", "Failed", "--output", "ndjson"
    ).stdout.splitlines()
    attributes = json.loads(line)["attributes"]
    names = ("type", "environment", "status")
    assert [attributes[name] for name in names] == ["deployment", "production", "failure"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("create", "x", "--service", "s", "--type", "party"), "expected one of deployment, operation"),
        (("create", "x", "--service", "s", "--type", "drfit"), "did you mean drift?"),
        (("update", "some-id", "--status", "none"), "--status: expected a value other than none"),
        (("create", "x", "--service", "s"), "--type"),
        (
            ("create", "x", "--service", "s", "--type", "drift", "--start", "soon"),
            "expected a time such as 2h",
        ),
        (("create", "x", "--service", "s", "--type", "drift", "--label", "team"), "expected NAME=VALUE"),
        (("create", "x", "--service", "s", "--type", "drift", "--external-id", "7"), "source is required"),
        (("update", "some-id"), "nothing to change"),
        (("finish", "some-id", "--status", "start"), "expected one of success, failure"),
        (("search", " "), "expected a query"),
        (("search", "statsu:failure"), "did you mean status?"),
        (("list", "--limit", "-1"), "--limit"),
    ],
)
def test_what_is_wrong_is_told_in_words(server: ServerProcess, arguments: tuple[str, ...], told: str) -> None:
    assert told in run(server, *arguments, code=64).stderr


def test_a_server_that_gives_no_answer_is_named() -> None:
    done = tracker("event", "list", "--server", "http://127.0.0.1:9", environ={})
    assert done.returncode == 69
    assert done.stderr.startswith("tracker: no answer from http://127.0.0.1:9")


def test_a_terminal_has_a_table_in_colour_whatever_its_width(server: ServerProcess, service: str) -> None:
    created(server, "[bold]Deploy\x1b[2J", service, "--status", "failure")
    wide = on_terminal("event", "search", f"service:{service}", columns=220, environ=at(server))
    assert "\x1b[1;31mfailure\x1b[0m" in wide
    assert "[bold]Deploy\N{REPLACEMENT CHARACTER}[2J" in wide
    narrow = on_terminal("event", "search", f"service:{service}", columns=60, environ=at(server))
    assert "\x1b[1;31mfailure\x1b[0m" in narrow
    assert len(narrow.splitlines()) == 2


def test_an_event_is_not_deleted_unless_somebody_says_so(server: ServerProcess, service: str) -> None:
    id_ = created(server, "Deploy", service)
    done = subprocess.run(
        ["script", "-qec", f'"{sys.executable}" -m tracker event delete {id_}', "/dev/null"],
        env=CLEAN | at(server),
        input="n\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert "Delete 'Deploy' for good?" in done.stdout
    assert event(server, id_)["title"] == "Deploy"


def test_an_event_is_linked_to_by_a_shortened_id(server: ServerProcess, service: str) -> None:
    whole = created(server, "Deploy", service)
    incident = created(server, "Down", service, "--related-id", whole[:13], type_="incident")
    assert event(server, incident)["attributes"]["relatedId"] == whole
    other = created(server, "Slow", service, type_="incident")
    run(server, "update", other, "--related-id", whole[:13].upper())
    assert event(server, other)["attributes"]["relatedId"] == whole
    arguments = ("lock", "acquire", "--service", service, "--event-id", whole[:13], "--output", "json")
    assert json.loads(tracker(*arguments, environ=at(server)).stdout)["lock"]["eventId"] == whole


def test_the_question_before_a_deletion_is_no_output(
    server: ServerProcess, service: str, tmp_path: Path
) -> None:
    id_ = created(server, "Deploy", service)
    terminal, its = pty.openpty()
    with (tmp_path / "output").open("w+") as output:
        streams = (its, output.fileno(), its)
        process = forks().start(("event", "delete", id_), CLEAN | at(server), None, streams)
        os.close(its)
        os.write(terminal, b"y\n")
        assert process.wait(PATIENCE) == 0
        output.seek(0)
        assert output.read() == f"deleted {id_}\n"
    assert "Delete 'Deploy' for good?" in shown_on(terminal)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_the_exit_codes(command: str) -> None:
    done = tracker("event", command, "--help")
    assert done.returncode == 0
    assert "75     a lock is in the way" in done.stdout
