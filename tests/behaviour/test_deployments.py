"""Whether something may be deployed, and what freeze windows, approvals and overrides do to what begins."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.behaviour.keys import bearer
from tests.clients import Refused

if TYPE_CHECKING:
    from tests.clients import Client

    from tracker.app import App
    from tracker.config.settings import Settings

CHECK = "DeploymentService/CheckDeployment"
PRODUCTION = {"service": "shop", "environment": "production"}
FROZEN = {
    "title": "Launch",
    "type": "FREEZE_TYPE_HARD",
    "startsAt": "2020-01-01T00:00:00Z",
    "endsAt": "2199-01-01T00:00:00Z",
    "environments": ["production"],
    "active": True,
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(
        settings,
        freezes_enforced=True,
        deployment_approvals=("mco=2",),
        deployment_order=("preproduction", "production"),
        deployment_rules="broken build: type:drift service:$service since:2h",
    )


async def check(client: Client, **asked: Any) -> Any:
    return await client.call(CHECK, PRODUCTION | asked)


def told(answer: Any) -> list[tuple[str, str]]:
    return [(each["rule"], each["verdict"]) for each in answer.get("reasons", ())]


async def event(client: Client, title: str = "Deploy", **attributes: Any) -> str:
    given = {"type": "deployment", **PRODUCTION, **attributes}
    request: dict[str, Any] = {"title": title, "attributes": given}
    for name in ("who", "overrideReason"):
        if name in given:
            request[name] = given.pop(name)
    answer: Any = await client.call("EventService/CreateEvent", request)
    return str(answer["event"]["metadata"]["id"])


async def test_nothing_stands_against_a_deployment_until_something_does(client: Client) -> None:
    assert (await check(client))["verdict"] == "yes"
    window: Any = await client.call("FreezeWindowService/CreateFreezeWindow", FROZEN)
    soft = FROZEN | {"title": "Soft", "type": "FREEZE_TYPE_SOFT"}
    await client.call("FreezeWindowService/CreateFreezeWindow", soft)
    answer = await check(client)
    assert (answer["verdict"], answer["notBefore"]) == ("not_yet", "2199-01-01T00:00:00Z")
    assert told(answer) == [("freeze", "not_yet"), ("freeze", "yes")]
    assert answer["reasons"][0]["freezeWindowId"] == window["freezeWindow"]["id"]
    assert (await check(client, environment="UAT"))["verdict"] == "yes"
    assert (await check(client, at="2199-06-01T00:00:00Z"))["verdict"] == "yes"
    misspelled = await check(client, environment="prodution", at="2199-06-01T00:00:00Z")
    assert (misspelled["verdict"], told(misspelled)) == ("yes", [("environment", "yes")])
    assert misspelled["reasons"][0]["text"].endswith("did you mean production?")


async def test_events_and_locks_stand_against_it(client: Client) -> None:
    entry = {"name": "shop", "owner": "core", "version": "1", "type": "project", "dependenciesOut": ["bank"]}
    await client.call("CatalogService/CreateUpdateCatalog", entry)
    uat = {"environment": "UAT"}
    await event(client, type="incident", status="open", priority="P1", service="bank", **uat)
    await event(client, type="incident", status="open", priority="P4", environment=None)
    ended = await event(client, type="incident", status="open", priority="P1", **uat)
    await event(client, type="incident", status="close", relatedId=ended, **uat)
    assert told(await check(client, **uat)) == [("incident", "not_yet"), ("incident", "yes")]
    began = await event(client, status="start", **uat)
    answer = await check(client, **uat)
    assert told(answer)[:3] == [("lock", "not_yet"), ("incident", "not_yet"), ("running", "not_yet")]
    own = await check(client, eventId=began, **uat)
    assert told(own) == [("incident", "not_yet"), ("incident", "yes")]
    failed = {"id": began, "merge": True, "attributes": {"status": "failure", "version": "2"}}
    await client.call("EventService/UpdateEvent", failed)
    assert ("failed", "no") in told(await check(client, version="2", **uat))
    await event(client, status="close", **uat)  # which never began
    assert ("failed", "yes") in told(await check(client, version="3", **uat))


async def test_planned_work_and_further_rules_stand_against_it(client: Client) -> None:
    planned = {"startDate": "2020-01-01T00:00:00Z", "endDate": "2199-01-01T00:00:00Z", "status": "planned"}
    await event(client, type="operation", environment="UAT", **planned)
    assert told(await check(client, environment="UAT")) == [("planned", "not_yet")]
    await event(client, "Config differs", type="drift", status="open")
    answer = await check(client)
    assert told(answer) == [("custom", "no")]
    assert answer["reasons"][0]["text"] == "broken build: Config differs"


async def test_many_other_events_hide_nothing_that_stands_against_it(client: Client) -> None:
    uat = {"environment": "UAT"}
    await event(client, "Worst", type="incident", status="open", priority="P1", **uat)
    await event(
        client, "Now", type="operation", status="in_progress", startDate="2026-01-01T00:00:00Z", **uat
    )
    others = [
        {"type": "incident", "status": "open", "priority": "P1", "environment": "mco"},
        {"type": "incident", "status": "open", "priority": "P5", **uat},
        {"type": "operation", "status": "planned", "startDate": "2190-01-01T00:00:00Z", **uat},
    ]
    events = [{"title": "Other", "attributes": {"service": "shop", **each}} for each in others]
    await client.call("EventService/ImportEvents", {"events": events * 101})
    answer = await check(client, **uat)
    assert told(answer)[:2] == [("incident", "not_yet"), ("running", "not_yet")]
    assert {rule for rule, _ in told(answer)[2:]} == {"incident"}


async def test_a_version_goes_through_the_environments_in_their_order(client: Client) -> None:
    assert told(await check(client, version="2.0")) == [("promotion", "no")]
    assert told(await check(client, version="2.0", environment="preproduction")) == []
    await event(client, status="failure", environment="preproduction", version="2.0")
    assert told(await check(client, version="2.0")) == [("promotion", "no")]
    await event(client, status="success", environment="preproduction", version="2.0")
    assert told(await check(client, version="2.0")) == []
    begun = await event(client, status="start", environment="preproduction", version="3.0")
    await event(client, status="failure", environment="preproduction", relatedId=begun)
    assert told(await check(client, version="3.0")) == [("promotion", "no")]
    await event(client, status="success", environment="preproduction", relatedId=begun)
    assert told(await check(client, version="3.0")) == []


async def test_a_refusal_does_not_say_who_owns_the_service(client: Client, app: App) -> None:
    admin = client.bearing(app.access.first_key)
    entry = {"name": "shop", "owner": "core", "version": "1", "type": "project"}
    await admin.call("CatalogService/CreateUpdateCatalog", entry)
    with pytest.raises(Refused) as refused:
        await check(await bearer(admin, "other", "event:read", services=["other"]))
    assert refused.value.message == "permission event:read required for service shop, environment production"


async def test_a_token_of_ones_own_approves_as_who_holds_it_and_nobody_in_the_future(
    client: Client, app: App
) -> None:
    mco = {"environment": "mco"}
    rights = ("event:read", "event:write", "deployment:approve")
    ana, bo = [await bearer(client.bearing(app.access.first_key), name, *rights) for name in ("ana", "bo")]
    anas, bos = [await bearer(each, "own", *rights, own=True) for each in (ana, bo)]
    waits = await event(anas, status="waiting_approval", version="1", **mco)

    async def approve(client: Client, **at: str) -> None:
        entry = {"changeType": "approved", "comment": "fine", **at}
        await client.call("EventService/AddChangelogEntry", {"id": waits, "entry": entry})

    for each in (ana, anas, bo, bos):
        await approve(each)
    cy = await bearer(client.bearing(app.access.first_key), "cy", *rights)
    await approve(cy, timestamp="2199-01-01T00:00:00Z")
    answer = await check(ana, eventId=waits, **mco)
    assert told(answer) == [("approval", "not_yet")]
    assert answer["reasons"][0]["text"].startswith("approval by 1 person is missing")


@pytest.mark.parametrize(
    ("kind", "needed"), [("approved", "deployment:approve"), ("overridden", "deployment:override")]
)
async def test_who_may_not_decide_imports_no_decisions(
    client: Client, app: App, kind: str, needed: str
) -> None:
    admin = client.bearing(app.access.first_key)
    pipeline = await bearer(admin, "pipeline", "event:read", "event:write")
    waits = await event(admin, status="waiting_approval", version="1")
    stored: Any = (await admin.call("EventService/GetEvent", {"id": waits}))["event"]
    entry = {"changeType": kind, "comment": "by nobody", "timestamp": "2026-01-01T00:00:00Z"}
    continued = {**stored, "changelog": [entry], "changelogFrom": len(stored["changelog"])}
    anew = {"title": "New", "attributes": stored["attributes"], "changelog": [entry]}
    answer: Any = await pipeline.call("EventService/ImportEvents", {"events": [continued, anew]})
    refused = [(each["reason"], each["field"]) for each in answer["refused"]]
    assert refused == [("PERMISSION_REQUIRED", "changelog")] * 2
    assert (await admin.call("EventService/GetEvent", {"id": waits}))["event"] == stored
    deciding = await bearer(admin, "deciding", "event:write", needed)
    answer = await deciding.call("EventService/ImportEvents", {"events": [continued, anew]})
    assert not answer.get("refused")


async def test_two_others_must_approve_what_is_deployed(client: Client, app: App) -> None:
    admin = client.bearing(app.access.first_key)
    rights = ("event:read", "event:write", "deployment:approve")
    ana, bo, cy = [await bearer(admin, name, *rights) for name in ("ana", "bo", "cy")]
    other = await bearer(admin, "other", "event:read", "event:write")
    mco = {"environment": "mco"}
    assert told(await check(ana, **mco)) == [("approval", "no")]
    waits = await event(ana, status="waiting_approval", version="1", **mco)

    async def approve(client: Client, kind: str = "approved") -> None:
        entry = {"changeType": kind}
        await client.call("EventService/AddChangelogEntry", {"id": waits, "entry": entry})

    async def missing() -> list[tuple[str, str]]:
        return told(await check(ana, eventId=waits, **mco))

    for approver in (ana, bo, bo):
        await approve(approver)
    assert await missing() == [("approval", "not_yet")]
    with pytest.raises(Refused) as refused:
        await approve(other)
    assert refused.value.code == "PERMISSION_DENIED"
    await approve(cy)
    assert await missing() == []
    other_version = await check(ana, eventId=waits, version="2", **mco)
    assert told(other_version) == [("approval", "no")]  # nobody has approved that
    began = await event(ana, status="start", version="1", relatedId=waits, **mco)
    assert told(await check(ana, eventId=began, version="1", **mco)) == []
    await ana.call(
        "EventService/UpdateEvent", {"id": began, "merge": True, "attributes": {"status": "close"}}
    )
    change = {"id": waits, "merge": True, "attributes": {"version": "2"}}
    await ana.call("EventService/UpdateEvent", change)
    assert await missing() == [("approval", "not_yet")]


async def test_work_is_refused_in_a_freeze_window_unless_it_has_a_reason(client: Client, app: App) -> None:
    admin = client.bearing(app.access.first_key)
    runs = await event(admin, status="start")
    planned = await event(admin, status="planned")
    await admin.call("FreezeWindowService/CreateFreezeWindow", FROZEN)
    assert told(await check(admin, eventId=runs)) == [("freeze", "not_yet")]  # it began in the window
    done = {"id": runs, "merge": True, "attributes": {"status": "success"}}
    await admin.call("EventService/UpdateEvent", done)
    with pytest.raises(Refused) as refused:
        await event(admin, status="start")
    assert (refused.value.code, refused.value.reason) == ("FAILED_PRECONDITION", "FREEZE_IN_EFFECT")
    assert "the freeze window 'Launch' is in effect" in refused.value.message
    begin = {"id": planned, "merge": True, "attributes": {"status": "start"}}
    with pytest.raises(Refused) as refused:
        await admin.call("EventService/UpdateEvent", begin)
    assert refused.value.reason == "FREEZE_IN_EFFECT"
    writer = await bearer(admin, "writer", "event:read", "event:write")
    with pytest.raises(Refused) as refused:
        await event(writer, status="start", overrideReason="hotfix")
    assert refused.value.code == "PERMISSION_DENIED"
    with pytest.raises(Refused) as refused:
        await event(writer, status="start")
    assert "Launch" not in refused.value.message
    began: Any = await admin.call("EventService/UpdateEvent", begin | {"overrideReason": "hotfix"})
    entries = [each for each in began["event"]["changelog"] if each["changeType"] == "overridden"]
    assert [each["comment"] for each in entries] == ["hotfix"]
    await event(admin, status="open", type="incident")
    elsewhere = await event(admin, status="start", environment="UAT")
    other = await event(admin, status="start", type="drift")
    for moved, change in ((elsewhere, {"environment": "production"}), (other, {"type": "deployment"})):
        with pytest.raises(Refused) as refused:
            await admin.call("EventService/UpdateEvent", {"id": moved, "merge": True, "attributes": change})
        assert refused.value.reason == "FREEZE_IN_EFFECT"


async def test_what_a_caller_may_not_read_counts_without_details(client: Client, app: App) -> None:
    admin = client.bearing(app.access.first_key)
    entry = {"name": "shop", "owner": "core", "version": "1", "type": "project", "dependenciesOut": ["bank"]}
    await admin.call("CatalogService/CreateUpdateCatalog", entry)
    await event(admin, "Vault is open", type="incident", status="open", service="bank")
    await admin.call("FreezeWindowService/CreateFreezeWindow", FROZEN)
    own = await bearer(admin, "own", "event:read", services=["shop"])
    answer = await check(own)
    assert (answer["verdict"], told(answer)) == ("not_yet", [("freeze", "not_yet"), ("incident", "not_yet")])
    assert all(each["hidden"] and not each.get("eventId") for each in answer["reasons"])
    assert not any(word in str(answer) for word in ("Vault", "bank", "Launch"))
    with pytest.raises(Refused) as refused:
        await check(own, service="bank")
    assert refused.value.code == "PERMISSION_DENIED"
