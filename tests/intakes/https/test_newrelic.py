from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from tests.intakes.programs import node, run, script

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2
    from tests.certificates import Authority

pytestmark = pytest.mark.anyio

PATH = "/v1/accounts/7/events"
DEPLOYMENTS = "/v2/applications/cart/deployments.json"

SEND = """
import json, sys
from newrelic_telemetry_sdk import Event, EventClient
_, host, port, key, file = sys.argv
client = EventClient(key, host=host, port=int(port), ca_certs=file)
tags = {"appName": "cart", "env": "prod", "status": "success", "canary": True, "replicas": 3}
first = client.send(Event("Deployment", tags, timestamp_ms=1700000000000))
first.raise_for_status()
many = client.send_batch([Event("Checkout", {"service": "shop"}), Event("no/type"), Event("incident")])
many.raise_for_status()
print(json.dumps([first.json(), many.json()]))
"""


async def events(http: httpx2.AsyncClient, key: str) -> dict[str, dict[str, Any]]:
    answer = await http.get("/api/v1alpha1/events/list", headers={"x-api-key": key})
    return {event["title"]: event["attributes"] for event in answer.json()["events"]}


async def test_the_client_records_events(
    url: str, http: httpx2.AsyncClient, key: str, authority: Authority
) -> None:
    _, host, port = url.replace("//", "").split(":")
    first, many = json.loads(await script(SEND, host, port, key, str(authority.file)))
    assert (first["success"], [*first], UUID(first["uuid"]).version) == (True, ["success", "uuid"], 4)
    assert (many["success"], [each["index"] for each in many["rejected"]]) == (True, [1])
    assert many["rejected"][0]["reason"].startswith("eventType: expected ")
    found = await events(http, key)
    assert set(found) == {"Deployment cart", "Checkout shop", "incident"}
    wanted = {
        "type": "deployment",
        "service": "cart",
        "environment": "production",
        "status": "success",
        "source": "newrelic",
        "startDate": "2023-11-14T22:13:20Z",
        "labels": {"canary": "true", "replicas": "3"},
    }
    assert wanted.items() <= found["Deployment cart"].items()
    assert found["Checkout shop"]["labels"] == {"event_type": "Checkout"}
    assert (found["incident"]["type"], found["incident"]["service"]) == ("incident", "unknown")


async def test_the_client_for_node_records_events(
    url: str, http: httpx2.AsyncClient, key: str, authority: Authority
) -> None:
    _, host, port = url.replace("//", "").split(":")
    sent = json.loads(await node("newrelic.js", host, port, key, NODE_EXTRA_CA_CERTS=str(authority.file)))
    assert (sent["error"], sent["status"]) == (None, 200)
    assert json.loads(sent["body"])["success"] is True
    found = await events(http, key)
    assert set(found) == {"Deployment cart", "incident"}
    assert found["Deployment cart"]["labels"] == {"nested": '{"replicas":3}', "zone": "b"}


async def test_values_may_be_null_or_nested_and_a_post_may_come_again(
    http: httpx2.AsyncClient, key: str
) -> None:
    event = {
        "eventType": "Build",
        "user": None,
        "at": {"b": [1, None]},
        "message": "done",
        "timestamp": 1700000000,
    }
    body = json.dumps([event, None, {"timestamp": "soon", "eventType": "x"}])
    headers = {"x-insert-key": key, "x-request-id": str(uuid4()), "content-encoding": "deflate"}
    for _ in range(2):
        answer = (await http.post(PATH, content=zlib.compress(body.encode()), headers=headers)).json()
        assert (answer["uuid"], len(answer["rejected"])) == (headers["x-request-id"], 2)
    answer = await http.get("/api/v1alpha1/events/list", headers={"x-api-key": key})
    (found,) = answer.json()["events"]
    assert found["attributes"]["startDate"] == "2023-11-14T22:13:20Z"
    assert found["attributes"]["labels"] == {"event_type": "Build", "at": '{"b":[1,null]}'}
    assert found["attributes"]["message"] == "done"


SQLITE = pytest.mark.parametrize("mongo_uri", ["sqlite"], indirect=True)


@SQLITE
async def test_a_post_is_refused_as_a_whole_for_its_key_size_or_form(
    http: httpx2.AsyncClient, key: str
) -> None:
    many = json.dumps([{"eventType": "a"}] * 2001)
    large = zlib.compress(b" " * 1_000_001)
    for secret, content, coding, status in (
        ("a key of New Relic", "[]", "identity", 401),
        (f"{key}x", "[]", "identity", 401),
        (key, "", "identity", 400),
        (key, "no JSON", "identity", 400),
        (key, many, "identity", 413),
        (key, large, "deflate", 413),
    ):
        headers = {"api-key": secret, "content-encoding": coding}
        assert (await http.post(PATH, content=content, headers=headers)).status_code == status
    assert await events(http, key) == {}


async def test_newrelic_admin_records_a_deployment(
    url: str, http: httpx2.AsyncClient, key: str, authority: Authority, tmp_path: Path
) -> None:
    _, host, port = url.replace("//", "").split(":")
    (tmp_path / "newrelic.ini").write_text("[newrelic]\napp_name = Shop / Kasse ü?\n", "utf-8")
    given = {"HOST": host, "PORT": port, "API_KEY": key, "CA_BUNDLE_PATH": str(authority.file)}
    environ = {f"NEW_RELIC_{name}": value for name, value in given.items()}
    for revision in ("1.2", "1.3"):
        marker = (str(tmp_path / "newrelic.ini"), "At last", revision, "faster", "ana")
        await run("newrelic-admin", "record-deploy", *marker, code=0, **environ)
    found = await events(http, key)
    wanted = {"type": "deployment", "service": "Shop / Kasse ü?", "version": "1.3", "owner": "ana"}
    assert wanted.items() <= found["Deployed 1.3"].items()
    assert (found["Deployed 1.2"]["message"], len(found)) == ("At last\n\nfaster", 2)
    answer = await http.get("/v2/applications.json", headers={"x-api-key": key})
    assert answer.json() == {"applications": []}
    assert (await http.get("/v2/applications.json?filter[name]=a")).status_code == 401


@SQLITE
async def test_a_marker_of_a_deployment_is_one(http: httpx2.AsyncClient, key: str) -> None:
    marker = {"revision": "1.2", "changelog": "faster", "user": "ana", "timestamp": "2026-03-01T10:00:00Z"}
    headers = {"x-api-key": key}
    answer = await http.post(DEPLOYMENTS, json={"deployment": marker}, headers=headers)
    assert answer.status_code == 201
    shown = answer.json()["deployment"]
    assert marker.items() <= shown.items()
    assert isinstance(shown["id"], int)
    attributes = (await events(http, key))["Deployed 1.2"]
    wanted = {"type": "deployment", "status": "success", "service": "cart", "version": "1.2", "owner": "ana"}
    assert wanted.items() <= attributes.items()
    assert (attributes["message"], attributes["startDate"]) == ("faster", "2026-03-01T10:00:00Z")
    malformed: list[dict[str, Any]] = [{}, {"deployment": {"user": "ana"}}, {"deployment": []}]
    for wrong in malformed:
        answer = await http.post(DEPLOYMENTS, json=wrong, headers=headers)
        assert (answer.status_code, [*answer.json()]) == (400, ["error"])
