"""Days of a zone, times that clocks show twice or never, and ends before their starts, over both wires."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from tests.clients import Refused

if TYPE_CHECKING:
    from tests.clients import Client

PARIS = {"timeZone": "Europe/Paris"}
OF_MARCH = {"startDate": "2026-03-29", "endDate": "2026-03-29", **PARIS}
INVERTED = {"startDate": "2026-03-29T10:00:00Z", "endDate": "2026-03-29T09:59:59Z"}
EVENT: Any = {"title": "Deploy", "attributes": {"service": "payments", "type": "deployment"}}
ID = "019ad3f1-7b00-7c21-9d0e-5b1f3a7c2e48"


async def record(client: Client, *starts: str) -> None:
    for start in starts:
        await create(client, startDate=start, title=start)


async def create(client: Client, title: str = "Deploy", **attributes: Any) -> Any:
    of_event = {"service": "payments", "type": "deployment", **attributes}
    return await client.call("EventService/CreateEvent", {"title": title, "attributes": of_event})


async def found(client: Client, **request: Any) -> list[str]:
    answer = await client.call("EventService/SearchEvents", {"orderBy": "time", **request})
    return [event["title"] for event in answer["events"]]


async def test_the_days_and_the_intervals_of_a_histogram_are_in_the_zone_asked_for(client: Client) -> None:
    times = ("2026-03-28T22:59:59Z", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59Z", "2026-03-29T22:00:00Z")
    await record(client, *times)
    for zone, interval, wanted in (
        ("Europe/Paris", "day", [("2026-03-28T23:00:00Z", 2)]),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "12h", [("2026-03-28T23:00:00Z", 1), ("2026-03-29T10:00:00Z", 1)]),
        ("UTC", "day", [("2026-03-29T00:00:00Z", 2)]),
    ):
        request = {**OF_MARCH, "timeZone": zone, "interval": interval}
        answer = await client.call("EventService/GetEventHistogram", request)
        assert [(each["start"], each.get("count", 0)) for each in answer["buckets"]] == wanted
        assert answer["timeZone"] == zone


async def test_the_days_of_every_other_call_are_in_the_zone_asked_for(client: Client) -> None:
    times = ("2026-03-28T22:59:59Z", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59Z", "2026-03-29T22:00:00Z")
    await record(client, *times)
    assert await found(client, **OF_MARCH) == [*times[1:3]]
    assert await found(client, query="time:2026-03-29", **PARIS) == [*times[1:3]]
    assert await found(client, startDate="2026-03-29", endDate="2026-03-29") == [*times[2:]]
    facets = {"fields": ["service"], **OF_MARCH}
    assert (await client.call("EventService/GetEventFacets", facets))["totalCount"] == 2
    overlaps = await client.call("EventService/GetEventOverlaps", OF_MARCH)
    assert (overlaps["start"], overlaps["end"]) == ("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z")
    for zone, number in ((PARIS, 2), ({"timeZone": ""}, 2), ({"timeZone": "Etc/GMT-2"}, 3)):
        stats = await client.call("EventService/GetEventStats", {**OF_MARCH, **zone})
        assert int(stats["totalCount"]) == number, zone


async def test_months_begin_in_the_zone_asked_for(client: Client) -> None:
    await record(client, "2026-02-28T22:59:59Z", "2026-02-28T23:00:00Z")
    await create(client, startDate="2026-03-31T22:00:00Z", service="cart")
    of_spring = {"startDate": "2026-02-01", "endDate": "2026-04-30", "groupByService": True}
    utc, paris = [
        (await client.call("EventService/GetEventStatsByMonth", {**of_spring, "timeZone": zone}))["stats"]
        for zone in ("", "Europe/Paris")
    ]
    assert [(each["month"], each["service"], int(each["count"])) for each in utc] == [
        (2, "payments", 2),
        (3, "cart", 1),
    ]
    assert [(each["month"], each["service"], int(each["count"])) for each in paris] == [
        (2, "payments", 1),
        (3, "payments", 1),
        (4, "cart", 1),
    ]
    whole = {"startDate": "0001-01-01", "endDate": "9999-12-31", **PARIS}
    stats = (await client.call("EventService/GetEventStatsByMonth", whole))["stats"]
    assert [(each["month"], int(each["count"])) for each in stats] == [(2, 1), (3, 1), (4, 1)]
    of_nothing = {"startDate": "2027-01-01", "endDate": "2027-12-31", **PARIS}
    assert (await client.call("EventService/GetEventStatsByMonth", of_nothing))["stats"] == []


async def test_today_is_a_day_of_the_zone_asked_for(client: Client) -> None:
    now = datetime.now(UTC)
    east, west = "Pacific/Kiritimati", "Etc/GMT+12"  # 26 hours apart: it is never the same day in both
    there = now.astimezone(ZoneInfo(east))
    hour = 0 if there.hour >= 2 else 3  # before two, it is two days earlier in the west
    await record(client, there.replace(hour=hour, minute=30, second=0, microsecond=0).isoformat())
    for zone, number in ((east, 1), (west, 0)):
        answer = await client.call("EventService/TodayEvents", {"timeZone": zone})
        assert answer["totalCount"] == number, zone


async def test_a_page_token_belongs_to_the_zone_of_its_search(client: Client) -> None:
    await record(client, "2026-03-29T08:00:00Z", "2026-03-29T09:00:00Z")
    request = {"query": "time:2026-03-29", "perPage": 1, **PARIS}
    first: Any = await client.call("EventService/SearchEvents", request)
    again = {**request, "pageToken": first["nextPageToken"]}
    second: Any = await client.call("EventService/SearchEvents", again)
    assert [each["title"] for each in second["events"]] == ["2026-03-29T08:00:00Z"]
    with pytest.raises(Refused, match="page_token"):
        await client.call("EventService/SearchEvents", {**again, "timeZone": "UTC"})


async def test_a_time_that_clocks_show_twice_is_both_and_one_that_they_skip_the_next(client: Client) -> None:
    await record(client, "2026-03-29T01:15:00Z", "2026-03-29T02:00:00Z")
    await record(
        client, "2026-10-24T23:59:59Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"
    )
    for query, wanted in (
        ("time:2026-10-25T02", ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]),
        ("time:2026-10-25T02:30", ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]),
        ("time:2026-10-25T02:15..2026-10-25T02:45", ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]),
        ("time:2026-10-25T02+01:00", ["2026-10-25T01:30:00Z"]),
        ("time:2026-03-29T02", ["2026-03-29T01:15:00Z"]),
        ("since:2026-03-29T02:30 until:2026-03-30", ["2026-03-29T01:15:00Z", "2026-03-29T02:00:00Z"]),
    ):
        assert await found(client, query=query, **PARIS) == wanted


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("CreateEvent", {**EVENT, "attributes": {**EVENT["attributes"], **INVERTED}}, "attributes.end_date"),
        ("SearchEvents", INVERTED, "start_date"),
        ("GetEventStats", INVERTED, "start_date"),
        ("GetEventStatsByMonth", INVERTED, "start_date"),
        ("GetEventFacets", {"fields": ["service"], **INVERTED}, "start_date"),
        ("GetEventHistogram", INVERTED, "start_date"),
        ("GetEventOverlaps", INVERTED, "start_date"),
        ("SearchEvents", {"query": "since:2h until:3h"}, "query"),
        ("SearchEvents", {"query": "until:2026-03-01", "startDate": "2026-03-02"}, "query"),
        ("GetEventFacets", {"fields": ["service"], "query": "after:today before:today"}, "query"),
        ("GetEventOverlaps", {"query": "time:2026-03-29..2026-03-28"}, "query"),
        ("SearchEvents", {"query": "service:cart", "timeZone": "Mars/Olympus"}, "time_zone"),
        ("GetEventFacets", {"fields": ["service"], "timeZone": "../../etc/passwd"}, "time_zone"),
        ("GetEventOverlaps", {"timeZone": "CET-1CEST,M3"}, "time_zone"),
        ("TodayEvents", {"timeZone": "Mars/Olympus"}, "time_zone"),
        ("GetEventStats", {**OF_MARCH, "timeZone": "Mars/Olympus"}, "time_zone"),
        ("GetEventStatsByMonth", {**OF_MARCH, "timeZone": "Mars/Olympus"}, "time_zone"),
    ],
)
async def test_a_wrong_period_is_refused_by_the_name_of_its_field(
    client: Client, method: str, request_: Any, field: str
) -> None:
    with pytest.raises(Refused) as refused:
        await client.call(f"EventService/{method}", request_)
    assert refused.value.code == "INVALID_ARGUMENT"
    assert field.replace("_", "") in refused.value.message.lower().replace("_", "")


async def test_an_update_that_moves_the_end_before_the_start_is_refused(client: Client) -> None:
    created = (await create(client, startDate=INVERTED["startDate"], status="start"))["event"]
    update = {"id": created["metadata"]["id"], "merge": True, "attributes": {"endDate": INVERTED["endDate"]}}
    with pytest.raises(Refused, match="ends before it starts") as refused:
        await client.call("EventService/UpdateEvent", update)
    assert refused.value.code == "INVALID_ARGUMENT"


async def test_an_import_refuses_such_an_event_unless_it_was_recorded_before_and_that_one_can_end(
    client: Client,
) -> None:
    event = {**EVENT, "attributes": {**EVENT["attributes"], **INVERTED}}
    events = [event, {**event, "metadata": {"id": ID}}]
    answer: Any = await client.call("EventService/ImportEvents", {"events": events})
    assert (answer["stored"], [each["field"] for each in answer["refused"]]) == (1, ["attributes.end_date"])
    ended = {"id": ID, "title": "Deploy", "attributes": {**event["attributes"], "status": "success"}}
    changed: Any = await client.call("EventService/UpdateEvent", ended)
    assert changed["event"]["attributes"]["status"] == "success"
