"""Freeze windows: what the Go implementation has, when they repeat, and who may see and change them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.behaviour.keys import bearer
from tests.clients import Refused

if TYPE_CHECKING:
    from tests.clients import Client

    from tracker.app import App

SERVICE = "FreezeWindowService"
FREEZE = {
    "title": "Christmas",
    "type": "FREEZE_TYPE_HARD",
    "startsAt": "2026-12-20T00:00:00Z",
    "endsAt": "2027-01-02T00:00:00Z",
    "active": True,
}
WEEKENDS = {
    "title": "Weekends",
    "type": "FREEZE_TYPE_SOFT",
    "startsAt": "2026-10-23T14:00:00Z",
    "timezone": "Europe/Paris",
    "duration": "P2DT16H",
    "rrule": "FREQ=WEEKLY;BYDAY=FR",
    "exceptions": ["2026-11-06"],
    "environments": ["prod"],
    "active": True,
}


async def create(client: Client, **fields: Any) -> Any:
    answer = await client.call(f"{SERVICE}/CreateFreezeWindow", FREEZE | fields)
    return answer["freezeWindow"]


async def titles(client: Client, **asked: Any) -> list[str]:
    answer: Any = await client.call(f"{SERVICE}/ListFreezeWindows", asked)
    return [each["title"] for each in answer.get("freezeWindows", ())]


async def test_a_window_is_created_replaced_and_deleted(client: Client) -> None:
    scope = {"scopeType": "FREEZE_SCOPE_ENVIRONMENT", "scopeIds": ["production"]}
    window = await create(client, createdBy="ana", description="Closed", **scope)
    assert window["createdBy"] == "ana"
    shown: Any = await client.call(f"{SERVICE}/GetFreezeWindow", {"id": window["id"]})
    assert shown["freezeWindow"]["scopeIds"] == ["production"]
    changed: Any = await client.call(
        f"{SERVICE}/UpdateFreezeWindow", {"id": window["id"], **FREEZE, "title": "Holidays", "active": False}
    )
    kept = changed["freezeWindow"]
    assert (kept["title"], kept["active"], kept["description"]) == ("Holidays", False, "")
    assert (kept["createdBy"], kept["createdAt"]) == ("ana", window["createdAt"])
    deleted = {"message": "freeze window deleted", "id": window["id"], "count": "1"}
    assert await client.call(f"{SERVICE}/DeleteFreezeWindow", {"id": window["id"]}) == deleted
    again: Any = await client.call(f"{SERVICE}/DeleteFreezeWindow", {"id": window["id"]})
    assert int(again["count"]) == 0
    with pytest.raises(Refused) as refused:
        await client.call(f"{SERVICE}/GetFreezeWindow", {"id": window["id"]})
    assert refused.value.reason == "FREEZE_WINDOW_NOT_FOUND"
    assert f"no freeze window found for id {window['id']}" in refused.value.message


async def test_times_of_a_window_end_at_the_same_hour_when_clocks_change(client: Client) -> None:
    await create(client, **{"endsAt": None, **WEEKENDS})
    await create(client, title="off", active=False)
    asked = {"since": "2026-10-20T00:00:00Z", "until": "2026-11-20T00:00:00Z"}
    found: Any = await client.call(f"{SERVICE}/ListFreezeOccurrences", asked)
    assert [(each["startsAt"], each["endsAt"]) for each in found["occurrences"]] == [
        ("2026-10-23T14:00:00Z", "2026-10-26T07:00:00Z"),
        ("2026-10-30T15:00:00Z", "2026-11-02T07:00:00Z"),
        ("2026-11-13T15:00:00Z", "2026-11-16T07:00:00Z"),
    ]
    first: Any = await client.call(f"{SERVICE}/ListFreezeOccurrences", asked | {"limit": 1})
    assert (len(first["occurrences"]), first["more"]) == (1, True)


async def test_windows_are_listed_for_a_service_and_an_environment(client: Client) -> None:
    await create(client, title="all")
    await create(client, title="shop", startsAt="2026-12-19T00:00:00Z", services=["shop-*"])
    await create(client, title="prod", startsAt="2026-12-18T00:00:00Z", environments=["PROD"])
    await create(client, title="core", scopeType="FREEZE_SCOPE_DOMAIN", scopeIds=["core"])
    assert await titles(client) == ["prod", "shop", "all", "core"]
    assert await titles(client, service="shop-web", environment="UAT", team="web") == ["shop", "all"]
    assert await titles(client, environment="production") == ["prod", "shop", "all", "core"]
    assert await titles(client, service="cart") == ["prod", "all", "core"]


WRONG: tuple[tuple[Any, str, str], ...] = (
    ({"endsAt": "2026-12-20T00:00:00Z"}, "ends_at", "expected a time after starts_at"),
    ({"endsAt": None}, "ends_at", "ends_at is required, or duration"),
    ({"duration": "1 day"}, "duration", "expected PT8H or P2DT16H"),
    ({"duration": "P1D"}, "ends_at", "expected either ends_at or duration"),
    ({"timezone": "Nowhere/X"}, "timezone", "expected a time zone"),
    ({"rrule": "FREQ=MINUTELY"}, "rrule", "expected FREQ=DAILY|WEEKLY|MONTHLY|YEARLY"),
    ({"rrule": "FREQ=WEEKLY;BYDAY=MO"}, "rrule", "the first after it is 2026-12-21"),
    ({"rrule": "FREQ=YEARLY", "endsAt": "2028-01-01T00:00:00Z"}, "ends_at", "at most 366 days"),
    ({"exceptions": ["Friday"]}, "exceptions[0]", "expected a date"),
    ({"scopeIds": ["a"]}, "scope_ids", "expected none where scope_type is global"),
    ({"scopeType": "FREEZE_SCOPE_SERVICE"}, "scope_ids", "expected at least one"),
    ({"endsAt": "9999-01-01T00:00:00Z"}, "starts_at", "expected times of 1900 to 2199"),
)


async def test_what_is_no_window_is_refused(client: Client) -> None:
    for fields, field, why in WRONG:
        with pytest.raises(Refused) as refused:
            await create(client, **fields)
        assert refused.value.code == "INVALID_ARGUMENT"
        told = {name.replace("_", "").lower(): text for name, text in refused.value.fields.items()}
        assert why in told[field.replace("_", "")]


async def test_whoever_is_narrowed_sees_and_changes_only_windows_of_what_is_theirs(
    client: Client, app: App
) -> None:
    admin = client.bearing(app.access.first_key)
    own = await bearer(admin, "own", "freeze:read", "freeze:write", services=["shop"])
    both = await create(admin, title="both", services=["shop", "bank"])
    await create(admin, title="bank", services=["bank"])
    await create(admin, title="all")
    assert sorted(await titles(own)) == ["all", "both"]
    shown: Any = await own.call(f"{SERVICE}/GetFreezeWindow", {"id": both["id"]})
    assert shown["freezeWindow"]["services"] == ["shop"]
    mine = await create(own, title="mine", services=["shop"], createdBy="somebody")
    assert mine["createdBy"] == "own"
    for services in ([], ["shop", "bank"], ["sho*"]):
        with pytest.raises(Refused) as refused:
            await create(own, services=services)
        assert refused.value.code == "PERMISSION_DENIED"
    with pytest.raises(Refused) as refused:
        await own.call(f"{SERVICE}/UpdateFreezeWindow", {"id": both["id"], **FREEZE, "services": ["shop"]})
    assert refused.value.code == "PERMISSION_DENIED"


async def test_a_window_says_whether_it_is_in_effect(client: Client) -> None:
    now = await create(client, startsAt="2020-01-01T00:00:00Z", endsAt="2199-01-01T00:00:00Z")
    assert now["inEffect"]
    off = await create(client, startsAt="2020-01-01T00:00:00Z", endsAt="2199-01-01T00:00:00Z", active=False)
    assert not off["inEffect"]
    over = await create(client, startsAt="2020-01-01T00:00:00Z", endsAt="2020-01-02T00:00:00Z")
    assert over.get("nextStartsAt") is None
