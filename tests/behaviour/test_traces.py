"""Traces of W3C Trace Context: accepted over both wires, stored, found, and passed on."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from protobuf import message_from_json_value
from tests.clients import RestClient, http_client
from tests.patience import PATIENCE
from tests.webhook_receiver import receiving

from tracker.pb import event_pb
from tracker.traces import parent_of, trace_of

if TYPE_CHECKING:
    import httpx2

    from tracker.app import App

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
ATTRIBUTES: dict[str, Any] = {"service": "s", "type": "deployment"}


async def create(app: App, wire: str, attributes: dict[str, Any], parent: str) -> str:
    """Record an event in a call that belongs to a trace; return its id."""
    if wire == "rest":
        async with http_client(app.http_address) as http:
            asked = {"title": "t", "attributes": attributes}
            answer = await http.post("/api/v1alpha1/event", json=asked, headers={"traceparent": parent})
        return str(answer.json()["event"]["metadata"]["id"])
    host, port = app.grpc_address
    request = message_from_json_value(event_pb.CreateEventRequest, {"title": "t", "attributes": attributes})
    async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[Any, Any] = channel.unary_unary(
            "/tracker.event.v1alpha1.EventService/CreateEvent",
            request_serializer=event_pb.CreateEventRequest.to_binary,
            response_deserializer=event_pb.CreateEventResponse.from_binary,
        )
        answered = await call(request, metadata=[("traceparent", parent)])
    return str(answered.event.metadata.id)


@pytest.mark.parametrize("wire", ["rest", "grpc"])
async def test_an_event_is_a_part_of_the_trace_of_its_call(
    app: App, http: httpx2.AsyncClient, wire: str
) -> None:
    client = RestClient(http)
    event_id = await create(app, wire, ATTRIBUTES, PARENT)
    await create(app, wire, ATTRIBUTES | {"traceId": "a" * 32}, PARENT)
    for malformed in (f"00-{'0' * 32}-00f067aa0ba902b7-01", "00-1-2-01", f"{PARENT}-x"):
        await create(app, wire, ATTRIBUTES, malformed)
    changed = {"id": event_id, "title": "t", "attributes": ATTRIBUTES | {"status": "done"}}
    answer = await client.call("EventService/UpdateEvent", changed)
    assert answer["event"]["attributes"]["traceId"] == TRACE
    for query in (f"trace:{TRACE}", f"trace_id:{TRACE} service:s", "has:trace -trace:a*"):
        found = await client.call("EventService/SearchEvents", {"query": query})
        assert [each["metadata"]["id"] for each in found["events"]] == [event_id], query


@pytest.mark.parametrize("mongo_uri", ["sqlite"], indirect=True)
@pytest.mark.parametrize("form", ["native", "cloudevents", "cdevents"])
async def test_a_message_of_a_webhook_belongs_to_the_trace_of_its_event(
    app: App, http: httpx2.AsyncClient, form: str
) -> None:
    async with receiving() as receiver, asyncio.timeout(PATIENCE):
        asked = {"name": "n", "url": receiver.url, "format": form}
        await RestClient(http).call("WebhookService/CreateWebhook", asked)
        await create(app, "rest", ATTRIBUTES, PARENT)
        (received,) = await receiver.wait_for(1)
    assert trace_of(received.headers["traceparent"]) == TRACE
    assert received.headers["traceparent"] != PARENT
    if form != "native":
        assert json.loads(received.body)["traceparent"] == received.headers["traceparent"]


@pytest.mark.parametrize(
    ("parent", "trace"),
    [
        (PARENT, TRACE),
        (f" {PARENT} ", TRACE),
        (f"01-{TRACE}-00f067aa0ba902b7-01-more", TRACE),
        (f"ff-{TRACE}-00f067aa0ba902b7-01", ""),
        (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", ""),
        (f"00-{TRACE}-{'0' * 16}-01", ""),
        ("", ""),
        (parent_of(TRACE, "x"), TRACE),
    ],
)
def test_a_parent_names_a_trace_if_it_is_well_formed(parent: str, trace: str) -> None:
    assert trace_of(parent) == trace
