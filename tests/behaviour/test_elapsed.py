"""How long an event itself took, beside the time since the event that it links to, over both wires."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.clients import Client


async def create(client: Client, title: str, **attributes: Any) -> Any:
    of_event = {"service": "payments", "environment": "production", "type": "incident", **attributes}
    request = {"title": title, "attributes": of_event}
    return (await client.call("EventService/CreateEvent", request))["event"]["metadata"]


@pytest.fixture
async def incident(client: Client) -> Any:
    """Return the metadata of an incident of ten minutes, three hours after a deployment that it links to."""
    deployment = await create(
        *(client, "Deploy"),
        type="deployment",
        startDate="2026-03-02T08:00:00Z",
        endDate="2026-03-02T08:20:00Z",
    )
    return await create(
        *(client, "Errors"),
        relatedId=deployment["id"],
        startDate="2026-03-02T11:00:00Z",
        endDate="2026-03-02T11:10:00Z",
    )


async def test_a_linked_event_has_its_own_time_beside_the_time_since_the_other(incident: Any) -> None:
    assert (incident["duration"], incident["elapsed"]) == ("10800s", "600s")


@pytest.mark.usefixtures("incident")
async def test_queries_ask_for_its_own_time_or_for_the_gap(client: Client) -> None:
    for query, wanted in (
        *(("duration:>15m", ["Deploy"]), ("took:10m", ["Errors"]), ("elapsed:<15m", ["Errors"])),
        *(("gap:>2h", ["Errors"]), ("has:gap", ["Errors"]), ("gap:<1h", []), ("-has:gap", ["Deploy"])),
    ):
        answer: Any = await client.call("EventService/SearchEvents", {"query": query})
        assert [event["title"] for event in answer["events"]] == wanted, query


@pytest.mark.usefixtures("incident")
async def test_percentiles_and_overlaps_are_of_its_own_time(client: Client) -> None:
    day = {"startDate": "2026-03-02", "endDate": "2026-03-02"}
    request = {**day, "interval": "day", "durations": True}
    answer: Any = await client.call("EventService/GetEventHistogram", request)
    (bucket,) = answer["buckets"]
    assert (bucket["durations"]["count"], bucket["durations"]["max"]) == (2, "1200s")
    closed = await create(client, "Alert", relatedId="", startDate="2026-03-02T11:05:00Z", status="start")
    await client.call(
        "EventService/UpdateEvent",
        {"id": closed["id"], "merge": True, "attributes": {"endDate": "2026-03-02T11:30:00Z"}},
    )
    overlaps: Any = await client.call("EventService/GetEventOverlaps", day)
    (group,) = overlaps["groups"]
    (pair,) = group["pairs"]
    assert (pair["start"], pair["end"]) == ("2026-03-02T11:05:00Z", "2026-03-02T11:10:00Z")


async def test_an_event_ends_with_its_status_whatever_it_links_to(client: Client, incident: Any) -> None:
    opened = await create(client, "Follow-up", relatedId=incident["id"], status="start")
    assert opened.get("elapsed") is None
    update = {"id": opened["id"], "merge": True, "attributes": {"status": "close"}}
    answer: Any = await client.call("EventService/UpdateEvent", update)
    metadata = answer["event"]["metadata"]
    assert (
        0 <= float(metadata["elapsed"].removesuffix("s")) < 60 < float(metadata["duration"].removesuffix("s"))
    )
