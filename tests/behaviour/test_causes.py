"""Which changes may have caused an incident, and what people found out, over both wires."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.behaviour.events import UNKNOWN, get, request
from tests.behaviour.keys import bearer
from tests.clients import Refused

if TYPE_CHECKING:
    from tests.clients import Client


async def record(client: Client, title: str, service: str, minute: int, **attributes: Any) -> str:
    """Record a finished change of some minute after eight in production, or what is given; return its id."""
    start = (datetime(2026, 3, 2, 8, tzinfo=UTC) + timedelta(minutes=minute)).isoformat()
    given = {
        "environment": "production",
        "status": "success",
        "startDate": start,
        "endDate": start,
        **attributes,
    }
    event: Any = await client.call("EventService/CreateEvent", request(title, service=service, **given))
    return str(event["event"]["metadata"]["id"])


async def incident(client: Client, service: str, minute: int, **attributes: Any) -> str:
    given = {"type": "incident", "status": "open", "endDate": None, **attributes}
    return await record(client, "Checkout fails", service, minute, **given)


async def explained(client: Client, id_: str, **fields: Any) -> Any:
    return await client.call("IncidentService/ExplainIncident", {"id": id_, **fields})


def titles(answer: Any) -> list[str]:
    return [each["change"]["title"] for each in answer["suspects"]]


def features(answer: Any, title: str) -> dict[str, float]:
    (reasons,) = [each["reasons"] for each in answer["suspects"] if each["change"]["title"] == title]
    return {each["feature"]: each["value"] for each in reasons}


async def entry(client: Client, name: str, *called: str) -> None:
    described = {"name": name, "owner": "core", "version": "1", "dependenciesOut": list(called)}
    await client.call("CatalogService/CreateUpdateCatalog", described)


async def test_changes_are_ranked_by_service_dependencies_environment_and_age(client: Client) -> None:
    await entry(client, "shop", "payments")
    await entry(client, "payments", "ledger")
    await entry(client, "app", "shop")
    for title, service, minute, given in (
        ("Deploy shop", "shop", 50, {}),
        ("Deploy shop yesterday", "shop", -400, {}),
        ("Deploy payments", "payments", 50, {}),
        ("Deploy ledger", "ledger", 50, {}),
        ("Deploy app", "app", 50, {}),
        ("Deploy mailer", "mailer", 50, {"status": "failure"}),
        ("Deploy shop elsewhere", "shop", 50, {"environment": "UAT"}),
        ("Deploy shop later", "shop", 70, {}),
        ("Deploy shop some day", "shop", 55, {"status": "planned", "endDate": None}),
    ):
        await record(client, title, service, minute, **given)
    id_ = await incident(client, "shop", 60)
    answer = await explained(client, id_)
    found = titles(answer)
    assert found[:2] == ["Deploy shop", "Deploy payments"]
    others = {
        "Deploy ledger",
        "Deploy app",
        "Deploy mailer",
        "Deploy shop elsewhere",
        "Deploy shop yesterday",
    }
    assert set(found[2:]) == others
    assert found.index("Deploy ledger") < found.index("Deploy mailer")
    assert (answer["verdict"], answer["changeCount"], answer["neighbourCount"]) == ("suspected", 7, 3)
    shares = [each["share"] for each in answer["suspects"]]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) + answer["noRecordedCause"] == pytest.approx(1)
    near = {each["change"]["title"]: (each.get("distance"), each["caller"]) for each in answer["suspects"]}
    assert near["Deploy shop"] == (0, False)
    assert near["Deploy payments"] == (1, False)
    assert near["Deploy ledger"] == (2, False)
    assert near["Deploy app"] == (1, True)
    assert near["Deploy mailer"] == (None, False)
    assert features(answer, "Deploy mailer")["failed"] == 1
    for each in answer["suspects"]:
        assert sum(part["value"] * part["weight"] for part in each["reasons"]) == pytest.approx(each["score"])
        assert all(
            part["weight"] == answer["weights"][part["feature"]] and part["text"] for part in each["reasons"]
        )
    assert await explained(client, id_, asOf=answer["asOf"]) == answer
    few = await explained(client, id_, limit=2)
    assert titles(few) == found[:2]
    assert few["otherShare"] == pytest.approx(sum(shares[2:]))


async def test_no_change_is_named_where_none_stands_out(client: Client) -> None:
    assert (await explained(client, await incident(client, "shop", 30)))["verdict"] == "no_recorded_cause"
    await record(client, "Deploy mailer", "mailer", 0, environment="UAT")
    answer = await explained(client, await incident(client, "shop", 60))
    assert answer["verdict"] == "no_recorded_cause"
    assert answer["noRecordedCause"] > answer["threshold"]


async def test_what_came_later_counts_only_where_it_was_known(client: Client) -> None:
    await record(client, "Deploy 1", "shop", 0, version="1.1.0")
    await record(client, "Deploy 2", "shop", 20, version="1.2.0")
    id_ = await incident(client, "shop", 30)
    await record(client, "Deploy 1 again", "shop", 45, version="1.1.0")
    assert "rolled_back" in features(await explained(client, id_), "Deploy 2")
    then = await explained(client, id_, asOf="2026-03-02T08:30:00Z")
    assert "rolled_back" not in features(then, "Deploy 2")
    assert titles(then) == ["Deploy 2", "Deploy 1"]


async def test_what_people_found_out_is_kept_and_certain(client: Client) -> None:
    first = await record(client, "Deploy 1", "shop", 0)
    second = await record(client, "Deploy 2", "shop", 25)
    id_ = await incident(client, "shop", 30, owner="ada")

    async def link(change: str, link: str, **more: str) -> Any:
        return (
            await client.call(
                "IncidentService/LinkChange", {"id": id_, "changeId": change, "link": link, **more}
            )
        )["incident"]

    assert titles(await explained(client, id_))[0] == "Deploy 2"
    said = await link(second, "not_caused_by", comment="it was not rolled out yet", who="ben")
    assert said["metadata"]["notCausedBy"] == [second]
    last = said["changelog"][-1]
    assert (last["changeType"], last["field"], last["newValue"], last["comment"], last["user"]) == (
        *("linked", "not_caused_by", second, "it was not rolled out yet", "ben"),
    )
    answer = await explained(client, id_)
    assert titles(answer) == ["Deploy 1", "Deploy 2"]
    assert [answer["suspects"][1][name] for name in ("share", "link")] == [0, "not_caused_by"]
    assert len((await link(second, "not_caused_by"))["changelog"]) == len(said["changelog"])
    await link(first, "caused_by")
    answer = await explained(client, id_)
    assert (answer["verdict"], answer["suspects"][0]["share"], answer["noRecordedCause"]) == (
        "confirmed",
        1,
        0,
    )
    unsaid = await explained(client, id_, asOf="2026-03-02T08:30:00Z")
    assert (titles(unsaid)[0], unsaid["verdict"]) == ("Deploy 2", "suspected")
    found = await client.call("EventService/SearchEvents", {"query": f"caused_by:{first} has:not_caused_by"})
    assert [each["metadata"]["id"] for each in found["events"]] == [id_]
    await link(second, "rolled_back_by")
    metadata = (await link(first, "LINK_UNSPECIFIED"))["metadata"]
    assert (metadata["causedBy"], metadata["notCausedBy"], metadata["rolledBackBy"]) == ([], [], [second])
    assert (await get(client, id_))["metadata"] == metadata
    for fields, reason in (
        ({"changeId": UNKNOWN, "link": "caused_by"}, "RELATED_EVENT_NOT_FOUND"),
        ({"id": UNKNOWN, "changeId": first, "link": "caused_by"}, "EVENT_NOT_FOUND"),
        ({"changeId": id_, "link": "caused_by"}, "INVALID_FIELD"),
    ):
        with pytest.raises(Refused) as refused:
            await client.call("IncidentService/LinkChange", {"id": id_, **fields})
        assert refused.value.reason == reason


async def test_a_narrowed_reader_is_shown_what_it_may_read(client: Client) -> None:
    await entry(client, "shop", "payments")
    await entry(client, "web", "shop")
    for service in ("shop", "payments", "web"):
        await record(client, f"Deploy {service}", service, 20)
    id_ = await incident(client, "shop", 30)
    secret = await record(client, "Deploy payments again", "payments", 25)
    assert len(titles(await explained(client, id_))) == 4
    own = await bearer(client, "own", "event:read", "event:write", "catalog:read", services=["shop", "web"])
    answer = await explained(own, id_)
    assert sorted(titles(answer)) == ["Deploy shop", "Deploy web"]
    blind = await bearer(client, "blind", "event:read")
    assert all(each.get("distance") in {None, 0} for each in (await explained(blind, id_))["suspects"])
    other = await bearer(client, "other", "event:read", "event:write", services=["payments"])
    with pytest.raises(Refused) as refused:
        await explained(other, id_)
    assert refused.value.reason == "EVENT_NOT_FOUND"
    asked = {"id": id_, "changeId": secret, "link": "caused_by"}
    for caller, reason in (
        (own, "RELATED_EVENT_NOT_FOUND"),
        (other, "EVENT_NOT_FOUND"),
        (blind, "PERMISSION_REQUIRED"),
    ):
        with pytest.raises(Refused) as refused:
            await caller.call("IncidentService/LinkChange", asked)
        assert refused.value.reason == reason
    await client.call("IncidentService/LinkChange", asked)
    assert sorted(titles(await explained(own, id_))) == ["Deploy shop", "Deploy web"]


async def test_a_freeze_window_that_ended_before_is_among_them_for_those_who_may_see_it(
    client: Client,
) -> None:
    await record(client, "Deploy shop", "shop", 40)
    id_ = await incident(client, "shop", 60)
    before = await explained(client, id_)
    window: Any = await client.call(
        "FreezeWindowService/CreateFreezeWindow",
        {
            "title": "Sales",
            "type": "FREEZE_TYPE_HARD",
            "active": True,
            "startsAt": "2026-03-01T08:00:00Z",
            "endsAt": "2026-03-02T08:30:00Z",
            "services": ["shop"],
        },
    )
    answer = await explained(client, id_)
    deployment, lifted = answer["suspects"]
    assert deployment["change"]["title"] == "Deploy shop"
    assert lifted.get("change") is None
    found = lifted["liftedFreeze"]
    assert (found["freezeWindow"]["id"], found["endsAt"]) == (
        window["freezeWindow"]["id"],
        "2026-03-02T08:30:00Z",
    )
    texts = [each["text"] for each in lifted["reasons"]]
    assert "the freeze ended, and 1 compared deployment began since" in texts
    assert answer["changeCount"] == 2
    assert deployment["share"] + lifted["share"] + answer["noRecordedCause"] == pytest.approx(1)
    with pytest.raises(Refused) as refused:
        await client.call(
            "IncidentService/LinkChange",
            {"id": id_, "changeId": found["freezeWindow"]["id"], "link": "caused_by"},
        )
    assert refused.value.reason == "RELATED_EVENT_NOT_FOUND"
    blind = await bearer(client, "blind", "event:read", "catalog:read")
    other = await bearer(client, "other", "event:read", "freeze:read", services=["shop"])
    seen = [(await explained(caller, id_))["suspects"] for caller in (blind, other)]
    assert [seen[0], len(seen[1])] == [before["suspects"], 2]
