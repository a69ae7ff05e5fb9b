"""`tracker catalog apply`: what people write of the catalog, and how their mistakes are told."""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from protobuf.wkt import DoubleValue
from tests.cli.commands import at, on_terminal, tracker

from tracker.cli.catalog.reading import Mistakes, read
from tracker.cli.printing import Output, json_of
from tracker.cli.yaml_text import to_yaml
from tracker.pb import catalog_pb

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server_process import ServerProcess

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)

WHOLE = """\
name: NAME
type: PROJECT
languages: golang
owner: team-shop
version: 1.10
link: https://docs.example.com/shop
description: |
  Sells things.
    And: more of them.
repository: https://git.example.com/shop
created_at: 2026-01-31T12:30:00Z
updatedAt: 2026-01-31T12:30:00Z
updatedBy: someone else
claimedUpdatedBy: somebody
dependencies_in: [web]
dependenciesOut: [payments, stock]
sla: {level: Critical, uptimePercentage: 99.95, response_time_ms: 250, description: "yes"}
platform: Kubernetes
available_versions: [1.9, 1.10]
latestVersion: 1.10
reference_version: 1.9
usedDeliverables:
- {name: shop-lib, type: library, versionUsed: 4.0}
communication_channels:
- {type: slack, name: "#shop", url: https://slack.example.com/shop}
dashboardLinks:
- {type: grafana, name: Overview, url: https://grafana.example.com/shop}
vulnerabilitySummary:
  criticalCount: 1
  totalCount: 1
  lastUpdated: 2026-01-31T12:30:00Z
  sources: [{name: trivy, critical_count: 1}]
infrastructureResources:
- {id: db-1, name: orders, type: DATABASE_RDS, metadata: {engine: 16, size: null-ish}}
annotations: {argocd/app-name: shop}
versionPinned: true
observed: {version: 9}
"""


def run(server: ServerProcess, *arguments: str, text: str = "", code: int = 0) -> tuple[str, str]:
    """Run `tracker catalog` with something on its standard input, and return what it prints."""
    done = tracker("catalog", *arguments, environ=at(server) | {"TZ": "UTC"}, text=text)
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


def apply(server: ServerProcess, text: str, *options: str) -> str:
    return run(server, "apply", "-f", "-", *options, text=text)[0]


def entry(server: ServerProcess, name: str) -> Any:
    return json.loads(run(server, "get", name, "--output", "json")[0])["catalog"]


def test_an_entry_with_every_field_is_applied_as_it_is_written(server: ServerProcess, service: str) -> None:
    assert {field.json_name for field in catalog_pb.Catalog.desc().fields} == {
        re.sub(r"_(\w)", lambda found: found[1].upper(), name) for name in yaml.safe_load(WHOLE)
    }
    assert apply(server, WHOLE.replace("NAME", service)) == f"created {service}\n"
    stored = entry(server, service)
    assert (stored["version"], stored["availableVersions"]) == ("1.10", ["1.9", "1.10"])
    assert (stored["latestVersion"], stored["referenceVersion"]) == ("1.10", "1.9")
    assert (stored["type"], stored["platform"]) == ("project", "kubernetes")
    assert (stored["sla"]["level"], stored["sla"]["uptimePercentage"]) == ("critical", 99.95)
    assert stored["sla"]["description"] == "yes"
    assert stored["description"] == "Sells things.\n  And: more of them.\n"
    assert stored["dependenciesOut"] == ["payments", "stock"]
    assert stored["infrastructureResources"][0]["metadata"] == {"engine": "16", "size": "null-ish"}
    assert not stored["createdAt"].startswith("2026-01-31")
    assert stored["updatedBy"].endswith(f"@{socket.gethostname()}")


@given(
    st.builds(
        catalog_pb.Catalog,
        name=TEXTS,
        owner=TEXTS,
        version=TEXTS,
        description=st.text(st.characters(exclude_categories=["Cs"])),
        type=st.sampled_from(catalog_pb.Type),
        dependencies_in=st.lists(TEXTS, max_size=3),
        sla=st.builds(
            catalog_pb.SLA, uptime_percentage=st.floats(0, 100).map(lambda n: DoubleValue(value=n))
        ),
        infrastructure_resources=st.lists(
            st.builds(catalog_pb.InfrastructureResource, metadata=st.dictionaries(TEXTS, TEXTS, max_size=3)),
            max_size=2,
        ),
    )
)
def test_any_entry_is_read_as_it_is_printed(
    tmp_path_factory: pytest.TempPathFactory, entry: catalog_pb.Catalog
) -> None:
    file = tmp_path_factory.getbasetemp() / "entry.yaml"
    fields = json_of(entry, Output.YAML)
    file.write_text(to_yaml(fields), "utf-8")
    (described,) = read([file])
    assert described.fields == fields


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_what_get_prints_is_applied_without_a_change(server: ServerProcess, service: str, form: str) -> None:
    apply(server, WHOLE.replace("NAME", service))
    before = entry(server, service)
    printed, _ = run(server, "get", service, "--output", form)
    assert apply(server, printed) == f"unchanged {service}\n"
    assert entry(server, service) == before
    run(server, "delete", service, "--yes")
    assert apply(server, printed) == f"created {service}\n"
    times = {"createdAt": None, "updatedAt": None}
    assert entry(server, service) | times == before | times


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_what_list_prints_is_applied_without_a_change(server: ServerProcess, service: str, form: str) -> None:
    apply(
        server,
        f"- name: {service}\n  owner: o\n  version: 1\n- name: {service}-2\n  owner: o\n  version: 2\n",
    )
    told = apply(server, run(server, "list", "--output", form)[0]).splitlines()
    assert {f"unchanged {service}", f"unchanged {service}-2"} <= set(told)
    assert all(line.startswith("unchanged ") for line in told)


