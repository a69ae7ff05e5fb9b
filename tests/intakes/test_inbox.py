"""The inbox: what is counted and kept of messages, and what becomes of these when they are replayed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.canaries import canary
from tests.clients import Refused, RestClient

if TYPE_CHECKING:
    import httpx2

    from tracker.app import App
    from tracker.config.settings import Settings

pytestmark = pytest.mark.anyio

FLUX = "/api/v1alpha1/integrations/flux/webhook"
KUSTOMIZATION: dict[str, Any] = {
    "involvedObject": {"kind": "Kustomization", "name": "cart", "namespace": "apps"},
    "metadata": {"revision": "main@sha1:" + "4dc3" * 10, "env": "prod"},
    "severity": "info",
    "timestamp": "2026-03-01T10:00:00Z",
}


async def messages(client: RestClient, **asked: object) -> list[Any]:
    return list((await client.call("IntakeService/ListIntakeMessages", asked))["messages"])


async def test_what_records_nothing_is_counted_kept_and_replayed(http: httpx2.AsyncClient) -> None:
    client, secret = RestClient(http), canary("token")
    recorded = KUSTOMIZATION | {"reason": "ReconciliationSucceeded"}
    headers = {"gotk-component": "kustomize-controller", "x-own-token": secret}
    assert (await http.post(FLUX, json=recorded)).status_code == 200
    unknown = KUSTOMIZATION | {
        "reason": "Slept",
        "token": secret,
        "more": [{"apiKey": secret, "author": "a"}],
    }
    assert (await http.post(FLUX, json=unknown, headers=headers)).status_code == 202
    malformed = recorded | {"timestamp": "today"}
    assert (await http.post(FLUX, json=malformed)).status_code == 400
    no_json = f'{{"password": "{secret}", "name": "x", '
    assert (await http.post(FLUX, content=no_json)).status_code == 400

    (intake,) = (await client.call("IntakeService/ListIntakes"))["intakes"]
    counts = {name: intake[name] for name in ("sender", "recorded", "ignored", "refused", "failed")}
    assert counts == {"sender": "flux", "recorded": "1", "ignored": "1", "refused": "2", "failed": "0"}
    assert "no JSON" in intake["lastProblem"]

    third, second, first = await messages(client)
    assert [each["outcome"] for each in (first, second, third)] == ["ignored", "refused", "refused"]
    assert (first["reason"], first["body"], first["sender"]) == ("unsupported reason", "", "flux")
    assert first["headers"]["gotk-component"] == "kustomize-controller"
    assert await messages(client, outcome="ignored") == [first]
    assert await messages(client, sender="github") == []
    whole = [
        (await client.call("IntakeService/GetIntakeMessage", {"id": each["id"]}))["message"]
        for each in (first, third)
    ]
    assert secret not in json.dumps(whole)
    kept = json.loads(whole[0]["body"])
    assert (kept["token"], kept["more"]) == ("***", [{"apiKey": "***", "author": "a"}])
    assert whole[1]["body"] == '{"password": "***", "name": "x", '

    replayed = (await client.call("IntakeService/ReplayIntakeMessage", {"id": first["id"]}))["message"]
    assert (replayed["outcome"], replayed["reason"]) == ("ignored", "unsupported reason")
    assert replayed["replayedAt"]
    with pytest.raises(Refused, match="no message found"):
        await client.call("IntakeService/ReplayIntakeMessage", {"id": "nothing"})


async def test_a_message_that_a_lock_refused_is_recorded_when_it_is_replayed(
    http: httpx2.AsyncClient,
) -> None:
    client = RestClient(http)
    lock = {"service": "cart", "environment": "production", "who": "ada"}
    held = (await client.call("LockService/CreateLock", lock))["lock"]["id"]
    begun = KUSTOMIZATION | {"reason": "Progressing"}
    assert (await http.post(FLUX, json=begun)).status_code == 409
    (kept,) = await messages(client)
    assert "locked" in kept["reason"]
    await client.call("LockService/UnLock", {"id": held})
    replayed = (await client.call("IntakeService/ReplayIntakeMessage", {"id": kept["id"]}))["message"]
    assert (replayed["outcome"], replayed["reason"]) == ("recorded", "")
    (event,) = (await client.call("EventService/ListEvents"))["events"]
    assert event["attributes"]["source"] == "flux"


@pytest.mark.parametrize("mongo_uri", ["sqlite"], indirect=True)
async def test_the_oldest_messages_make_room(
    http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracker.services.intakes.inbox.KEPT_MESSAGES", 3)
    monkeypatch.setattr("tracker.services.intakes.inbox.KEPT_BYTES", 60_000)
    client = RestClient(http)
    for number in range(5):
        await http.post(FLUX, json={"number": number})
    bodies = [
        (await client.call("IntakeService/GetIntakeMessage", {"id": each["id"]}))["message"]["body"]
        for each in await messages(client)
    ]
    assert [json.loads(body)["number"] for body in bodies] == [4, 3, 2]
    await http.post(FLUX, json={"number": "long", "text": "x" * 59_990})
    assert len(await messages(client)) <= 1


class TestWithCredentials:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, auth_anonymous_permissions=frozenset(), github_webhook_secret="s" * 16)

    @pytest.mark.parametrize("mongo_uri", ["sqlite"], indirect=True)
    async def test_nobody_without_rights_fills_or_reads_the_inbox(
        self, app: App, http: httpx2.AsyncClient
    ) -> None:
        admin = RestClient(http).bearing(app.access.first_key)
        asked = {"name": "flux", "permissions": ["event:read", "event:write"]}
        key = (await admin.call("AuthService/CreateApiKey", asked))["secret"]
        assert (await http.post(FLUX, json={})).status_code == 401
        assert (await http.post("/api/v1alpha1/integrations/nobody/webhook", json={})).status_code == 401
        github = f"/api/v1alpha1/integrations/github/webhook?access_token={key}"
        assert (await http.post(github, json={})).status_code == 401  # it is not signed
        assert await messages(admin) == []
        assert (await http.post(FLUX, json={"k": key}, headers={"x-api-key": key})).status_code == 202
        (kept,) = await messages(admin)
        whole = (await admin.call("IntakeService/GetIntakeMessage", {"id": kept["id"]}))["message"]
        assert (whole["headers"]["x-api-key"], json.loads(whole["body"])) == ("***", {"k": "***"})
        with pytest.raises(Refused, match="intake:write"):
            await messages(RestClient(http).bearing(key))
