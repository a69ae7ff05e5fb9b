"""Events that go on at the same time, over both wires."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.clients import Refused

if TYPE_CHECKING:
    from tests.clients import Client

DAY = {"startDate": "2026-03-02", "endDate": "2026-03-02"}


async def record(client: Client, title: str, start: str = "", end: str = "", **attributes: Any) -> str:
    """Record an event of 2 March 2026, or of another day where the times say so, and return its id."""
    times = {"startDate": start, "endDate": end}
    times = {
        name: f"2026-03-02T{time}:00Z" if len(time) == 5 else time for name, time in times.items() if time
    }
    told = {"service": "payments", "type": "deployment", "environment": "production", "status": "done"}
    request = {"title": title, "attributes": told | times | attributes}
    event: Any = (await client.call("EventService/CreateEvent", request))["event"]
    return str(event["metadata"]["id"])


async def overlaps(client: Client, **request: Any) -> Any:
    return await client.call("EventService/GetEventOverlaps", request)


def titles(answer: Any) -> list[list[str]]:
    return [[event["title"] for event in group["events"]] for group in answer["groups"]]


def ago(**time: int) -> str:
    return (datetime.now(UTC) - timedelta(**time)).strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_events_that_go_on_at_once_are_found_in_groups_and_pairs(client: Client) -> None:
    first = await record(client, "Deploy", "08:00", "09:00")
    second = await record(client, "Reindex", "08:30", "10:00", type="operation", status="planned")
    third = await record(client, "Drift", "09:30", type="drift", status="open")
    await record(client, "Restart", "10:00", "11:00")
    await record(client, "Deploy cart", "08:00", "11:00", service="cart")
    await record(client, "Try it", "08:00", "11:00", environment="UAT")
    answer = await overlaps(client, **DAY)
    (group,) = answer["groups"]
    assert (answer["eventCount"], answer["pairCount"], answer["incomplete"]) == (6, 2, False)
    assert (answer["start"], answer["end"]) == ("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z")
    assert group["values"] == ["payments", "production"]
    assert (group["start"], group["end"]) == ("2026-03-02T08:00:00Z", "2026-03-02T10:00:00Z")
    assert group["events"][1] == {
        "id": second,
        "title": "Reindex",
        "type": "operation",
        "status": "planned",
        "service": "payments",
        "environment": "production",
        "start": "2026-03-02T08:30:00Z",
        "end": "2026-03-02T10:00:00Z",
        "goesOn": False,
    }
    assert [event["id"] for event in group["events"]] == [first, second, third]
    assert group["pairs"] == [
        {
            "firstId": first,
            "secondId": second,
            "start": "2026-03-02T08:30:00Z",
            "end": "2026-03-02T09:00:00Z",
        },
        {
            "firstId": second,
            "secondId": third,
            "start": "2026-03-02T09:30:00Z",
            "end": "2026-03-02T09:30:00Z",
        },
    ]


async def test_what_must_be_the_same_is_chosen_by_fields(client: Client) -> None:
    await record(client, "Deploy", "08:00", "09:00", labels={"cluster": "eu"})
    await record(client, "Deploy cart", "08:10", "09:00", service="cart", labels={"cluster": "eu"})
    await record(client, "Try it", "08:20", "09:00", environment="UAT")
    assert titles(await overlaps(client, **DAY)) == []
    by_service = await overlaps(client, **DAY, by=["service"])
    assert titles(by_service) == [["Deploy", "Try it"]]
    assert by_service["groups"][0]["values"] == ["payments"]
    assert titles(await overlaps(client, **DAY, by=["environment"])) == [["Deploy", "Deploy cart"]]
    by_both = await overlaps(client, **DAY, by=["label.cluster", "type"])
    assert [group["values"] for group in by_both["groups"]] == [["eu", "deployment"]]


async def test_a_query_says_which_events_and_which_period(client: Client) -> None:
    await record(client, "Deploy", "08:00", "09:00")
    await record(client, "Deploy again", "08:10", "09:00")
    await record(client, "Fails", "08:20", "09:00", type="incident")
    query = "type:deployment since:2026-03-02T08:30Z until:2026-03-02T09:30Z"
    answer = await overlaps(client, query=query)
    assert titles(answer) == [["Deploy", "Deploy again"]]
    assert answer["start"] == "2026-03-02T08:30:00Z"
    assert titles(await overlaps(client, query="since:2026-03-02T09:00Z until:2026-03-02T09:30Z")) == []


async def test_what_reaches_into_the_period_is_found_however_its_end_is_known(client: Client) -> None:
    await record(client, "dated", "2026-01-01T00:00:00Z", "2026-03-02T01:00:00Z")
    await record(client, "ended before", "2026-03-01T20:00:00Z", "2026-03-02T00:00:00Z")
    await record(client, "in it", "00:30", "02:00")
    await record(client, "under way", "2025-12-01T00:00:00Z", environment="mco", status="start")
    await record(client, "in its time", "00:30", "02:00", environment="mco")
    answer = await overlaps(client, **DAY)
    assert titles(answer) == [["under way", "in its time"], ["dated", "in it"]]
    assert [event["goesOn"] for event in answer["groups"][0]["events"]] == [True, False]
    assert titles(await overlaps(client, **DAY, query="-status:start")) == [["dated", "in it"]]
    assert titles(await overlaps(client, **DAY, query="status:start")) == []


async def test_without_an_end_date_an_event_lasts_until_it_was_finished(client: Client) -> None:
    deployment = await record(client, "Deploy", ago(hours=3), status="start")
    incident = await record(client, "Fails", ago(hours=2), type="incident", relatedId=deployment)
    for id_, status in ((deployment, "success"), (incident, "open"), (incident, "close")):
        request = {"id": id_, "attributes": {"status": status}, "merge": True}
        await client.call("EventService/UpdateEvent", request)
    await record(client, "Drift", ago(minutes=30), type="drift")
    answer = await overlaps(client, startDate=ago(hours=1))
    assert titles(answer) == [["Deploy", "Fails", "Drift"]]
    assert answer["pairCount"] == 3


async def test_what_another_event_of_its_type_has_ended_goes_on_no_longer(client: Client) -> None:
    start = await record(client, "Deploy begins", "08:00", status="start")
    await record(client, "It fails meanwhile", "08:10", type="incident", relatedId=start)
    await record(client, "Deploy ends", "08:30", status="success", relatedId=start)
    await record(client, "Ends once more", "08:50", status="done", relatedId=start)
    await record(client, "Later", "08:40", "10:00")
    assert titles(await overlaps(client, **DAY)) == [
        ["Deploy begins", "It fails meanwhile"],
        ["Later", "Ends once more"],
    ]


async def test_the_period_is_a_day_on_each_side_of_now_unless_said_otherwise(client: Client) -> None:
    for title in ("Deploy", "Reindex"):
        await record(client, title, ago(hours=-20), ago(hours=-22), status="planned")
        await record(client, f"{title} soon", ago(hours=-26), ago(hours=-28), status="planned")
    assert titles(await overlaps(client)) == [["Deploy", "Reindex"]]
    later = await overlaps(client, startDate=ago(hours=-25))
    assert titles(later) == [["Deploy soon", "Reindex soon"]]
    assert titles(await overlaps(client, endDate=ago(hours=-30))) == [
        ["Deploy", "Reindex"],
        ["Deploy soon", "Reindex soon"],
    ]
    before = await overlaps(client, endDate="2026-03-02T12:00:00Z")
    assert (before["start"], before["end"]) == ("2026-03-01T12:00:01Z", "2026-03-02T12:00:01Z")


async def test_no_more_pairs_are_given_than_asked_for_and_all_are_counted(client: Client) -> None:
    for number in range(4):
        await record(client, f"Deploy {number}", "08:00", "09:00")
    for number in range(2):
        await record(client, f"Restart {number}", "10:00", "11:00")
    answer = await overlaps(client, **DAY, limit=4)
    assert [(len(group["pairs"]), group["pairCount"]) for group in answer["groups"]] == [(4, 6), (0, 1)]
    assert answer["pairCount"] == 7
    assert not answer["incomplete"]


async def test_no_more_events_are_looked_at_than_a_bound_and_the_answer_says_so(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracker.services.events.analysis._MOST", 3)
    for number in range(3):
        await record(client, f"Deploy {number}", f"0{number}:00", "09:00")
    answer = await overlaps(client, **DAY)
    assert (titles(answer), answer["incomplete"]) == ([["Deploy 0", "Deploy 1", "Deploy 2"]], False)
    await record(client, "long ago", "2025-12-01T00:00:00Z", status="in_progress")
    answer = await overlaps(client, **DAY)
    assert (titles(answer), answer["incomplete"]) == ([["Deploy 0", "Deploy 1", "Deploy 2"]], True)
    await record(client, "Deploy 3", "03:00", "09:00")
    answer = await overlaps(client, **DAY, query="status:done")
    assert (titles(answer), answer["incomplete"]) == ([["Deploy 1", "Deploy 2", "Deploy 3"]], True)


async def test_the_ends_of_the_calendar_are_no_obstacle(client: Client) -> None:
    for title in ("Deploy", "Reindex"):
        await record(client, title, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
    for request in ({"endDate": "0001-01-01"}, {"startDate": "9999-12-31"}):
        assert titles(await overlaps(client, **request)) == [["Deploy", "Reindex"]]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"by": ["title"]}, r"by\[0\].*expected a field to compare by, one of service, environment"),
        ({"by": ["service", "servise"]}, r"by\[1\].*did you mean service\?"),
        ({"by": ["service", "service"]}, "by"),
        ({"by": ["type", "status", "owner", "version", "source", "service"]}, "by"),
        ({"limit": 10_001}, "limit"),
        ({"query": "statsu:failure"}, "did you mean status"),
        ({"query": "since:2026-03-03 before:2026-03-02"}, "ends before it begins"),
        ({"startDate": "soon"}, "expected a date"),
        ({"startDate": "2026-03-03", "endDate": "2026-03-02"}, "inversed"),
    ],
)
async def test_a_wrong_request_is_refused_by_name(client: Client, request_: Any, expected: str) -> None:
    with pytest.raises(Refused, match=expected) as refused:
        await overlaps(client, **request_)
    assert refused.value.code == "INVALID_ARGUMENT"
