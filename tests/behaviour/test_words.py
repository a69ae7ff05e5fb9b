"""The names of values are understood alike in bodies, in query strings and in queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tracker.pb import event_pb
from tracker.pb.options import numbers

if TYPE_CHECKING:
    import httpx2

API = "/api/v1alpha1"
ENUMS: Any = {
    "type": event_pb.Type,
    "status": event_pb.Status,
    "priority": event_pb.Priority,
    "environment": event_pb.Environment,
}
WORDS = [
    (field, word, number) for field, enum in ENUMS.items() for word, number in numbers(enum.desc()).items()
]


@pytest.fixture
def mongo_uri() -> None:
    """Give the embedded store alone: no store knows words."""


async def create(http: httpx2.AsyncClient, **attributes: Any) -> httpx2.Response:
    body = {"title": "x", "attributes": {"service": "a", "type": "drift", **attributes}}
    return await http.post(f"{API}/event", json=body)


async def locks(http: httpx2.AsyncClient) -> list[str]:
    return [each["environment"] for each in (await http.get(f"{API}/locks/list")).json()["locks"]]


async def test_every_name_means_the_same_in_bodies_query_strings_and_queries(
    http: httpx2.AsyncClient,
) -> None:
    for field, word, number in WORDS:
        for spelled in (word, word.upper(), word.replace("_", "-")):
            if field == "type" and not number:
                continue  # an event has a type
            answer = await create(http, **{field: spelled})
            assert answer.status_code == 200, answer.text
            event = answer.json()["event"]
            own = event["attributes"][field]
            assert numbers(ENUMS[field].desc())[own] == number
            id_ = event["metadata"]["id"]
            query = f"id:{id_} {field}:{spelled}"
            found = await http.get(f"{API}/events/search", params={"query": query})
            assert found.json()["totalCount"] == 1, query
            plain = await http.get(
                f"{API}/events/search", params={"source": "", "service": "a", field: spelled}
            )
            assert id_ in [each["metadata"]["id"] for each in plain.json()["events"]]
            await http.delete(f"{API}/event/{id_}")


async def test_a_deployment_to_prod_takes_the_lock_of_production(http: httpx2.AsyncClient) -> None:
    first = await create(http, type="deploy", status="started", environment="prod")
    assert first.status_code == 200
    assert await locks(http) == ["production"]
    for environment in ("Production", "prod", 7, "7"):
        refused = await create(http, type=1, status="running", environment=environment)
        assert refused.status_code == 409
        assert refused.json()["message"].startswith("cannot create event: service a is already locked")
    id_ = first.json()["event"]["metadata"]["id"]
    body: Any = {"id": id_, "title": "y", "links": {}, "attributes": first.json()["event"]["attributes"]}
    body["attributes"]["environment"] = "prod"
    assert (await http.put(f"{API}/event", json=body)).status_code == 200
    assert await locks(http) == ["production"]
    body["attributes"]["environment"] = "prodution"
    refused = await http.put(f"{API}/event", json=body)
    assert refused.status_code == 400
    assert "attributes.environment: " in refused.json()["message"]
    assert "did you mean production?" in refused.json()["message"]
    assert await locks(http) == ["production"]
    merge = {"id": id_, "merge": True, "attributes": {"status": "failed"}}
    answer = await http.put(f"{API}/event", json=merge)
    assert answer.json()["event"]["attributes"]["status"] == "failure"
    assert not await locks(http)


async def test_a_typo_is_kept_out_of_every_call_that_takes_a_name(http: httpx2.AsyncClient) -> None:
    entry = {"name": "a", "owner": "o", "version": "1"}
    change = {"entry": {"changeType": "comented"}}
    typos: Any = [
        ("POST", "/event", {"title": "x", "attributes": {"service": "a", "type": "deployement"}}),
        ("POST", "/events/import", {"events": [{"title": "x", "attributes": {"status": "succes"}}]}),
        ("POST", "/event/1.5/changelog", change),
        ("PUT", "/catalog", {**entry, "type": "service"}),
        ("PUT", "/catalog", {**entry, "languages": "pyton"}),
        ("PUT", "/catalog", {**entry, "platform": "kubernets"}),
        ("PUT", "/catalog", {**entry, "sla": {"level": "hihg"}}),
        ("PUT", "/catalog", {**entry, "usedDeliverables": [{"name": "b", "type": "libary"}]}),
        ("PUT", "/catalog", {**entry, "communicationChannels": [{"type": "slak"}]}),
        ("PUT", "/catalog", {**entry, "dashboardLinks": [{"type": "grafan"}]}),
        ("PUT", "/catalog", {**entry, "infrastructureResources": [{"type": "database_rdss"}]}),
        ("GET", "/events/list?status=succes", None),
        ("GET", "/events/search?environment=prodution", None),
        ("GET", "/events/stats?start_date=2026-01-01&end_date=2026-01-02&priorities=P9", None),
        ("GET", "/catalog/version-compliance?types=libary", None),
    ]
    for verb, path, body in typos:
        answer = await http.request(verb, API + path, json=body)
        assert answer.status_code == 400, path
        assert answer.json()["details"][0]["reason"] == "INVALID_FIELD"
        assert "expected one of " in answer.json()["message"]
    assert not (await http.get(f"{API}/catalogs/list")).json()["catalogs"]
    assert not (await http.get(f"{API}/events/list")).json()["events"]


async def test_text_after_the_body_is_refused(http: httpx2.AsyncClient) -> None:
    calls = [("POST", "/event"), ("PUT", "/catalog"), ("POST", "/lock"), ("DELETE", "/lock/x")]
    for verb, path in calls:
        answer = await http.request(verb, API + path, content=b'{"title": "x"} garbage')
        assert answer.status_code == 400
        assert answer.json()["message"].startswith("the body is not valid JSON: text after the JSON value")


async def test_a_repeated_call_has_the_warning_of_the_first(http: httpx2.AsyncClient) -> None:
    body = {"title": "x", "slackChannel": "C1", "attributes": {"service": "a", "type": "drift"}}
    headers = {"idempotency-key": "k"}
    first, second = [await http.post(f"{API}/event", json=body, headers=headers) for _ in range(2)]
    assert first.json() == second.json()
    assert first.headers["warning"] == second.headers["warning"] == '299 - "unknown field slackChannel"'
