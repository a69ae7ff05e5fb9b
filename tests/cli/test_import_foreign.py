"""`tracker import --from`: exports of other products, and the database of the Go implementation."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from bson import ObjectId
from pymongo import MongoClient
from tests.cli.commands import at, on_terminal, tracker

from tracker.cli.exits import USAGE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mongo_servers import MongoServers
    from tests.server_process import ServerProcess

DATADOG_V1 = {
    "events": [
        {
            "id": 5001,
            "title": "Deploy checkout 1.2",
            "text": "rolled out",
            "date_happened": 1767225600,
            "alert_type": "success",
            "source": "jenkins",
            "tags": ["service:datadog-v1", "env:production", "version:1.2", "shard:7"],
            "host": "ci-1",
            "comments": [],
        }
    ]
}
DATADOG_V2 = {
    "data": [
        {
            "id": "AQAAAY",
            "type": "event",
            "attributes": {
                "timestamp": "2026-01-01T00:00:00.500Z",
                "message": "root is full",
                "tags": ["service:datadog-v2"],
                "attributes": {
                    "title": "Disk full",
                    "status": "failure",
                    "hostname": "db-1",
                    "date_happened": 1767225600500,
                    "evt": {"id": "7001"},
                },
            },
        }
    ]
}
DATADOG_CSV = (
    "Date,Title,Content,Tags,Host,Status\n"
    '2026-01-01T00:00:00Z,Deploy search,"all, good","service:datadog-csv,env:staging",h1,success\n'
)
GRAFANA = [
    {
        "id": 11,
        "time": 1767225600000,
        "timeEnd": 1767225660000,
        "text": "Deploy web\nby ci",
        "tags": ["service:grafana", "deployment"],
        "dashboardUID": "abc",
        "login": "ana",
    },
    {"id": 12, "alertId": 4, "alertName": "CPU", "time": 1767225600000, "text": "", "newState": "alerting"},
]
NEWRELIC = {
    "data": {
        "actor": {
            "account": {
                "nrql": {
                    "metadata": {"eventTypes": ["Deployment"]},
                    "results": [
                        {"timestamp": 1767225600000, "appName": "newrelic", "revision": "v9", "user": "bo"}
                    ],
                }
            }
        }
    }
}
NEWRELIC_CSV = "timestamp,appName,description\n1767225600000,newrelic-csv,It broke\n"
ALERTA = {
    "alerts": [
        {
            "id": "a1b2",
            "resource": "web01",
            "event": "HttpOk",
            "environment": "Production",
            "severity": "ok",
            "status": "closed",
            "service": ["alerta", "shop"],
            "text": "fixed",
            "tags": ["dc:lon"],
            "createTime": "2026-01-01T00:20:00.000Z",
            "history": [
                {
                    "status": status,
                    "event": event,
                    "severity": severity,
                    "text": text,
                    "updateTime": f"{moment}:00.000Z",
                    "user": user,
                }
                for status, event, severity, text, moment, user in (
                    ("open", "HttpDown", "critical", "gone", "2025-12-01T00:00", None),
                    ("closed", "HttpOk", "ok", "up", "2025-12-01T00:01", None),
                    ("open", "HttpSlow", "minor", "3 s", "2026-01-01T00:00", None),
                    ("open", "HttpError", "major", "500s", "2026-01-01T00:05", None),
                    ("closed", "HttpOk", "ok", "fixed", "2026-01-01T00:20", "ana"),
                    ("closed", "HttpOk", "ok", "a note", "2026-01-01T00:30", "ana"),
                )
            ],
            "attributes": {"ip": "192.0.2.1"},
        }
    ]
}
EXPORTS: dict[str, tuple[str, object, tuple[str, ...], dict[str, Any]]] = {
    "datadog-v1": (
        "datadog",
        DATADOG_V1,
        (),
        {
            "source": "jenkins",
            "status": "success",
            "environment": "production",
            "version": "1.2",
            "startDate": "2026-01-01T00:00:00Z",
            "externalId": "5001",
            "labels": {"shard": "7", "host": "ci-1"},
        },
    ),
    "datadog-v2": (
        "datadog",
        DATADOG_V2,
        (),
        {
            "message": "root is full",
            "status": "error",
            "externalId": "7001",
            "startDate": "2026-01-01T00:00:00.500Z",
        },
    ),
    "datadog-csv": (
        "datadog",
        DATADOG_CSV,
        (),
        {"message": "all, good", "status": "success", "labels": {"host": "h1"}},
    ),
    "grafana": (
        "grafana",
        GRAFANA,
        (),
        {"message": "by ci", "owner": "ana", "endDate": "2026-01-01T00:01:00Z", "externalId": "11"},
    ),
    "newrelic": (
        "newrelic",
        NEWRELIC,
        (),
        {"type": "deployment", "status": "success", "version": "v9", "owner": "bo"},
    ),
    "newrelic-csv": (
        "newrelic",
        NEWRELIC_CSV,
        ("--event-type", "Incident"),
        {"type": "incident", "message": "It broke"},
    ),
    "alerta": (
        "alerta",
        ALERTA,
        (),
        {
            "type": "incident",
            "status": "close",
            "priority": "P2",
            "environment": "production",
            "message": "500s",
            "startDate": "2026-01-01T00:00:00Z",
            "endDate": "2026-01-01T00:20:00Z",
            "externalId": "a1b2",
            "labels": {"event": "HttpError", "severity": "major"},
        },
    ),
}


def found(server: ServerProcess, service: str) -> list[Any]:
    listed = tracker("event", "search", f"service:{service}", "--output", "json", environ=at(server)).stdout
    events: list[Any] = json.loads(listed)["events"]
    return events


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_becomes_events_once(server: ServerProcess, tmp_path: Path, name: str) -> None:
    product, content, options, expected = EXPORTS[name]
    file = tmp_path / "export"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    command = ("import", "--from", product, str(file), *options)
    first = tracker(*command, environ=at(server))
    assert first.returncode == 0, first.stderr
    assert "stored" in first.stdout
    (event,) = found(server, name)
    assert {key: event["attributes"][key] for key in expected if key != "labels"}.items() <= expected.items()
    assert expected.get("labels", {}).items() <= event["attributes"]["labels"].items()
    again = tracker(*command, environ=at(server))
    assert "stored" not in again.stdout
    assert "there already" in again.stdout


def test_a_history_becomes_the_changelog(server: ServerProcess, tmp_path: Path) -> None:
    file = tmp_path / "alerts.json"
    file.write_text(json.dumps(ALERTA))
    assert tracker("import", "--from", "alerta", str(file), environ=at(server)).returncode == 0
    (event,) = found(server, "alerta")
    assert [(each["user"], each["oldValue"], each["newValue"]) for each in event["changelog"]] == [
        ("", "", "open"),
        ("", "open", "closed"),
        ("", "closed", "open"),
        ("", "", ""),
        ("ana", "open", "closed"),
        ("ana", "", ""),
    ]
    assert event["title"] == "HttpError on web01"


def test_a_dry_run_says_what_becomes_of_each_field(tmp_path: Path) -> None:
    file = tmp_path / "alerts.json"
    wrong = {"id": "x", "resource": "no event"}
    file.write_text("\n".join(json.dumps(each) for each in (ALERTA["alerts"][0], wrong)))
    tried = tracker("import", "--from", "alerta", str(file), "--dry-run")
    assert tried.returncode == 1
    assert "record 2: event: expected a text" in tried.stderr
    lines = {line.split()[0]: line for line in tried.stdout.splitlines()}
    assert "priority; label severity" in lines["severity"]
    assert "nothing: it is left out" in lines["attributes"]
    assert "2 records, 1 event: 1 incident, 1 refused" in tried.stdout


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("between", ["", "\n", "\n\n"])
def test_pages_may_be_in_one_file(tmp_path: Path, indent: int | None, between: str) -> None:
    pages = [json.dumps(each, indent=indent) for each in (DATADOG_V1, DATADOG_V2, DATADOG_V2)]
    (tmp_path / "pages").write_text(between.join(pages))
    tried = tracker("import", "--from", "datadog", str(tmp_path / "pages"), "--dry-run")
    assert (tried.returncode, "3 records, 3 events" in tried.stdout) == (0, True), tried.stderr


def test_a_narrow_terminal_has_the_names_of_fields(tmp_path: Path) -> None:
    (tmp_path / "annotations").write_text(json.dumps(GRAFANA))
    command = ("import", "--from", "grafana", str(tmp_path / "annotations"), "--dry-run")
    shown = on_terminal(*command, columns=40, environ={})
    assert re.search(r"dashboardUID +label dashboard_uid", shown), shown


@pytest.mark.parametrize(
    ("product", "content", "code", "wrong"),
    [
        ("grafana", '{"message": "Unauthorized"}', 1, "record 1: text: expected a text"),
        ("datadog", '{"errors": ["Forbidden"]}', 1, "record 1: title: expected a text"),
        ("newrelic", '{"eventType": "Deployment", "appName": "a", "count": 3}', 1, "the record has no time"),
        ("grafana", "[7]", 1, "record 1: expected an object or a list of objects, got 7"),
        ("alerta", "<html></html>", USAGE, "neither JSON nor a table with fields of alerta"),
    ],
)
def test_what_is_no_export_is_refused(
    tmp_path: Path, product: str, content: str, code: int, wrong: str
) -> None:
    (tmp_path / "export").write_text(content)
    tried = tracker("import", "--from", product, str(tmp_path / "export"), "--dry-run")
    assert (tried.returncode, wrong in tried.stderr) == (code, True), tried.stderr


@pytest.mark.parametrize(("encoding", "line"), [("utf-16", 1), ("latin-1", 2), ("utf-8-sig", 0)])
def test_a_file_in_another_encoding_is_refused(tmp_path: Path, encoding: str, line: int) -> None:
    table = "Date,Service,Message\n2026-01-01T00:00:00Z,caf\u00e9,Deployed\n"
    (tmp_path / "events.csv").write_bytes(table.encode(encoding))
    tried = tracker("import", "--from", "datadog", str(tmp_path / "events.csv"), "--dry-run")
    assert tried.returncode == (USAGE if line else 0), tried.stderr
    assert ("caf\u00e9" if not line else f"the file is not UTF-8: line {line}") in tried.stdout + tried.stderr


def test_an_event_that_an_intake_has_recorded_is_there_already(server: ServerProcess, tmp_path: Path) -> None:
    arguments = ("--service", "live", "--type", "deployment", "--source", "grafana", "--external-id", "99")
    assert tracker("event", "create", "Live", *arguments, environ=at(server)).returncode == 0
    file = tmp_path / "annotations.json"
    file.write_text(json.dumps([{"id": 99, "text": "Live", "time": 1767225600000, "tags": ["service:live"]}]))
    done = tracker("import", "--from", "grafana", str(file), environ=at(server))
    assert (done.returncode, len(found(server, "live"))) == (0, 1)
    assert done.stdout.startswith("1 there already")


def test_the_database_of_the_go_implementation_is_read(server: ServerProcess, mongo: MongoServers) -> None:
    uri = mongo.emptied_database()
    moment = {"seconds": 1767225600, "nanos": 0}
    event_id = "3f1f7a52-3b55-4a0c-8a3a-6c1d7f5e9b01"
    with MongoClient[dict[str, Any]](uri) as client:
        database = client.get_default_database()
        database["events"].insert_many(
            [
                {
                    "_id": ObjectId.from_datetime(datetime(2026, 1, 1, tzinfo=UTC)),
                    "title": "Deploy",
                    "attributes": {
                        "message": "m",
                        "type": 1,
                        "service": "go",
                        "status": 3,
                        "environment": 7,
                        "startdate": moment,
                        "enddate": None,
                        "stakeholders": ["ana"],
                    },
                    "links": {"pullrequestlink": "https://example.org/1", "ticket": ""},
                    "metadata": {
                        "id": event_id,
                        "slackid": "1.2",
                        "createdat": moment,
                        "duration": {"seconds": 60, "nanos": 0},
                    },
                },
                {"title": "Twin", "attributes": {"service": "go"}, "metadata": {"slackid": "1.2"}},
            ]
        )
        database["catalogs"].insert_one({"name": "go-shop", "type": 1, "owner": "ana", "version": "1"})
    tried = tracker("import", "--from", "go", uri, "--dry-run")
    assert (tried.returncode, "2 records, 2 events" in tried.stdout) == (0, True), tried.stderr
    for outcome in ("2 stored", "2 there already"):
        done = tracker("import", "--from", "go", "env:GO", environ=at(server) | {"GO": uri})
        assert (done.returncode, outcome in done.stdout) == (0, True), done.stderr
    events = {each["title"]: each for each in found(server, "go")}
    assert events["Deploy"]["metadata"]["id"] == event_id
    assert events["Deploy"]["metadata"]["createdAt"] == "2026-01-01T00:00:00Z"
    assert events["Deploy"]["metadata"]["duration"] == "60s"
    assert events["Deploy"]["attributes"]["stakeHolders"] == ["ana"]
    assert {each["metadata"]["slackId"] for each in events.values()} == {"1.2", ""}
    entry = tracker("catalog", "list", "--output", "json", environ=at(server))
    assert '"owner": "ana"' in entry.stdout
