"""However long the changelog of an event gets, the event can be read, watched and ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.behaviour.events import create, get
from tests.clients import Refused

if TYPE_CHECKING:
    from tests.clients import Client

UPDATES = 130
MESSAGE = 65_536


async def update(client: Client, id_: str, key: str | None = None, **attributes: Any) -> Any:
    request = {"id": id_, "merge": True, "attributes": attributes}
    return (await client.call("EventService/UpdateEvent", request, key=key))["event"]


async def changelog(client: Client, id_: str, **request: Any) -> list[Any]:
    """Return the changelog of an event, followed by its tokens."""
    entries: list[Any] = []
    while True:
        answer = await client.call("EventService/GetEventChangelog", {"id": id_, **request})
        entries += answer["changelog"]
        request["pageToken"] = answer["nextPageToken"]
        if not request["pageToken"]:
            assert answer["totalCount"] == len(entries)
            return entries


async def test_an_event_ends_after_many_long_changes(client: Client) -> None:
    watch = client.stream("EventService/WatchEvents", {"query": ""})
    await anext(watch)
    id_ = (await create(client, status="start", environment="production"))["metadata"]["id"]
    assert (await client.call("LockService/ListLocks"))["totalCount"] == 1
    texts = [chr(ord("a") + number % 26) * MESSAGE for number in range(UPDATES)]
    for number, text in enumerate(texts):
        await update(client, id_, f"{id_}.{number}", message=text)
    event = await update(client, id_, status="success")
    assert (await client.call("LockService/ListLocks"))["totalCount"] == 0
    assert await get(client, id_) == event
    found = await client.call("EventService/SearchEvents", {"service": "payments"})
    assert (found["events"], found["totalCount"]) == ([event], 1)
    assert (await client.call("EventService/ListEvents"))["events"] == [event]
    assert event["changelogTotal"] == 1 + 1 + UPDATES + 1 + 1
    assert len(event["changelog"]) < 50
    assert [entry["newValue"] for entry in event["changelog"]][-2] == "success"
    whole = await changelog(client, id_, perPage=1000)
    assert [entry["newValue"] for entry in whole if entry["field"] == "message"] == texts
    assert await changelog(client, id_) == whole
    second = await client.call("EventService/GetEventChangelog", {"id": id_, "perPage": 2, "page": 2})
    assert second["changelog"] == whole[2:4]
    async for message in watch:
        if message.get("event", {}).get("attributes", {}).get("status") == "success":
            break


async def test_a_token_of_a_changelog_is_for_its_event_only(client: Client) -> None:
    ids = [(await create(client))["metadata"]["id"] for _ in "ab"]
    for id_ in ids:
        await update(client, id_, message="other")
    first = await client.call("EventService/GetEventChangelog", {"id": ids[0], "perPage": 1})
    token = {"pageToken": first["nextPageToken"]}
    rest = await client.call("EventService/GetEventChangelog", {"id": ids[0], **token})
    assert [entry["field"] for entry in rest["changelog"]] == ["message"]
    with pytest.raises(Refused) as refused:
        await client.call("EventService/GetEventChangelog", {"id": ids[1], **token})
    assert refused.value.code == "INVALID_ARGUMENT"


async def test_an_import_continues_a_changelog(client: Client) -> None:
    event = await create(client)
    id_ = event["metadata"]["id"]
    entries = [{"user": "bob", "comment": f"{number}"} for number in range(200)]
    part = {"title": "Deploy", "metadata": {"id": id_}}
    old = event["changelog"]
    for first, last in ((1, 120), (1, 120), (100, 200), (201, 210)):
        given = {**part, "changelog": entries[first - 1 : last], "changelogFrom": first}
        answer = await client.call("EventService/ImportEvents", {"events": [given]})
        assert not answer["refused"]
    assert [entry["comment"] for entry in await changelog(client, id_)] == [
        old[0]["comment"],
        *(str(number) for number in range(200)),
    ]
    unknown = {"title": "x", "metadata": {"id": id_[:-4] + "0000"}, "changelogFrom": 1}
    answer = await client.call("EventService/ImportEvents", {"events": [unknown]})
    assert [each["reason"] for each in answer["refused"]] == ["EVENT_NOT_FOUND"]
