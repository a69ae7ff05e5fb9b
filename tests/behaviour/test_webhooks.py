"""Webhooks of a running server, over both wires and on both stores."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook
from tests.clients import Refused
from tests.patience import PATIENCE
from tests.webhook_receiver import receiving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.clients import Client
    from tests.clocks import StoppedClock
    from tests.webhook_receiver import Received, Receiver

FIVE_DAYS = 5 * 24 * 3600


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def created(client: Client, receiver: Receiver, **fields: Any) -> Any:
    asked = {"name": "pager", "url": receiver.url, **fields}
    return await client.call("WebhookService/CreateWebhook", asked)


async def recorded(client: Client, status: str = "failure") -> Any:
    attributes = {"service": "shop", "type": "deployment", "source": "s", "status": status, "message": "é"}
    asked = {"title": "Deploy", "attributes": attributes}
    return (await client.call("EventService/CreateEvent", asked))["event"]


async def deliveries(client: Client, webhook: Any, **fields: Any) -> list[Any]:
    asked = {"id": webhook["id"], **fields}
    answer: Any = await client.call("WebhookService/ListWebhookDeliveries", asked)
    return list(answer.get("deliveries", ()))


async def settled(client: Client, webhook: Any, is_so: Callable[[Any], bool]) -> Any:
    """Return the newest message of a webhook, once something is so."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await deliveries(client, webhook)
            if found and is_so(found[0]):
                return found[0]
            await asyncio.sleep(0.02)


async def send_again(client: Client, webhook: Any) -> None:
    """Let a server whose clock was moved look for what is due."""
    asked = {"id": webhook["id"], "deliveryIds": ["none"]}
    await client.call("WebhookService/ReplayWebhookDeliveries", asked)


def has_attempts(count: int, delivery: Any) -> bool:
    return bool(delivery["attempts"] == count)


def verified(received: Received, secret: str) -> Any:
    return Webhook(secret).verify(received.body, dict(received.headers))


async def test_what_matches_is_sent_once_and_signed(client: Client, receiver: Receiver) -> None:
    answer = await created(client, receiver, query="status:failure")
    await recorded(client, "success")
    event = await recorded(client)
    attributes = {"status": "success"}
    asked = {"id": event["metadata"]["id"], "attributes": attributes, "merge": True}
    await client.call("EventService/UpdateEvent", asked)
    await client.call("WebhookService/TestWebhook", {"id": answer["webhook"]["id"]})
    got = {
        (message := verified(each, answer["secret"]))["type"]: message for each in await receiver.wait_for(2)
    }
    assert got.keys() == {"event.created", "webhook.test"}
    sent = got["event.created"]["data"]
    assert (sent["metadata"]["id"], sent["attributes"]["message"]) == (event["metadata"]["id"], "é")
    newest = await settled(client, answer["webhook"], lambda each: each["state"] == "delivered")
    assert (newest["type"], newest["attempts"], newest["lastStatus"]) == ("webhook.test", 1, 204)


async def test_messages_can_be_cloudevents_signed_with_a_public_key(
    client: Client, receiver: Receiver
) -> None:
    fields = {"format": "cloudevents", "signature": "ed25519", "changes": ["deleted"]}
    answer = await created(client, receiver, **fields)
    assert answer.get("secret", "") == ""
    event = await recorded(client)
    await client.call("EventService/DeleteEvents", {"id": event["metadata"]["id"]})
    (got,) = await receiver.wait_for(1)
    message = json.loads(got.body)
    assert {name: message[name] for name in ("specversion", "id", "type", "subject")} == {
        "specversion": "1.0",
        "id": got.id,
        "type": "tracker.event.deleted",
        "subject": event["metadata"]["id"],
    }
    (shown,) = answer["webhook"]["publicKeys"]
    version, _, signature = got.headers["webhook-signature"].partition(",")
    signed = f"{got.id}.{got.headers['webhook-timestamp']}.".encode() + got.body
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(shown.removeprefix("whpk_")))
    key.verify(base64.b64decode(signature), signed)
    assert version == "v1a"


async def test_a_failed_message_is_sent_again_until_it_is_given_up_and_can_be_replayed(
    client: Client, receiver: Receiver, clock: StoppedClock
) -> None:
    webhook = (await created(client, receiver))["webhook"]
    receiver.answer = lambda: (503, "")
    await recorded(client)
    for attempt, seconds in enumerate((5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400), 1):
        waiting = await settled(client, webhook, partial(has_attempts, attempt))
        last, following = (datetime.fromisoformat(waiting[f"{name}AttemptAt"]) for name in ("last", "next"))
        assert 0.8 * seconds <= (following - last).total_seconds() <= 1.2 * seconds
        clock.seconds += 1.21 * seconds
        await send_again(client, webhook)
    given_up = await settled(client, webhook, lambda each: each["state"] == "failed")
    assert (given_up["attempts"], given_up["lastStatus"]) == (10, 503)
    receiver.answer = lambda: (200, "")
    replayed: Any = await client.call("WebhookService/ReplayWebhookDeliveries", {"id": webhook["id"]})
    assert replayed["count"] == 1
    await settled(client, webhook, lambda each: each["state"] == "delivered")
    assert {each.id for each in receiver.received} == {given_up["id"]}