def test_only_what_differs_is_changed_and_told(server: ServerProcess, service: str) -> None:
    text = WHOLE.replace("NAME", service)
    apply(server, text)
    changed = (
        text.replace("owner: team-shop", "owner: team-cart")
        .replace("[payments, stock]", "[stock, mail]")
        .replace("versionUsed: 4.0", "versionUsed: 4.1")
        .replace("reference_version: 1.9", "reference_version: ''")
        .replace("link: https://docs.example.com/shop\n", "")
        .replace("platform: Kubernetes", "platform: ecs")
    )
    differences = (
        "  ~ owner: team-shop -> team-cart\n"
        "  - link: https://docs.example.com/shop\n"
        "  - dependenciesOut: payments\n"
        "  + dependenciesOut: mail\n"
        "  ~ platform: kubernetes -> ecs\n"
        "  - referenceVersion: 1.9\n"
        "  ~ usedDeliverables[shop-lib].versionUsed: 4.0 -> 4.1\n"
    )
    before = entry(server, service)
    assert apply(server, changed, "--dry-run") == f"would change {service}\n{differences}"
    assert entry(server, service) == before
    document = json.loads(apply(server, changed, "--dry-run", "--output", "json"))
    assert document["dryRun"] is True
    assert document["entries"][0]["outcome"] == "changed"
    assert document["entries"][0]["differences"][0] == {
        "field": "owner",
        "old": "team-shop",
        "new": "team-cart",
    }
    assert apply(server, changed) == f"changed {service}\n{differences}"
    after = entry(server, service)
    assert (after["owner"], after["link"], after["referenceVersion"]) == ("team-cart", "", "")
    assert after["createdAt"] == before["createdAt"]
    assert apply(server, changed) == f"unchanged {service}\n"
    assert entry(server, service) == after


def test_versions_and_dependencies_stay_unless_the_file_says_something_of_them(
    server: ServerProcess, service: str
) -> None:
    text = f"name: {service}\nowner: o\nversion: 1\n"
    apply(server, text + "latestVersion: 2\nreferenceVersion: 1\ndependenciesIn: [a]\ndependenciesOut: [b]\n")
    assert apply(server, text) == f"unchanged {service}\n"
    apply(server, text + "latestVersion: 3\ndependenciesIn: []\ndependenciesOut:\n")
    stored = entry(server, service)
    assert (stored["latestVersion"], stored["referenceVersion"]) == ("3", "1")
    assert (stored["dependenciesIn"], stored["dependenciesOut"]) == ([], ["b"])


