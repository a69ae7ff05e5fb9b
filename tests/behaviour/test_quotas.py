"""What one principal may hold at a time: locks, calls that wait for them, and watches."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.behaviour.keys import bearer
from tests.behaviour.servers import waiting
from tests.clients import Refused
from tests.patience import PATIENCE

from tracker.api.calls import steps
from tracker.services.locks import queue

if TYPE_CHECKING:
    from tests.clients import Client

    from tracker.app import App
    from tracker.config.settings import Settings

MOST = 2


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, locks_per_principal=MOST)


async def test_a_principal_holds_so_many_locks_and_no_more(client: Client) -> None:
    ci = await bearer(client, "ci", "lock:write", "event:write")
    locks = [await ci.call("LockService/CreateLock", {"service": f"s{number}"}) for number in range(MOST)]
    attributes = {"service": "s9", "type": "deployment", "environment": "production", "status": "start"}
    for method, request in (
        ("LockService/CreateLock", {"service": "another"}),
        ("EventService/CreateEvent", {"title": "Deploy", "attributes": attributes}),
    ):
        with pytest.raises(Refused) as refused:
            await ci.call(method, request)
        assert (refused.value.code, refused.value.reason) == ("RESOURCE_EXHAUSTED", "TOO_MANY_LOCKS")
    assert (await client.call("EventService/ListEvents"))["totalCount"] == 0

    await client.call("LockService/CreateLock", {"service": "another"})
    await ci.call("LockService/UnLock", {"id": locks[0]["lock"]["id"]})
    await ci.call("LockService/CreateLock", {"service": "one more"})


async def test_so_many_calls_of_a_principal_wait_and_no_more(
    app: App, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "MOST_OF_ONE", 1)
    ci = await bearer(client, "ci", "lock:write")
    held = await client.call("LockService/CreateLock", {"service": "checkout"})
    asked = {"service": "checkout", "wait": "60s"}
    first = asyncio.create_task(ci.call("LockService/CreateLock", asked))
    await waiting(app, 1)
    with pytest.raises(Refused) as refused:
        await ci.call("LockService/CreateLock", asked)
    assert (refused.value.code, refused.value.reason) == ("RESOURCE_EXHAUSTED", "TOO_MANY_WAITS")
    anonymous = asyncio.create_task(client.call("LockService/CreateLock", asked))
    await waiting(app, 2)
    anonymous.cancel()
    await client.call("LockService/UnLock", {"id": held["lock"]["id"]})
    async with asyncio.timeout(PATIENCE):
        await first


async def test_so_many_watches_of_a_principal_are_open_and_no_more(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "MAX_STREAMS_OF_ONE", 1)
    ci = await bearer(client, "ci", "event:read")
    async with asyncio.timeout(PATIENCE), aclosing(ci.stream("EventService/WatchEvents")) as watch:
        await anext(watch)
        with pytest.raises(Refused) as refused:
            await anext(ci.stream("EventService/WatchEvents"))
        assert (refused.value.code, refused.value.reason) == ("RESOURCE_EXHAUSTED", "TOO_MANY_WATCHES")
        async with aclosing(client.stream("EventService/WatchEvents")) as other:
            await anext(other)