async def test_a_receiver_says_when_to_try_again_and_that_it_is_gone(
    client: Client, receiver: Receiver, clock: StoppedClock
) -> None:
    webhook = (await created(client, receiver))["webhook"]
    receiver.answer = lambda: (429, "Retry-After: 3600\r\n")
    await recorded(client)
    waiting = await settled(client, webhook, lambda each: each["attempts"] == 1)
    last, following = (datetime.fromisoformat(waiting[f"{name}AttemptAt"]) for name in ("last", "next"))
    assert (following - last).total_seconds() == 3600
    clock.seconds += 3601
    receiver.answer = lambda: (410, "")
    await send_again(client, webhook)
    disabled = await changed(client, webhook, lambda each: each.get("disabled", False))
    assert disabled["disabledReason"] == "its receiver answered 410 Gone"


async def test_a_webhook_that_fails_for_days_is_disabled_and_can_be_enabled(
    client: Client, receiver: Receiver, clock: StoppedClock
) -> None:
    webhook = (await created(client, receiver))["webhook"]
    receiver.answer = lambda: (302, f"Location: {receiver.url}\r\n")  # it is not followed
    await recorded(client)
    await changed(client, webhook, lambda each: each.get("failingSince"))
    clock.seconds += FIVE_DAYS
    await send_again(client, webhook)
    disabled = await changed(client, webhook, lambda each: each.get("disabled", False))
    assert disabled["disabledReason"] == "all attempts have failed for 5 days"
    assert len(receiver.received) == 2
    receiver.answer = lambda: (200, "")
    enabled = {"id": webhook["id"], "name": "pager", "url": receiver.url}
    await client.call("WebhookService/UpdateWebhook", enabled)
    clock.seconds += 2 * 86_400
    await send_again(client, webhook)
    await settled(client, webhook, lambda each: each["state"] == "delivered")


async def changed(client: Client, webhook: Any, is_so: Callable[[Any], object]) -> Any:
    """Return a webhook, once something is so."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found: Any = await client.call("WebhookService/GetWebhook", {"id": webhook["id"]})
            if is_so(found["webhook"]):
                return found["webhook"]
            await asyncio.sleep(0.02)


async def test_a_secret_is_shown_once_and_the_old_one_is_valid_for_a_while(
    client: Client, receiver: Receiver, clock: StoppedClock
) -> None:
    answer = await created(client, receiver)
    webhook, old = answer["webhook"], answer["secret"]
    asked = {"id": webhook["id"], "overlap": "60s"}
    new: Any = (await client.call("WebhookService/RotateWebhookSecret", asked))["secret"]
    await client.call("WebhookService/TestWebhook", {"id": webhook["id"]})
    (got,) = await receiver.wait_for(1)
    assert verified(got, old) == verified(got, new)
    clock.seconds += 61
    await client.call("WebhookService/TestWebhook", {"id": webhook["id"]})
    *_, got = await receiver.wait_for(2)
    assert len(got.headers["webhook-signature"].split()) == 1
    shown = [await client.call("WebhookService/ListWebhooks")]
    async with asyncio.timeout(PATIENCE):
        while True:
            entries = await client.call("AuditService/ListAuditEntries", {"record": "webhook"})
            if "updated" in str(entries):
                break
            await asyncio.sleep(0.05)
    assert not any(secret.removeprefix("whsec_") in str([shown, entries]) for secret in (old, new))


async def test_a_disabled_or_deleted_webhook_hears_of_nothing(client: Client, receiver: Receiver) -> None:
    deleted = (await created(client, receiver))["webhook"]
    disabled = (await created(client, receiver))["webhook"]
    heard = await created(client, receiver)
    await client.call("WebhookService/DeleteWebhook", {"id": deleted["id"]})
    off = {"id": disabled["id"], "name": "off", "url": receiver.url, "disabled": True}
    await client.call("WebhookService/UpdateWebhook", off)
    await recorded(client)
    (got,) = await receiver.wait_for(1)
    assert verified(got, heard["secret"])["type"] == "event.created"
    assert await deliveries(client, disabled) == []
    with pytest.raises(Refused) as refused:
        await deliveries(client, deleted)
    assert refused.value.reason == "WEBHOOK_NOT_FOUND"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"url": "http://10.0.0.1/"}, "WEBHOOK_ADDRESS_REFUSED"),
        ({"query": "statsu:failure"}, "INVALID_QUERY"),
        ({"url": "ftp://example.com"}, "INVALID_FIELD"),
    ],
)
async def test_what_can_not_work_is_refused(
    client: Client, receiver: Receiver, fields: Any, reason: str
) -> None:
    with pytest.raises(Refused) as refused:
        await created(client, receiver, **fields)
    assert (refused.value.code, refused.value.reason) == ("INVALID_ARGUMENT", reason)


async def test_messages_are_listed_by_pages_and_states_and_replayed_by_time(
    client: Client, receiver: Receiver
) -> None:
    webhook = (await created(client, receiver))["webhook"]
    for _ in range(5):
        await recorded(client)
    await receiver.wait_for(5)
    ids: list[str] = []
    token = ""
    while len(ids) < 5:
        asked = {"id": webhook["id"], "limit": 2, "pageToken": token}
        page: Any = await client.call("WebhookService/ListWebhookDeliveries", asked)
        ids += [each["id"] for each in page["deliveries"]]
        token = page.get("nextPageToken", "")
    assert sorted(ids) == sorted(each.id for each in receiver.received)
    assert token == ""
    assert await deliveries(client, webhook, state="failed") == []
    third = await deliveries(client, webhook)
    asked = {"id": webhook["id"], "since": third[2]["createdAt"]}
    replayed: Any = await client.call("WebhookService/ReplayWebhookDeliveries", asked)
    assert replayed["count"] == 3
    await receiver.wait_for(8)
