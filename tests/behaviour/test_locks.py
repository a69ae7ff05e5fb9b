"""The lock service, and the locks that events take, over both wires."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.behaviour.events import UNKNOWN, create
from tests.behaviour.locks import RUNNING, lock, locks, unlock
from tests.clients import Refused

if TYPE_CHECKING:
    from tests.clients import Client


async def test_a_held_lock_names_its_holder(client: Client) -> None:
    held = await lock(client)
    with pytest.raises(Refused) as refused:
        await lock(client, who="bo")
    assert refused.value.code == "ALREADY_EXISTS"
    assert refused.value.reason == "LOCK_HELD"
    assert refused.value.metadata["lock_id"] == held["id"]
    assert refused.value.message == (
        "service payments is already locked for deployment in production by ana"
        f" (lock_id: {held['id']}, event_id: ); since {held['createdAt']}"
    )


@pytest.mark.parametrize("method", ["GetLock", "UpdateLock", "UnLock", "RenewLock"])
@pytest.mark.parametrize("unknown", [UNKNOWN, "none", "1700000000.000100"])
async def test_an_unknown_lock_is_not_found_whatever_its_id(
    client: Client, method: str, unknown: str
) -> None:
    with pytest.raises(Refused) as refused:
        await client.call(f"LockService/{method}", {"id": unknown})
    assert (refused.value.code, refused.value.reason) == ("NOT_FOUND", "LOCK_NOT_FOUND")
    assert refused.value.message == f"no lock found in tracker for id {unknown}"


async def test_a_lock_may_carry_any_id_of_an_event(client: Client) -> None:
    held = await lock(client, eventId="CHG-4711")
    assert held["eventId"] == "CHG-4711"
    body = {"id": held["id"], "eventId": UNKNOWN.upper()}
    assert (await client.call("LockService/UpdateLock", body))["lock"]["eventId"] == UNKNOWN
    await unlock(client, held)


async def test_one_of_many_simultaneous_attempts_gets_the_lock(client: Client) -> None:
    attempts = await asyncio.gather(
        *(lock(client, who=f"client {n}") for n in range(200)), return_exceptions=True
    )
    won = [a for a in attempts if isinstance(a, dict)]
    lost = [a for a in attempts if isinstance(a, Refused)]
    assert len(won) == 1
    assert len(lost) == 199
    assert {refusal.metadata["lock_id"] for refusal in lost} == {won[0]["id"]}


async def test_a_lock_needs_a_service(client: Client) -> None:
    with pytest.raises(Refused) as refused:
        await lock(client, service="")
    assert "service" in refused.value.fields


async def test_a_released_lock_can_be_taken_again_under_a_new_id(client: Client) -> None:
    first = await lock(client)
    answer = await client.call("LockService/UnLock", {"id": first["id"]})
    assert answer == {
        "message": "lock deleted",
        "id": first["id"],
        "count": "1",
        "alreadyReleased": False,
        "forced": False,
    }
    second = await lock(client)
    assert second["id"] != first["id"]
    with pytest.raises(Refused, match="no lock found") as refused:
        await client.call("LockService/UnLock", {"id": first["id"]})
    assert refused.value.code == "NOT_FOUND"


async def test_two_releases_at_once_release_once(client: Client) -> None:
    held = await lock(client, event_id=(await create(client))["metadata"]["id"])
    results = await asyncio.gather(
        *(client.call("LockService/UnLock", {"id": held["id"]}) for _ in range(8)), return_exceptions=True
    )
    assert sum(isinstance(result, dict) for result in results) == 1
    event: Any = (await client.call("EventService/GetEvent", {"id": held["eventId"]}))["event"]
    assert [e["changeType"] for e in event["changelog"]] == ["created", "locked", "unlocked"]


async def test_an_update_changes_the_fields_given_and_answers_the_new_lock(client: Client) -> None:
    held = await lock(client)
    answer: Any = await client.call("LockService/UpdateLock", {"id": held["id"], "who": "bo"})
    assert answer["lock"] == {**held, "who": "bo"}
    assert (await client.call("LockService/GetLock", {"id": held["id"]}))["lock"] == answer["lock"]


async def test_a_lock_is_not_moved_onto_a_held_key(client: Client) -> None:
    await lock(client, service="checkout")
    held = await lock(client)
    with pytest.raises(Refused) as refused:
        await client.call("LockService/UpdateLock", {"id": held["id"], "service": "checkout"})
    assert refused.value.code == "ALREADY_EXISTS"
    assert (await client.call("LockService/GetLock", {"id": held["id"]}))["lock"] == held


async def test_all_locks_are_listed_newest_first(client: Client) -> None:
    for n in range(120):
        await lock(client, service=f"service {n}")
    listed: Any = await client.call("LockService/ListLocks", {})
    assert [held["service"] for held in listed["locks"]] == [f"service {n}" for n in reversed(range(120))]
    page: Any = await client.call("LockService/ListLocks", {"perPage": 50, "page": 3})
    assert len(page["locks"]) == 20
    assert page["totalCount"] == 120


@pytest.mark.parametrize("type_", ["deployment", "operation"])
async def test_work_under_way_holds_a_lock_until_it_ends(client: Client, type_: str) -> None:
    event = await create(client, type=type_, **RUNNING)
    (held,) = await locks(client)
    assert (held["eventId"], held["resource"]) == (event["metadata"]["id"], type_)
    await client.call(
        "EventService/UpdateEvent",
        {"id": held["eventId"], "attributes": {**event["attributes"], "status": "done"}},
    )
    assert await locks(client) == []


async def test_a_second_deployment_is_refused_and_leaves_nothing_behind(client: Client) -> None:
    await create(client, "first", **RUNNING)
    with pytest.raises(Refused, match="cannot create event: service payments is already locked") as refused:
        await create(client, "second", **RUNNING)
    assert refused.value.code == "ALREADY_EXISTS"
    events: Any = await client.call("EventService/ListEvents", {})
    assert [event["title"] for event in events["events"]] == ["first"]
    assert len(await locks(client)) == 1


async def test_a_lock_taken_by_hand_refuses_a_deployment(client: Client) -> None:
    await lock(client, environment="PROD")
    with pytest.raises(Refused, match="already locked"):
        await create(client, **RUNNING)


async def test_a_deployment_without_an_environment_takes_no_lock(client: Client) -> None:
    await create(client, status="start")
    await create(client, status="start")
    assert await locks(client) == []


async def test_locks_are_listed_by_service_environment_and_resource(client: Client) -> None:
    for service, environment, resource in (("a", "PROD", ""), ("a", "dev", "database"), ("b", "prod", "")):
        await lock(client, service=service, environment=environment, resource=resource)
    for where, services in (
        ({"service": "a"}, ["a", "a"]),
        ({"environment": "production"}, ["b", "a"]),
        ({"resource": "Database"}, ["a"]),
        ({"service": "b", "environment": "development"}, []),
    ):
        listed: Any = await client.call("LockService/ListLocks", where)
        assert [held["service"] for held in listed["locks"]] == services


async def test_planned_work_takes_its_lock_when_it_begins(client: Client) -> None:
    event = await create(client, status="planned", environment="production")
    assert await locks(client) == []
    begun = {**event["attributes"], "status": "in_progress"}
    await client.call("EventService/UpdateEvent", {"id": event["metadata"]["id"], "attributes": begun})
    assert len(await locks(client)) == 1
    other = await create(client, "other", status="planned", environment="production")
    with pytest.raises(Refused, match="cannot update event"):
        await client.call("EventService/UpdateEvent", {"id": other["metadata"]["id"], "attributes": begun})
    stored: Any = (await client.call("EventService/GetEvent", {"id": other["metadata"]["id"]}))["event"]
    assert stored == other


async def test_deleting_an_event_releases_its_lock(client: Client) -> None:
    event = await create(client, **RUNNING)
    await client.call("EventService/DeleteEvents", {"id": event["metadata"]["id"]})
    assert await locks(client) == []


async def test_one_of_many_simultaneous_deployments_begins(client: Client) -> None:
    attempts = await asyncio.gather(
        *(create(client, f"deploy {n}", **RUNNING) for n in range(50)), return_exceptions=True
    )
    won = [a for a in attempts if isinstance(a, dict)]
    (held,) = await locks(client)
    assert [event["metadata"]["id"] for event in won] == [held["eventId"]]
    assert sum(isinstance(a, Refused) for a in attempts) == 49


async def test_locks_of_events_leave_entries_in_their_changelog(client: Client) -> None:
    event = await create(client, owner="ana", **RUNNING)
    answer: Any = await client.call(
        "EventService/UpdateEvent",
        {"id": event["metadata"]["id"], "attributes": {**event["attributes"], "status": "failure"}},
    )
    assert [(e["changeType"], e["user"]) for e in answer["event"]["changelog"]] == [
        ("created", "ana"),
        ("locked", "ana"),
        ("status_changed", "ana"),
        ("unlocked", "ana"),
    ]
