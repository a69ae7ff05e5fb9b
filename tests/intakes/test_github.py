from __future__ import annotations

import hashlib
import hmac
import json
import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import apsw
import pytest
from tests.clients import RestClient
from tests.soak import size, soaks

from tracker.domain.commits import Commit
from tracker.intakes.github import is_signed
from tracker.stores.sqlite.commits import SELECT
from tracker.time_text import MICROS

if TYPE_CHECKING:
    import httpx2
    from tests.clients import JsonObject

    from tracker.app import App
    from tracker.config.settings import Settings

pytestmark = pytest.mark.anyio

PATH = "/api/v1alpha1/integrations/github/webhook"
SECRET = "It's a Secret to Everybody"
REPOSITORY = {"full_name": "shop/cart", "name": "cart", "created_at": "2020-01-01T00:00:00Z"}
PUSH = {"ref": "refs/heads/main", "after": "9" * 40, "before": "8" * 40}
DEPLOYMENT = {
    "id": 42,
    "sha": "244fd47e07d1004f0aed9c",
    "ref": "main",
    "task": "deploy",
    "environment": "Production",
    "payload": {},
    "description": None,
    "creator": {"login": "ada"},
    "created_at": "2026-03-01T10:00:00Z",
}
RUN = {
    "id": 7,
    "name": "",
    "path": ".github/workflows/ci.yml",
    "run_number": 12,
    "run_attempt": 1,
    "head_branch": "main",
    "head_sha": "244fd47e",
    "display_title": "Add a cart",
    "html_url": "https://github.com/shop/cart/actions/runs/7",
    "actor": {"login": "ada"},
    "run_started_at": "2026-03-01T11:00:00Z",
    "updated_at": "2026-03-01T11:05:00Z",
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, github_webhook_secret=SECRET)


def signature(body: bytes) -> str:
    return f"sha256={hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}"


async def send(
    http: httpx2.AsyncClient, kind: str, content: JsonObject, delivery: str = "", query: str = ""
) -> tuple[int, Any]:
    body = json.dumps(content | {"repository": content.get("repository", REPOSITORY)}).encode()
    headers = {
        "content-type": "application/json",
        "x-github-event": kind,
        "x-hub-signature-256": signature(body),
    }
    if delivery:
        headers["x-github-delivery"] = delivery
    answer = await http.post(PATH + query, content=body, headers=headers)
    return answer.status_code, answer.json()


async def recorded(http: httpx2.AsyncClient) -> list[Any]:
    return list((await http.get("/api/v1alpha1/events/list")).json()["events"])


def status_of_deployment(state: str, at: str) -> JsonObject:
    status = {"state": state, "environment": "Production", "log_url": "https://l", "created_at": at}
    return {"deployment_status": status, "deployment": DEPLOYMENT}


async def test_a_deployment_and_its_statuses_are_one_event(http: httpx2.AsyncClient) -> None:
    failed = status_of_deployment("failure", "2026-03-01T10:05:00Z")
    sent = [
        ("deployment", {"deployment": DEPLOYMENT}, "d1", "recorded"),
        ("deployment_status", status_of_deployment("in_progress", "2026-03-01T10:01:00Z"), "d2", "recorded"),
        ("deployment_status", failed, "d3", "recorded"),
        ("deployment", {"deployment": DEPLOYMENT}, "d1", "ignored"),
        (
            "deployment_status",
            status_of_deployment("success", "2026-03-01T10:10:00Z"),
            "d4",
            "recorded",
        ),
        ("deployment_status", failed, "d3", "recorded"),  # again, and without effect
        ("deployment_status", status_of_deployment("inactive", "2026-03-01T12:00:00Z"), "d5", "ignored"),
    ]
    for kind, content, delivery, outcome in sent:
        status, answer = await send(http, kind, content, delivery)
        assert (status, answer["status"]) == ({"recorded": 200, "ignored": 202}[outcome], outcome), answer
        (event,) = await recorded(http)
        if outcome == "recorded":
            assert answer["eventId"] == event["metadata"]["id"]
    wanted = {
        "source": "github",
        "type": "deployment",
        "status": "success",
        "service": "cart",
        "environment": "production",
        "version": "244fd47e",
        "owner": "ada",
    }
    assert wanted.items() <= event["attributes"].items()
    assert event["title"] == "Deploy cart 244fd47e to Production"
    assert event["metadata"]["elapsed"] == "600s"
    labels = {"repository": "shop/cart", "ref": "main", "task": "deploy", "url": "https://l"}
    assert labels.items() <= event["attributes"]["labels"].items()


