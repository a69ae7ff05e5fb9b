"""The pages of webhooks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.clients import RestClient
from tests.patience import PATIENCE
from tests.web.html import page, record, send
from tests.webhook_receiver import receiving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2
    from tests.web.html import Element
    from tests.webhook_receiver import Receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def first_message(http: httpx2.AsyncClient, path: str, word: str) -> Element:
    """Return the page of a webhook once its newest message has a word."""
    async with asyncio.timeout(PATIENCE):
        while True:
            shown = await page(http, path)
            tables = shown.all("table", id="deliveries")
            if tables and word in tables[0].one("tbody").all("tr")[0].text:
                return shown
            await asyncio.sleep(0.02)


async def test_a_webhook_is_created_with_a_secret_shown_once_and_its_messages_are_sent_again(
    http: httpx2.AsyncClient, receiver: Receiver
) -> None:
    empty = await page(http, "/webhooks")
    assert "No webhook yet" in empty.text
    refused = await send(http, empty, "create", 400, name="pager", url="gopher//x")
    assert "must begin with http" in refused.text
    private = await send(http, empty, "create", 400, name="pager", url="http://10.0.0.1/")
    assert "not a public address" in private.one("p", id="create-url-about").text
    made = await send(http, empty, "create", 200, name="<b>pager", url=receiver.url, query="status:failure")
    assert made.one("pre", id="secret").text.startswith("whsec_")
    listed = await page(http, "/webhooks")
    assert not listed.all("pre", id="secret")
    row = listed.one("table", id="webhooks").one("tbody").one("tr")
    assert "<b>pager on none yet status:failure native" in row.text
    path = row.all("a")[0].attributes["href"]
    await record(http, "Deploy", status="failure")
    shown = await first_message(http, path, "delivered")
    assert "1 message will be sent again" in (await send(http, shown, "replay")).text
    again, first = sorted(await receiver.wait_for(2), key=lambda each: -each.at)
    assert again.id == first.id


async def test_a_webhook_is_turned_off_and_changed_without_losing_what_no_field_has(
    http: httpx2.AsyncClient, receiver: Receiver
) -> None:
    client = RestClient(http)
    how = {"groupBy": ["service"], "groupFor": "600s"}
    asked: dict[str, Any] = {"name": "chat", "url": receiver.url, "format": "slack", "notification": how}
    made: Any = await client.call("WebhookService/CreateWebhook", asked)
    path = f"/webhooks/{made['webhook']['id']}"
    off = await send(http, await page(http, path), "off")
    assert off.one("div", class_="page-head").text == "chat off"
    on = await send(http, off, "on")
    changed = await send(http, on, "change", name="room", created="1", digest_at="09:00")
    assert changed.one("h1").text == "room"
    stored: Any = (await client.call("WebhookService/GetWebhook", {"id": made["webhook"]["id"]}))["webhook"]
    assert (stored["changes"], stored["notification"]["digestAt"]) == (["created"], "09:00")
    assert (stored["notification"]["groupFor"], stored["disabled"]) == ("600s", False)
    wrong = await send(http, changed, "change", 400, digest_at="nine")
    assert "expected a time of day" in wrong.text
    gone = await send(http, changed, "delete")
    assert "The webhook is deleted" in gone.text
    await page(http, path, 404)


async def test_who_may_not_see_webhooks_is_told_why(http: httpx2.AsyncClient) -> None:
    client = RestClient(http)
    key: Any = await client.call("AuthService/CreateApiKey", {"name": "r", "permissions": ["event:read"]})
    shown = await page(http, "/webhooks", **{"x-api-key": key["secret"]})
    assert "You may not see webhooks" in shown.text
    assert not shown.one("main").all("form")
