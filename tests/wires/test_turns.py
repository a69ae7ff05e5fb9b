"""Shares of callers that make calls at the same time, however many."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from tests.patience import PATIENCE

from tracker.api.calls.turns import AT_ONCE, Turns
from tracker.services.context import Call

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from tracker.api.calls.endpoint import Read

CALLS = 2_000


async def nothing() -> None:
    pass


async def shares(connections: Mapping[str, int], work: Callable[[], Awaitable[None]]) -> Counter[str]:
    """Let each caller make calls on its connections, one after another; return whose were answered first."""
    turns, answered = Turns(), Counter[str]()

    async def handler(read: Read, _call: Call) -> None:
        await read()
        await work()

    async def connection(caller: str) -> None:
        call = Call("rest", "id", caller)
        while answered.total() < CALLS:
            if turns.are_shared(caller, 0.0):
                await turns.start(caller, handler, nothing, call)
            else:
                await handler(nothing, call)
            if answered.total() < CALLS:
                answered[caller] += 1
            await asyncio.sleep(0)  # the answer goes to the client, and its next request comes

    async with asyncio.TaskGroup() as group:
        for caller, number in connections.items():
            for _ in range(number):
                group.create_task(connection(caller))
    return answered


async def at_once() -> None:
    """Do what is done without waiting, such as to read a record of the embedded store."""


async def a_few_rounds() -> None:
    """Wait for a few rounds of the event loop, as a change waits for its commit."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("work", [at_once, a_few_rounds])
@pytest.mark.parametrize("few", [5, 10, 50])
async def test_two_callers_get_the_same_share_however_many_calls_they_make(
    few: int, work: Callable[[], Awaitable[None]]
) -> None:
    answered = await shares({"few": few, "many": 10 * few}, work)
    assert min(answered["few"], answered["many"]) >= 0.45 * answered.total()


async def test_many_callers_get_the_same_share() -> None:
    answered = await shares({str(number): 5 * (number + 1) for number in range(8)}, at_once)
    assert min(answered.values()) >= 0.9 * answered.total() / 8


async def test_a_call_waits_for_no_more_than_a_few_of_another_caller() -> None:
    answered = await shares({"few": 1, "many": 200}, at_once)
    assert answered["few"] >= answered.total() / (AT_ONCE + 2)


async def test_a_caller_alone_does_not_wait() -> None:
    turns = Turns()
    assert not any(turns.are_shared("one", second) for second in (0.0, 0.1, 0.2))
    assert turns.are_shared("other", 0.3)
    assert turns.are_shared("one", 0.4)
    assert not turns.are_shared("one", 1.5)


async def test_calls_that_take_long_do_not_keep_others_waiting() -> None:
    turns, held = Turns(), asyncio.Event()

    async def wait(_read: Read, _call: Call) -> None:
        await held.wait()

    async def answer(_read: Read, _call: Call) -> str:
        return "answered"

    waiting = [
        asyncio.create_task(turns.start("one", wait, nothing, Call("rest", "id", ""))) for _ in range(50)
    ]
    async with asyncio.timeout(PATIENCE):
        assert await turns.start("other", answer, nothing, Call("rest", "id", "")) == "answered"
        held.set()
        await asyncio.gather(*waiting)


async def test_the_turn_of_a_cancelled_call_is_given_to_the_next() -> None:
    turns, held, begun = Turns(), asyncio.Event(), []

    async def wait(_read: Read, call: Call) -> None:
        begun.append(call.request_id)
        await held.wait()

    calls = [
        asyncio.create_task(turns.start("one", wait, nothing, Call("rest", str(number), "")))
        for number in range(AT_ONCE + 3)
    ]
    for _ in range(3 * AT_ONCE):
        await asyncio.sleep(0)
    assert len(begun) == AT_ONCE
    calls[0].cancel()
    calls[AT_ONCE].cancel()
    held.set()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, asyncio.CancelledError) for result in results) == 2
    assert len(begun) == AT_ONCE + 2
