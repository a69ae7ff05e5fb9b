"""What Argo CD and Flux send, TYPED from their sources: no package index has them, so they do not run here.

Their sources are `pkg/services` of argoproj/notifications-engine, and `internal/notifier` of
fluxcd/notification-controller.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx2

    from tracker.config.settings import Settings

pytestmark = pytest.mark.anyio

KEY = "a key of thirty-two bytes, for it"
REVISION = f"main@sha1:{'4dc3' * 10}"
EVENT = {
    "involvedObject": {
        "kind": "Kustomization",
        "namespace": "apps",
        "name": "cart",
        "uid": "7d0cdc51",
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "resourceVersion": "1",
    },
    "severity": "error",
    "timestamp": "2026-03-01T10:00:00Z",
    "message": "health check failed after 1m0s: timeout waiting for: [Deployment/apps/cart]",
    "reason": "HealthCheckFailed",
    "metadata": {"revision": REVISION, "env": "prod", "service": "cart"},
    "reportingController": "kustomize-controller",
    "reportingInstance": "kustomize-controller-7b6f",
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, integration_flux_hmac_key=KEY)


@pytest.fixture
def mongo_uri() -> str | None:
    return None  # what messages mean is the same on each store


async def sent(http: httpx2.AsyncClient, path: str, content: object, **headers: str) -> tuple[int, Any]:
    """Send a body; return the status, and the only event that there is."""
    given = {name.replace("_", "-"): of for name, of in headers.items()}
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    answer = await http.post(path, content=body, headers={"content-type": "application/json"} | given)
    (event,) = (await http.get("/api/v1alpha1/events/list")).json()["events"]
    return answer.status_code, {"title": event["title"], **event["attributes"]}


async def test_typed_argo_cd_marks_a_deployment_in_new_relic_by_the_name_of_an_application(
    http: httpx2.AsyncClient,
) -> None:
    found = (await http.get("/v2/applications.json?filter[name]=Kasse-ü")).json(parse_int=str)
    application = found["applications"][0]["id"]
    assert application.isdecimal()
    marker = {
        "revision": "4dc3" * 10,
        "changelog": "Round prices",
        "description": "synced",
        "user": "Ada <a@b.c>",
    }
    path = f"/v2/applications/{application}/deployments.json"
    status, event = await sent(http, path, {"deployment": marker})
    assert (status, event["service"], event["type"]) == (201, "Kasse-ü", "deployment")
    assert (event["owner"], event["message"]) == ("Ada <a@b.c>", "synced\n\nRound prices")


async def test_typed_argo_cd_annotates_grafana(http: httpx2.AsyncClient) -> None:
    tags = ["service:cart", "env:prod", "argocd"]
    annotation = {"time": 1772359200000, "isRegion": False, "tags": tags, "text": "cart is synced"}
    status, event = await sent(http, "/api/annotations", annotation)
    assert (status, event["title"], event["startDate"]) == (200, "cart is synced", "2026-03-01T10:00:00Z")
    assert (event["service"], event["environment"], event["labels"]) == (
        "cart",
        "production",
        {"argocd": "true"},
    )


async def test_typed_flux_annotates_grafana(http: httpx2.AsyncClient) -> None:
    metadata = {name: of.replace(":", "|") for name, of in EVENT["metadata"].items()}  # type: ignore[attr-defined]
    about = {"kind": "Kustomization", "name": "cart", "namespace": "apps"}
    tags = ["flux", "kustomize-controller", *(f"{name}: {of}" for name, of in {**metadata, **about}.items())]
    annotation = {"when": 1772359200, "text": "kustomization/cart.apps", "tags": tags}
    status, event = await sent(http, "/api/annotations", annotation)
    assert (status, event["title"], event["startDate"]) == (
        200,
        "kustomization/cart.apps",
        "2026-03-01T10:00:00Z",
    )
    wanted = {"flux": "true", "revision": REVISION.replace(":", "|"), **about}
    assert (event["service"], event["environment"]) == ("cart", "production")
    assert wanted.items() <= event["labels"].items()


async def test_typed_flux_records_events_in_datadog(http: httpx2.AsyncClient) -> None:
    tags = [
        "flux_reporting_controller:kustomize-controller",
        "flux_reason:healthcheckfailed",
        "kube_kind:kustomization",
        "kube_name:cart",
        "kube_namespace:apps",
        f"revision:{REVISION}",
        "env:prod",
        "service:cart",
    ]
    content = {
        "title": "Events from the Kustomization cart/apps",
        "text": EVENT["message"],
        "tags": tags,
        "source_type_name": "fluxcd",
        "date_happened": 1772359200,
        "alert_type": "error",
    }
    status, event = await sent(http, "/api/v1/events", content, DD_API_KEY="a key of Datadog")
    assert (status, event["source"], event["status"]) == (202, "fluxcd", "error")
    assert (event["service"], event["environment"]) == ("cart", "production")
    assert event["labels"]["revision"] == REVISION


async def test_typed_flux_signs_what_it_sends_to_a_webhook(http: httpx2.AsyncClient) -> None:
    body = json.dumps(EVENT).encode()
    signature = hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X_Signature": f"sha256={signature}", "Gotk_Component": "kustomize-controller"}
    status, event = await sent(http, "/api/v1alpha1/integrations/flux/webhook", body, **headers)
    assert (status, event["type"], event["status"]) == (200, "deployment", "failure")
    assert (event["service"], event["version"], event["endDate"]) == ("cart", "4dc34dc3", EVENT["timestamp"])
