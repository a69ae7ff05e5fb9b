"""The event service, over both wires."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest
from protobuf.wkt import Timestamp
from tests.behaviour.events import UNKNOWN, create, get, request
from tests.clients import Refused

from tracker.pb import event_pb

if TYPE_CHECKING:
    from tests.clients import Client, JsonObject

    from tracker.app import App


async def titles(client: Client, method: str, **filters: Any) -> list[str]:
    answer: Any = await client.call(f"EventService/{method}", filters)
    return [event["title"] for event in answer["events"]]


def day(offset: int = 0) -> str:
    return (datetime.now(UTC) + timedelta(days=offset)).strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_a_created_event_can_be_read_by_its_id(client: Client) -> None:
    event = await create(client, owner="ana", priority="P2", environment="production", status="planned")
    assert await get(client, event["metadata"]["id"]) == event
    assert uuid.UUID(event["metadata"]["id"]).version == 7
    assert event["attributes"]["priority"] == "P2"
    assert [(e["changeType"], e["user"], e["comment"]) for e in event["changelog"]] == [
        ("created", "ana", "Event created")
    ]


async def test_whoever_acts_is_the_author_of_what_the_changelog_says(client: Client) -> None:
    external = {"source": "ci", "externalId": "7"}
    answer: Any = await client.call("EventService/CreateEvent", {**request(**external), "who": "ana"})
    id_ = answer["event"]["metadata"]["id"]
    assert answer["event"]["attributes"]["owner"] == "ana"
    repeated = {**request("Deploy again", **external), "who": "ben"}
    await client.call("EventService/CreateEvent", repeated)
    change = {"id": id_, "attributes": {"status": "success"}, "merge": True, "who": "cleo"}
    await client.call("EventService/UpdateEvent", change)
    answer = await client.call("EventService/UpdateEvent", {"id": id_, "title": "Deployed"})
    assert answer["event"]["attributes"]["owner"] == "ana"
    authors = [entry["user"] for entry in answer["event"]["changelog"]]
    assert authors == ["ana", "ben", "cleo", "ana"]


async def test_an_id_is_found_however_its_letters_are_cased(client: Client) -> None:
    event = await create(client)
    assert await get(client, event["metadata"]["id"].upper()) == event


async def test_an_event_without_links_is_complete(client: Client) -> None:
    assert (await create(client))["links"] == {"pullRequestLink": "", "ticket": ""}


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "x" * 501}, "title"),
        ({"attributes": {"type": "deployment"}}, "attributes.service"),
        ({"attributes": {"service": "payments"}}, "attributes.type"),
        ({"attributes": {"service": "x" * 201, "type": "drift"}}, "attributes.service"),
        ({"attributes": {"service": "a", "type": "drift", "message": "x" * 65_537}}, "attributes.message"),
        (
            {"attributes": {"service": "a", "type": "drift", "notifications": ["x"] * 1001}},
            "attributes.notifications",
        ),
    ],
)
async def test_a_field_that_breaks_a_rule_is_refused_by_name(
    client: Client, broken: JsonObject, field: str
) -> None:
    with pytest.raises(Refused) as refused:
        await client.call("EventService/CreateEvent", request() | broken)
    assert refused.value.code == "INVALID_ARGUMENT"
    assert field in refused.value.fields


@pytest.mark.parametrize(("related_id", "code"), [("not-a-uuid", "INVALID_ARGUMENT"), (UNKNOWN, "NOT_FOUND")])
async def test_a_related_event_must_exist(client: Client, related_id: str, code: str) -> None:
    body = request()
    body["attributes"]["related_id"] = related_id
    with pytest.raises(Refused) as refused:
        await client.call("EventService/CreateEvent", body)
    assert refused.value.code == code
    assert "attributes.related_id" in refused.value.fields


async def test_a_linked_event_took_the_time_since_the_one_it_links_to(client: Client) -> None:
    first = await create(client, startDate="2026-01-31T12:00:00Z")
    second = await create(client, relatedId=first["metadata"]["id"], startDate="2026-01-31T12:01:30Z")
    assert second["metadata"]["duration"] == "90s"


async def test_an_update_answers_the_new_document_and_keeps_what_it_does_not_name(client: Client) -> None:
    event = await create(client, status="start", slack_id="1.1")
    id_ = event["metadata"]["id"]
    answer: Any = await client.call(
        "EventService/UpdateEvent",
        {"id": id_, "attributes": {**event["attributes"], "status": "success"}},
    )
    after = answer["event"]
    assert after == await get(client, id_)
    assert after["title"] == "Deploy"
    assert after["metadata"]["slackId"] == "1.1"
    assert after["metadata"]["createdAt"] == event["metadata"]["createdAt"]
    assert after["metadata"]["duration"] is not None
    change = after["changelog"][-1]
    assert (change["changeType"], change["field"], change["oldValue"], change["newValue"]) == (
        "status_changed",
        "status",
        "start",
        "success",
    )


async def test_an_event_can_be_updated_by_its_slack_id(client: Client) -> None:
    await create(client, slack_id="1700000000.000100")
    answer: Any = await client.call(
        "EventService/UpdateEvent", {"slackId": "1700000000.000100", "title": "Renamed"}
    )
    assert answer["event"]["title"] == "Renamed"


async def test_an_update_that_names_no_event_is_refused(client: Client) -> None:
    with pytest.raises(Refused) as refused:
        await client.call("EventService/UpdateEvent", {"title": "x"})
    assert refused.value.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("GetEvent", {}),
        ("UpdateEvent", {"title": "x"}),
        ("DeleteEvents", {}),
        ("ListRelatedEvents", {}),
        ("GetEventChangelog", {}),
        ("AddChangelogEntry", {"entry": {"comment": "x"}}),
        ("AddSlackId", {"slack_id": "5.5"}),
    ],
)
@pytest.mark.parametrize("id_", [UNKNOWN.upper(), "1.999"])
async def test_an_unknown_event_is_not_found(client: Client, method: str, body: JsonObject, id_: str) -> None:
    with pytest.raises(Refused) as refused:
        await client.call(f"EventService/{method}", {"id": id_} | body)
    assert refused.value.code == "NOT_FOUND"
    of_part = method in {"GetEventChangelog", "AddChangelogEntry", "AddSlackId"}
    said = "event not found with id" if of_part else "no event found in tracker for id"
    assert refused.value.message == f"{said} {id_}"
    assert refused.value.reason == "EVENT_NOT_FOUND"


async def test_deleting_an_event_by_its_id_or_slack_id_removes_it(client: Client) -> None:
    first, second = await create(client), await create(client, slack_id="2.2")
    answer = await client.call("EventService/DeleteEvents", {"id": first["metadata"]["id"]})
    assert answer == {"id": first["metadata"]["id"], "slackId": ""}
    answer = await client.call("EventService/DeleteEvents", {"id": "2.2"})
    assert answer == {"id": second["metadata"]["id"], "slackId": "2.2"}
    assert await titles(client, "ListEvents") == []


async def test_lists_are_newest_first_and_come_in_pages(client: Client) -> None:
    for number in range(7):
        await create(client, f"event {number}", startDate=f"2026-01-0{number + 1}T00:00:00Z")
    first: Any = await client.call("EventService/ListEvents", {"perPage": 3})
    assert [e["title"] for e in first["events"]] == ["event 6", "event 5", "event 4"]
    assert first["totalCount"] == 7
    second: Any = await client.call(
        "EventService/ListEvents", {"perPage": 3, "pageToken": first["nextPageToken"]}
    )
    third: Any = await client.call("EventService/ListEvents", {"perPage": 3, "page": 3})
    assert [e["title"] for e in second["events"]] == ["event 3", "event 2", "event 1"]
    assert [e["title"] for e in third["events"]] == ["event 0"]
    assert third["nextPageToken"] == ""


async def test_a_walk_by_token_misses_nothing_while_events_arrive(client: Client) -> None:
    for number in range(10):
        await create(client, f"old {number}")
    seen: list[str] = []
    token = ""
    while True:
        page: Any = await client.call("EventService/ListEvents", {"perPage": 2, "pageToken": token})
        seen += [event["title"] for event in page["events"]]
        await create(client, "new")
        if not (token := page["nextPageToken"]):
            break
    assert [title for title in seen if title != "new"] == [f"old {n}" for n in reversed(range(10))]


@pytest.mark.parametrize("paging", [{"page": 0}, {"perPage": 0}, {"page": 0, "perPage": 0}])
async def test_zero_counts_as_not_given(client: Client, paging: JsonObject) -> None:
    await create(client)
    assert await titles(client, "ListEvents", **paging) == ["Deploy"]
    event: Any = (await client.call("EventService/ListEvents", {}))["events"]
    changelog: Any = await client.call(
        "EventService/GetEventChangelog", {"id": event[0]["metadata"]["id"], **paging}
    )
    assert changelog["totalCount"] == 1
    assert len(changelog["changelog"]) == 1


@pytest.mark.parametrize(
    ("paging", "field"),
    [
        ({"page": -1}, "page"),
        ({"perPage": 1001}, "per_page"),
        ({"perPage": 4_294_967_295}, "per_page"),
        ({"pageToken": "nonsense"}, "page_token"),
    ],
)
async def test_absurd_paging_is_refused_by_name(client: Client, paging: JsonObject, field: str) -> None:
    with pytest.raises(Refused) as refused:
        await client.call("EventService/ListEvents", paging)
    assert refused.value.code == "INVALID_ARGUMENT"
    spelled = next(iter(paging)) if client.wire == "rest" else field
    assert spelled in refused.value.fields


@pytest.mark.parametrize("paging", [{"page": -1}, {"perPage": 2**31}, {"perPage": 1001}])
async def test_absurd_paging_of_a_changelog_is_refused(client: Client, paging: JsonObject) -> None:
    event = await create(client)
    with pytest.raises(Refused) as refused:
        await client.call("EventService/GetEventChangelog", {"id": event["metadata"]["id"], **paging})
    assert refused.value.code == "INVALID_ARGUMENT"


async def test_every_filter_of_a_search_filters(client: Client) -> None:
    wanted: JsonObject = {
        "source": "ci",
        "type": "incident",
        "priority": "P1",
        "status": "open",
        "service": "checkout",
        "environment": "UAT",
        "impact": True,
    }
    await create(client, "wanted", slack_id="9.9", **wanted)
    await create(client, "other", source="cron", status="close", priority="P5", environment="production")
    for name, value in (wanted | {"slackId": "9.9"}).items():
        assert await titles(client, "SearchEvents", **{name: value}) == ["wanted"]
    assert await titles(client, "SearchEvents", impact=False) == ["other"]
    assert await titles(client, "SearchEvents", source="ci", service="payments") == []


async def test_a_search_comes_in_the_order_asked_for(client: Client) -> None:
    for number in range(4):
        await create(client, str(number), source="ci", startDate=f"2026-03-0{number + 1}T00:00:00Z")
    assert await titles(client, "SearchEvents", source="ci", orderBy="time") == ["0", "1", "2", "3"]
    assert await titles(client, "SearchEvents", source="ci", orderBy="-time") == ["3", "2", "1", "0"]
    request: JsonObject = {"source": "ci", "orderBy": "time", "perPage": 3}
    first: Any = await client.call("EventService/SearchEvents", request)
    token = first["nextPageToken"]
    assert await titles(client, "SearchEvents", **request, pageToken=token) == ["3"]
    with pytest.raises(Refused, match=r"page_token|pageToken"):
        await titles(client, "SearchEvents", source="ci", perPage=3, pageToken=token)
    with pytest.raises(Refused, match=r"order_by|orderBy"):
        await titles(client, "SearchEvents", source="ci", orderBy="priority")


async def test_a_search_without_a_filter_is_refused(client: Client) -> None:
    with pytest.raises(Refused, match="no filter for search events") as refused:
        await client.call("EventService/SearchEvents", {})
    assert refused.value.code == "INVALID_ARGUMENT"


async def test_a_search_by_time_takes_the_start_date_or_else_the_creation(client: Client) -> None:
    await create(client, "dated", startDate="2026-01-31T18:00:00Z")
    await create(client, "undated")
    assert await titles(client, "SearchEvents", startDate="2026-01-31", endDate="2026-01-31") == ["dated"]
    assert await titles(client, "SearchEvents", startDate=day(-1), endDate=day(1)) == ["undated"]
    with pytest.raises(Refused, match="inversed"):
        await client.call("EventService/SearchEvents", {"startDate": day(1), "endDate": day(-1)})
    with pytest.raises(Refused, match="expected a date"):
        await client.call("EventService/SearchEvents", {"startDate": "soon"})


async def test_today_has_what_happens_today_and_what_reaches_into_it(client: Client) -> None:
    await create(client, "now")
    await create(client, "yesterday", startDate=day(-1), endDate=day(-1))
    await create(client, "over midnight", startDate=day(-1), endDate=day(1))
    await create(client, "tomorrow", startDate=day(1))
    assert await titles(client, "TodayEvents") == ["now", "over midnight"]


async def test_concurrent_changes_of_one_event_are_all_kept(client: Client) -> None:
    event = await create(client)
    id_ = event["metadata"]["id"]
    await asyncio.gather(
        *(
            client.call("EventService/AddChangelogEntry", {"id": id_, "entry": {"comment": f"note {n}"}})
            for n in range(50)
        )
    )
    answer: Any = await client.call("EventService/GetEventChangelog", {"id": id_, "perPage": 100})
    assert answer["totalCount"] == 51
    assert {e["comment"] for e in answer["changelog"][1:]} == {f"note {n}" for n in range(50)}


async def test_a_changelog_entry_has_the_time_of_its_arrival_unless_it_names_one(client: Client) -> None:
    event = await create(client, slack_id="3.3")
    answer: Any = await client.call("EventService/AddChangelogEntry", {"id": "3.3", "entry": {"user": "bo"}})
    assert answer["event"]["changelog"][-1]["timestamp"] >= event["metadata"]["createdAt"]
    answer = await client.call(
        "EventService/AddChangelogEntry",
        {"id": "3.3", "entry": {"timestamp": "2026-01-01T00:00:00Z", "changeType": "approved"}},
    )
    assert answer["event"]["changelog"][-1]["timestamp"] == "2026-01-01T00:00:00Z"


async def test_a_changelog_comes_in_pages_oldest_first(client: Client) -> None:
    id_ = (await create(client))["metadata"]["id"]
    for n in range(4):
        await client.call("EventService/AddChangelogEntry", {"id": id_, "entry": {"comment": f"note {n}"}})
    page: Any = await client.call("EventService/GetEventChangelog", {"id": id_, "perPage": 2, "page": 2})
    assert [e["comment"] for e in page["changelog"]] == ["note 1", "note 2"]
    past: Any = await client.call("EventService/GetEventChangelog", {"id": id_, "perPage": 2, "page": 9})
    assert past["changelog"] == []
    assert past["totalCount"] == 5


async def test_a_slack_id_is_given_once_and_to_one_event(client: Client) -> None:
    first, second = await create(client), await create(client)
    answer: Any = await client.call(
        "EventService/AddSlackId", {"id": first["metadata"]["id"], "slack_id": "4.4"}
    )
    assert answer["event"]["metadata"]["slackId"] == "4.4"
    assert answer["event"]["changelog"][-1]["comment"] == "Slack message linked"
    with pytest.raises(Refused, match=r"event already has a slack_id: 4\.4") as refused:
        await client.call("EventService/AddSlackId", {"id": "4.4", "slack_id": "5.5"})
    assert refused.value.code == "ALREADY_EXISTS"
    with pytest.raises(Refused, match="already belongs to") as refused:
        await client.call("EventService/AddSlackId", {"id": second["metadata"]["id"], "slack_id": "4.4"})
    assert refused.value.reason == "SLACK_ID_TAKEN"
    with pytest.raises(Refused, match="already belongs to"):
        await create(client, slack_id="4.4")
    with pytest.raises(Refused, match="slack_id cannot be empty"):
        await client.call("EventService/AddSlackId", {"id": second["metadata"]["id"]})


async def test_stats_count_the_same_events_as_a_search(client: Client) -> None:
    for month, service in (("01", "a"), ("01", "b"), ("02", "a"), ("03", "a")):
        await create(client, service=service, startDate=f"2026-{month}-15T00:00:00Z", status="success")
    span = {"startDate": "2026-01-01", "endDate": "2026-02-28"}
    search: Any = await client.call("EventService/SearchEvents", span)
    stats = await client.call("EventService/GetEventStats", span)
    assert stats == {"totalCount": "3", **span}
    assert search["totalCount"] == 3
    monthly: Any = await client.call("EventService/GetEventStatsByMonth", span)
    assert [(m["year"], m["month"], m["count"]) for m in monthly["stats"]] == [(2026, 1, "2"), (2026, 2, "1")]
    by_service: Any = await client.call(
        "EventService/GetEventStatsByMonth",
        {**span, "groupByService": True, "statuses": ["success", "failure"]},
    )
    assert [(m["month"], m["service"], m["count"]) for m in by_service["stats"]] == [
        (1, "a", "1"),
        (1, "b", "1"),
        (2, "a", "1"),
    ]
    with pytest.raises(Refused, match="start_date and end_date are required"):
        await client.call("EventService/GetEventStats", {"startDate": "2026-01-01"})


async def test_stats_take_as_many_values_of_a_filter_as_a_list_may_have(client: Client) -> None:
    await create(client, startDate="2026-01-15T00:00:00Z", status="success")
    span = {"startDate": "2026-01-01", "endDate": "2026-02-28", "statuses": ["success", "failure"] * 500}
    stats: Any = await client.call("EventService/GetEventStats", span)
    assert stats["totalCount"] == "1"


@pytest.mark.parametrize("nanos", [-1, 1_000_000_000])
async def test_a_time_with_nanoseconds_that_no_time_has_is_refused(app: App, nanos: int) -> None:
    message = event_pb.CreateEventRequest(
        title="Deploy",
        attributes=event_pb.EventAttributes(
            service="payments", type=event_pb.Type.drift, start_date=Timestamp(seconds=1, nanos=nanos)
        ),
    )
    host, port = app.grpc_address
    async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
        create: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/tracker.event.v1alpha1.EventService/CreateEvent"
        )
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await create(message.to_binary())
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_query_finds_what_it_asks_for(client: Client) -> None:
    await create(client, "Deploy payments", service="payments", status="failure", environment="production")
    await create(client, "Deploy shop", service="shop", status="success", message="It took long, no timeout")
    for query, found in {
        "service:payments": ["Deploy payments"],
        "env:prod state:failed since:1h": ["Deploy payments"],
        "-service:payments": ["Deploy shop"],
        '"took long"': ["Deploy shop"],
        "deploy": ["Deploy shop", "Deploy payments"],
        "depl": [],
        "before:yesterday": [],
        "service:s* OR status:failure": ["Deploy shop", "Deploy payments"],
    }.items():
        assert await titles(client, "SearchEvents", query=query) == found, query
    assert await titles(client, "SearchEvents", query="deploy", service="shop") == ["Deploy shop"]


async def test_a_query_comes_in_pages(client: Client) -> None:
    for number in range(5):
        await create(client, f"Deploy {number}", service="payments" if number % 2 else "shop")
    request: dict[str, Any] = {"query": "service:shop since:1h", "perPage": 2}
    first: Any = await client.call("EventService/SearchEvents", request)
    assert first["totalCount"] == 3
    token = first["nextPageToken"]
    await create(client, "Deploy 5", service="shop")
    second: Any = await client.call("EventService/SearchEvents", request | {"pageToken": token})
    assert second["totalCount"] == 3
    assert [event["title"] for event in first["events"] + second["events"]] == [
        "Deploy 4",
        "Deploy 2",
        "Deploy 0",
    ]
    with pytest.raises(Refused, match="not a token of this list"):
        await client.call("EventService/SearchEvents", {"query": "service:payments", "pageToken": token})


@pytest.mark.parametrize(
    ("query", "column", "message"),
    [
        ("statsu:failure", "1", 'no field "statsu"; did you mean status?'),
        ("service:a status:fialure", "18", "did you mean failure?"),
        ("(a OR b", "1", "expected the ) that closes this ("),
        ("since:soon", "7", "expected a time such as"),
        ("(" * 1_000, "33", "nests up to 32 deep"),
        (" OR ".join(["a"] * 600), "1281", "up to 256 words"),
        ("service:" + "*a" * 500, "9", "up to 8 wildcards"),
    ],
)
async def test_a_wrong_query_is_told_where_it_is_wrong(
    client: Client, query: str, column: str, message: str
) -> None:
    with pytest.raises(Refused) as refused:
        await client.call("EventService/SearchEvents", {"query": query})
    error = refused.value
    assert (error.code, error.reason) == ("INVALID_ARGUMENT", "INVALID_QUERY")
    assert error.metadata == {"column": column}
    assert message in error.message
    assert message in error.fields["query"]
