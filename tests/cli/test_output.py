"""`--output`, whatever the command."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.cli.commands import at, tracker
from tests.cli.forms import FORMS

if TYPE_CHECKING:
    import subprocess

    from tests.server_process import ServerProcess


@pytest.fixture(scope="module")
def event_id(server: ServerProcess) -> str:
    options = (
        "--service",
        "shop",
        "--type",
        "deployment",
        "--message",
        "one\ntwo\n",
        "--version",
        "1.10",
        "--label",
        "team=web",
    )
    return run(server, "event", "create", "Deploy", *options).stdout.strip()


def run(server: ServerProcess, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = tracker(*arguments, environ=at(server) | {"TZ": "UTC"})
    assert done.returncode == code, done.stderr
    return done


def without_empty(value: Any) -> Any:
    """Return JSON without what YAML leaves out."""
    if isinstance(value, dict):
        kept = {name: without_empty(below) for name, below in value.items()}
        return {
            name: below
            for name, below in kept.items()
            if below not in (None, "", [], 0) and not str(below).endswith("_UNSPECIFIED")
        }
    return [without_empty(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("command", FORMS)
def test_every_command_that_has_forms_has_yaml(command: str) -> None:
    assert FORMS[command][0] == "text"
    assert "yaml" in FORMS[command]


@pytest.mark.parametrize(
    "command",
    [
        *("event get ID", "event changelog ID", "event list", "event search service:shop"),
        *("event related ID", "event overlaps --from 2020-01-01 --until 2100-01-01", "stats", "lock list"),
    ],
)
def test_yaml_is_json_without_what_is_empty_and_in_the_same_order(
    server: ServerProcess, event_id: str, command: str
) -> None:
    arguments = command.replace("ID", event_id).split()
    document = json.loads(run(server, *arguments, "--output", "json").stdout)
    text = run(server, *arguments, "--output", "yaml").stdout
    assert json.dumps(yaml.safe_load(text)) == json.dumps(without_empty(document))


def test_yaml_shows_lines_as_they_are_and_versions_as_text(server: ServerProcess, event_id: str) -> None:
    text = run(server, "event", "get", event_id, "--output", "yaml").stdout
    assert "    message: |\n      one\n      two\n" in text
    assert "    version: '1.10'\n" in text


def test_a_failure_is_told_in_the_form_that_was_asked_for(server: ServerProcess) -> None:
    told = run(server, "event", "get", "nobody", "--output", "yaml", code=1)
    assert yaml.safe_load(told.stdout)["error"]["reason"] == "EVENT_NOT_FOUND"
    assert len(told.stderr.splitlines()) == 1


def test_locks_are_printed_as_lines_and_as_a_table(server: ServerProcess) -> None:
    run(server, "lock", "acquire", "--service", "shop", "--environment", "UAT", "--who", "ana")
    (line,) = run(server, "lock", "list", "--output", "ndjson").stdout.splitlines()
    (row,) = csv.DictReader(run(server, "lock", "list", "--output", "csv").stdout.splitlines())
    assert json.loads(line)["who"] == row["who"] == "ana"


@pytest.mark.parametrize(
    ("command", "form", "told"),
    [
        ("event get x", "csv", "csv is a table of several records; expected one of text, json, yaml"),
        ("stats", "ndjson", "ndjson has a line for each of several records; expected one of text, json"),
        ("event tail", "json", "expected one of text, ndjson, yaml, got 'json'"),
        ("lock list", "xml", "expected one of text, json, ndjson, yaml, csv, got 'xml'"),
    ],
)
def test_a_form_that_makes_no_sense_is_refused(
    server: ServerProcess, command: str, form: str, told: str
) -> None:
    assert told in run(server, *command.split(), "--output", form, code=64).stderr