async def test_the_catalog_knows_the_service_of_a_repository(http: httpx2.AsyncClient) -> None:
    slug = {"github.com/project-slug": "shop/cart"}
    entry = {"name": "checkout", "owner": "core", "version": "1", "type": "project", "annotations": slug}
    assert (await http.put("/api/v1alpha1/catalog", json=entry)).status_code == 200
    await send(http, "deployment", {"deployment": DEPLOYMENT}, "d1")
    (event,) = await recorded(http)
    assert event["attributes"]["service"] == "checkout"


@pytest.mark.parametrize("ref", ["v1.2", "refs/tags/v1.2"])
async def test_the_version_of_a_deployment_is_its_tag(http: httpx2.AsyncClient, ref: str) -> None:
    await send(http, "deployment", {"deployment": DEPLOYMENT | {"ref": ref}}, "d1")
    (event,) = await recorded(http)
    assert event["attributes"]["version"] == "v1.2"


async def test_an_attempt_of_a_run_is_one_operation(http: httpx2.AsyncClient) -> None:
    sent: list[tuple[str, JsonObject]] = [
        ("requested", {"conclusion": None}),
        ("in_progress", {"conclusion": None}),
        ("completed", {"conclusion": "timed_out"}),
        ("completed", {"conclusion": None, "run_attempt": 2, "name": "CI"}),
    ]
    for action, more in sent:
        assert (await send(http, "workflow_run", {"action": action, "workflow_run": RUN | more}))[0] == 200
    events = {each["title"]: each for each in await recorded(http)}
    assert {title: each["attributes"]["status"] for title, each in events.items()} == {
        "ci.yml #12 of cart": "failure",
        "CI #12 of cart": "done",
    }
    assert events["ci.yml #12 of cart"]["metadata"]["elapsed"] == "300s"
    assert events["ci.yml #12 of cart"]["attributes"]["message"] == "Add a cart"


async def test_a_published_release_is_an_event(http: httpx2.AsyncClient) -> None:
    release = {
        "id": 3,
        "tag_name": "v1.2.0",
        "name": None,
        "prerelease": True,
        "body": "Faster",
        "published_at": "2026-03-01T10:00:00Z",
        "author": {"login": "ada"},
    }
    assert (await send(http, "release", {"action": "created", "release": release}))[0] == 202
    assert (await send(http, "release", {"action": "published", "release": release}))[0] == 200
    (event,) = await recorded(http)
    assert event["title"] == "Release v1.2.0 of cart"
    assert event["attributes"]["version"] == "v1.2.0"
    assert event["attributes"]["labels"] == {"repository": "shop/cart", "prerelease": "true"}


async def test_what_records_nothing_is_accepted(http: httpx2.AsyncClient) -> None:
    assert await send(http, "ping", {"zen": "Keep it logically awesome."}) == (200, {"status": "pong"})
    number = REPOSITORY | {"created_at": 1577836800}
    deleted_tag = {"ref": "refs/tags/v1", "deleted": True, "head_commit": None, "commits": []}
    for kind, content, reason in (
        ("push", deleted_tag | {"repository": number}, "no commits"),
        ("pull_request", {"action": "closed", "pull_request": {"merged": False}}, "unsupported action"),
        ("star", {"action": "created"}, "unsupported event"),
        ("", {}, "no X-GitHub-Event"),
    ):
        answer = await send(http, kind, content)
        assert answer == (202, {"status": "ignored", "reason": reason})
    assert await recorded(http) == []


@pytest.mark.parametrize("mongo_uri", ["sqlite"], indirect=True)
async def test_commits_of_pushes_and_merges_are_kept_with_their_times(
    settings: Settings, http: httpx2.AsyncClient
) -> None:
    at = datetime.now(UTC).replace(microsecond=0)
    commits = [
        {"id": "1" * 40, "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}+00:00", "message": "Merge pull request #1"},
        {
            "id": "2" * 40,
            "timestamp": "2001-01-01T00:00:00Z",
            "added": ["x" * 100] * 50_000,
        },
        {"id": "no commit", "timestamp": "2026-01-01T00:00:00Z"},
    ]
    assert await send(http, "push", {**PUSH, "commits": commits}) == (
        200,
        {"status": "recorded", "commits": 2},
    )
    merged = {
        "id": 9,
        "number": 12,
        "title": "Larger carts",
        "merged": True,
        "merge_commit_sha": "3" * 40,
        "created_at": "2026-01-01T00:00:00Z",
        "merged_at": at.isoformat(),
        "user": {"login": "ada"},
        "html_url": "https://github.com/shop/cart/pull/12",
        "base": {"ref": "main"},
    }
    content = {"action": "closed", "pull_request": merged}
    status, answer = await send(http, "pull_request", content, "p1")
    assert (status, answer["commits"]) == (200, 1)
    (event,) = await recorded(http)
    assert event["metadata"]["id"] == answer["eventId"]
    assert (event["title"], event["attributes"]["status"]) == ("Merge #12 of cart: Larger carts", "done")
    store = apsw.Connection(str(settings.database_path), flags=apsw.SQLITE_OPEN_READONLY)
    found = [Commit(*row) for row in store.execute(f"{SELECT} ORDER BY sha")]
    micros = int(at.timestamp()) * MICROS
    assert found == [
        Commit("shop/cart", "1" * 40, micros, "cart", head="9" * 40, base="8" * 40, merge=1),
        Commit("shop/cart", "3" * 40, micros, "cart"),
    ]


