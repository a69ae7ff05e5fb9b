from __future__ import annotations

import asyncio
import inspect
import socket

import pymongo.lock
from pymongo.errors import ServerSelectionTimeoutError
from tests.patience import PATIENCE
from tests.stores.observations import Observations

from tracker.stores.mongo.database import Database


def test_the_driver_waits_by_the_name_that_is_replaced() -> None:
    assert "wait_for" in inspect.getsource(pymongo.lock).partition("def _async_cond_wait")[2]


async def test_calls_that_are_cancelled_while_they_wait_for_a_primary_harm_no_others() -> None:
    async def cancel(call: asyncio.Task[None], turns: int) -> None:
        await asyncio.sleep(0.495)  # the driver waits for half a second at a time
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        call.cancel()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        uri = f"mongodb://127.0.0.1:{port}/?serverSelectionTimeoutMS=1200"
        database = Database(uri, Observations())
        database.open()
        given_up = [asyncio.ensure_future(database.reach()) for _ in range(200)]
        others = [asyncio.ensure_future(database.reach()) for _ in range(20)]
        await asyncio.gather(*(cancel(call, number % 40) for number, call in enumerate(given_up)))
        async with asyncio.timeout(PATIENCE):
            ended = await asyncio.gather(*given_up, *others, return_exceptions=True)
        await database.close()
    assert {type(each) for each in ended[:200]} == {asyncio.CancelledError}
    assert {type(each) for each in ended[200:]} == {ServerSelectionTimeoutError}
