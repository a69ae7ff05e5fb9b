"""Webhooks whose fields have any value: each is recorded, ignored or refused, and none is a defect."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from tests.soak import size, soaks

if TYPE_CHECKING:
    import httpx2

    from tracker.config.settings import Settings

pytestmark = pytest.mark.anyio

SECRET = "anything"
PRODUCTS = (
    *("alertmanager", "github", "gitlab", "pagerduty", "terraform"),
    *("flux", "argocd", "kubernetes", "jenkins"),
)
KINDS = ["push", "pull_request", "deployment", "deployment_status", "workflow_run", "pipeline", "release"]
OWN = {
    "id": 1,
    "deployment_id": 1,
    "fingerprint": "a1",
    "name": "n",
    "status": "running",
    "state": "success",
    "ref": "v1.0",
    "environment": "prod/x",
    "created_at": "2026-03-01 10:00:00 UTC",
    "status_changed_at": 1700000000,
    "startsAt": "2026-03-01T10:00:00Z",
    "labels": {"service": "s"},
    "annotations": {},
    "action": "completed",
    "tag": "v1",
}
TEXTS = st.sampled_from(["", "firing", "resolved", "0001-01-01T00:00:00+14:00", "published"]) | st.text(
    max_size=20
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*OWN]) | TEXTS, inner, max_size=4)
    ),
    max_leaves=8,
)
FIELDS = st.dictionaries(
    st.sampled_from([*OWN, "endsAt", "web_url", "path_with_namespace", "full_name"]), VALUES, max_size=5
)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(
        settings,
        github_webhook_secret=SECRET,
        integration_gitlab_secret_token=SECRET,
        integration_pagerduty_secret=SECRET,
        integration_terraform_token=SECRET,
    )


@soaks
@pytest.mark.parametrize("mongo_uri", ["sqlite"], indirect=True)
async def test_no_message_is_a_defect_of_the_server(http: httpx2.AsyncClient) -> None:
    cases: list[tuple[str, str, dict[str, Any]]] = []

    @examples(max_examples=size(200, soak=10_000), database=None, suppress_health_check=[*HealthCheck])
    @given(st.sampled_from(PRODUCTS), st.sampled_from(KINDS), FIELDS, FIELDS)
    def collect(product: str, kind: str, changed: dict[str, Any], around: dict[str, Any]) -> None:
        own = OWN | changed
        parts = ("deployment", "deployment_status", "workflow_run", "release", "object_attributes", "commit")
        alert = own | ({"status": "firing"} if own["status"] == "running" else {})
        content = {
            **own,
            **dict.fromkeys(parts, own),
            "object_kind": kind,
            "project": around,
            "repository": around,
            "user": around,
            "alerts": [alert],
            "commits": [own],
            "event": {"event_type": f"incident.{kind}", "data": own | {"type": "incident"}} | around,
            "notifications": [own | {"trigger": "run:applying"}],
            "run_id": own["id"],
            "involvedObject": {"kind": "Kustomization", "name": "n"} | around,
            "reason": "ReconciliationSucceeded",
            "metadata": {"revision": "1.2", "uid": "u"} | around,
            "type": "Warning",
            "application": own["name"],
            "phase": "Running",
            "build": own | {"number": 1, "phase": "STARTED"},
        }
        cases.append((product, kind, content))

    collect()
    recorded = 0
    for product, kind, content in cases:
        body = json.dumps(content).encode()
        headers = {
            "content-type": "application/json",
            "x-github-event": kind,
            "x-hub-signature-256": f"sha256={hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}",
            "x-gitlab-token": SECRET,
            "x-pagerduty-signature": f"v1={hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}",
            "x-tfe-notification-signature": hmac.new(SECRET.encode(), body, hashlib.sha512).hexdigest(),
        }
        path = f"/api/v1alpha1/integrations/{product}/webhook"
        answer = await http.post(path, content=body, headers=headers)
        assert answer.status_code in (200, 202, 400, 409), (product, kind, content, answer.text)
        recorded += answer.status_code == 200
    assert recorded > len(cases) / 10