async def test_a_form_has_the_payload(http: httpx2.AsyncClient) -> None:
    body = urlencode({"payload": json.dumps({"deployment": DEPLOYMENT, "repository": REPOSITORY})}).encode()
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-github-event": "deployment",
        "x-hub-signature-256": signature(body),
    }
    assert (await http.post(PATH, content=body, headers=headers)).status_code == 200
    assert len(await recorded(http)) == 1


@pytest.mark.parametrize(
    ("kind", "content", "field"),
    [
        ("deployment", {"deployment": DEPLOYMENT | {"id": None}}, "id"),
        ("deployment", {"deployment": []}, "deployment"),
        ("deployment", {"deployment": DEPLOYMENT | {"created_at": "today"}}, "created_at"),
        ("workflow_run", {"action": "completed", "workflow_run": {"id": [], "name": 1}}, "id"),
    ],
)
async def test_a_malformed_message_is_refused(
    http: httpx2.AsyncClient, kind: str, content: JsonObject, field: str
) -> None:
    status, answer = await send(http, kind, content)
    assert (status, field in answer["message"]) == (400, True), answer


def test_the_signature_is_that_of_the_documentation() -> None:
    given = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert is_signed(SECRET.encode(), b"Hello, World!", {"x-hub-signature-256": given})


@soaks
@pytest.mark.parametrize("mongo_uri", ["sqlite"], indirect=True)
async def test_no_altered_body_is_accepted(http: httpx2.AsyncClient) -> None:
    chance = random.Random(19)
    body = json.dumps({"deployment": DEPLOYMENT, "repository": REPOSITORY}).encode()
    signed = signature(body)
    for _ in range(size(300, soak=10_000)):
        altered, given = bytearray(body), signed
        at = chance.randrange(len(body))
        match chance.randrange(5):
            case 0:
                altered[at] ^= 1 << chance.randrange(8)
            case 1:
                del altered[at:]
            case 2:
                altered[at:at] = chance.randbytes(chance.randint(1, 9))
            case 3:
                digit = chance.randrange(7, len(signed))
                other = chance.choice([each for each in "0123456789abcdef" if each != signed[digit]])
                given = signed[:digit] + other + signed[digit + 1 :]
            case _:
                given = chance.choice(["", "sha256=", signed[7:], signed[:-1], f"sha1={signed[7:]}", "é"])
        headers = {b"content-type": b"application/json", b"x-github-event": b"deployment"}
        sent = headers | {b"x-hub-signature-256": given.encode()}
        answer = await http.post(PATH, content=bytes(altered), headers=sent)
        assert answer.status_code == 401, (altered, given)
    assert await recorded(http) == []


class TestWithoutASecret:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, github_webhook_secret=None)

    async def test_there_is_no_webhook(self, http: httpx2.AsyncClient) -> None:
        assert (await send(http, "ping", {}))[0] == 404


class TestWithCredentials:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, auth_anonymous_permissions=frozenset())

    async def test_the_key_in_the_address_has_the_rights(self, app: App, http: httpx2.AsyncClient) -> None:
        admin = RestClient(http).bearing(app.access.first_key)
        asked = {"name": "github", "permissions": ["event:read", "event:write"]}
        key = (await admin.call("AuthService/CreateApiKey", asked))["secret"]
        content: JsonObject = {"deployment": DEPLOYMENT}
        assert (await send(http, "deployment", content))[0] == 401
        assert (await send(http, "deployment", content, query=f"?access_token={key}"))[0] == 200


async def test_a_deployment_of_a_locked_service_is_refused(http: httpx2.AsyncClient) -> None:
    assert (await send(http, "deployment", {"deployment": DEPLOYMENT}))[0] == 200
    status, answer = await send(http, "deployment", {"deployment": DEPLOYMENT | {"id": 43}})
    assert (status, "locked" in answer["message"]) == (409, True), answer
    assert len(await recorded(http)) == 1
