"""The rules for Prometheus and the dashboards for Grafana ask for what a server has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tracker.telemetry.metrics import Metrics

if TYPE_CHECKING:
    import httpx2

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
_SAMPLES = ("_total", "_bucket", "_count", "_sum", "_info")
_PROMTOOL = shutil.which("promtool")


def names() -> set[str]:
    """Return the names of the samples of a server."""
    families = Metrics(max_services=1).registry.collect()
    return {f"{family.name}{end}" for family in families for end in ("", *_SAMPLES)}


def asked(query: str) -> set[str]:
    """Return the metrics that a query asks for."""
    return set(re.findall(r"\btracker_\w+", re.sub(r'"[^"]*"|\{[^}]*\}|by \([^)]*\)', "", query)))


@pytest.mark.skipif(_PROMTOOL is None, reason="PROMTOOL IS MISSING: the rules for Prometheus are not tested")
def test_the_rules_say_what_their_tests_expect() -> None:
    assert _PROMTOOL is not None
    for command in (("check", "config", "prometheus.yaml"), ("test", "rules", "tests.yaml")):
        done = subprocess.run(
            [_PROMTOOL, *command], cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_ask_for_metrics_of_a_server() -> None:
    rules: Any = yaml.safe_load((DEPLOY / "prometheus" / "rules.yaml").read_text())
    queries = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    wanted = set().union(*map(asked, queries))
    assert len(wanted) > 5
    assert wanted <= names()


def dashboards() -> list[Any]:
    return [
        json.loads(path.read_text()) for path in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
    ]


def alerts() -> list[Any]:
    folder = DEPLOY / "grafana" / "provisioning" / "alerting"
    groups: Any = yaml.safe_load((folder / "tracker.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def questions() -> list[Any]:
    """Return what Grafana asks its data sources for panels, annotations and alerts."""
    panels = [target for each in dashboards() for panel in each["panels"] for target in panel["targets"]]
    marks = [mark.get("target", mark) for each in dashboards() for mark in each["annotations"]["list"]]
    return [
        *panels,
        *marks,
        *(data["model"] for rule in alerts() for data in rule["data"] if "expr" in data["model"]),
    ]


def queries() -> list[str]:
    """Return the queries for Prometheus, with all values for the variables of dashboards."""
    return [re.sub(r"\$\w+", ".*", each["expr"]) for each in questions() if "expr" in each]


def test_dashboards_and_alerts_ask_for_metrics_of_a_server(tmp_path: Path) -> None:
    wanted = set().union(*map(asked, queries()))
    assert len(wanted) > 10
    assert wanted <= names()
    rules = [{"record": f"r{number}", "expr": query} for number, query in enumerate(queries())]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    if _PROMTOOL is not None:
        checked = [_PROMTOOL, "check", "rules", str(tmp_path / "rules.yaml")]
        done = subprocess.run(checked, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(_PROMTOOL is None, reason="PROMTOOL IS MISSING: alerts of Grafana are not tested")
def test_grafana_is_told_of_the_first_deployment_of_a_service_that_fails(tmp_path: Path) -> None:
    assert _PROMTOOL is not None
    (alert,) = (each for each in alerts() if each["uid"] == "tracker-deployments-fail")
    query = alert["data"][0]["model"]["expr"]
    labels = '{service="shop", status="failure", environment="production"}'
    series = {
        "tracker_event_status_total": "_x9 1x50",
        "tracker_event_status_timestamp_milliseconds": "_x9 600000x50",
    }
    expected = {"5m": [], "11m": [{"labels": '{service="shop"}', "value": 600}], "40m": []}
    test = {
        "interval": "1m",
        "input_series": [{"series": name + labels, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {"expr": query, "eval_time": at, "exp_samples": samples} for at, samples in expected.items()
        ],
    }
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": [], "tests": [test]}))
    tested = [_PROMTOOL, "test", "rules", str(tmp_path / "tests.yaml")]
    done = subprocess.run(tested, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_grafana_loads_is_whole() -> None:
    folder = DEPLOY / "grafana" / "provisioning" / "datasources"
    sources = {each["uid"] for each in yaml.safe_load((folder / "tracker.yaml").read_text())["datasources"]}
    for dashboard in dashboards():
        assert {"uid", "title", "schemaVersion", "panels", "templating", "time"} <= dashboard.keys()
        panels = dashboard["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        cells = [
            (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
            for panel in panels
            for x in range(panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["h"])
        ]
        assert len(set(cells)) == len(cells)  # none covers another
        assert all(0 <= x < 24 for x, _ in cells)
        assert {each["datasource"]["uid"] for panel in panels for each in panel["targets"]} <= sources
        used = set(re.findall(r"\$(?!_)(\w+)", json.dumps([panel["targets"] for panel in panels])))
        assert used <= {each["name"] for each in dashboard["templating"]["list"]}
    for rule in alerts():
        assert rule["condition"] in {data["refId"] for data in rule["data"]}
        assert {data["datasourceUid"] for data in rule["data"]} <= {*sources, "__expr__"}


async def test_a_server_answers_what_grafana_asks_it_for_events(http: httpx2.AsyncClient) -> None:
    attributes = {"service": "shop", "type": "deployment", "environment": "production", "status": "failure"}
    event = {"title": "Deploy", "attributes": attributes}
    (await http.post("/api/v1alpha1/event", json=event)).raise_for_status()
    asked_events = [each for each in questions() if "url" in each]
    assert len(asked_events) > 2
    found = 0
    for each in asked_events:
        url = each["url"].replace("${__from:date:iso}", "2020-01-01T00:00:00.000Z")
        answer = await http.get(url.replace("${__to:date:iso}", "2100-01-01T00:00:00.000Z"))
        assert answer.status_code == 200, answer.text
        for record in answer.json()[each["root_selector"]]:
            for column in each["columns"]:
                found += bool(value_at(record, column["selector"]))
    assert found > 8


def value_at(record: Any, path: str) -> Any:
    for name in path.split("."):
        record = record[name]
    return record