def test_files_and_folders_are_applied_in_order(server: ServerProcess, service: str, tmp_path: Path) -> None:
    folder = tmp_path / "catalog" / "teams"
    folder.mkdir(parents=True)
    (folder / "a.yaml").write_text(f"name: {service}-a\nowner: o\nversion: 1\n---\n---\n")
    (folder / "b.json").write_text(f'{{"name": "{service}-b",\n\t"owner": "o", "version": 1.10}}\n')
    (folder.parent / "notes.md").write_text("not a part of it")
    (tmp_path / "c.yml").write_text(f"{{name: {service}-c, owner: o, version: 1}}\n")
    told, _ = run(server, "apply", "-f", str(tmp_path / "catalog"), "-f", str(tmp_path / "c.yml"))
    assert told == "".join(f"created {service}-{each}\n" for each in "abc")
    assert entry(server, f"{service}-b")["version"] == "1.10"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("platfrom: ecs", "document 2 (x): unknown field platfrom; did you mean platform?"),
        (
            "used_deliverable: []",
            "document 2 (x): unknown field used_deliverable; did you mean used_deliverables?",
        ),
        ("colour: red", "document 2 (x): unknown field colour\n"),
        ("sla: {levle: low}", "document 2 (x): unknown field sla.levle; did you mean level?"),
        (
            "usedDeliverables: [{name: a}, {versionUsd: 1}]",
            "unknown field usedDeliverables[1].versionUsd; did you mean versionUsed?",
        ),
        (
            "type: libary",
            "document 2 (x): type: expected one of TYPE_UNSPECIFIED, module, library, workflow, ",
        ),
        ("type: libary", 'got "libary"; did you mean library?'),
        ("dependencies_in: web", 'dependencies_in: expected a list, got "web"'),
        ("description: [a]", 'description: expected a string, got ["a"]'),
        ("sla: {uptime_percentage: often}", 'sla.uptime_percentage: expected a number, got "often"'),
        ("sla: {uptimePercentage: 101}", "sla.uptimePercentage: "),
        ("vulnerabilitySummary: {lastUpdated: now}", "lastUpdated: expected an RFC 3339 timestamp"),
        ("vulnerabilitySummary: {criticalCount: -1}", "vulnerabilitySummary.criticalCount: "),
        ("dependenciesOut: []\ndependencies_out: []", "duplicate field: give it in one spelling"),
        ("availableVersions: [" + "x" * 201 + "]", "availableVersions[0]: "),
        ("owner: o", "line 8, column 1: key 'owner' is given twice"),
        ("description: [a", "line 9, column 1: did not find expected ',' or ']'"),
        ("---\nname: ok\nowner: o\nversion: 1", "document 3 (ok): is already in FILE, document 1 (ok)"),
        ("---\nname: y\nversion: 1", "document 3 (y): owner is required"),
        ("---\njust text", 'document 3: expected an object, got "just text"'),
        ("---\n- 1\n- {name: z}", 'document 3, entry 1: expected an object, got "1"'),
    ],
)
def test_a_mistake_is_named_with_its_file_its_document_and_its_field(
    tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "catalog.yaml"
    file.write_text(f"name: ok\nowner: o\nversion: 1\n---\nname: x\nowner: o\nversion: 1\n{text}\n")
    with pytest.raises(Mistakes) as raised:
        read([file])
    assert told.replace("FILE", str(file)) in "\n".join([*raised.value.lines, ""])
    assert all(line.startswith(f"{file}") for line in raised.value.lines)


def test_all_mistakes_are_told_at_once_and_nothing_is_changed(
    server: ServerProcess, service: str, tmp_path: Path
) -> None:
    for name, text in (("a", "ownr: o"), ("b", "tpye: project"), ("c", "owner: o")):
        (tmp_path / f"{name}.yaml").write_text(f"name: {service}-{name}\nversion: 1\n{text}\n")
    _, errors = run(server, "apply", "-f", str(tmp_path), "-f", str(tmp_path / "none.yaml"), code=64)
    assert [re.sub(r".*/", "", line).partition(",")[0] for line in errors.splitlines()] == [
        "a.yaml",
        "b.yaml",
        "none.yaml: No such file or directory",
    ]
    run(server, "get", f"{service}-c", code=1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "nothing to apply: the files have no entries"),
        ('{"name": "x", "name": "y"}', "standard input: line 1, column 15: key 'name' is given twice"),
        ('{"name": "\\ud800", "owner": "o", "version": "1"}', "standard input: line 1, column 13: "),
    ],
)
def test_what_is_no_catalog_is_refused(server: ServerProcess, text: str, told: str) -> None:
    _, errors = run(server, "apply", "-f", "-", text=text, code=64)
    assert errors.startswith(f"tracker: {told}")
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("x.json", b"{name: x}", "Expecting property name enclosed in double quotes: line 1 column 2"),
        ("x.json", b'{"a": 1, "a": 2}', "key 'a' is given twice"),
        ("x.yaml", b"\xff\xfe", "the file is not UTF-8: line 1"),
    ],
)
def test_a_file_that_can_not_be_read_is_named(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Mistakes) as raised:
        read([tmp_path])
    assert raised.value.lines[0].startswith(f"{tmp_path / name}: {told}")


def test_a_server_that_gives_no_answer_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "catalog.yaml"
    file.write_text("name: x\nowner: o\nversion: 1\n")
    done = tracker("catalog", "apply", "-f", str(file), "--server", "http://127.0.0.1:9")
    assert done.returncode == 69
    assert done.stderr.startswith("tracker: no answer from http://127.0.0.1:9")


def test_a_terminal_shows_differences_in_colour_unless_told_otherwise(
    server: ServerProcess, service: str, tmp_path: Path
) -> None:
    apply(server, f"name: {service}\nowner: o\nversion: 1\n")
    file = tmp_path / "catalog.yaml"
    file.write_text(f'name: {service}\nowner: "p\\e[2J"\nversion: 1\n')
    options = ("catalog", "apply", "-f", str(file), "--dry-run")
    shown = on_terminal(*options, columns=40, environ=at(server))
    assert "\x1b[33m  ~ owner: o -> p\N{REPLACEMENT CHARACTER}[2J\x1b[0m" in shown
    plain = on_terminal(*options, columns=40, environ=at(server) | {"NO_COLOR": "1"})
    assert "\x1b[3" not in plain
    assert "would change" in plain
