"""Calls for events that many tests make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.clients import Client, JsonObject

UNKNOWN = "018f0000-0000-7000-8000-000000000000"


def request(title: str = "Deploy", *, slack_id: str = "", **attributes: Any) -> JsonObject:
    return {
        "title": title,
        "slackId": slack_id,
        "attributes": {"service": "payments", "type": "deployment", **attributes},
    }


async def create(client: Client, title: str = "Deploy", **fields: Any) -> Any:
    return (await client.call("EventService/CreateEvent", request(title, **fields)))["event"]


async def get(client: Client, id_: str) -> Any:
    return (await client.call("EventService/GetEvent", {"id": id_}))["event"]
