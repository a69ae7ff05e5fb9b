"""How a search is answered, over both wires and on each kind of store."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.clients import Client

    from tracker.config.settings import Settings


async def plan(client: Client, rpc: str = "SearchEvents", **request: Any) -> Any:
    answer = await client.call(f"EventService/{rpc}", {**request, "explain": True})
    return answer["plan"]


def kinds(steps: list[str]) -> list[str]:
    return [step.partition(":")[0] for step in steps]


@pytest.fixture
async def recorded(client: Client) -> None:
    for number in range(5):
        attributes = {"service": "payments" if number % 2 else "cart", "type": "deployment", "owner": "ines"}
        await client.call(
            "EventService/CreateEvent", {"title": f"Deploy number {number}", "attributes": attributes}
        )


@pytest.mark.usefixtures("recorded")
async def test_a_plan_says_how_a_query_was_understood_all_filters_included(client: Client) -> None:
    explained = await plan(
        client, service="payments", startDate="2026-03-02T08:00:00Z", query="env:prod (deploy OR rot*)"
    )
    asked = "service:payments environment:production time:>=2026-03-02T08:00:00Z (deploy OR rot*)"
    assert sorted(explained["query"].split()) == sorted(asked.split())
    assert explained["took"].endswith("s")


@pytest.mark.usefixtures("recorded")
async def test_a_plan_names_the_index_and_how_many_documents_were_searched(client: Client) -> None:
    by_index = await plan(client, query="service:payments")
    assert "events_by_service" in by_index["steps"][0]
    assert by_index.get("documents", 0) == 0
    by_document = await plan(client, query="service:cart owner:*nes")
    assert "events_by_service" in by_document["steps"][0]
    assert "search" in by_document["steps"][0]
    assert by_document["documents"] == 3


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("id:{0}", r"_id_|autoindex"),
        ("id:{0} OR id:{1}", r"_id_|autoindex"),
        ("related:{0} OR related:{1}", "events_by_related_id"),
    ],
)
async def test_events_with_one_of_some_ids_are_found_by_their_index(
    client: Client, query: str, index: str
) -> None:
    newest = (await client.call("EventService/ListEvents", {"perPage": 2}))["events"]
    first, second = (event["metadata"]["id"] for event in newest)
    for related in (first, second):
        attributes = {"service": "cart", "type": "operation", "relatedId": related}
        await client.call("EventService/CreateEvent", {"title": "Next", "attributes": attributes})
    request = {"query": query.format(first, second), "explain": True}
    answer = await client.call("EventService/SearchEvents", request)
    assert len(answer["events"]) == query.count("{")
    assert re.search(index, answer["plan"]["steps"][0])
    assert answer["plan"].get("documents", 0) == 0


@pytest.mark.usefixtures("recorded")
async def test_a_plan_says_how_a_total_was_counted_where_it_was(client: Client) -> None:
    assert not [step for step in (await plan(client, query="type:deployment"))["steps"] if "count" in step]
    steps = (await plan(client, query="type:deployment", perPage=1))["steps"]
    assert kinds(steps) == ["list", "count"]


@pytest.mark.usefixtures("recorded")
async def test_a_plan_says_how_words_are_found(client: Client, settings: Settings) -> None:
    explained = await plan(client, query='"number 3"')
    assert explained["documents"] >= 0
    if settings.mongo_uri is None:
        assert explained["steps"][0] == 'index: "number 3" has 1 candidate'


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(
    "query", ["three", "deploy three", "deploy three type:deployment", 'deploy "number three" since:1d']
)
async def test_the_few_events_with_some_words_are_fetched_however_they_are_asked_for(
    client: Client, settings: Settings, query: str
) -> None:
    await client.call(
        "EventService/CreateEvent",
        {"title": "Deploy number three", "attributes": {"service": "payments", "type": "deployment"}},
    )
    steps = (await plan(client, query=query))["steps"]
    if settings.mongo_uri is None:
        assert "list: fetch the candidates, newest first" in steps


@pytest.mark.usefixtures("recorded")
async def test_facets_say_how_the_values_of_each_field_were_counted(client: Client) -> None:
    explained = await plan(client, "GetEventFacets", query="env:prod", fields=["service", "owner"])
    assert explained["query"] == "environment:production"
    assert kinds(explained["steps"])[:2] == ["service", "owner"]
    assert "document" not in explained["steps"][0]
    assert "document" in explained["steps"][1]
    assert explained.get("documents", 0) == 0
    asked_of_each = await plan(client, "GetEventFacets", query="created:>2020-01-01", fields=["status"])
    assert asked_of_each["documents"] in {5, 10}  # for the values, and for the total or together with them


@pytest.mark.usefixtures("recorded")
async def test_facets_of_all_events_come_from_the_table_that_counts_them(
    client: Client, settings: Settings
) -> None:
    steps = (await plan(client, "GetEventFacets", fields=["status", "service"]))["steps"]
    if settings.mongo_uri is None:
        assert steps == [
            "status: sum up the table facets",
            "service: sum up the table facets",
            "count: sum up the table facets",
        ]


@pytest.mark.usefixtures("recorded")
async def test_a_histogram_says_how_its_intervals_and_durations_came_to_be(client: Client) -> None:
    explained = await plan(
        client,
        "GetEventHistogram",
        query="since:1h service:cart",
        by="status",
        interval="15m",
        durations=True,
    )
    steps = {step.partition(":")[0]: step for step in explained["steps"]}
    assert steps.keys() == {"intervals", "durations"}
    assert all("events_by_service" in step for step in steps.values())
    assert steps["intervals"].endswith(" of 5")
    assert explained["query"].startswith("service:cart time:")


@pytest.mark.usefixtures("recorded")
async def test_overlaps_say_how_their_events_were_found(client: Client) -> None:
    explained = await plan(client, "GetEventOverlaps", query="service:cart")
    assert explained["query"].startswith("service:cart time:")
    assert "events_by_service" in explained["steps"][0]


@pytest.mark.parametrize(
    ("rpc", "request_"),
    [
        ("SearchEvents", {"query": "deploy"}),
        ("GetEventFacets", {"fields": ["status"]}),
        ("GetEventHistogram", {}),
        ("GetEventOverlaps", {}),
    ],
)
async def test_who_asks_for_no_plan_gets_none(client: Client, rpc: str, request_: dict[str, Any]) -> None:
    assert (await client.call(f"EventService/{rpc}", request_)).get("plan") is None
