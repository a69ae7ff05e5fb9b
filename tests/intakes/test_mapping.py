"""The operator's own rules: what they make of messages, how they are changed, and what is wrong with them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.clients import RestClient

from tracker.intakes.mapping import compiled, selected
from tracker.intakes.mapping_file import MappingError, parse

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

    from tracker.config.settings import Settings

pytestmark = pytest.mark.anyio

RULES = """
[flux]
service = "metadata.app || involvedObject.name"
environment = {values = {live = "production"}, default = "development"}
owner = {select = "metadata.squad", default = "platform"}
priority = {default = "P2"}
only = "involvedObject.namespace != 'sandbox'"

[flux.labels]
namespace = "involvedObject.namespace"

[deploybot]
each = "deploys"
title = "join(' ', ['Deploy', app, to_string(build)])"
message = "missing"
service = "app"
environment = {select = "stage", values = {PRD = "production"}}
version = "build"
type = {default = "deployment"}
status = {select = "state", values = {ok = "success", running = "start"}}
external_id = "id"
start_date = "begun"
end_date = "ended"
commit = "sha"

[argocd]
environment = {default = "prod"}

[datadog-dora]
version = "git.tag || version"

[pagerduty-events]
owner = {select = "payload.custom_details.squad", default = "nobody"}
status = {values = {close = "done"}}

