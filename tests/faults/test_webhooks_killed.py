"""A server is killed while it sends messages of webhooks to a receiver that often fails: none is lost."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from tests.clients import RestClient, http_client
from tests.server_process import ServerProcess
from tests.soak import size, soaks
from tests.webhook_receiver import receiving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients import Client
    from tests.webhook_receiver import Received

KILLS = size(3, soak=20)
ATTRIBUTES = {"service": "shop", "type": "deployment"}


def accepted(received: list[Received]) -> set[str]:
    """Return the ids of the events that a receiver has heard of."""
    return {json.loads(each.body)["data"]["metadata"]["id"] for each in received if each.status == 200}


async def sent_now(client: Client, webhook_id: str) -> int:
    """Let all messages that wait be sent now, not when their time has come; return how many wait."""
    wanted: Any = {"id": webhook_id, "state": "waiting", "limit": 1000}
    found: Any = await client.call("WebhookService/ListWebhookDeliveries", wanted)
    ids = [each["id"] for each in found.get("deliveries", ())]
    if ids:
        replayed = {"id": webhook_id, "deliveryIds": ids}
        await client.call("WebhookService/ReplayWebhookDeliveries", replayed)
    return len(ids)


@soaks
@pytest.mark.timeout(300)
async def test_no_message_is_lost(tmp_path: Path) -> None:
    events = size(150, soak=10_000)
    chance, recorded = Random(7), set[str]()
    server = ServerProcess(tmp_path / "tracker.db", RATE_LIMIT_ENABLED="off")
    async with receiving() as receiver, http_client(("127.0.0.1", server.http_port)) as http:
        receiver.answer = lambda: (503 if chance.random() < 0.3 else 200, "")
        client: Client = RestClient(http)
        with server:
            asked = {"name": "w", "url": receiver.url, "changes": ["created"]}
            webhook: Any = (await client.call("WebhookService/CreateWebhook", asked))["webhook"]
            for number in range(events):
                event: Any = await client.call(
                    "EventService/CreateEvent", {"title": str(number), "attributes": ATTRIBUTES}
                )
                recorded.add(event["event"]["metadata"]["id"])
                if number % (events // KILLS) == events // KILLS - 1:
                    server.kill()
                    await asyncio.to_thread(server.start)
            async with asyncio.timeout(250):
                while accepted(receiver.received) < recorded:
                    await sent_now(client, webhook["id"])
                    await asyncio.sleep(0.3)
    assert accepted(receiver.received) == recorded
    assert len({each.id for each in receiver.received}) == events
