from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from standardwebhooks import Webhook

from tracker.app import App
from tracker.errors import SetupError

if TYPE_CHECKING:
    import httpx2
    from tests.clients import JsonObject

    from tracker.config.settings import Settings

pytestmark = pytest.mark.anyio

PATH = "/api/v1alpha1/integrations/gitlab/webhook"
TOKEN = "sixteen or more é"
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PROJECT = {"path_with_namespace": "shop/cart", "web_url": "https://gitlab.example.com/shop/cart"}
DEPLOYMENT = {
    "object_kind": "deployment",
    "deployment_id": 15,
    "deployable_url": "https://gitlab.example.com/shop/cart/-/jobs/796",
    "environment": "review/cart-7",
    "environment_tier": "development",
    "project": PROJECT,
    "short_sha": "279484c0",
    "user": {"username": "ada"},
    "commit_url": "https://gitlab.example.com/shop/cart/-/commit/279484c09fbe69ededfced8c1bb6e6d24616b468",
    "commit_title": "Add a cart",
    "ref": "main",
}
PIPELINE = {
    "id": 31,
    "ref": "main",
    "sha": "279484c0",
    "created_at": "2026-03-01 11:00:00 UTC",
    "finished_at": None,
    "url": "https://gitlab.example.com/shop/cart/-/pipelines/31",
}
RELEASE = {
    "object_kind": "release",
    "id": 1,
    "created_at": "2026-03-01 12:00:00 UTC",
    "description": "Faster",
    "name": "One",
    "released_at": "2026-03-01 12:00:00 UTC",
    "tag": "v1.1",
    "project": PROJECT,
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    environments = ("staging=preproduction", "live=UAT")
    return replace(settings, integration_gitlab_secret_token=TOKEN, integration_environments=environments)


async def send(http: httpx2.AsyncClient, content: JsonObject, delivery: str = "") -> tuple[int, Any]:
    headers = {b"x-gitlab-token": TOKEN.encode()}
    if delivery:
        headers[b"idempotency-key"] = delivery.encode()
    answer = await http.post(PATH, json=content, headers=headers)
    return answer.status_code, answer.json()


async def recorded(http: httpx2.AsyncClient) -> list[Any]:
    return list((await http.get("/api/v1alpha1/events/list")).json()["events"])


def deployment(status: str, at: str) -> JsonObject:
    return DEPLOYMENT | {"status": status, "status_changed_at": at}


async def test_the_catalog_knows_the_service_of_a_project(http: httpx2.AsyncClient) -> None:
    slug = {"gitlab.com/project-slug": "Shop/Cart"}
    entry = {"name": "checkout", "owner": "core", "version": "1", "type": "project", "annotations": slug}
    assert (await http.put("/api/v1alpha1/catalog", json=entry)).status_code == 200
    await send(http, deployment("running", "2026-03-01 11:00:00 +0100"))
    (event,) = await recorded(http)
    assert event["attributes"]["service"] == "checkout"


async def test_a_deployment_is_one_event(http: httpx2.AsyncClient) -> None:
    running, failed = (
        deployment("running", "2026-03-01 11:00:00 +0100"),
        deployment("failed", "2026-03-01 11:10:00 +0100"),
    )
    sent = [
        (running, "a", 200),
        (failed, "b", 200),
        (running, "a", 202),
        (deployment("success", "2026-03-01T10:20:00Z"), "c", 200),
        (failed, "b", 200),  # again, and without effect
        (deployment("paused", "2026-03-01T10:30:00Z"), "d", 202),
    ]
    for content, delivery, status in sent:
        assert (await send(http, content, delivery))[0] == status, content
    (event,) = await recorded(http)
    wanted = {
        "source": "gitlab",
        "type": "deployment",
        "status": "success",
        "service": "cart",
        "environment": "development",
        "version": "279484c0",
        "owner": "ada",
        "message": "Add a cart",
    }
    assert wanted.items() <= event["attributes"].items()
    assert (event["title"], event["metadata"]["elapsed"]) == (
        "Deploy cart 279484c0 to review/cart-7",
        "1200s",
    )
    assert event["attributes"]["labels"] == {
        "project": "shop/cart",
        "environment": "review",
        "ref": "main",
        "sha": "279484c09fbe69ededfced8c1bb6e6d24616b468",
        "url": "https://gitlab.example.com/shop/cart/-/jobs/796",
    }


async def test_a_pipeline_is_one_operation(http: httpx2.AsyncClient) -> None:
    for status, more in (
        ("pending", {}),
        ("running", {}),
        ("success", {"finished_at": "2026-03-01 11:02:00 UTC"}),
    ):
        pipeline = PIPELINE | more | {"status": status}
        content = {
            "object_kind": "pipeline",
            "object_attributes": pipeline,
            "project": PROJECT,
            "commit": None,
        }
        assert (await send(http, content))[0] == 200
    (event,) = await recorded(http)
    assert (event["title"], event["metadata"]["elapsed"]) == ("Pipeline #31 of cart", "120s")
    assert (event["attributes"]["type"], event["attributes"]["status"]) == ("operation", "success")


async def test_a_created_release_is_an_event(http: httpx2.AsyncClient) -> None:
    for action, status in (("create", 200), ("create", 200), ("update", 202), ("delete", 202)):
        assert (await send(http, RELEASE | {"action": action}))[0] == status
    (event,) = await recorded(http)
    assert (event["title"], event["attributes"]["version"]) == ("Release One of cart", "v1.1")


async def test_what_records_nothing_is_accepted_and_what_is_malformed_is_refused(
    http: httpx2.AsyncClient,
) -> None:
    assert await send(http, {}) == (202, {"status": "ignored", "reason": "unsupported object_kind"})
    push: JsonObject = {"object_kind": "push", "project": PROJECT, "commits": []}
    assert await send(http, push) == (202, {"status": "ignored", "reason": "no commits"})
    push["commits"] = [{"id": "a" * 40, "timestamp": "2026-03-01T10:00:00+01:00"}]
    assert await send(http, push) == (200, {"status": "recorded", "commits": 1})
    malformed: list[JsonObject] = [
        deployment("running", "yesterday"),
        deployment("running", "2026-03-01T10:00:00Z") | {"deployment_id": None},
        {"object_kind": "pipeline", "object_attributes": []},
        {"object_kind": []},
    ]
    for each in malformed:
        assert (await send(http, each))[0] == 400
    hostile = deployment("running", "2026-03-01T10:00:00Z") | {"project": {"web_url": "https://[x/"}}
    assert (await send(http, hostile))[0] == 200


@pytest.mark.parametrize("token", [None, "", "sixteen or more", f"{TOKEN}x", f"x{TOKEN}"])
async def test_another_token_is_refused(http: httpx2.AsyncClient, token: str | None) -> None:
    headers = {} if token is None else {b"x-gitlab-token": token.encode()}
    assert (await http.post(PATH, json=RELEASE, headers=headers)).status_code == 401
    assert await recorded(http) == []


async def test_environments_have_the_names_of_the_operator(http: httpx2.AsyncClient) -> None:
    for number, name in enumerate(("staging", "Live/eu", "prod", "review")):
        content = deployment("success", "2026-03-01T10:00:00Z") | {
            "environment": name,
            "environment_tier": None,
        }
        assert (await send(http, content | {"deployment_id": number + 1}))[0] == 200
    places = [each["attributes"]["environment"] for each in reversed(await recorded(http))]
    assert places == ["preproduction", "UAT", "production", "ENVIRONMENT_UNSPECIFIED"]


class TestWithASigningToken:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, integration_gitlab_signing_token=SIGNING)

    async def test_a_signature_takes_the_place_of_the_token(self, http: httpx2.AsyncClient) -> None:
        assert (await send(http, RELEASE))[0] == 401
        body, now = json.dumps(RELEASE | {"action": "create"}), datetime.now(UTC)
        for name, at, altered, status in (
            ("m-1", now, "", 200),
            ("m-1", now, "", 200),
            ("m-2", now - timedelta(minutes=6), "", 401),
            ("m-3", now + timedelta(minutes=6), "", 401),
            ("m-4", now, " ", 401),
        ):
            headers = {
                "webhook-id": name,
                "webhook-timestamp": str(int(at.timestamp())),
                "webhook-signature": f"v2,x {Webhook(SIGNING).sign(name, at, body)}",
            }
            answer = await http.post(PATH, content=f"{body}{altered}", headers=headers)
            assert answer.status_code == status, name
            other = headers | {"webhook-id": f"{name}x"}
            assert (await http.post(PATH, content=body, headers=other)).status_code == 401
        assert len(await recorded(http)) == 1


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"integration_gitlab_signing_token": "whsec_short"}, "INTEGRATION_GITLAB_SIGNING_TOKEN"),
        (
            {"integration_gitlab_signing_token": SIGNING.replace("_", "_-")},
            "INTEGRATION_GITLAB_SIGNING_TOKEN",
        ),
        ({"integration_environments": ("prod=UAT",)}, "prod is one already"),
        ({"integration_environments": ("live=nowhere",)}, "expected such as staging=preproduction"),
        ({"integration_environments": ("live=prod", "LIVE=UAT")}, "LIVE is there twice"),
    ],
)
@pytest.mark.parametrize("mongo_uri", ["sqlite"], indirect=True)
async def test_what_can_not_be_used_stops_the_start(
    settings: Settings, wrong: dict[str, Any], named: str
) -> None:
    log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
    with pytest.raises(SetupError, match=named):
        async with App(replace(settings, **wrong), log):
            pass


class TestWithoutASecret:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, integration_gitlab_secret_token=None)

    async def test_there_is_no_webhook(self, http: httpx2.AsyncClient) -> None:
        assert (await send(http, RELEASE))[0] == 404
