from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1.conversion import to_binary, to_dict
from cloudevents.v1.http import CloudEvent as OlderCloudEvent
from tests.intakes.programs import node

if TYPE_CHECKING:
    import httpx2

pytestmark = pytest.mark.anyio

PATH = "/cloudevents"
ATTRIBUTES = {
    "id": "e-1",
    "source": "/ci/cart",
    "type": "com.example.deployed",
    "specversion": "1.0",
    "subject": "Euro € 100%",
    "traceparent": "00-1-2-01",
}
DATA = {
    "title": "Cart déployé",
    "service": "cart",
    "environment": "prod",
    "version": "1.2",
    "status": "success",
}


async def recorded(http: httpx2.AsyncClient) -> list[Any]:
    return list((await http.get("/api/v1alpha1/events/list")).json()["events"])


async def test_the_sdk_sends_binary_and_structured_and_a_repeated_message_is_one_event(
    http: httpx2.AsyncClient,
) -> None:
    event = CloudEvent(dict(ATTRIBUTES) | {"datacontenttype": "application/json"}, DATA)
    older = OlderCloudEvent(dict(ATTRIBUTES), DATA)
    binary, structured, raw = to_binary_event(event), to_structured_event(event), to_binary(older)
    messages: list[tuple[Any, bytes]] = [(binary.headers, binary.body), (structured.headers, structured.body)]
    raw_headers = {name: value.encode() for name, value in raw[0].items()}  # in raw UTF-8, as it leaves them
    messages.append((raw_headers, raw[1] or b""))
    for headers, body in messages:
        answer = await http.post(PATH, headers=headers, content=body)
        assert (answer.status_code, answer.content) == (202, b"")
        (only,) = await recorded(http)
        wanted = {
            "service": "cart",
            "environment": "production",
            "version": "1.2",
            "status": "success",
            "source": "/ci/cart",
            "externalId": "e-1",
            "type": "operation",
        }
        assert wanted.items() <= only["attributes"].items()
        assert only["title"] == "Cart déployé"
        assert only["attributes"]["labels"] == {
            "cloudevents_type": "com.example.deployed",
            "subject": "Euro € 100%",
            "traceparent": "00-1-2-01",
        }


async def test_the_sdk_for_javascript_sends_raw_latin_1(url: str, http: httpx2.AsyncClient) -> None:
    await node("cloudevents.js", url)
    second, first = await recorded(http)
    assert [each["attributes"]["externalId"] for each in (first, second)] == ["e-1", "e-2"]
    for each in (first, second):
        assert (each["title"], each["attributes"]["labels"]["subject"]) == ("Cart déployé", "Café")


async def test_a_batch_is_several_events(http: httpx2.AsyncClient) -> None:
    headers = {"content-type": "application/cloudevents-batch+json; charset=utf-8", "idempotency-key": "k"}
    events = [to_dict(OlderCloudEvent(ATTRIBUTES | {"id": f"e-{n}"}, {"n": n})) for n in range(3)]
    answer = await http.post(PATH, headers=headers, content=json.dumps(events))
    assert answer.status_code == 202
    assert {each["attributes"]["externalId"] for each in await recorded(http)} == {"e-0", "e-1", "e-2"}


@pytest.mark.parametrize(
    ("headers", "body", "status", "field"),
    [
        ({"content-type": "application/cloudevents+json"}, {**ATTRIBUTES, "id": None}, 400, "id"),
        (
            {"content-type": "application/cloudevents+json"},
            {**ATTRIBUTES, "specversion": "0.3"},
            400,
            "specversion",
        ),
        ({"content-type": "application/cloudevents+json"}, {**ATTRIBUTES, "time": "today"}, 400, "time"),
        ({"content-type": "application/cloudevents+avro"}, {}, 415, "application/cloudevents+avro"),
        ({"content-type": "application/json"}, {}, 415, "application/json"),
        ({"ce-id": "%ff", "ce-specversion": "1.0"}, {}, 400, "ce-id"),
    ],
)
async def test_what_is_no_cloudevent_is_refused(
    http: httpx2.AsyncClient, headers: dict[str, str], body: Any, status: int, field: str
) -> None:
    answer = await http.post(PATH, headers=headers, content=json.dumps(body))
    assert (answer.status_code, field in answer.json()["message"]) == (status, True), answer.text
    assert await recorded(http) == []


async def test_a_sender_that_asks_may_deliver(http: httpx2.AsyncClient) -> None:
    answer = await http.options(PATH, headers={"webhook-request-origin": "events.example.com"})
    assert answer.status_code == 200
    assert answer.headers["webhook-allowed-origin"] == "events.example.com"
    assert answer.headers["webhook-allowed-rate"] == "*"


def cdevent(kind: str, subject: str, content: dict[str, Any], at: str, version: str = "0.4.1") -> Any:
    context = {"version": version, "id": f"c-{kind}", "source": "/ci", "type": f"dev.cdevents.{kind}.0.2.0"}
    if version >= "0.5":
        context["specversion"] = context.pop("version")
    return {"context": {**context, "timestamp": at}, "subject": {"id": subject, "content": content}}


async def test_cdevents_of_a_run_and_of_an_incident_are_one_event_each(http: httpx2.AsyncClient) -> None:
    purl = "pkg:oci/cart@sha256%3A244fd47e?repository_url=ghcr.io/cart&tag=2.0"
    prod = {"environment": {"id": "production"}}
    run = {"pipelineName": "nightly", "url": "https://ci/7"}
    sent = [
        cdevent("service.deployed", "shop/cart", {**prod, "artifactId": purl}, "2026-03-01T10:00:00Z"),
        cdevent("pipelinerun.queued", "7", run, "2026-03-01T11:00:00Z"),
        cdevent("pipelinerun.started", "7", run, "2026-03-01T11:01:00Z"),
        cdevent(
            "pipelinerun.finished",
            "7",
            run | {"outcome": "failure", "errors": "e"},
            "2026-03-01T11:05:00Z",
        ),
        cdevent("pipelinerun.started", "7", run, "2026-03-01T11:01:00Z"),  # late, and again
        cdevent(
            "incident.detected", "i", {**prod, "service": {"id": "cart"}}, "2026-03-01T12:00:00Z", "0.5.1"
        ),
        cdevent(
            "incident.resolved", "i", {**prod, "service": {"id": "cart"}}, "2026-03-01T12:30:00Z", "0.5.1"
        ),
    ]
    for each in sent:
        assert (await http.post(PATH, json=each)).status_code == 202
    incident, pipeline, deployment = await recorded(http)
    assert [each["attributes"]["status"] for each in (incident, pipeline, deployment)] == [
        *("close", "failure", "success"),
    ]
    wanted = {"service": "cart", "environment": "production", "version": "2.0", "type": "deployment"}
    assert wanted.items() <= deployment["attributes"].items()
    assert pipeline["metadata"]["elapsed"] == "240s"
    assert pipeline["attributes"]["labels"]["url"] == "https://ci/7"
    assert (incident["attributes"]["type"], incident["metadata"]["elapsed"]) == ("incident", "1800s")
