"""Every answer of a list fits what a gRPC client takes unless told otherwise: 4 MiB."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.behaviour.events import get
from tests.behaviour.locks import lock
from tests.clients import Refused, RestClient

if TYPE_CHECKING:
    import httpx2
    from tests.clients import Client

LARGEST = 4 * 2**20
START = "2026-01-01T00:00:00Z"


async def pages(client: Client, method: str, request: dict[str, Any]) -> list[Any]:
    """Return the answers of a list, followed by its tokens."""
    answers = [await client.call(method, request)]
    while token := answers[-1].get("nextPageToken"):  # links over REST are a list alone
        assert len(json.dumps(answers[-1], ensure_ascii=False).encode()) < 2 * LARGEST
        following = {name: value for name, value in request.items() if name != "page"}
        answers.append(await client.call(method, {**following, "pageToken": token}))
    return answers


async def imported(client: Client, number: int, size: int, title: str = "", **attributes: Any) -> list[str]:
    """Store events with messages of a size, and return their ids, the newest first."""
    ids = [f"018f0000-0000-7000-8000-{place:012x}" for place in range(number)]
    at_once = max(1, min(1000, 3_000_000 // size))
    for start in range(0, number, at_once):
        events = [
            {
                "title": f"event {place}{title}",
                "attributes": {
                    "service": "payments",
                    "type": "deployment",
                    "message": "m" * size,
                    "startDate": START,
                    **attributes,
                },
                "metadata": {"id": ids[place]},
            }
            for place in range(start, min(number, start + at_once))
        ]
        answer = await client.call("EventService/ImportEvents", {"events": events})
        assert answer["stored"] == len(events)
    return ids[::-1]


def ids_of(answers: list[Any]) -> list[str]:
    return [event["metadata"]["id"] for answer in answers for event in answer["events"]]


async def test_a_search_for_many_events_is_answered_in_pages(client: Client) -> None:
    ids = await imported(client, 2_199, 2_000)
    answers = await pages(client, "EventService/SearchEvents", {"service": "payments"})
    assert len(answers) == 2
    assert ids_of(answers) == ids
    assert {answer["totalCount"] for answer in answers} == {2_199}


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("SearchEvents", {"query": "type:deployment", "orderBy": "time"}),
        ("SearchEvents", {"query": "title:event payments OR event"}),
        ("ListEvents", {"perPage": 1000, "page": 1}),
        ("ListEvents", {"service": "payments", "perPage": 90}),
    ],
)
async def test_pages_of_large_events_have_each_once(
    client: Client, method: str, request_: dict[str, Any]
) -> None:
    ids = await imported(client, 100, 65_536)
    answers = await pages(client, f"EventService/{method}", request_)
    assert len(answers) > 2
    assert sorted(ids_of(answers)) == sorted(ids)
    assert all(answer["totalCount"] == 100 for answer in answers)


async def test_a_numbered_page_begins_where_it_would_without_large_events(client: Client) -> None:
    ids = await imported(client, 100, 65_536)
    answer = await client.call("EventService/ListEvents", {"perPage": 60, "page": 2})
    assert ids_of([answer]) == ids[60:100]
    first = await pages(client, "EventService/ListEvents", {"perPage": 60, "page": 1})
    assert len(first[0]["events"]) < 60
    assert ids_of(first) == ids


async def test_a_numbered_page_that_its_bytes_end_says_how_its_rest_is_reached(
    http: httpx2.AsyncClient,
) -> None:
    await imported(RestClient(http), 100, 65_536)
    for path, warned in (
        ("list?perPage=60&page=1", "page 1 has 4[0-9] of 60 records; next_page_token leads to the others"),
        ("search?service=payments&perPage=60&page=1", "page 1 has 4[0-9] of 60 records"),
        ("list?perPage=60", ""),
        ("list?perPage=60&page=2", ""),
        ("list?perPage=10&page=1", ""),
    ):
        answer = await http.get(f"/api/v1alpha1/events/{path}")
        assert bool(answer.headers.get("warning")) == bool(warned), path
        assert re.match(f'299 - "{warned}' if warned else "$", answer.headers.get("warning", "")), path


async def test_a_chain_of_large_events_is_answered_in_pages(client: Client) -> None:
    (root,) = await imported(client, 1, 10)
    events: list[Any] = [
        {
            "title": f"follows {number}",
            "attributes": {"service": "s", "type": "incident", "message": "m" * 65_536, "relatedId": root},
        }
        for number in range(100)
    ]
    for start in range(0, 100, 50):
        await client.call("EventService/ImportEvents", {"events": events[start : start + 50]})
    answers = await pages(client, "EventService/ListRelatedEvents", {"id": root})
    assert len(answers) > 1
    found = [each["event"]["title"] for answer in answers for each in answer["events"]]
    assert sorted(found) == sorted(["event 0", *(event["title"] for event in events)])


async def test_overlaps_are_answered_in_pages_that_may_end_within_a_group(client: Client) -> None:
    environments = {"environment": "production", "status": "start"}
    ids = await imported(client, 2_400, 1_000, "é" * 480, **environments)
    asked = {"startDate": START, "endDate": "2026-01-02", "limit": 10_000}
    answers = await pages(client, "EventService/GetEventOverlaps", {**asked, "by": ["service"]})
    assert len(answers) == 2
    assert [len(answer["groups"]) for answer in answers] == [1] * len(answers)
    events = [event["id"] for answer in answers for event in answer["groups"][0]["events"]]
    pairs = [
        (pair["firstId"], pair["secondId"]) for answer in answers for pair in answer["groups"][0]["pairs"]
    ]
    assert sorted(events) == sorted(ids)
    assert len(set(pairs)) == len(pairs) == 10_000


async def test_lists_without_pages_are_whole_over_rest_and_end_by_bytes_over_grpc(client: Client) -> None:
    for number in range(70):
        entry = {
            "name": f"entry {number:03}",
            "type": "project",
            "version": "1",
            "owner": "o",
            "description": "d" * 65_536,
        }
        await client.call("CatalogService/CreateUpdateCatalog", entry)
    answers = await pages(client, "CatalogService/ListCatalogs", {})
    assert len(answers) == (1 if client.wire == "rest" else 2)
    assert [entry["name"] for answer in answers for entry in answer["catalogs"]] == [
        f"entry {number:03}" for number in range(70)
    ]
    answers = await pages(client, "CatalogService/ListCatalogs", {"perPage": 1000})
    assert len(answers) == 2


ROCKETS = "\N{ROCKET}" * 180


def records(answers: list[Any], field: str) -> list[Any]:
    return [each for answer in answers for each in answer[field]]


@pytest.mark.parametrize("mongo_uri", [None])
async def test_locks_links_and_compliance_end_by_bytes_over_grpc(client: Client) -> None:
    labels = {f"label-{number}": ROCKETS for number in range(100)}
    for number in range(50):
        await lock(client, service=f"service {number:02}", labels=labels)
    for number in range(500):
        link = {"name": f"link {number:03}", "url": "https://a.example", "description": ROCKETS * 11}
        await client.call("LinkService/CreateLink", link)
    for place in range(60):
        library = {"name": f"{ROCKETS}{place}", "type": "library", "version": "1", "owner": "o"}
        await client.call("CatalogService/CreateUpdateCatalog", library)
    for number in range(80):
        used = [{"name": f"{ROCKETS}{place}", "type": "library", "versionUsed": "1"} for place in range(60)]
        project = {"name": f"project {number:02}", "type": "project", "version": "1", "owner": "o"}
        await client.call("CatalogService/CreateUpdateCatalog", {**project, "usedDeliverables": used})
    for method, field, name, number in (
        ("LockService/ListLocks", "locks", "service", 50),
        ("LinkService/ListLinks", "links", "name", 500),
        ("CatalogService/GetVersionCompliance", "projects", "projectName", 80),
    ):
        answers = await pages(client, method, {})
        assert len(answers) == (1 if client.wire == "rest" else 2), method
        names = [each[name] for each in records(answers, field)]
        assert len(names) == len(set(names)) == number, method


@pytest.mark.parametrize("mongo_uri", [None])
async def test_months_and_values_end_by_bytes(client: Client) -> None:
    for start in range(0, 4_500, 1_500):
        events = [
            {
                "title": "t",
                "attributes": {
                    "service": f"{ROCKETS}{number}",
                    "type": "drift",
                    "startDate": START,
                    "labels": {name: f"{number} " + "é" * 990 for name in "ab" if number < 1_000},
                },
            }
            for number in range(start, start + 1_500)
        ]
        for part in range(0, 1_500, 500):
            await client.call("EventService/ImportEvents", {"events": events[part : part + 500]})
    period = {"startDate": "2026-01-01", "endDate": "2026-01-31"}
    by_service = {**period, "groupByService": True}
    answers = await pages(client, "EventService/GetEventStatsByMonth", by_service)
    assert len(answers) == (1 if client.wire == "rest" else 2)
    assert len({each["service"] for each in records(answers, "stats")}) == 4_500
    asked = {**period, "fields": ["label.a", "label.b", "service"], "limit": 1_000}
    facets = (await client.call("EventService/GetEventFacets", asked))["facets"]
    assert [len(each["values"]) < 1_000 for each in facets] == [True, True, False]
    for each in facets:
        assert sum(int(value["count"]) for value in each["values"]) + int(each["otherCount"]) == 4_500
    asked = {**period, "interval": "day", "by": "label.a", "limit": 100}
    histogram = await client.call("EventService/GetEventHistogram", asked)
    assert len(histogram["values"]) < 100
    assert sum(int(each.get("otherCount", 0)) for each in histogram["buckets"]) > 0
    assert int(histogram["totalCount"]) == 4_500


async def test_a_catalog_entry_that_no_answer_could_have_is_refused(client: Client) -> None:
    one = {"name": "d", "type": "library", "versionUsed": "1", "description": "d" * 65_000}
    used = [one] * 60
    entry = {"name": "large", "type": "project", "version": "1", "owner": "o", "usedDeliverables": used}
    await client.call("CatalogService/CreateUpdateCatalog", entry)
    versions = {"name": "large", "availableVersions": [f"{n:0199}" for n in range(1000)]}
    await client.call("CatalogService/UpdateVersions", versions)
    entry["usedDeliverables"] = used + used[:4]
    with pytest.raises(Refused) as refused:
        await client.call("CatalogService/CreateUpdateCatalog", entry)
    assert refused.value.code == "INVALID_ARGUMENT"
    stored = (await client.call("CatalogService/GetCatalog", {"name": "large"}))["catalog"]
    assert len(stored["usedDeliverables"]) == 60


async def test_an_event_of_maximal_size_is_read_and_watched(client: Client) -> None:
    watch = client.stream("EventService/WatchEvents", {"query": ""})
    await anext(watch)
    many = ["\U0001f680" * 200] * 1000
    attributes = {"service": "s", "type": "incident", "message": "m" * 65_536}
    lists = {"stakeHolders": many, "notifications": many}
    labels = {f"label-{number}": "é" * 1000 for number in range(64)}
    made = {"title": "large", "attributes": {**attributes, **lists, "labels": labels}}
    id_ = (await client.call("EventService/CreateEvent", made))["event"]["metadata"]["id"]
    for number in range(3):
        changed = [f"{number}" + "\U0001f680" * 199] * 1000
        update = {"id": id_, "merge": True, "attributes": {"stakeHolders": changed, "notifications": changed}}
        await client.call("EventService/UpdateEvent", update)
    assert (await get(client, id_))["changelogTotal"] == 7
    async for message in watch:
        if len(message.get("event", {}).get("changelog", ())) >= 7:
            break
