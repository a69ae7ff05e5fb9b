"""Calls that wait for a lock, over both wires."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest
import structlog
from tests.behaviour.events import create
from tests.behaviour.locks import RUNNING, a_token, lock, locks, take, unlock
from tests.behaviour.servers import metrics, server, waiting
from tests.clients import GrpcClient, Refused, RestClient, http_client
from tests.patience import PATIENCE

from tracker.app import App
from tracker.services.locks import queue as lock_queue

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tests.clients import Client
    from tests.clocks import StoppedClock

    from tracker.config.settings import Settings

Waiter = asyncio.Task[Any]


def waiter(client: Client, **fields: Any) -> Waiter:
    return asyncio.ensure_future(lock(client, **{"wait": "60s", **fields}))


async def gone_away(*waiters: Waiter) -> None:
    for each in waiters:
        each.cancel()
    await asyncio.wait(waiters)


async def test_a_waiting_call_is_answered_as_soon_as_the_lock_is_free(app: App, client: Client) -> None:
    held = await lock(client)
    second = waiter(client, who="bo")
    await waiting(app, 1)
    await unlock(client, held)
    taken = await second
    assert taken["who"] == "bo"
    assert taken["createdAt"] > held["createdAt"]
    assert await locks(client) == [taken]
    assert "tracker_lock_wait_seconds_count 1.0" in await metrics(app)


async def test_a_free_lock_is_not_waited_for(client: Client) -> None:
    await lock(client, wait="300s")


@pytest.mark.parametrize("end", ["expiry", "force", "event done", "event moved", "event deleted", "moved"])
async def test_a_waiter_is_woken_however_the_lock_ends(
    app: App, clock: StoppedClock, client: Client, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(lock_queue, "TRY_SECONDS", 3600.0)
    event = await create(client, **RUNNING) if end.startswith("event") else None
    held = (await locks(client))[0] if event else await lock(client, ttl="60s" if end == "expiry" else None)
    second = waiter(client, wait="300s")
    await waiting(app, 1)
    if event and end == "event deleted":
        await client.call("EventService/DeleteEvents", {"id": held["eventId"]})
    elif event:
        change = {"status": "done"} if end == "event done" else {"service": "billing"}
        attributes = {**event["attributes"], **change}
        await client.call("EventService/UpdateEvent", {"id": held["eventId"], "attributes": attributes})
    elif end == "force":
        await unlock(client, held, force=True, reason="a test")
    elif end == "expiry":
        await clock.forward(61)
    elif end == "moved":
        await client.call("LockService/UpdateLock", {"id": held["id"], "service": "billing"})
    assert (await asyncio.wait_for(second, PATIENCE))["id"] != held["id"]


async def test_fifty_waiters_are_served_in_the_order_in_which_they_came(app: App, client: Client) -> None:
    held = await lock(client)
    waiters = []
    for number in range(50):
        waiters.append(waiter(client, who=str(number)))
        await waiting(app, number + 1)
    served = []
    for each in waiters:
        await unlock(client, held)
        held = await each
        served.append(held["who"])
    assert served == [str(number) for number in range(50)]


async def test_a_wait_that_ran_out_tells_the_holder_and_the_place(app: App, client: Client) -> None:
    held = await lock(client, reason="a migration")
    ahead = waiter(client)
    await waiting(app, 1)
    asked = time.monotonic()
    with pytest.raises(Refused, match=r"already locked.*waited in vain: place 2 of 2") as refused:
        await lock(client, wait="0.3s")
    assert time.monotonic() - asked >= 0.3
    assert (refused.value.code, refused.value.reason) == ("ALREADY_EXISTS", "LOCK_WAIT_TIMEOUT")
    metadata = refused.value.metadata
    assert (metadata["lock_id"], metadata["reason"]) == (held["id"], "a migration")
    assert (metadata["place"], metadata["waiting"]) == ("2", "2")
    await gone_away(ahead)


async def test_a_held_lock_is_listed_with_those_who_wait_for_it(app: App, client: Client) -> None:
    held = await lock(client)
    await lock(client, service="other")
    ahead = waiter(client, who="ana", reason="a fix")
    await waiting(app, 1)
    behind = waiter(client, who="bo")
    await waiting(app, 2)
    listed = (await client.call("LockService/ListLocks"))["waiters"]
    assert [(each["lockId"], each["place"], each["who"]) for each in listed] == [
        (held["id"], 1, "ana"),
        (held["id"], 2, "bo"),
    ]
    assert listed[0]["reason"] == "a fix"
    assert listed[0]["since"] <= listed[1]["since"]
    assert (await client.call("LockService/GetLock", {"id": held["id"]}))["waiters"] == listed
    await gone_away(ahead, behind)


async def test_whoever_asks_again_with_its_token_has_kept_its_place(app: App, client: Client) -> None:
    held = await lock(client)
    token = a_token()
    with pytest.raises(Refused, match="place 1 of 1"):
        await lock(client, who="ana", lockToken=token, wait="0.1s")
    behind = waiter(client, who="bo")
    await waiting(app, 1)
    first = waiter(client, who="ana", lockToken=token)
    await waiting(app, 2)
    await unlock(client, held)
    taken = await first
    assert taken["who"] == "ana"
    await unlock(client, taken, lockToken=token)
    assert (await behind)["who"] == "bo"


async def test_a_place_whose_caller_is_away_is_passed_over(app: App, client: Client) -> None:
    held = await lock(client)
    with pytest.raises(Refused):
        await lock(client, lockToken=a_token(), wait="0.1s")
    behind = waiter(client, who="bo")
    await waiting(app, 1)
    await unlock(client, held)
    assert (await behind)["who"] == "bo"


async def test_nobody_gets_ahead_of_those_who_wait(app: App, client: Client) -> None:
    for _ in range(10):
        held = await lock(client)
        first = waiter(client, who="first")
        await waiting(app, 1)
        attempts: list[Coroutine[Any, Any, Any]] = [
            unlock(client, held),
            *(lock(client, who="barging") for _ in range(5)),
            create(client, "barging", **RUNNING),
            lock(client, who="barging", lockToken=a_token()),
        ]
        answers = await asyncio.gather(*attempts, return_exceptions=True)
        assert all(isinstance(answer, Refused) and answer.reason == "LOCK_HELD" for answer in answers[1:])
        held = await first
        assert held["who"] == "first"
        await unlock(client, held)


async def test_an_update_of_an_event_does_not_get_ahead_either(app: App, client: Client) -> None:
    event = await create(client, status="planned", environment="production")
    begun = {**event["attributes"], "status": "start"}
    held = await lock(client)
    first = waiter(client, who="first")
    await waiting(app, 1)
    _, refused = await asyncio.gather(
        unlock(client, held),
        client.call("EventService/UpdateEvent", {"id": event["metadata"]["id"], "attributes": begun}),
        return_exceptions=True,
    )
    assert isinstance(refused, Refused)
    assert refused.message.startswith("cannot update event: service payments is already locked")
    assert (await first)["who"] == "first"


async def test_the_holder_that_asks_again_is_not_made_to_wait(app: App, client: Client) -> None:
    token = a_token()
    held = await lock(client, ttl="60s", lockToken=token)
    behind = waiter(client)
    await waiting(app, 1)
    for wait in ("0s", "60s"):
        again = await take(client, ttl="60s", lockToken=token, wait=wait)
        assert (again["replayed"], again["lock"]["id"]) == (True, held["id"])
    await gone_away(behind)


async def test_calls_that_wait_with_one_token_share_a_place_and_get_one_lock(
    app: App, client: Client
) -> None:
    held = await lock(client)
    token = a_token()
    calls = [asyncio.ensure_future(take(client, lockToken=token, wait="60s")) for _ in range(4)]
    await waiting(app, 4)
    with pytest.raises(Refused, match="place 2 of 2"):
        await lock(client, wait="0.1s")
    await unlock(client, held)
    answers = await asyncio.gather(*calls)
    assert len({answer["lock"]["id"] for answer in answers}) == 1
    assert sum(not answer["replayed"] for answer in answers) == 1
    assert len(await locks(client)) == 1


async def test_waiters_that_vanish_leave_no_lock_behind(app: App, client: Client) -> None:
    held = await lock(client)
    tokens = [a_token() for _ in range(200)]
    waiters = [
        waiter(client, who="vanished", **({"lockToken": token} if number % 2 else {}))
        for number, token in enumerate(tokens)
    ]
    await waiting(app, 200)
    vanishing = asyncio.ensure_future(gone_away(*waiters))
    await unlock(client, held)  # while they go
    await vanishing
    await waiting(app, 0)
    won = [each.result() for each in waiters if not each.cancelled() and each.exception() is None]
    for taken in won:  # answered before it was cancelled: held, and known to be
        await unlock(client, taken, force=True, reason="a test")
    mine = await lock(client, who="mine", wait="10s")
    assert (await locks(client)) == [mine]
    await unlock(client, mine)
    spent = {taken["who"] for taken in won}
    assert len(won) <= 1
    for token in (tokens[1], tokens[199]) if not spent else ():
        again = await lock(client, lockToken=token)
        await unlock(client, again, lockToken=token)


async def test_a_wait_may_be_longer_than_any_other_call(settings: Settings) -> None:
    async with server(replace(settings, call_timeout=0.5)) as client:
        await lock(client, ttl="1s")
        assert (await lock(client, wait="30s", who="bo"))["who"] == "bo"


async def test_a_server_that_stops_sends_those_who_wait_away_at_once(settings: Settings) -> None:
    log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
    app = App(replace(settings, shutdown_grace=20), log)
    async with app:
        address = "{}:{}".format(*app.grpc_address)
        http = http_client(app.http_address)
        channel = grpc.aio.insecure_channel(address)
        held = await lock(RestClient(http), ttl="60s")
        waiters = [waiter(RestClient(http)), waiter(GrpcClient(channel))]
        await waiting(app, 2)
    for each in waiters:
        with pytest.raises(Refused) as refused:
            await each
        assert (refused.value.code, refused.value.reason) == ("UNAVAILABLE", "SHUTTING_DOWN")
    await http.aclose()
    await channel.close()
    async with server(settings) as client:
        assert await locks(client) == [held]
