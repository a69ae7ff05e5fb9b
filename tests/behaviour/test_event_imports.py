"""Many events recorded at once, as they are, over both wires."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from tests.clients import Refused
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from tests.clients import Client

ID = "019ad3f1-7b00-7c21-9d0e-5b1f3a7c2e48"
OTHER = "019ad3f1-7b00-7c21-9d0e-5b1f3a7c2e49"


def an_event(title: str = "Deploy", *, id_: str = "", links: Any = None, **told: Any) -> dict[str, Any]:
    """Return an event of the past; what is told may belong to its attributes or to its metadata."""
    metadata = {name: told.pop(name) for name in ("createdAt", "duration", "slackId") if name in told}
    attributes = {"service": "payments", "type": "deployment", **told}
    event: dict[str, Any] = {"title": title, "attributes": attributes}
    if id_ or metadata:
        event["metadata"] = {"id": id_, **metadata}
    return event | ({"links": links} if links else {})


async def import_(client: Client, *events: Any, overwrite: bool = False) -> Any:
    request = {"events": list(events), "overwrite": overwrite}
    return await client.call("EventService/ImportEvents", request)


def counts(answer: Any) -> tuple[int, int, int, int]:
    return answer["stored"], answer["unchanged"], answer["replaced"], len(answer["refused"])


async def get(client: Client, id_: str) -> Any:
    return (await client.call("EventService/GetEvent", {"id": id_}))["event"]


async def listed(client: Client) -> list[Any]:
    return list((await client.call("EventService/ListEvents", {"perPage": 1_000}))["events"])


async def test_an_event_is_stored_as_it_is_and_importing_it_again_changes_nothing(client: Client) -> None:
    entry = {"timestamp": "2025-03-01T09:00:00Z", "user": "ana", "changeType": "commented", "comment": "hm"}
    event = an_event(
        "Deploy 1.4.2",
        id_=ID.upper(),
        createdAt="2025-03-01T08:00:00.123456Z",
        duration="17.500s",
        slackId="17.1",
        status="success",
        source="ci",
        externalId="run 7",
        labels={"team": "core"},
        links={"ticket": "PAY-1"},
    ) | {"changelog": [entry]}
    assert counts(await import_(client, event)) == (1, 0, 0, 0)
    stored = await get(client, ID)
    assert stored["metadata"].items() >= (event["metadata"] | {"id": ID, "elapsed": "17.500s"}).items()
    assert stored["changelog"] == [{"field": "", "oldValue": "", "newValue": "", **entry}]
    assert stored["attributes"]["externalId"] == "run 7"
    assert stored["links"]["ticket"] == "PAY-1"
    changed = event | {"title": "another"}
    assert counts(await import_(client, event, changed)) == (0, 2, 0, 0)
    assert await listed(client) == [stored]
    for query in ("slack_id:17.1", 'external_id:"run 7"', "label.team:core"):
        found = await client.call("EventService/SearchEvents", {"query": query})
        assert found["events"] == [stored], query


async def test_an_event_of_a_few_words_gets_what_it_lacks_and_is_known_again(client: Client) -> None:
    dates = {"startDate": "2025-03-01T08:00:00Z", "endDate": "2025-03-01T08:04:00Z"}
    assert counts(await import_(client, an_event(), an_event("other", **dates))) == (2, 0, 0, 0)
    new, old = await listed(client)
    assert (new["title"], old["title"]) == ("Deploy", "other")
    assert new["metadata"]["createdAt"] > "2026"
    assert old["metadata"]["duration"] == old["metadata"]["elapsed"] == "240s"
    assert len({new["metadata"]["id"], old["metadata"]["id"]}) == 2
    assert new["links"] == {"pullRequestLink": "", "ticket": ""}
    assert counts(await import_(client, an_event(), an_event("third"), an_event())) == (1, 2, 0, 0)
    assert counts(await import_(client, an_event(), overwrite=True)) == (0, 1, 0, 0)


async def test_with_overwrite_an_event_takes_the_place_of_the_one_that_has_its_id(client: Client) -> None:
    same = an_event(id_=ID, createdAt="2025-03-01T08:00:00Z")
    await import_(client, same)
    changed = same | {"title": "Deploy again"}
    later = same | {"title": "Deploy at last"}
    answer = await import_(client, same, changed, later, an_event(id_=OTHER), overwrite=True)
    assert counts(answer) == (1, 1, 2, 0)
    assert (await get(client, ID))["title"] == "Deploy at last"
    slack = an_event(id_=OTHER, slackId="17.1")
    assert counts(
        await import_(
            client, slack, same | slack | {"metadata": {"id": ID, "slackId": "17.1"}}, overwrite=True
        )
    ) == (0, 0, 1, 1)


async def test_each_event_that_can_not_be_stored_is_named_and_the_others_are_stored(client: Client) -> None:
    await import_(client, an_event(id_=ID, slackId="17.1", source="ci", externalId="run 7"))
    answer = await import_(
        client,
        an_event("first"),
        {"title": "no service", "attributes": {"type": "drift"}},
        {"title": "no type", "attributes": {"service": "payments"}},
        an_event(slackId="17.1"),
        an_event(source="ci", externalId="run 7"),
        an_event("one", slackId="17.2"),
        an_event("two", slackId="17.2"),
        {"title": "of an update that cleared it", "metadata": {"id": OTHER}},
    )
    assert counts(answer) == (3, 0, 0, 5)
    told = [(each["index"], each["reason"], each["field"]) for each in answer["refused"]]
    assert told == [
        (1, "INVALID_FIELD", "attributes.service"),
        (2, "INVALID_FIELD", "attributes.type"),
        (3, "SLACK_ID_TAKEN", "metadata.slack_id"),
        (4, "EXTERNAL_ID_TAKEN", "attributes.external_id"),
        (6, "SLACK_ID_TAKEN", "metadata.slack_id"),
    ]
    messages = [each["message"] for each in answer["refused"]]
    assert messages[0] == "attributes.service is required"
    assert messages[2] == f"slack_id 17.1 already belongs to the event {ID}"
    assert {each["title"] for each in await listed(client)} >= {
        "first",
        "one",
        "of an update that cleared it",
    }


async def test_an_import_that_breaks_a_rule_is_refused_whole_and_names_each_field(client: Client) -> None:
    long = an_event("x" * 501, id_="no uuid")
    with pytest.raises(Refused) as refused:
        await import_(client, an_event(), {"attributes": {"service": "s"}}, long)
    assert refused.value.code == "INVALID_ARGUMENT"
    assert refused.value.fields == {
        "events[1].title": "events[1].title is required",
        "events[2].title": "must be at most 500 characters",
        "events[2].metadata.id": "must be a valid UUID",
    }
    assert await listed(client) == []


async def test_imported_events_take_no_locks_and_leave_those_that_are_held(client: Client) -> None:
    running = an_event(status="start", environment="production")
    assert counts(await import_(client, running, an_event("two", **running["attributes"]))) == (2, 0, 0, 0)
    assert not (await client.call("LockService/ListLocks"))["locks"]
    event = (await client.call("EventService/CreateEvent", running | {"title": "live"}))["event"]
    held = (await client.call("LockService/ListLocks"))["locks"]
    assert [lock["eventId"] for lock in held] == [event["metadata"]["id"]]
    replacing = event | {"attributes": event["attributes"] | {"status": "success"}}
    assert counts(await import_(client, replacing, overwrite=True)) == (0, 0, 1, 0)
    assert (await client.call("LockService/ListLocks"))["locks"] == held


async def test_a_watch_hears_of_imported_events(client: Client) -> None:
    async with aclosing(client.stream("EventService/WatchEvents")) as watch, asyncio.timeout(PATIENCE):
        await anext(watch)
        await import_(client, *(an_event(f"event {number}") for number in range(300)))
        told = [await anext(watch) for _ in range(300)]
    assert [(each["kind"], each["event"]["title"]) for each in told] == [
        ("created", f"event {number}") for number in range(300)
    ]


async def test_an_import_of_no_events_or_of_too_many_is_refused(client: Client) -> None:
    for events, told in (([], "events is required"), ([an_event()] * 1_001, "1000")):
        with pytest.raises(Refused) as refused:
            await import_(client, *events)
        assert refused.value.code == "INVALID_ARGUMENT"
        assert told in refused.value.message


async def test_the_same_events_imported_by_many_at_once_are_stored_once(client: Client) -> None:
    events = [an_event(f"event {number}", slackId=f"17.{number}") for number in range(50)]
    answers = await asyncio.gather(*(import_(client, *events) for _ in range(6)))
    assert sum(answer["stored"] for answer in answers) == 50
    assert sum(answer["unchanged"] for answer in answers) == 250
    assert len(await listed(client)) == 50


async def test_an_event_with_a_script_for_a_link_is_named_and_not_stored(client: Client) -> None:
    with pytest.raises(Refused) as refused:
        await import_(client, an_event(), an_event("Bad", links={"ticket": "javascript:alert(1)"}))
    assert refused.value.code == "INVALID_ARGUMENT"
    assert "events[1].links.ticket: expected http:// or https://" in refused.value.message