[join]
senders = ["argocd", "flux", "deploybot"]
source = "delivery"
"""
SHA = "4dc3" * 10


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "mapping.toml"
    file.write_text(RULES, "utf-8")
    return file


@pytest.fixture
def settings(settings: Settings, rules: Path) -> Settings:
    return replace(settings, intake_mapping=rules)


def flux(reason: str, at: str, namespace: str = "apps", **more: object) -> dict[str, Any]:
    return {
        "involvedObject": {"kind": "Kustomization", "name": "cart", "namespace": namespace},
        "metadata": {"revision": f"main@sha1:{SHA}", "env": "live"} | more,
        "reason": reason,
        "timestamp": at,
    }


def argocd(phase: str, started: str, finished: str = "") -> dict[str, Any]:
    return {
        "application": "cart",
        "phase": phase,
        "health": "Healthy",
        "revision": SHA,
        "started_at": started,
        "finished_at": finished,
    }


async def send(http: httpx2.AsyncClient, sender: str, content: object) -> tuple[int, Any]:
    answer = await http.post(f"/api/v1alpha1/integrations/{sender}/webhook", json=content)
    return answer.status_code, answer.json()


async def recorded(http: httpx2.AsyncClient) -> list[Any]:
    return list((await http.get("/api/v1alpha1/events/list")).json()["events"])


@pytest.mark.parametrize("mongo_uri", ["sqlite"], indirect=True)
async def test_rules_set_what_messages_become(http: httpx2.AsyncClient) -> None:
    assert (await send(http, "flux", flux("Progressing", "2026-03-01T10:00:00Z", "sandbox")))[0] == 202
    assert (await send(http, "flux", flux("Progressing", "2026-03-01T10:00:00Z", app="basket")))[0] == 200
    (event,) = await recorded(http)
    wanted = {"service": "basket", "environment": "production", "owner": "platform", "priority": "P2"}
    assert wanted.items() <= event["attributes"].items()
    labels = event["attributes"]["labels"]
    assert (labels["namespace"], "environment" in labels) == ("apps", False)


@pytest.mark.parametrize("mongo_uri", ["sqlite"], indirect=True)
async def test_rules_are_for_foreign_clients_too_also_for_what_changes_an_event(
    http: httpx2.AsyncClient,
) -> None:
    given = {"service": "cart", "started_at": 1772359200, "version": "1", "git": {"tag": "v1.2"}}
    deployment = {"data": {"attributes": given}}
    assert (await http.post("/api/v2/dora/deployment", json=deployment)).status_code == 200
    payload = {"summary": "Disk", "source": "db", "severity": "error", "custom_details": {"squad": "core"}}
    trigger = {"event_action": "trigger", "dedup_key": "disk", "payload": payload}
    for each in (trigger, {"event_action": "resolve", "dedup_key": "disk"}):
        assert (await http.post("/v2/enqueue", json=each)).status_code == 202
    found = {each["title"]: each["attributes"] for each in await recorded(http)}
    assert found["Deployed cart 1"]["version"] == "v1.2"
    assert (found["Disk"]["owner"], found["Disk"]["status"]) == ("core", "done")


@pytest.mark.parametrize(
    ("expression", "content"),
    [
        ("[?restarts < `5`]", [{"restarts": "3"}]),
        ("contains(revision, build)", {"revision": "main", "build": 5}),
        ("max_by(@, &size)", [{"size": 1}, {"size": "2"}]),
        ("floor(to_number(size))", {"size": "nan"}),
        ("ceil(to_number(size))", {"size": "inf"}),
        ("join(' ', @)", [1]),
    ],
)
def test_an_expression_that_cannot_take_what_is_there_selects_nothing(
    expression: str, content: object
) -> None:
    assert selected(compiled(expression), content) is None


@pytest.mark.parametrize("mongo_uri", ["sqlite"], indirect=True)
async def test_any_json_becomes_events_by_a_table_of_its_own(http: httpx2.AsyncClient) -> None:
    deploy = {
        "id": 7,
        "app": "cart",
        "build": 12,
        "stage": "prd",
        "state": "ok",
        "begun": 1772359200,
        "ended": 1772359260500,
    }
    content = {"deploys": [deploy, deploy | {"id": 8, "app": "till", "ended": "2026-03-01T10:02:00Z"}]}
    assert await send(http, "deploybot", content) == (200, {"status": "recorded", "events": 2})
    assert (await send(http, "deploybot", content))[0] == 200
    till, cart = sorted(await recorded(http), key=lambda each: each["title"], reverse=True)
    assert (cart["title"], cart["metadata"]["elapsed"]) == ("Deploy cart 12", "60.500s")
    assert (till["title"], till["metadata"]["elapsed"]) == ("Deploy till 12", "120s")
    wanted = {"source": "deploybot", "status": "success", "environment": "production", "version": "12"}
    assert wanted.items() <= cart["attributes"].items()
    status, answer = await send(http, "deploybot", {"deploys": [deploy | {"state": "odd"}]})
    assert (status, "mapping deploybot.status" in answer["message"]) == (400, True)
    assert (await send(http, "deploybot", {"deploys": 1}))[0] == 400
    assert (await send(http, "deploybot", {}))[0] == 202
    status, answer = await send(http, "nobody", {})
    assert (status, "no table [nobody]" in answer["message"]) == (404, True)


async def test_deployments_that_several_senders_report_are_one_event(http: httpx2.AsyncClient) -> None:
    deploy = {
        "id": 7,
        "app": "cart",
        "build": 12,
        "stage": "PRD",
        "sha": SHA[:8],
        "begun": "2026-03-01T09:59:00Z",
    }
    for sender, content in (
        ("deploybot", {"deploys": [deploy | {"state": "running"}]}),
        ("flux", flux("Progressing", "2026-03-01T10:00:00Z")),
        ("argocd", argocd("Running", "2026-03-01T10:00:01Z")),
        ("argocd", argocd("Succeeded", "2026-03-01T10:00:01Z", "2026-03-01T10:01:00Z")),
        ("flux", flux("ReconciliationSucceeded", "2026-03-01T10:02:00Z")),
    ):
        assert (await send(http, sender, content))[0] == 200, (sender, content)
    (event,) = await recorded(http)
    attributes = event["attributes"]
    assert (event["title"], event["metadata"]["elapsed"]) == ("Deploy cart 12", "120s")
    assert (attributes["source"], attributes["status"]) == ("delivery", "success")
    assert attributes["labels"].keys() >= {"deploybot_id", "flux_id", "argocd_id", "joined"}
    # The same commit again is another deployment.
    assert (await send(http, "argocd", argocd("Running", "2026-03-01T15:00:00Z")))[0] == 200
    assert len(await recorded(http)) == 2


@pytest.mark.parametrize("mongo_uri", ["sqlite"], indirect=True)
async def test_a_changed_file_is_read_again_and_a_wrong_one_is_not_used(
    http: httpx2.AsyncClient, rules: Path
) -> None:
    asked = {"sender": "flux", "body": '{"involvedObject": {"kind": "Kustomization", "name": "cart"},'}
    client = RestClient(http)
    wrong = await client.call("IntakeService/TestIntake", asked)
    assert (wrong["outcome"], "line 1" in wrong["reason"]) == ("refused", True)
    asked["body"] += ' "metadata": {"revision": "1.2"}, "reason": "Progressing"}'

    async def owner() -> str:
        answer = await client.call("IntakeService/TestIntake", asked)
        assert answer["outcome"] == "recorded"
        return str(answer["events"][0]["attributes"]["owner"])

    assert await owner() == "platform"
    for text in ("[flux]\nowner = {default = 'nobody'", "[flux]\nowner = {default = 'shop'}\n"):
        await asyncio.to_thread(rules.write_text, text, "utf-8")
    async with asyncio.timeout(30):
        while await owner() != "shop":
            await asyncio.sleep(0.1)
    assert await recorded(http) == []
    assert (await client.call("IntakeService/ListIntakes"))["intakes"] == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[github]\nservice = x\n", "line 2, column 11"),
        ("[github]\nservice = 'a..b'", "[github] service: column 3: "),
        ("[github]\nservise = 'a'", "[github] servise: unknown key"),
        ("[github]\nservice = {selekt = 'a'}", "[github] service.selekt: unknown key"),
        ("[github]\nenvironment = {values = {a = 'mars'}}", "there is no environment 'mars'"),
        ("[github]\nservice = 3", "[github] service: expected an expression"),
        ("[github]\nonly = ''", "[github] only: expected an expression"),
        ("[github.labels]\n'a b' = 'c'", "[github] labels.a b: no label can have this name"),
        ("github = 1", "github: expected a table"),
        ("[GitHub]", "GitHub: expected the name of a sender"),
        ("[join]\nsource = 'x'", "[join] senders: expected a list"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(MappingError) as raised:
        parse(text)
    assert problem in str(raised.value)
