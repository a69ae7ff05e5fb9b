"""Facets and histograms, over both wires."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.clients import Refused

if TYPE_CHECKING:
    from tests.clients import Client


async def record(client: Client, start: str, *, hours: int = 0, **attributes: Any) -> None:
    attributes = {"service": "payments", "type": "deployment", "startDate": start, **attributes}
    if hours:
        attributes["endDate"] = f"{start[:11]}{int(start[11:13]) + hours:02}{start[13:]}"
    await client.call("EventService/CreateEvent", {"title": "Deploy", "attributes": attributes})


async def facets(client: Client, **request: Any) -> Any:
    return await client.call("EventService/GetEventFacets", request)


async def histogram(client: Client, **request: Any) -> Any:
    return await client.call("EventService/GetEventHistogram", request)


def counted(facet: Any) -> list[tuple[str, int]]:
    return [(each.get("value", ""), each["count"]) for each in facet["values"]]


@pytest.fixture
async def week(client: Client) -> None:
    await record(client, "2026-03-02T08:00:00Z", hours=1, status="success", labels={"team": "core"})
    await record(client, "2026-03-02T09:30:00Z", hours=2, status="failure", labels={"team": "core"})
    await record(client, "2026-03-02T23:30:00Z", status="success", service="cart")
    await record(client, "2026-03-04T10:00:00Z", hours=9, status="success", impact=True)


@pytest.mark.usefixtures("week")
async def test_facets_count_by_any_fields_under_a_query(client: Client) -> None:
    fields = ["status", "service", "label.team", "impact", "environment"]
    answer = await facets(client, query="type:deployment", fields=fields)
    assert answer["totalCount"] == 4
    assert [facet["field"] for facet in answer["facets"]] == fields
    status, service, team, impact, environment = map(counted, answer["facets"])
    assert status == [("success", 3), ("failure", 1)]
    assert service == [("payments", 3), ("cart", 1)]
    assert team == [("", 2), ("core", 2)]
    assert impact == [("false", 3), ("true", 1)]
    assert environment == [("", 4)]
    answer = await facets(client, query="status:success", fields=["service"], startDate="2026-03-03")
    assert (answer["totalCount"], counted(answer["facets"][0])) == (1, [("payments", 1)])


@pytest.mark.usefixtures("week")
async def test_facets_beyond_the_limit_are_counted_together(client: Client) -> None:
    (facet,) = (await facets(client, fields=["service"], limit=1))["facets"]
    assert (counted(facet), facet["otherCount"]) == ([("payments", 3)], 1)


async def test_a_value_that_has_no_name_is_counted_under_its_number(client: Client) -> None:
    await record(client, "2026-03-02T08:00:00Z", status=99)
    (facet,) = (await facets(client, fields=["status"]))["facets"]
    assert counted(facet) == [("99", 1)]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"fields": []}, "fields"),
        ({"fields": ["title"]}, "fields[0]"),
        ({"fields": ["status", "stakeholder"]}, "fields[1]"),
        ({"fields": ["status", "status"]}, "fields"),
        ({"fields": ["status"], "limit": 1_001}, "limit"),
        ({"fields": ["status"], "query": "statsu:failure"}, "query"),
        ({"fields": ["status"], "startDate": "soon"}, "start"),
    ],
)
async def test_wrong_facets_are_refused_by_name(client: Client, request_: Any, field: str) -> None:
    with pytest.raises(Refused) as refused:
        await facets(client, **request_)
    assert refused.value.code == "INVALID_ARGUMENT"
    assert field.lower() in refused.value.message.lower().replace("_", "")


@pytest.mark.usefixtures("week")
async def test_a_histogram_counts_over_time_in_a_zone_by_a_field(client: Client) -> None:
    answer = await histogram(
        client,
        startDate="2026-03-02",
        endDate="2026-03-05",
        interval="day",
        timeZone="Europe/Paris",
        by="status",
        durations=True,
    )
    assert (answer["totalCount"], answer["interval"], answer["timeZone"]) == (4, "day", "Europe/Paris")
    assert answer["values"] == ["success", "failure"]
    buckets = answer["buckets"]
    assert [(bucket["start"], bucket.get("count", 0)) for bucket in buckets] == [
        ("2026-03-01T23:00:00Z", 2),
        ("2026-03-02T23:00:00Z", 1),
        ("2026-03-03T23:00:00Z", 1),
        ("2026-03-04T23:00:00Z", 0),
    ]
    assert [counted(bucket) for bucket in buckets[:2]] == [
        [("success", 1), ("failure", 1)],
        [("success", 1), ("failure", 0)],
    ]
    first = buckets[0]["durations"]
    assert (first["count"], first["p50"], first["p99"], first["max"]) == (2, "3600s", "7200s", "7200s")
    assert buckets[3].get("durations") is None


@pytest.mark.usefixtures("week")
async def test_a_histogram_has_every_interval_and_takes_its_period_from_the_query(client: Client) -> None:
    query = "since:2026-03-02T08:30Z before:2026-03-02T12:00Z"
    answer = await histogram(client, query=query, interval="1h")
    assert [(bucket["start"][11:13], bucket.get("count", 0)) for bucket in answer["buckets"]] == [
        ("08", 0),
        ("09", 1),
        ("10", 0),
        ("11", 0),
    ]


async def test_a_histogram_of_nothing_is_of_the_last_day(client: Client) -> None:
    await client.call(
        "EventService/CreateEvent",
        {"title": "Now", "attributes": {"service": "payments", "type": "deployment"}},
    )
    answer = await histogram(client)
    assert (answer["totalCount"], answer["interval"]) == (1, "15m")
    assert 96 <= len(answer["buckets"]) <= 97


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"interval": "7m"}, "interval"),
        ({"interval": "1m", "startDate": "2020-01-01", "endDate": "2026-01-01"}, "may have 10,000"),
        ({"timeZone": "Mars/Olympus"}, "expected a time zone"),
        ({"timeZone": "../../etc/passwd"}, "expected a time zone"),
        ({"by": "title"}, "expected a field to count by"),
        ({"query": "time:<0001-01-02", "interval": "month", "timeZone": "Asia/Tokyo"}, "beyond the calendar"),
        ({"query": "since:2030-01-01"}, "ends before it begins"),
        ({"limit": 101}, "limit"),
    ],
)
async def test_a_wrong_histogram_is_refused_by_name(client: Client, request_: Any, expected: str) -> None:
    with pytest.raises(Refused, match=expected) as refused:
        await histogram(client, **request_)
    assert refused.value.code == "INVALID_ARGUMENT"


async def test_a_relative_time_means_the_same_on_every_page(client: Client) -> None:
    for number in range(3):
        await record(client, f"2026-03-0{number + 1}T08:00:00Z")
    request = {"query": "before:+1s -service:cart", "perPage": 1}
    answer: Any = await client.call("EventService/SearchEvents", request)
    await client.call(
        "EventService/CreateEvent",
        {"title": "Late", "attributes": {"service": "payments", "type": "deployment"}},
    )
    for _ in range(2):
        answer = await client.call(
            "EventService/SearchEvents", {**request, "pageToken": answer["nextPageToken"]}
        )
        assert len(answer["events"]) == 1
    assert answer["nextPageToken"] == ""
