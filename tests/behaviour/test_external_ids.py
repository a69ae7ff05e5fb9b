"""Events that are told of more than once, with labels and versions, over both wires."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.clients import Refused

if TYPE_CHECKING:
    from tests.clients import Client


async def tell(
    client: Client, title: str = "Deploy", *, slack_id: str = "", links: Any = None, **told: Any
) -> Any:
    attributes = {"service": "payments", "type": "deployment", "source": "ci", **told}
    request = {"title": title, "slackId": slack_id, "attributes": attributes, "links": links or {}}
    return await client.call("EventService/CreateEvent", request)


async def update(client: Client, event: Any, **change: Any) -> Any:
    request = {"id": event["metadata"]["id"], **change}
    return (await client.call("EventService/UpdateEvent", request))["event"]


async def locks(client: Client) -> list[Any]:
    return list((await client.call("LockService/ListLocks", {})).get("locks", []))


async def test_labels_and_a_version_are_stored_and_found(client: Client) -> None:
    labels = {"team": "core", "app.kubernetes.io/part-of": "shop"}
    event = (await tell(client, labels=labels, version="2.4.0"))["event"]
    await tell(client, "another", labels={"team": "edge"})
    assert event["attributes"]["labels"] == labels
    assert event["attributes"]["version"] == "2.4.0"
    for query in ("label.team:core", "label.app.kubernetes.io/part-of:sh*", "version:2.4.*", "has:version"):
        found = await client.call("EventService/SearchEvents", {"query": query})
        assert found["events"] == [event], query


@pytest.mark.parametrize(
    ("labels", "field"),
    [
        ({"": "core"}, "labels"),
        ({"a b": "core"}, "labels"),
        ({"team": "x" * 1_001}, "labels"),
        ({f"l{number}": "x" for number in range(65)}, "labels"),
    ],
)
async def test_labels_are_bounded(client: Client, labels: dict[str, str], field: str) -> None:
    with pytest.raises(Refused) as refused:
        await tell(client, labels=labels)
    assert refused.value.code == "INVALID_ARGUMENT"
    assert field in refused.value.message


async def test_an_event_that_is_told_of_again_is_changed(client: Client) -> None:
    first = await tell(
        client,
        external_id="run 7",
        status="start",
        environment="production",
        owner="ana",
        labels={"team": "core", "attempt": "1"},
        links={"ticket": "OPS-1"},
    )
    assert first["updated"] is False
    assert len(await locks(client)) == 1
    progress = await tell(client, external_id="run 7", status="in_progress", labels={"attempt": "2"})
    assert progress["updated"] is True
    last = await tell(
        client,
        "Deployed",
        external_id="run 7",
        status="success",
        version="2.4.0",
        labels={"attempt": ""},
        links={"pullRequestLink": "https://git/7"},
        slack_id="1.2",
    )
    event = last["event"]
    assert event["metadata"]["id"] == first["event"]["metadata"]["id"]
    assert event["metadata"]["slackId"] == "1.2"
    assert event["metadata"]["duration"]
    assert event["title"] == "Deployed"
    assert event["links"] == {"ticket": "OPS-1", "pullRequestLink": "https://git/7"}
    attributes = event["attributes"]
    assert (attributes["owner"], attributes["environment"], attributes["status"]) == (
        "ana",
        "production",
        "success",
    )
    assert attributes["labels"] == {"team": "core"}
    changes = [(e["field"], e["oldValue"], e["newValue"]) for e in event["changelog"] if e.get("field")]
    assert ("status", "start", "in_progress") in changes
    assert ("labels", "attempt=1, team=core", "attempt=2, team=core") in changes
    assert ("version", "", "2.4.0") in changes
    assert await locks(client) == []
    assert (await client.call("EventService/ListEvents", {}))["totalCount"] == 1


async def test_an_external_id_is_one_of_its_source(client: Client) -> None:
    first = await tell(client, external_id="7")
    other = await tell(client, external_id="7", source="jenkins")
    assert other["updated"] is False
    assert first["event"]["metadata"]["id"] != other["event"]["metadata"]["id"]
    found = await client.call("EventService/SearchEvents", {"query": "external_id:7"})
    assert found["totalCount"] == 2
    found = await client.call("EventService/SearchEvents", {"query": "external_id:7", "source": "jenkins"})
    assert found["events"] == [other["event"]]


async def test_an_event_without_an_external_id_is_always_new(client: Client) -> None:
    assert "updated" not in await tell(client)
    await tell(client)
    assert (await client.call("EventService/ListEvents", {}))["totalCount"] == 2


async def test_an_external_id_needs_a_source(client: Client) -> None:
    with pytest.raises(Refused, match="source is required"):
        await tell(client, source="", external_id="7")
    event = (await tell(client, source=""))["event"]
    with pytest.raises(Refused, match="source is required"):
        await update(client, event, attributes={"service": "payments", "external_id": "7"})


@pytest.mark.parametrize("status", ["start", "planned"])
async def test_told_of_at_once_an_event_is_recorded_once(client: Client, status: str) -> None:
    told = [
        tell(client, external_id="7", status=status, environment="production", labels={f"job-{number}": "x"})
        for number in range(8)
    ]
    answers = await asyncio.gather(*told)
    assert sorted(answer["updated"] for answer in answers) == [False] + [True] * 7
    assert len({answer["event"]["metadata"]["id"] for answer in answers}) == 1
    found = await client.call("EventService/ListEvents", {})
    assert len(found["events"]) == 1
    assert set(found["events"][0]["attributes"]["labels"]) == {f"job-{number}" for number in range(8)}
    assert len(await locks(client)) == (1 if status == "start" else 0)


async def test_an_update_of_an_older_client_clears_nothing_that_it_does_not_know(client: Client) -> None:
    event = (await tell(client, external_id="7", labels={"team": "core"}, version="1"))["event"]
    attributes = {"service": "payments", "type": "deployment", "status": "success"}
    changed = (await update(client, event, attributes=attributes))["attributes"]
    assert (changed["labels"], changed["version"], changed["source"]) == ({"team": "core"}, "1", "ci")
    assert (await tell(client, external_id="7"))["updated"] is True


async def test_an_update_that_merges_changes_what_it_gives(client: Client) -> None:
    event = (
        await tell(client, owner="ana", impact=True, labels={"team": "core"}, links={"ticket": "OPS-1"})
    )["event"]
    changed = await update(
        client,
        event,
        merge=True,
        attributes={"status": "done", "labels": {"pods": "2"}},
        links={"pullRequestLink": "https://git/7"},
    )
    told = changed["attributes"]
    assert (told["owner"], told["impact"], told["status"], told["service"]) == (
        "ana",
        True,
        "done",
        "payments",
    )
    assert told["labels"] == {"team": "core", "pods": "2"}
    assert changed["links"] == {"ticket": "OPS-1", "pullRequestLink": "https://git/7"}
    assert (await update(client, event, merge=True, title="Renamed"))["attributes"] == told


async def test_an_update_can_not_take_the_external_id_of_another_event(client: Client) -> None:
    first = (await tell(client, external_id="7"))["event"]
    other = (await tell(client, external_id="8"))["event"]
    with pytest.raises(Refused) as refused:
        await update(
            client,
            other,
            attributes={"service": "payments", "type": "deployment", "source": "ci", "external_id": "7"},
        )
    assert refused.value.code == "ALREADY_EXISTS"
    assert refused.value.reason == "EXTERNAL_ID_TAKEN"
    assert first["metadata"]["id"] in refused.value.message


async def test_an_update_does_not_add_labels_without_end(client: Client) -> None:
    event = (await tell(client, labels={f"a{number}": "x" for number in range(64)}))["event"]
    attributes = {"service": "payments", "type": "deployment", "labels": {"b": "x"}}
    with pytest.raises(Refused, match="up to 64 labels"):
        await update(client, event, attributes=attributes)
    attributes["labels"] = {"b": "x", "a0": ""}
    assert len((await update(client, event, attributes=attributes))["attributes"]["labels"]) == 64


async def test_a_deleted_event_gives_its_external_id_back(client: Client) -> None:
    first = (await tell(client, external_id="7", status="start", environment="production"))["event"]
    await client.call("EventService/DeleteEvents", {"id": first["metadata"]["id"]})
    again = await tell(client, external_id="7", status="start", environment="production")
    assert again["updated"] is False


async def test_another_event_is_refused_by_the_lock_of_one_with_an_external_id(client: Client) -> None:
    await tell(client, external_id="7", status="start", environment="production")
    with pytest.raises(Refused) as refused:
        await tell(client, external_id="8", status="start", environment="production")
    assert refused.value.reason == "LOCK_HELD"
