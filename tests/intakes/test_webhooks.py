"""Webhooks of several products: what a series of messages records."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from tracker.intakes import flux as flux_intake
from tracker.intakes import pagerduty_webhooks, terraform

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

    from tracker.config.settings import Settings

pytestmark = pytest.mark.anyio

SECRET = "a secret of thirty-two bytes, all"
NO_RETRY = {"title": "Disk full", "type": "incident", "id": "PT4KHLK"}


def sha256(body: bytes) -> str:
    return hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


SIGNED: dict[str, Callable[[bytes], dict[str, str]]] = {
    "pagerduty": lambda body: {"x-pagerduty-signature": f"v1={'0' * 64},v1={sha256(body)}"},
    "terraform": lambda body: {
        "x-tfe-notification-signature": hmac.new(SECRET.encode(), body, hashlib.sha512).hexdigest()
    },
    "flux": lambda body: {"x-signature": f"sha256={sha256(body)}", "gotk-component": "kustomize-controller"},
}


VERIFIED = {
    "pagerduty": pagerduty_webhooks.is_signed,
    "terraform": terraform.is_signed,
    "flux": flux_intake.is_signed,
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(
        settings,
        integration_pagerduty_secret=SECRET,
        integration_terraform_token=SECRET,
        integration_flux_hmac_key=SECRET,
        integration_environments=("cart-live=production",),
    )


@pytest.fixture
def mongo_uri() -> str | None:
    return None  # what messages mean is the same on each store


async def send(http: httpx2.AsyncClient, product: str, content: object) -> tuple[int, Any]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers = {"content-type": "application/json"}
    if product in SIGNED:
        headers |= SIGNED[product](body)
    answer = await http.post(f"/api/v1alpha1/integrations/{product}/webhook", content=body, headers=headers)
    return answer.status_code, answer.json()


async def recorded(http: httpx2.AsyncClient) -> list[Any]:
    return list((await http.get("/api/v1alpha1/events/list")).json()["events"])


def incident(number: int, kind: str, status: str, own_id: str = "") -> dict[str, Any]:
    at = f"2026-03-01T10:0{number}:00Z"
    data = NO_RETRY | {
        "status": status,
        "number": 12,
        "urgency": "high",
        "priority": {"summary": "P2"},
        "created_at": "2026-03-01T10:00:00Z",
        "service": {"id": "PIJ90N7", "summary": "cart"},
        "teams": [{"summary": "shop"}],
        "assignees": [],
        "html_url": "https://p/incidents/PT4KHLK",
    }
    event = {"id": own_id or f"e{number}", "event_type": f"incident.{kind}", "occurred_at": at, "data": data}
    return {"event": event}


def run(trigger: str, at: str, **more: object) -> dict[str, Any]:
    return {
        "payload_version": 1,
        "run_id": "run-1",
        "run_url": "https://t/run-1",
        "run_message": "Larger disks",
        "run_created_at": "2026-03-01T10:00:00Z",
        "run_created_by": "ada",
        "workspace_name": "cart-prod",
        "organization_name": "shop",
        "notifications": [
            {"trigger": trigger, "message": "m", "run_status": "applying", "run_updated_at": at} | more
        ],
    }


ASSESSMENT = {
    "payload_version": "2",
    "trigger_scope": "assessment",
    "trigger": "assessment:drifted",
    "message": "Drift Detected",
    "details": {
        "new_assessment_result": {
            "id": "asmtres-1",
            "drifted": True,
            "resources_drifted": 4,
            "created_at": "2026-03-01T11:00:00Z",
        },
        "workspace_name": "cart",
        "organization_name": "shop",
    },
}
PLAN = run("run:completed", "2026-03-01T09:01:00Z", run_status="planned_and_finished") | {
    "run_id": "run-0",
    "run_created_at": "2026-03-01T09:00:00Z",
}
VERIFICATION = {
    "run_id": None,
    "notifications": [{"trigger": "verification", "message": "m", "run_status": None}],
}


def flux(reason: str, at: str, **more: object) -> dict[str, Any]:
    return {
        "involvedObject": {"kind": "Kustomization", "name": "cart", "namespace": "apps", "uid": "u"},
        "metadata": {
            "kustomize.toolkit.fluxcd.io/revision": f"main@sha1:{'4dc3' * 10}",
            "env": "prod",
            "event.toolkit.fluxcd.io/team": "shop",
            "region": "eu-1",
        },
        "severity": "info",
        "reason": reason,
        "message": "applied",
        "timestamp": at,
    } | more


def helm(minute: int, action: str, told: str, chart: str, values: str) -> dict[str, Any]:
    outcome = "Failed" if " failed " in f" {told}" else "Succeeded"
    return {
        "involvedObject": {"kind": "HelmRelease", "name": "cart", "namespace": "apps"},
        "metadata": {"revision": chart, "token": f"sha256:{values * 64}"},
        "reason": f"{action}{outcome}",
        "message": f"Helm {action.lower()} {told}",
        "timestamp": f"2026-03-01T10:0{minute}:00Z",
    }


NEXT = {"revision": "main@sha1:9999", "env": "prod"}


def sync(phase: str, health: str = "Progressing", **more: object) -> dict[str, Any]:
    return {
        "application": "cart",
        "namespace": "argocd",
        "labels": {"environment": "prod", "team": "shop", "app.kubernetes.io/name": "cart"},
        "phase": phase,
        "health": health,
        "revision": "4dc3" * 10,
        "images": ["registry:5000/shop/cart:1.2@sha256:00"],
        "started_at": "2026-03-01T10:00:00Z",
        "finished_at": "",
    } | more


def pod(uid: str, reason: str, kind: str = "Warning", **more: object) -> dict[str, Any]:
    return {
        "metadata": {"uid": uid, "namespace": "prod"},
        "involvedObject": {"kind": "Pod", "name": "cart-api-7d9f8b6c5d-x2x7z", "namespace": "prod"},
        "reason": reason,
        "type": kind,
        "message": "Back-off restarting failed container",
        "count": 3,
        "firstTimestamp": "2026-03-01T10:00:00Z",
        "lastTimestamp": "2026-03-01T10:05:00Z",
        "source": {"component": "kubelet"},
    } | more


def build(phase: str, status: str = "", **more: object) -> dict[str, Any]:
    about = {
        "number": 18,
        "phase": phase,
        "status": status,
        "timestamp": 1772359200000,
        "full_url": "https://j/job/cart/18/",
        "scm": {"commit": "4dc3", "branch": "origin/main", "culprits": ["ada"]},
        "parameters": {"ENVIRONMENT": "prod", "VERSION": "1.2", "PASSWORD": "x"},
    }
    return {"name": "cart", "url": "job/cart/", "build": about | more}


@dataclass(frozen=True)
class Case:
    """Messages of a product with the outcome of each, and the events, the latest first, that are left."""

    product: str
    messages: list[tuple[object, str]]
    events: list[tuple[str, str, dict[str, object]]]
    """Of each: its title, its elapsed time, and some of its attributes."""


CASES = [
    Case(
        "pagerduty",
        [
            ({"event": {"event_type": "pagey.ping", "data": {"type": "ping"}}}, "pong"),
            (incident(0, "triggered", "triggered"), "recorded"),
            (incident(1, "acknowledged", "acknowledged"), "recorded"),
            (incident(0, "triggered", "triggered"), "recorded"),  # again, and without effect
            (incident(2, "resolved", "resolved"), "recorded"),
            (incident(4, "escalated", "acknowledged"), "stale"),
            (incident(5, "reopened", "triggered"), "recorded"),
            (incident(6, "resolved", "resolved"), "recorded"),
            (incident(5, "reopened", "triggered", "e5 again"), "stale"),
            (incident(9, "priority_updated", "resolved"), "recorded"),  # of an incident that has ended
            ({"event": {"event_type": "incident.annotated", "data": {"type": "note"}}}, "unsupported event"),
            ({"event": {"event_type": "service.created", "data": {}}}, "unsupported event"),
        ],
        [
            (
                "Disk full",
                "360s",
                {"status": "close", "service": "cart", "owner": "shop", "priority": "P2", "type": "incident"},
            )
        ],
    ),
    Case(
        "terraform",
        [
            (VERIFICATION, "pong"),
            (run("run:created", "2026-03-01T10:00:00Z"), "recorded"),
            (run("run:applying", "2026-03-01T10:01:00Z"), "recorded"),
            (run("run:completed", "2026-03-01T10:03:00Z"), "recorded"),
            (run("run:applying", "2026-03-01T10:01:00Z"), "stale"),
            (run("run:needs_attention", "2026-03-01T10:00:30Z"), "stale"),
            (PLAN, "recorded"),
            (ASSESSMENT, "recorded"),
            (ASSESSMENT | {"trigger": "workspace:auto_destroy_reminder"}, "unsupported trigger"),
            (run("run:thinking", "2026-03-01T10:01:00Z"), "unsupported trigger"),
        ],
        [
            ("cart has drifted", "", {"type": "drift", "status": "warning", "service": "cart"}),
            (
                "Terraform run in cart-prod",
                "180s",
                {"status": "success", "service": "cart", "environment": "production", "owner": "ada"},
            ),
            ("Terraform run in cart-prod", "60s", {"status": "close", "service": "cart"}),
        ],
    ),
    Case(
        "flux",
        [
            (flux("Progressing", "2026-03-01T10:00:00Z"), "recorded"),
            (flux("ReconciliationFailed", "2026-03-01T10:01:00Z", severity="error"), "recorded"),
            (flux("ReconciliationSucceeded", "2026-03-01T10:02:00Z"), "recorded"),
            (flux("Progressing", "2026-03-01T10:00:00Z"), "stale"),
            (flux("ReconciliationSucceeded", "2026-03-01T10:12:00Z", message="finished again"), "recorded"),
            (flux("HealthCheckFailed", "2026-03-03T10:00:00Z"), "recorded"),  # it ended well all the same
            (flux("DependencyNotReady", "2026-03-01T10:00:00Z"), "unsupported reason"),
            (flux("Progressing", "2026-03-01T10:00:00Z", metadata={}), "missing revision"),
            (flux("info", "2026-03-01T10:00:00Z", involvedObject={"kind": "Bucket"}), "unsupported kind"),
        ],
        [
            (
                "Deploy cart 4dc34dc3",
                "120s",
                {
                    "status": "success",
                    "type": "deployment",
                    "environment": "production",
                    "owner": "shop",
                    "region": "eu-1",
                    "message": "applied",
                },
            )
        ],
    ),
    Case(
        "flux",
        [
            (each, "recorded")
            for each in (
                helm(0, "Upgrade", "succeeded for release apps/cart.v11 with chart cart@6.5.2", "6.5.2", "a"),
                helm(1, "Upgrade", "succeeded for release apps/cart.v12 with chart cart@6.5.2", "6.5.2", "b"),
                helm(2, "Upgrade", "failed for release apps/cart with chart cart@6.5.3: no", "6.5.3", "b"),
                helm(3, "Upgrade", "failed for release apps/cart with chart cart@6.5.3: no", "6.5.3", "b"),
                helm(4, "Rollback", "to previous release apps/cart.v12 with chart cart@6.5.2", "6.5.2", "b"),
                helm(5, "Upgrade", "succeeded for release apps/cart.v15 with chart cart@6.5.4", "6.5.4", "b"),
                helm(6, "Test", "failed for release apps/cart.v15 with chart cart@6.5.4: no", "6.5.4", "b"),
            )
        ],
        [
            ("Deploy cart 6.5.4", "", {"status": "failure", "version": "6.5.4"}),
            ("Roll back cart to 6.5.2", "", {"status": "success", "version": "6.5.2"}),
            ("Deploy cart 6.5.3", "", {"status": "failure", "endDate": "2026-03-01T10:02:00Z"}),
            ("Deploy cart 6.5.2", "", {"status": "success", "endDate": "2026-03-01T10:01:00Z"}),
            ("Deploy cart 6.5.2", "", {"status": "success", "endDate": "2026-03-01T10:00:00Z"}),
        ],
    ),
    Case(
        "flux",
        [
            (flux("Progressing", "2026-03-01T10:00:00Z"), "recorded"),
            (flux("Progressing", "2026-03-01T10:03:00Z", metadata=NEXT), "recorded"),  # its health never came
            (flux("HealthCheckCanceled", "2026-03-01T10:04:00Z", metadata=NEXT), "recorded"),
        ],
        [
            ("Deploy cart 9999", "60s", {"status": "close"}),
            ("Deploy cart 4dc34dc3", "180s", {"status": "close", "endDate": "2026-03-01T10:03:00Z"}),
        ],
    ),
    Case(
        "argocd",
        [
            (sync("Running"), "recorded"),
            (sync("Running", application="till"), "recorded"),
            (sync("Running", started_at="2026-03-01T10:30:00Z"), "recorded"),
        ],
        [
            ("Deploy cart 1.2", "", {"status": "start", "startDate": "2026-03-01T10:30:00Z"}),
            ("Deploy till 1.2", "", {"status": "start"}),
            ("Deploy cart 1.2", "1800s", {"status": "close", "endDate": "2026-03-01T10:30:00Z"}),
        ],
    ),
    Case(
        "argocd",
        [
            (sync("Running"), "recorded"),
            (sync("Succeeded", "Healthy", finished_at="2026-03-01T10:01:00Z"), "recorded"),
            (sync("Running"), "stale"),
            (sync("Succeeded", "Degraded", finished_at="2026-03-01T10:01:00Z"), "recorded"),  # days later
            (sync("Nothing"), "unsupported phase"),
        ],
        [
            (
                "Deploy cart 1.2",
                "60s",
                {"status": "success", "environment": "production", "version": "1.2", "owner": "shop"},
            )
        ],
    ),
    Case(
        "kubernetes",
        [
            (
                {"kind": "List", "items": [pod("1", "BackOff"), pod("2", "Pulled", "Normal")]},
                "recorded",
            ),
            (
                b"\n".join(
                    json.dumps(each).encode()
                    for each in (
                        {"type": "MODIFIED", "object": pod("1", "BackOff", count=4)},
                        {"type": "DELETED", "object": pod("1", "BackOff")},
                    )
                ),
                "recorded",
            ),
            (pod("3", "Scheduled", "Normal"), "unsupported reason"),
            ({"kind": "List", "items": []}, "no events"),
        ],
        [
            (
                "BackOff of Pod cart-api-7d9f8b6c5d-x2x7z",
                "300s",
                {"status": "warning", "service": "cart-api", "environment": "production"},
            )
        ],
    ),
    Case(
        "jenkins",
        [
            (build("QUEUED"), "recorded"),
            (build("STARTED"), "recorded"),
            (build("COMPLETED", "SUCCESS", duration=90_000), "recorded"),
            (build("FINALIZED", "SUCCESS", duration=90_000), "recorded"),
            (build("STARTED"), "stale"),
            (build("RELAXED"), "unsupported phase"),
            (build("COMPLETED", "ABORTED", number=17, duration=5, timestamp=1772355600000), "recorded"),
        ],
        [
            (
                "cart #18",
                "90s",
                {
                    "status": "success",
                    "type": "deployment",
                    "environment": "production",
                    "version": "1.2",
                    "owner": "ada",
                },
            ),
            ("cart #17", "0.005s", {"status": "close", "type": "deployment"}),
        ],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.product)
async def test_messages_about_one_thing_are_one_event(http: httpx2.AsyncClient, case: Case) -> None:
    for content, outcome in case.messages:
        status, answer = await send(http, case.product, content)
        outcomes = {"recorded": 200, "pong": 200}
        assert status == outcomes.get(outcome, 202), answer
        assert outcome in (answer["status"], answer.get("reason")), (content, answer)
    events = await recorded(http)
    assert [each["title"] for each in events] == [title for title, *_ in case.events]
    for event, (_, elapsed, attributes) in zip(events, case.events, strict=True):
        assert attributes.items() <= event["attributes"].items(), event
        assert event["metadata"].get("elapsed") == (elapsed or None), event
        assert event["attributes"]["source"] == case.product


async def test_the_catalog_knows_the_services_of_other_names(http: httpx2.AsyncClient) -> None:
    names = {"argocd/app-name": "cart-1", "pagerduty.com/service-id": "PIJ90N7"}
    entry = {"name": "checkout", "owner": "core", "version": "1", "type": "project", "annotations": names}
    assert (await http.put("/api/v1alpha1/catalog", json=entry)).status_code == 200
    await send(http, "argocd", sync("Running", application="cart-1"))
    await send(http, "pagerduty", incident(0, "triggered", "triggered"))
    assert [event["attributes"]["service"] for event in await recorded(http)] == ["checkout", "checkout"]


async def test_a_key_of_pagerduty_is_an_incident_each_time_that_it_is_triggered_anew(
    http: httpx2.AsyncClient,
) -> None:
    payload = {"summary": "Disk full", "source": "db-1", "severity": "critical"}
    for action, key in (
        *(("trigger", "disk"), ("trigger", "disk"), ("acknowledge", "disk"), ("resolve", "disk")),
        *(("resolve", "disk"), ("trigger", "disk"), ("trigger", "Disk"), ("resolve", "Disk")),
        *(("resolve", "disk"), ("trigger", "disk"), ("acknowledge", "disk")),
    ):
        asked = {"event_action": action, "dedup_key": key, "payload": payload}
        assert (await http.post("/v2/enqueue", json=asked)).status_code == 202
    found = [
        (e["attributes"]["labels"]["dedup_key"], e["attributes"]["status"]) for e in await recorded(http)
    ]
    assert sorted(found) == [("Disk", "close"), ("disk", "close"), ("disk", "close"), ("disk", "in_progress")]


@pytest.mark.parametrize("product", SIGNED)
async def test_what_is_not_signed_is_refused(http: httpx2.AsyncClient, product: str) -> None:
    path = f"/api/v1alpha1/integrations/{product}/webhook"
    body = json.dumps(next(each for each in CASES if each.product == product).messages[1][0]).encode()
    ((name, signature), *others) = SIGNED[product](body).items()
    altered = signature[:-1] + ("0" if signature[-1] != "0" else "1")
    for given in (
        "",
        altered,
        signature.rpartition("=")[2][:-1],
        "é",
        ",".join(["v1=00"] * 20 + [signature]),
    ):
        headers = dict(others) | {name: given}
        sent = {key.encode(): of.encode() for key, of in headers.items()}
        answer = await http.post(path, content=body, headers=sent)
        assert answer.status_code == 401, given
    answer = await http.post(path, content=body + b" ", headers=SIGNED[product](body))
    assert answer.status_code == 401
    assert await recorded(http) == []


@pytest.mark.parametrize("product", SIGNED)
def test_no_altered_message_is_taken_for_a_signed_one(product: str) -> None:
    chance, verify = random.Random(19), VERIFIED[product]
    body = json.dumps(next(each for each in CASES if each.product == product).messages[1][0]).encode()
    headers = SIGNED[product](body)
    (name, signature), *_ = headers.items()
    assert verify(SECRET.encode(), body, headers)
    for _ in range(10_000):
        altered, given = bytearray(body), signature
        at = chance.randrange(len(body))
        match chance.randrange(4):
            case 0:
                altered[at] ^= 1 << chance.randrange(8)
            case 1:
                del altered[at:]
            case 2:
                altered[at:at] = chance.randbytes(chance.randint(1, 9))
            case _:
                digit = chance.randrange(len(signature) - 64, len(signature))
                other = chance.choice([each for each in "0123456789abcdef" if each != signature[digit]])
                given = signature[:digit] + other + signature[digit + 1 :]
        assert not verify(SECRET.encode(), bytes(altered), headers | {name: given}), (altered, given)


@pytest.mark.parametrize(
    ("product", "content", "field"),
    [
        (
            "pagerduty",
            {"event": {"event_type": "incident.triggered", "data": NO_RETRY | {"status": []}}},
            "status",
        ),
        ("terraform", run("run:completed", "today"), "run_updated_at"),
        ("terraform", {"notifications": [1]}, "notifications"),
        ("flux", flux("Progressing", "x"), "timestamp"),
        ("argocd", {"phase": "Running"}, "application"),
        ("kubernetes", {"items": [pod("", "BackOff")]}, "uid"),
        ("kubernetes", b"{\n}\nnothing", "no JSON"),
        ("jenkins", build("STARTED", number=None), "number"),
    ],
)
async def test_a_malformed_message_is_refused(
    http: httpx2.AsyncClient, product: str, content: object, field: str
) -> None:
    status, answer = await send(http, product, content)
    assert (status, field in answer["message"]) == (400, True), answer


async def test_a_namespace_is_the_environment_that_the_operator_says(http: httpx2.AsyncClient) -> None:
    live = {"kind": "Pod", "name": "cart-api-7d9f8b6c5d-x2x7z", "namespace": "cart-live"}
    alert: dict[str, object] = {
        "status": "firing",
        "fingerprint": "f1",
        "labels": {"alertname": "Slow", "namespace": "Cart-Live"},
        "startsAt": "2026-03-01T10:00:00Z",
    }
    labels = {"alertname": "Fast", "namespace": "cart-live", "env": "elsewhere"}
    for product, content in (
        ("kubernetes", pod("1", "BackOff", involvedObject=live)),
        ("kubernetes", pod("2", "Killing", "Normal", involvedObject=live | {"namespace": "kube-system"})),
        ("argocd", sync("Running", labels={}, destination="cart-live")),
        ("alertmanager", {"alerts": [alert, alert | {"fingerprint": "f2", "labels": labels}]}),
    ):
        assert (await send(http, product, content))[0] == 200
    assert {each["title"]: each["attributes"]["environment"] for each in await recorded(http)} == {
        "BackOff of Pod cart-api-7d9f8b6c5d-x2x7z": "production",
        "Killing of Pod cart-api-7d9f8b6c5d-x2x7z": "ENVIRONMENT_UNSPECIFIED",
        "Deploy cart 1.2": "production",
        "Slow": "production",
        "Fast": "ENVIRONMENT_UNSPECIFIED",
    }


class TestWithoutASecret:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(
            settings,
            integration_pagerduty_secret=None,
            integration_terraform_token=None,
            integration_flux_hmac_key=None,
        )

    async def test_only_flux_is_received(self, http: httpx2.AsyncClient) -> None:
        answers = {product: (await send(http, product, {}))[0] for product in SIGNED}
        assert answers == {"pagerduty": 404, "terraform": 404, "flux": 202}


async def test_the_catalog_says_which_service_a_product_means(http: httpx2.AsyncClient) -> None:
    entry = {"type": "project", "owner": "ada", "version": "1", "languages": "python"}
    for name, known_as in {
        "storefront": {"argocd/app-name": "shop-production", "pagerduty.com/service-id": "PF9KMXH"},
        "twin-a": {"argocd/app-name": "twins"},
        "twin-b": {"argocd/app-name": "twins"},
    }.items():
        body = {"name": name, **entry, "annotations": known_as}
        assert (await http.put("/api/v1alpha1/catalog", json=body)).status_code == 200
    for application in ("shop-production", "twins", "storefront"):
        content = {"application": application, "phase": "Succeeded", "revision": "v1"}
        assert (await send(http, "argocd", content))[0] == 200
    listed = (await http.get("/api/v1alpha1/events/list")).json()["events"]
    assert [each["attributes"]["service"] for each in listed] == ["storefront", "twins", "storefront"]
