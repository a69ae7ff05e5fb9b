"""What a narrowed grant allows, over both wires and on both stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.behaviour.events import UNKNOWN, create, request
from tests.behaviour.keys import bearer
from tests.behaviour.locks import RUNNING, lock
from tests.clients import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tests.clients import Client

ALL = ("event:read", "event:write", "catalog:read", "catalog:write", "lock:read", "lock:write")


async def refused(call: Awaitable[object]) -> tuple[str, str]:
    with pytest.raises(Refused) as error:
        await call
    return error.value.code, error.value.reason


DENIED = ("PERMISSION_DENIED", "PERMISSION_REQUIRED")
EVENT_UNKNOWN = ("NOT_FOUND", "EVENT_NOT_FOUND")
LOCK_UNKNOWN = ("NOT_FOUND", "LOCK_NOT_FOUND")
ENTRY_UNKNOWN = ("NOT_FOUND", "CATALOG_NOT_FOUND")


async def test_an_event_of_another_service_is_unknown_and_can_not_be_made(client: Client) -> None:
    foreign = (await create(client, service="payments", slack_id="17.1"))["metadata"]["id"]
    own = await bearer(client, "ci", *ALL, services=["checkout", "cart-*"])
    for id_ in (foreign, "17.1", UNKNOWN):
        for method, fields in (
            ("GetEvent", {}),
            ("GetEventChangelog", {}),
            ("ListRelatedEvents", {}),
            ("DeleteEvents", {}),
            ("UpdateEvent", {"title": "mine"}),
            ("AddChangelogEntry", {"entry": {"comment": "hm"}}),
            ("AddSlackId", {"slackId": "17.2"}),
        ):
            answer = await refused(own.call(f"EventService/{method}", {"id": id_, **fields}))
            assert answer == EVENT_UNKNOWN, method
    assert await refused(own.call("EventService/CreateEvent", request(service="payments"))) == DENIED
    mine = await create(own, service="cart-api")
    moved = {"id": mine["metadata"]["id"], "attributes": {"service": "payments", "type": "deployment"}}
    assert await refused(own.call("EventService/UpdateEvent", moved)) == DENIED
    linked = request(service="checkout", relatedId=foreign)
    assert (await refused(own.call("EventService/CreateEvent", linked)))[1] == "RELATED_EVENT_NOT_FOUND"
    (stored,) = (await client.call("EventService/ListEvents", {"service": "payments"}))["events"]
    assert (stored["metadata"]["id"], stored["title"]) == (foreign, "Deploy")


async def test_an_id_that_is_taken_does_not_name_an_event_of_another_service(client: Client) -> None:
    taken: dict[str, Any] = {"source": "gitlab", "externalId": "7"}
    foreign = (await create(client, service="payments", slack_id="17.1", **taken))["metadata"]["id"]
    own = await bearer(client, "ci", "event:read", "event:write", services=["checkout"])
    writer = await bearer(client, "writer", "event:write")
    reader = await bearer(client, "reader", "event:read", "event:write")
    mine = (await create(own, service="checkout"))["metadata"]["id"]
    calls: list[tuple[str, dict[str, Any]]] = [
        ("CreateEvent", request(service="checkout", slack_id="17.1")),
        ("CreateEvent", request(service="checkout", **taken)),
        ("UpdateEvent", {"id": mine, "slackId": "17.1"}),
        ("UpdateEvent", {"id": mine, "attributes": {"service": "checkout", **taken}}),
        ("AddSlackId", {"id": mine, "slackId": "17.1"}),
    ]
    for name, fields in calls:
        for caller, named in ((own, False), (writer, False), (reader, True)):
            if caller is not own and fields.get("attributes", {}).get("externalId") and "id" not in fields:
                continue  # these may change the foreign event
            with pytest.raises(Refused) as refusal:
                await caller.call(f"EventService/{name}", fields)
            error = refusal.value
            assert error.reason in {"SLACK_ID_TAKEN", "EXTERNAL_ID_TAKEN"}, name
            assert [foreign in error.message, "event_id" in error.metadata] == [named, named], (name, fields)
    event = {"title": "t", "metadata": {"slackId": "17.1"}, "attributes": {"service": "checkout"}}
    for caller, named in ((own, False), (reader, True)):
        for overwritten in (UNKNOWN, mine):
            event["metadata"] = {"id": overwritten, "slackId": "17.1"}
            asked = {"events": [event], "overwrite": True}
            (refused_event,) = (await caller.call("EventService/ImportEvents", asked))["refused"]
            assert (refused_event["reason"], foreign in refused_event["message"]) == ("SLACK_ID_TAKEN", named)


@pytest.mark.parametrize(
    ("method", "asked"),
    [
        ("SearchEvents", {"query": "merger"}),
        ("GetEventFacets", {"fields": ["service"], "query": "merger"}),
        ("GetEventHistogram", {"query": "merger"}),
        ("GetEventOverlaps", {"query": "merger"}),
    ],
)
async def test_a_plan_that_counts_what_a_grant_does_not_cover_is_refused(
    client: Client, method: str, asked: dict[str, Any]
) -> None:
    await create(client, "The merger is announced", service="payments")
    own = await bearer(client, "ci", "event:read", services=["checkout"])
    explained = f"EventService/{method}", asked | {"explain": True}
    assert await refused(own.call(*explained)) == DENIED
    assert "plan" not in await own.call(f"EventService/{method}", asked)
    assert "plan" in await (await bearer(client, "reader", "event:read")).call(*explained)


async def test_a_refusal_does_not_say_what_a_hidden_record_belongs_to(client: Client) -> None:
    foreign = (await create(client, service="payments", owner="core"))["metadata"]["id"]
    await client.call(
        "CatalogService/CreateUpdateCatalog", {"name": "cart", "version": "1", "owner": "secret-team"}
    )
    own = await bearer(client, "ci", *ALL, services=["checkout"])
    team = await bearer(client, "team", *ALL, teams=["web"])
    for caller, method, fields, hidden in (
        (own, "LockService/CreateLock", {"service": "checkout", "eventId": foreign}, "payments"),
        (
            team,
            "CatalogService/CreateUpdateCatalog",
            {"name": "cart", "version": "2", "owner": "web"},
            "secret-team",
        ),
    ):
        with pytest.raises(Refused) as refusal:
            await caller.call(method, fields)
        assert (refusal.value.reason, hidden in refusal.value.message) == ("PERMISSION_REQUIRED", False)


async def test_who_holds_a_lock_is_told_to_those_who_may_read_it(client: Client) -> None:
    owner = await bearer(client, "the holder", "lock:write")
    held = (await owner.call("LockService/CreateLock", {"service": "checkout", "lockToken": "a" * 22}))[
        "lock"
    ]
    for permissions, known in ((("lock:write",), False), (("lock:write", "lock:read"), True)):
        caller = await bearer(client, "ci", *permissions)
        for fields in ({}, {"lockToken": "b" * 22}):
            for method in ("UnLock", "RenewLock", "UpdateLock"):
                with pytest.raises(Refused) as refusal:
                    await caller.call(f"LockService/{method}", {"id": held["id"], **fields})
                error = refusal.value
                assert error.reason == ("LOCK_TOKEN_MISMATCH" if fields else "LOCK_OF_ANOTHER")
                told = error.message + error.metadata["who"]
                assert ("the holder" in told) is known, (method, fields)


async def test_a_reader_of_everything_may_change_only_its_own(client: Client) -> None:
    foreign = (await create(client, service="payments"))["metadata"]["id"]
    reader = await bearer(client, "ci", *ALL, services=["checkout"])
    other = await bearer(client, "reader", "event:read")
    assert (await other.call("EventService/GetEvent", {"id": foreign}))["event"]["metadata"]["id"] == foreign
    assert await refused(other.call("EventService/DeleteEvents", {"id": foreign})) == DENIED
    assert await refused(reader.call("EventService/DeleteEvents", {"id": foreign})) == EVENT_UNKNOWN


@pytest.mark.parametrize(
    "narrowed",
    [
        {"services": ["checkout"]},
        {"services": ["check*"], "environments": ["prod*", "staging"]},
        {"teams": ["core", "pay-*"]},
        {"services": ["check*", "payments"], "teams": ["core"]},
        {"services": ["*"], "environments": ["prod"], "teams": ["*"]},
        {"services": ["none"]},
        {"environments": ["nowhere"]},
    ],
)
async def test_lists_and_counts_have_only_what_the_grant_covers(
    client: Client, narrowed: dict[str, list[str]]
) -> None:
    events = []
    for service in ("checkout", "checkout-api", "payments"):
        for environment in ("production", "development", None):
            for owner in ("core", "pay-core", ""):
                given: dict[str, Any] = {
                    "service": service,
                    "owner": owner,
                    "type": "drift",
                    "status": "open",
                }
                if environment is not None:
                    given["environment"] = environment
                events.append(await create(client, f"{service} {environment} {owner}", **given))

    def covered(event: Any) -> bool:
        attributes = event["attributes"]
        told = {
            "services": attributes["service"],
            "environments": attributes["environment"],
            "teams": attributes["owner"],
        }
        return all(any(fits(told[name], each) for each in patterns) for name, patterns in narrowed.items())

    def fits(value: str, pattern: str) -> bool:
        value = "" if value == "ENVIRONMENT_UNSPECIFIED" else value
        pattern = {"prod": "production"}.get(pattern, pattern)
        return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern

    expected = {event["title"] for event in events if covered(event)}
    own = await bearer(client, "ci", *ALL, **narrowed)
    call = own.call
    listed = await call("EventService/ListEvents", {})
    assert {event["title"] for event in listed["events"]} == expected
    assert listed["totalCount"] == len(expected)
    for asked in ({"query": "type:drift"}, {"query": "checkout OR payments"}, {"status": "open"}):
        found = await call("EventService/SearchEvents", {"perPage": 2, **asked})
        titles = [event["title"] for event in found["events"]]
        while found["nextPageToken"]:
            again = {"perPage": 2, **asked, "pageToken": found["nextPageToken"]}
            found = await call("EventService/SearchEvents", again)
            titles += [event["title"] for event in found["events"]]
        assert (set(titles), found["totalCount"], len(titles)) == (expected, len(expected), len(expected))
    count = len(expected)
    assert (await call("EventService/TodayEvents"))["totalCount"] == count
    facets = await call("EventService/GetEventFacets", {"fields": ["service"]})
    assert facets["totalCount"] == count
    by_service = {title.split()[0] for title in expected}
    assert {each["value"] for each in facets["facets"][0]["values"]} == by_service
    period = {"startDate": "2000-01-01", "endDate": "2100-01-01"}
    assert int((await call("EventService/GetEventStats", period))["totalCount"]) == count
    months = await call("EventService/GetEventStatsByMonth", {**period, "groupByService": True})
    assert int(months["totalCount"]) == count
    assert {each["service"] for each in months["stats"]} == by_service
    assert (await call("EventService/GetEventHistogram", {"by": "service"}))["totalCount"] == count
    assert (await call("EventService/GetEventOverlaps"))["eventCount"] == count


async def test_a_chain_ends_where_the_grant_does(client: Client) -> None:
    foreign = await create(client, "cause", service="payments")
    mine = await create(client, "mine", service="checkout", relatedId=foreign["metadata"]["id"])
    for service in ("payments", "checkout"):
        await create(client, f"after in {service}", service=service, relatedId=mine["metadata"]["id"])
    own = await bearer(client, "ci", *ALL, services=["checkout"])
    related = await own.call("EventService/ListRelatedEvents", {"id": mine["metadata"]["id"]})
    assert [each["event"]["title"] for each in related["events"]] == ["mine", "after in checkout"]
    assert related["rootId"] == mine["metadata"]["id"]


async def test_a_lock_of_another_service_or_environment_is_unknown_and_can_not_be_taken(
    client: Client,
) -> None:
    foreign = (await lock(client, service="payments"))["id"]
    await lock(client, service="checkout", environment="staging")
    own = await bearer(client, "ci", *ALL, services=["checkout"], environments=["prod"])
    for method in ("GetLock", "UpdateLock", "UnLock", "RenewLock"):
        assert await refused(own.call(f"LockService/{method}", {"id": foreign})) == LOCK_UNKNOWN, method
    for service, environment in (("payments", "production"), ("checkout", "staging"), ("checkout", "")):
        assert await refused(lock(own, service=service, environment=environment)) == DENIED
    mine = await lock(own, service="checkout", environment="PROD")
    assert (
        await refused(own.call("LockService/UpdateLock", {"id": mine["id"], "service": "payments"})) == DENIED
    )
    listed = await own.call("LockService/ListLocks", {})
    assert ([each["id"] for each in listed["locks"]], listed["totalCount"]) == ([mine["id"]], 1)
    asked = {"service": "payments", "environment": "production", "fencingToken": "1"}
    assert await refused(own.call("LockService/CheckLock", asked)) == DENIED
    event = await create(client, service="payments")
    named = {"service": "checkout", "resource": "other", "eventId": event["metadata"]["id"]}
    assert await refused(lock(own, **named)) == DENIED
    by_team = await bearer(client, "team", *ALL, teams=["core"])
    assert await refused(lock(by_team, service="checkout", resource="third")) == DENIED


async def test_the_holder_of_a_lock_is_not_named_to_those_who_may_not_read_it(client: Client) -> None:
    await lock(client, service="checkout", reason="a secret plan", who="ana")
    own = await bearer(client, "ci", "event:write", "lock:write", services=["checkout"])
    for call in (lock(own, service="checkout"), create(own, service="checkout", **RUNNING)):
        with pytest.raises(Refused, match="service checkout is already locked") as error:
            await call
        assert error.value.reason == "LOCK_HELD"
        assert "ana" not in repr(error.value)
        assert "secret" not in repr(error.value)


async def test_a_catalog_entry_of_another_service_or_owner_is_unknown(client: Client) -> None:
    def entry(name: str, owner: str = "core") -> dict[str, str]:
        return {"name": name, "owner": owner, "version": "1"}

    for name, owner in (("checkout", "core"), ("cart", "core"), ("payments", "pay"), ("shop", "pay")):
        await client.call("CatalogService/CreateUpdateCatalog", entry(name, owner))
    own = await bearer(client, "ci", *ALL, services=["c*", "shop"], teams=["core"])
    listed = await own.call("CatalogService/ListCatalogs", {"perPage": 1})
    assert ([each["name"] for each in listed["catalogs"]], listed["totalCount"]) == (["cart"], 2)
    rest = {"perPage": 1, "pageToken": listed["nextPageToken"]}
    rest = await own.call("CatalogService/ListCatalogs", rest)
    assert [each["name"] for each in rest["catalogs"]] == ["checkout"]
    assert not rest["nextPageToken"]
    for name in ("payments", "shop"):
        for method in ("GetCatalog", "DeleteCatalog", "UpdateVersions", "UpdateDependencies"):
            assert await refused(own.call(f"CatalogService/{method}", {"name": name})) == ENTRY_UNKNOWN
    for wrong in (entry("payments"), entry("shop"), entry("checkout", "pay")):
        assert await refused(own.call("CatalogService/CreateUpdateCatalog", wrong)) == DENIED
    await own.call("CatalogService/CreateUpdateCatalog", entry("checkout"))
    await own.call("CatalogService/DeleteCatalog", {"name": "cart"})
    in_production = await bearer(client, "ci", *ALL, environments=["production"])
    assert (await in_production.call("CatalogService/ListCatalogs", {}))["totalCount"] == 0


async def test_an_import_refuses_the_events_of_another_service_one_by_one(client: Client) -> None:
    foreign = await create(client, "theirs", service="payments")
    own = await bearer(client, "ci", *ALL, services=["checkout"])
    taken = request("mine now", service="checkout") | {"metadata": {"id": foreign["metadata"]["id"]}}
    continued = {"title": "x", "metadata": taken["metadata"], "changelogFrom": 1}
    continued["changelog"] = [{"comment": str(number)} for number in range(3)]
    events = [request("a", service="checkout"), request("b", service="payments"), taken, continued]
    events = [{name: value for name, value in each.items() if name != "slackId"} for each in events]
    answer = await own.call("EventService/ImportEvents", {"events": events, "overwrite": True})
    told = [(each["index"], each["reason"]) for each in answer["refused"]]
    assert told == [(1, "PERMISSION_REQUIRED"), (2, "EVENT_NOT_FOUND"), (3, "EVENT_NOT_FOUND")]
    assert not any("payments" in each["message"] for each in answer["refused"][1:])
    assert answer["stored"] == 1
    stored = (await client.call("EventService/GetEvent", {"id": foreign["metadata"]["id"]}))["event"]
    assert (stored["title"], len(stored["changelog"])) == ("theirs", 1)


async def test_a_narrowed_grant_gives_nothing_that_belongs_to_no_service(client: Client) -> None:
    own = await bearer(client, "ci", services=["*-api"])
    assert await refused(own.call("AuthService/ListUsers")) == DENIED
    await client.call("LinkService/CreateLink", {"name": "docs", "url": "https://docs.example"})
    for method, name in (("LinkService/ListLinks", "links"), ("AuthService/ListApiKeys", "apiKeys")):
        assert (await own.call(method)).get(name, []) == []  # its own
    me = await own.call("AuthService/Me")
    assert (me["scopeAll"], me["scopeServices"]) == (False, ["*-api"])
