"""Callers that go away at the moment when they get their lock, over both wires."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest
import structlog
from protobuf import message_from_json_value
from tests.behaviour.locks import a_token, lock, locks, take, unlock
from tests.behaviour.servers import waiting
from tests.clients import Refused, RestClient, http_client
from tests.patience import PATIENCE

from tracker.app import App
from tracker.pb import lock_pb

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from structlog.typing import EventDict
    from tests.clients import Client

    from tracker.config.settings import Settings

VANISHED: dict[str, Any] = {"service": "payments", "environment": "production", "who": "vanished"}
IN_FLIGHT = 0.1
"""Seconds for which the server stands still, so that the news of its client's end is on its way."""


class Granting:
    """Calls `hook` at the moment when a lock is granted to a caller that will vanish."""

    def __init__(self) -> None:
        self.hook: Callable[[], object] = lambda: None
        self.granted = asyncio.Event()

    def __call__(self, _logger: object, _level: str, event: EventDict) -> EventDict:
        if (event["event"], event.get("who")) == ("lock created", VANISHED["who"]):
            self.hook()
            time.sleep(IN_FLIGHT)
            self.granted.set()
        raise structlog.DropEvent


@asynccontextmanager
async def server(settings: Settings) -> AsyncIterator[tuple[App, Client, Granting]]:
    granting = Granting()
    log = structlog.wrap_logger(
        None, processors=[granting], wrapper_class=structlog.make_filtering_bound_logger(20)
    )
    async with App(settings, log) as app, http_client(app.http_address) as http:
        yield app, RestClient(http), granting


def connected(app: App, body: dict[str, Any], *headers: str) -> socket.socket:
    """Return the connection of a client that has sent a request for a lock."""
    connection = socket.create_connection(app.http_address)
    text = json.dumps(body)
    lines = [
        "POST /api/v1alpha1/lock HTTP/1.1",
        "Host: localhost",
        f"Content-Length: {len(text)}",
        *headers,
        "",
        text,
    ]
    connection.sendall("\r\n".join(lines).encode())
    connection.setblocking(False)  # noqa: FBT003 - its only argument
    return connection


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


async def asked(wire: str, app: App, body: dict[str, Any]) -> Callable[[], object]:
    """Ask for a lock; return what makes the caller go away."""
    if wire != "grpc":
        return connected(app, body, *(["Connection: close"] if wire == "rest, once" else [])).close
    channel = grpc.aio.insecure_channel("{}:{}".format(*app.grpc_address))
    create: grpc.aio.UnaryUnaryMultiCallable[Any, Any] = channel.unary_unary(
        "/tracker.lock.v1alpha1.LockService/CreateLock",
        request_serializer=lambda message: message.to_binary(),
    )
    call = create(message_from_json_value(lock_pb.CreateLockRequest, body))
    return call.cancel


async def free(client: Client) -> None:
    async with asyncio.timeout(PATIENCE):
        while await locks(client):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("wire", ["grpc", "rest", "rest, once"])
async def test_a_lock_whose_waiter_goes_away_as_it_gets_it_is_given_back(
    settings: Settings, wire: str
) -> None:
    async with server(settings) as (app, client, granting):
        held = await lock(client)
        token = a_token()
        granting.hook = await asked(wire, app, {**VANISHED, "wait": "60s", "lockToken": token})
        await waiting(app, 1)
        await unlock(client, held)
        await asyncio.wait_for(granting.granted.wait(), PATIENCE)
        await free(client)
        again = await take(client, lockToken=token)
        assert not again["replayed"]
        assert again["lock"]["fencingToken"] > held["fencingToken"]


async def test_an_answer_that_nobody_reads_is_not_delivered(settings: Settings) -> None:
    async with server(settings) as (app, client, _):
        connection = connected(app, VANISHED)
        await asyncio.get_running_loop().sock_recv(connection, 10)
        assert len(await locks(client)) == 1
        connection.close()
        await free(client)


@pytest.mark.parametrize("headers", [(), ("Connection: close",)])
async def test_whoever_has_read_the_answer_holds_the_lock(
    settings: Settings, headers: tuple[str, ...]
) -> None:
    async with server(settings) as (app, client, _):
        loop = asyncio.get_running_loop()
        connection = connected(app, VANISHED, *headers)
        assert b'"fencingToken"' in await loop.sock_recv(connection, 100_000)
        connection.close()
        connection = connected(app, {**VANISHED, "service": "billing"})
        await loop.sock_recv(connection, 100_000)
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await loop.sock_recv(connection, 100_000)
        reset(connection)
        await client.call("LockService/CreateLock", {"service": "search"})
        assert len(await locks(client)) == 3


async def test_a_lock_taken_with_an_idempotency_key_is_kept_for_the_retry(settings: Settings) -> None:
    async with server(settings) as (app, client, granting):
        connection = connected(app, VANISHED, "Idempotency-Key: k")
        granting.hook = connection.close
        async with asyncio.timeout(PATIENCE):
            while not await locks(client):
                await asyncio.sleep(0.01)
        retried = None
        async with asyncio.timeout(PATIENCE):
            while retried is None:
                try:
                    retried = await client.call("LockService/CreateLock", VANISHED, key="k")
                except Refused as refused:  # the first call may still be storing its answer
                    if refused.args[0] != "ABORTED":
                        raise
                    await asyncio.sleep(0.01)
        assert await locks(client) == [retried["lock"]]


async def test_a_lock_that_was_waited_for_has_a_lease(client: Client) -> None:
    assert (await lock(client, wait="1s"))["ttl"] == "14400s"
    assert (await lock(client, wait="1s", ttl="5s", service="billing"))["ttl"] == "5s"
    assert not (await lock(client, wait="0s", service="search")).get("ttl")


async def test_a_call_with_a_deadline_is_answered_before_it_has_passed(app: App, client: Client) -> None:
    await lock(client)
    channel = grpc.aio.insecure_channel("{}:{}".format(*app.grpc_address))
    create: grpc.aio.UnaryUnaryMultiCallable[Any, Any] = channel.unary_unary(
        "/tracker.lock.v1alpha1.LockService/CreateLock",
        request_serializer=lambda message: message.to_binary(),
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await create(
            message_from_json_value(lock_pb.CreateLockRequest, {**VANISHED, "wait": "60s"}), timeout=1.5
        )
    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS
    await channel.close()
