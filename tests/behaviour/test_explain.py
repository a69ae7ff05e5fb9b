"""How a search is answered, over both wires and on each kind of store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.clients import Client

    from tracker.config import Settings


async def plan(client: Client, **request: Any) -> Any:
    answer = await client.call("EventService/SearchEvents", {**request, "explain": True})
    return answer["plan"]


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
    by_document = await plan(client, query="service:cart owner:ines")
    assert "events_by_service" in by_document["steps"][0]
    assert "search" in by_document["steps"][0]
    assert by_document["documents"] == 3


@pytest.mark.usefixtures("recorded")
async def test_a_plan_says_how_a_total_was_counted_where_it_was(client: Client) -> None:
    assert not [step for step in (await plan(client, query="type:deployment"))["steps"] if "count" in step]
    steps = (await plan(client, query="type:deployment", perPage=1))["steps"]
    assert [step.partition(":")[0] for step in steps] == ["list", "count"]


@pytest.mark.usefixtures("recorded")
async def test_a_plan_says_how_words_are_found(client: Client, settings: Settings) -> None:
    explained = await plan(client, query='"number 3"')
    assert explained["documents"] >= 0
    if settings.mongo_uri is None:
        assert explained["steps"][0] == 'words: "number 3" has 1 candidate'


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
        assert "list: fetch the events that have the words, newest first" in steps


async def test_who_asks_for_no_plan_gets_none(client: Client) -> None:
    answer = await client.call("EventService/SearchEvents", {"query": "deploy"})
    assert "plan" not in answer
