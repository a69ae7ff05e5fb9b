"""The template for Argo CD, rendered by Go's templates and Sprig: Argo CD itself is in no package index.

Helm, which `make packages` installs, has both.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.intakes.programs import run

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

HELM = Path(sys.prefix, "packages", "bin", "python")
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        not HELM.exists(), reason="`make packages` was not run: the template for Argo CD is NOT TESTED"
    ),
]
TEMPLATE = Path(__file__).parents[2] / "deploy" / "argocd" / "notifications.yaml"
RENDER = """
import sys
import helm_python
with helm_python.Chart.load(sys.argv[1]) as chart:
    print(*chart.render({}, name="t", namespace="t").values())
"""
SYNC = {
    "phase": "Succeeded",
    "message": 'synced "all"\n',
    "startedAt": "2026-03-01T10:00:00Z",
    "finishedAt": "2026-03-01T10:01:00Z",
}
APPLICATION = {
    "metadata": {"name": "cart-prod", "namespace": "argocd", "labels": {"service": "cart", "env": "prod"}},
    "spec": {
        "project": "shop",
        "destination": {"namespace": "cart"},
        "source": {"repoURL": "https://github.com/shop/deploy"},
    },
    "status": {
        "sync": {"revision": "0" * 40},
        "health": {"status": "Healthy"},
        "summary": {"images": ["registry.example.com/shop/cart:1.2"]},
        "operationState": SYNC
        | {"syncResult": {"revision": "4dc3" * 10}, "operation": {"initiatedBy": {"username": "ada"}}},
    },
}
SEVERAL_SOURCES = {
    "metadata": {"name": "cart", "namespace": "argocd"},
    "spec": {
        "project": "default",
        "destination": {"name": "in-cluster"},
        "sources": [{"repoURL": "https://charts.example.com"}, {"repoURL": "https://github.com/shop/values"}],
    },
    "status": {
        "operationState": SYNC
        | {"phase": "Error", "syncResult": {"revisions": ["1.4.0", "4dc3" * 10]}, "operation": {}}
    },
}


@pytest.fixture
def mongo_uri() -> str | None:
    return None  # what messages mean is the same on each store


@pytest.mark.parametrize(
    ("application", "title", "wanted", "repository", "url"),
    [
        (
            APPLICATION,
            "Deploy cart 1.2",
            {"status": "success", "environment": "production", "owner": "ada", "message": 'synced "all"\n'},
            "https://github.com/shop/deploy",
            "https://argocd.example.com/applications/argocd/cart-prod",
        ),
        (
            SEVERAL_SOURCES,
            "Deploy cart 1.4.0",
            {"status": "error", "service": "cart", "startDate": "2026-03-01T10:00:00Z", "version": "1.4.0"},
            "https://charts.example.com",
            None,
        ),
    ],
    ids=["one source", "several sources"],
)
async def test_the_template_for_argo_cd_makes_what_is_received(
    http: httpx2.AsyncClient,
    tmp_path: Path,
    application: Mapping[str, Any],
    title: str,
    wanted: Mapping[str, str],
    repository: str,
    url: str | None,
) -> None:
    data = yaml.safe_load(TEMPLATE.read_text("utf-8"))["data"]
    webhook = yaml.safe_load(data["template.tracker-sync"])["webhook"]["tracker"]
    variables = {"app": application, "context": {"argocdUrl": "https://argocd.example.com"} if url else {}}
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: t\nversion: 0.1.0\n")
    (tmp_path / "values.yaml").write_text(json.dumps(variables))
    (tmp_path / "body").write_text(webhook["body"])
    (tmp_path / "templates" / "body.txt").write_text('{{ tpl (.Files.Get "body") .Values }}')
    body = await run(str(HELM), "-c", RENDER, str(tmp_path))
    headers = {"content-type": "application/json"}
    answer = await http.request(webhook["method"], webhook["path"], content=body, headers=headers)
    assert answer.status_code == 200, body
    (event,) = (await http.get("/api/v1alpha1/events/list")).json()["events"]
    assert event["title"] == title
    assert wanted.items() <= event["attributes"].items()
    labels = event["attributes"]["labels"]
    assert (labels["repository"], labels.get("url")) == (repository, url)
