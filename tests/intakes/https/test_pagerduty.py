from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.intakes.programs import node, script

if TYPE_CHECKING:
    import httpx2
    from tests.certificates import Authority

pytestmark = pytest.mark.anyio

ENQUEUE, CHANGE = "/v2/enqueue", "/v2/change/enqueue"

ALL_OF_IT = """
import sys
from pagerduty import EventsApiV2Client
events = EventsApiV2Client(sys.argv[2], base_url=sys.argv[1])
def trigger(**more):
    return events.trigger("Disk is full", "db-1", severity="critical",
                          links=[{"href": "https://runbook", "text": "Runbook"}], **more)
payload = {"component": "postgres", "custom_details": {"env": "prod", "free": 0, "disks": {"sda": None}}}
key = trigger(payload=payload)
assert trigger(dedup_key=key, payload=payload) == events.acknowledge(key) == key
assert trigger(dedup_key=key, payload={"component": "postgres"}) == key
assert events.resolve(key) == events.resolve(key) == key
assert trigger(dedup_key=key) == key
events.submit("Deployed", "ci", {"service": "cart", "type": "deployment"}, [{"href": "https://ci/7"}],
              timestamp="2026-03-01T10:00:00Z")
print(key)
"""


async def events(http: httpx2.AsyncClient, key: str) -> list[dict[str, Any]]:
    answer = await http.get("/api/v1alpha1/events/list", headers={"x-api-key": key})
    found: list[dict[str, Any]] = answer.json()["events"]
    return found


async def test_the_client_opens_and_closes_incidents_and_records_changes(
    url: str, http: httpx2.AsyncClient, key: str, authority: Authority
) -> None:
    dedup = (await script(ALL_OF_IT, url, key, SSL_CERT_FILE=str(authority.file))).strip()
    found = {event["attributes"]["externalId"]: event for event in await events(http, key)}
    assert set(found) == {dedup, f"{dedup}#2", ""}
    first = found[dedup]
    assert first["title"] == "Disk is full"
    wanted = {
        "type": "incident",
        "status": "close",
        "priority": "P1",
        "service": "postgres",
        "environment": "production",
        "source": "pagerduty",
    }
    assert wanted.items() <= first["attributes"].items()
    labels = {
        "dedup_key": dedup,
        "severity": "critical",
        "host": "db-1",
        "component": "postgres",
        "free": "0",
    }
    assert first["attributes"]["labels"] == labels
    assert first["attributes"]["message"] == "Runbook: https://runbook"
    statuses = [each["newValue"] for each in first["changelog"] if each.get("field") == "status"]
    assert statuses == ["in_progress", "close"]
    assert found[f"{dedup}#2"]["attributes"]["status"] == "open"
    change = found[""]["attributes"]
    wanted = {"service": "cart", "type": "deployment", "status": "done", "source": "ci"}
    assert wanted.items() <= change.items()
    assert (change["startDate"], change["message"]) == ("2026-03-01T10:00:00Z", "https://ci/7")


async def test_the_client_for_javascript_does_so_too(
    url: str, http: httpx2.AsyncClient, key: str, authority: Authority
) -> None:
    server = url.removeprefix("https://")
    statuses = await node("pagerduty.js", server, key, NODE_EXTRA_CA_CERTS=str(authority.file))
    assert json.loads(statuses) == [202, 202, 202]
    change, incident = await events(http, key)
    assert (change["attributes"]["service"], change["attributes"]["type"]) == ("cart", "deployment")
    assert (incident["attributes"]["externalId"], incident["attributes"]["status"]) == ("disk", "close")


async def test_ansible_checks_the_address_and_records_a_change(http: httpx2.AsyncClient, key: str) -> None:
    headers = {"content-type": "application/json"}
    assert (await http.post(CHANGE, headers=headers)).status_code == 400
    details = {"user": "ana", "repo": "github.com/a/b", "revision": "4.2", "environment": "production"}
    payload = {
        "summary": "The application was deployed",
        "source": "Ansible",
        "timestamp": "2026-03-01T10:00:00.123456Z",
        "custom_details": details,
    }
    body = {"routing_key": key, "payload": payload, "links": [{"href": "https://github.com/a/b/pull/1"}]}
    assert (await http.post(CHANGE, json=body)).status_code == 202
    (event,) = await events(http, key)
    wanted = {"owner": "ana", "version": "4.2", "environment": "production", "source": "Ansible"}
    assert wanted.items() <= event["attributes"].items()
    assert event["attributes"]["labels"] == {"repo": "github.com/a/b"}


SQLITE = pytest.mark.parametrize("mongo_uri", ["sqlite"], indirect=True)


@SQLITE
async def test_a_routing_key_is_an_api_key(http: httpx2.AsyncClient, key: str) -> None:
    for path in (ENQUEUE, CHANGE):
        for routing_key in ("trk_wrong", "R" * 32, 7, None):
            body = {"routing_key": routing_key, "event_action": "trigger", "payload": {"summary": "x"}}
            answer = await http.post(path, json=body)
            assert (answer.status_code, [*answer.json()]) == (401, ["status", "message", "errors"])
    assert await events(http, key) == []


@SQLITE
async def test_what_is_malformed_is_an_invalid_event(http: httpx2.AsyncClient, key: str) -> None:
    trigger: dict[str, Any] = {"event_action": "trigger"}
    for body in (
        trigger,
        trigger | {"payload": {"summary": " "}},
        trigger | {"payload": [], "dedup_key": "a"},
        trigger | {"payload": {"summary": "x"}, "dedup_key": "a" * 256},
        {"event_action": "resolve"},
        {"event_action": "erase", "dedup_key": "a"},
    ):
        answer = await http.post(ENQUEUE, json=body | {"routing_key": key})
        assert (answer.status_code, answer.json()["status"]) == (400, "invalid event")
    large = {"routing_key": key, "payload": {"summary": "x" * 524_288}}
    assert (await http.post(CHANGE, json=large)).status_code == 413
