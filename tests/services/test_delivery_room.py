"""How the memory for measuring deliveries is bounded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tracker.api.calls.answers import Answer, UnsentAnswers
from tracker.errors import TrackerError
from tracker.services.context import Call
from tracker.services.delivery.records import Room

if TYPE_CHECKING:
    from collections.abc import Callable

MANY, MOST = 20_000, 30_000


class _Unobserved:
    def unsent_bytes(self, read: Callable[[], float]) -> None:
        """Nobody asks."""

    def answer_refused(self) -> None:
        """Nobody counts."""


def a_call() -> Call:
    call = Call("rest", "1", "")
    call.hold_by(Answer(UnsentAnswers(16, _Unobserved()), refusable=True))
    return call


async def test_of_calls_with_many_records_one_is_measured_at_a_time() -> None:
    room, read, over = Room(MOST), asyncio.Event(), asyncio.Event()

    async def other() -> None:
        async with room.counting(a_call()) as counting:
            await counting.add(5)  # few need no turn
            read.set()
            await counting.add(MANY)
            over.set()

    async with room.counting(a_call()) as first:
        await first.add(MANY)
        await first.add(5)
        waits = asyncio.create_task(other())
        await read.wait()
        await asyncio.sleep(0)
        assert not over.is_set()
    await asyncio.wait_for(waits, 5)


async def test_a_call_with_too_many_is_refused_and_the_next_one_has_its_turn() -> None:
    room = Room(MOST)
    async with room.counting(a_call()) as counting:
        await counting.add(MANY)
        with pytest.raises(TrackerError, match="up to 30,000 deployments"):
            await counting.add(MANY)
    async with room.counting(a_call()) as counting:
        await asyncio.wait_for(counting.add(MANY), 5)
