"""The rules for Prometheus and the dashboards for Grafana ask for what a server has."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tracker.telemetry.metrics import Metrics

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
