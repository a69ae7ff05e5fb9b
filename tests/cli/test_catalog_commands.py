"""`tracker catalog`, but for `apply`."""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING

import pytest
import yaml
from tests.cli.commands import at, on_terminal, tracker
from tests.server_process import ServerProcess

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

CATALOG = """\
name: shop-lib
type: library
owner: team-platform
version: 4.2.0
latestVersion: 4.2.0
referenceVersion: 4.1.0
---
name: base-image
type: container
owner: team-platform
version: 7
referenceVersion: 7
---
name: checkout
type: project
owner: team-shop
version: 2.31.0
usedDeliverables: [{name: shop-lib, versionUsed: 4.0.3}, {name: base-image, versionUsed: 7}]
---
name: basket
type: project
owner: team-shop
version: 1
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Give a server with a small catalog."""
    folder = tmp_path_factory.mktemp("catalog")
    (folder / "catalog.yaml").write_text(CATALOG)
    with ServerProcess(folder / "tracker.db") as server:
        run(server, "apply", "-f", str(folder / "catalog.yaml"))
        yield server


def run(server: ServerProcess, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = tracker("catalog", *arguments, environ=at(server) | {"TZ": "UTC"})
    assert done.returncode == code, done.stderr
    return done


def test_entries_are_listed_and_shown(filled: ServerProcess) -> None:
    rows = list(csv.DictReader(run(filled, "list", "--output", "csv").stdout.splitlines()))
    assert [row["name"] for row in rows] == ["base-image", "basket", "checkout", "shop-lib"]
    assert (rows[3]["version"], rows[3]["reference"], rows[3]["latest"]) == ("4.2.0", "4.1.0", "4.2.0")
    lines = run(filled, "list", "--output", "ndjson").stdout.splitlines()
    assert [json.loads(line)["name"] for line in lines] == [row["name"] for row in rows]
    assert json.loads(run(filled, "list", "--output", "json").stdout)["totalCount"] == 4
    assert len(run(filled, "list").stdout.splitlines()) == 5
    text = run(filled, "get", "checkout").stdout
    assert re.search(r"^used deliverables +shop-lib 4\.0\.3, base-image 7$", text, re.MULTILINE)
    assert re.search(r"^created at +20\d\d-", text, re.MULTILINE)
    assert "platform" not in text


def test_a_narrow_terminal_has_an_entry_on_each_line(filled: ServerProcess) -> None:
    shown = on_terminal("catalog", "list", columns=40, environ=at(filled))
    assert re.search(r"^shop-lib +library +.*4\.2\.0$", shown, re.MULTILINE)
    shown = on_terminal("catalog", "compliance", columns=40, environ=at(filled))
    assert re.search(r"^checkout +shop-lib +4\.0\.3 +4\.1\.0\b", shown, re.MULTILINE)


def test_versions_are_shown_and_changed_one_by_one(server: ServerProcess, service: str) -> None:
    described(server, service)
    text = run(server, "versions", service, "--latest", "2", "--available", "1", "--available", "2").stdout
    assert re.sub(" +", " ", text) == f"name {service}\navailable versions 1, 2\nlatest version 2\n"
    run(server, "versions", service, "--reference", "1")
    assert json.loads(run(server, "versions", service, "--output", "json").stdout) == {
        "name": service,
        "availableVersions": ["1", "2"],
        "latestVersion": "2",
        "referenceVersion": "1",
    }
    run(server, "versions", service, "--latest", "", "--available", "")
    shown = yaml.safe_load(run(server, "versions", service, "--output", "yaml").stdout)
    assert shown == {"name": service, "referenceVersion": "1"}


def test_dependencies_are_shown_and_changed_one_by_one(server: ServerProcess, service: str) -> None:
    described(server, service)
    run(server, "deps", service, "--out", "payments", "--out", "stock")
    text = run(server, "deps", service, "--in", "web").stdout
    assert (
        re.sub(" +", " ", text) == f"name {service}\ndependencies in web\ndependencies out payments, stock\n"
    )
    run(server, "deps", service, "--out", "")
    shown = json.loads(run(server, "deps", service, "--output", "json").stdout)
    assert (shown["dependenciesIn"], shown["dependenciesOut"]) == (["web"], [])


def test_dependencies_that_only_others_list_are_shown_in_both_directions(
    server: ServerProcess, service: str
) -> None:
    caller, called = f"{service}-a", f"{service}-b"
    for each in (service, caller, called):
        described(server, each)
    run(server, "deps", caller, "--out", service)
    run(server, "deps", called, "--in", service)
    run(server, "deps", service, "--in", "web")
    shown = json.loads(run(server, "deps", service, "--output", "json").stdout)
    assert (shown["dependenciesIn"], shown["dependenciesOut"]) == (["web", caller], [called])
    stored = json.loads(run(server, "get", service, "--output", "json").stdout)["catalog"]
    assert (stored["dependenciesIn"], stored["dependenciesOut"]) == (["web"], [])


def described(server: ServerProcess, name: str) -> None:
    text = json.dumps({"name": name, "owner": "o", "version": "1"})
    done = tracker("catalog", "apply", "-f", "-", environ=at(server), text=text)
    assert done.returncode == 0


def test_compliance_tells_of_projects_and_of_what_is_outdated(filled: ServerProcess) -> None:
    first, _, projects, basket, checkout, _, uses, outdated = run(filled, "compliance").stdout.splitlines()
    assert first == "1 of 2 projects are compliant"
    assert projects.split() == ["PROJECT", "COMPLIANT", "OUTDATED", "USES"]
    assert basket.split() == ["basket", "100", "%", "0", "0"]
    assert checkout.split() == ["checkout", "50", "%", "1", "2"]
    assert uses.split() == ["PROJECT", "DELIVERABLE", "TYPE", "VERSION", "REFERENCE", "LATEST"]
    assert outdated.split() == ["checkout", "shop-lib", "library", "4.0.3", "4.1.0", "4.2.0"]
    rows = list(csv.DictReader(run(filled, "compliance", "--output", "csv").stdout.splitlines()))
    assert [(row["deliverable"], row["outdated"]) for row in rows] == [
        ("base-image", "no"),
        ("shop-lib", "yes"),
    ]
    answer = json.loads(run(filled, "compliance", "--output", "json").stdout)
    assert answer["summary"]["nonCompliantProjects"] == 1


@pytest.mark.parametrize(("types", "code"), [((), 3), (("library", "CHART"), 3), (("container",), 0)])
def test_a_pipeline_fails_where_something_is_outdated(
    filled: ServerProcess, types: tuple[str, ...], code: int
) -> None:
    options = [option for type_ in types for option in ("--type", type_)]
    done = run(filled, "compliance", "--fail-on-outdated", *options, code=code)
    assert ("shop-lib" in done.stdout) is (code == 3)
    run(filled, "compliance", *options)


def test_an_entry_is_deleted_if_somebody_says_so(server: ServerProcess, service: str) -> None:
    described(server, service)
    told = run(server, "delete", service, code=64).stderr
    assert told == "tracker: there is no terminal to ask on; give --yes to delete the entry for good\n"
    assert run(server, "delete", service, "--yes").stdout == f"deleted {service}\n"
    assert run(server, "delete", service, "--yes", code=1).stderr.startswith("tracker: no catalog found")


@pytest.mark.parametrize("command", ["get", "versions", "deps"])
def test_an_entry_that_is_unknown_is_named(server: ServerProcess, command: str) -> None:
    done = run(server, command, "nobody", "--output", "json", code=1)
    assert done.stderr == "tracker: no catalog found in tracker for id nobody\n"
    assert json.loads(done.stdout)["error"]["reason"] == "CATALOG_NOT_FOUND"


def test_an_empty_catalog_is_told_apart_from_its_output(server: ServerProcess) -> None:
    for entry in json.loads(run(server, "list", "--output", "json").stdout)["catalogs"]:
        run(server, "delete", entry["name"], "--yes")
    done = run(server, "list")
    assert (done.stdout, done.stderr) == ("", "no entries\n")
    done = run(server, "compliance", "--fail-on-outdated")
    assert (done.stdout, done.stderr) == ("", "no projects\n")
