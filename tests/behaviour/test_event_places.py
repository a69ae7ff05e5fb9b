"""Regions and clusters of events, over both wires and on every store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.clients import Client

PLACES = (("eu-west-1", "blue"), ("eu-west-1", "green"), ("us-east-1", "blue"), ("", ""))


@pytest.fixture
async def ids(client: Client) -> list[str]:
    made = []
    for region, cluster in PLACES:
        attributes = {"service": "cart", "type": "deployment", "region": region, "cluster": cluster}
        request = {"title": "Deploy cart", "attributes": attributes}
        answer = await client.call("EventService/CreateEvent", request)
        made.append(answer["event"]["metadata"]["id"])
    return made


async def found(client: Client, query: str) -> Any:
    return await client.call("EventService/SearchEvents", {"query": query, "explain": True})


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("region:eu-west-1", {0, 1}),
        ("region:eu-west-1 cluster:blue", {0}),
        ("region:EU-WEST-1", set()),
        ("deploy -region:eu-west-1", {2, 3}),
        ("has:region", {0, 1, 2}),
        ("cluster:(green OR red) OR region:us*", {1, 2}),
    ],
)
async def test_events_are_found_by_region_and_cluster(
    client: Client, ids: list[str], query: str, places: set[int]
) -> None:
    answer = await found(client, query)
    assert {event["metadata"]["id"] for event in answer.get("events", [])} == {ids[at] for at in places}


async def test_a_whole_region_is_found_by_an_index(client: Client, ids: list[str]) -> None:
    plan = (await found(client, "region:us-east-1"))["plan"]
    assert any("candidate" in step or "events_by_term" in step for step in plan["steps"])
    assert plan.get("documents", 0) <= len(ids)


@pytest.mark.usefixtures("ids")
async def test_events_are_counted_by_region_and_cluster(client: Client) -> None:
    request = {"query": "service:cart", "fields": ["region", "cluster"]}
    region, cluster = (await client.call("EventService/GetEventFacets", request))["facets"]
    counted = [[(each.get("value", ""), each["count"]) for each in of["values"]] for of in (region, cluster)]
    assert counted == [
        [("eu-west-1", 2), ("", 1), ("us-east-1", 1)],
        [("blue", 2), ("", 1), ("green", 1)],
    ]


async def test_an_update_by_a_client_that_knows_no_region_keeps_it(client: Client, ids: list[str]) -> None:
    attributes = {"service": "cart", "type": "deployment", "status": "done"}
    await client.call("EventService/UpdateEvent", {"id": ids[0], "attributes": attributes})
    (event,) = (await found(client, "region:eu-west-1 cluster:blue status:done"))["events"]
    assert event["metadata"]["id"] == ids[0]
