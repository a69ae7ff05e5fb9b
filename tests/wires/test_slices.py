"""Calls that arrive together leave the event loop free in between."""

from __future__ import annotations

import asyncio
from time import thread_time
from typing import TYPE_CHECKING

from tests.patience import PATIENCE

from tracker.api.calls.endpoint import Endpoint
from tracker.api.calls.slices import NEXT, SECONDS, Slices
from tracker.services.context import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.api.calls.endpoint import Read

CALLS = 40


async def _nothing() -> None:
    pass


class _Calls:
    """Calls of two endpoints, one of them quiet, that keep the loop for a fifth of a slice each."""

    def __init__(self) -> None:
        self.started: list[str] = []
        slices = Slices()
        self._normal = slices.wrap(Endpoint("normal", self._answer, None), self._answer)
        self._quiet = slices.wrap(Endpoint("quiet", self._answer, None, quiet=True), self._answer)

    async def _answer(self, _read: Read, call: Call) -> None:
        self.started.append(call.request_id)
        end = thread_time() + SECONDS / 5
        while thread_time() < end:
            pass

    def begin(self, names: Sequence[str], *, quiet: bool = False) -> list[asyncio.Task[None]]:
        """Make calls in tasks of their own, as wires do."""

        async def one(name: str) -> None:
            handle = self._quiet if quiet else self._normal
            await handle(_nothing, Call("rest", name, "peer"))

        return [asyncio.ensure_future(one(name)) for name in names]


async def test_calls_that_arrive_together_start_in_several_rounds_of_the_loop() -> None:
    calls, names = _Calls(), [str(number) for number in range(CALLS)]
    tasks = calls.begin(names)
    most = before = 0
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        most, before = max(most, len(calls.started) - before), len(calls.started)
    assert calls.started == names  # in the order in which they came
    assert most <= NEXT


async def test_a_probe_does_not_wait_for_calls_that_do() -> None:
    calls = _Calls()
    tasks = calls.begin([str(number) for number in range(CALLS)])
    await asyncio.sleep(0)
    (probe,) = calls.begin(["probe"], quiet=True)
    await probe
    assert calls.started.index("probe") <= 2 * NEXT
    await asyncio.gather(*tasks)


async def test_a_call_that_is_cancelled_while_it_waits_is_not_made() -> None:
    calls, names = _Calls(), [str(number) for number in range(CALLS)]
    tasks = calls.begin(names)
    await asyncio.sleep(0)
    begun = len(calls.started)
    for task in tasks[begun:-1]:
        task.cancel()
    await asyncio.wait(tasks, timeout=PATIENCE)
    assert calls.started == [*names[:begun], names[-1]]


async def test_a_call_alone_starts_at_once() -> None:
    calls = _Calls()
    for name in "abc":
        (task,) = calls.begin([name])
        await asyncio.sleep(0)
        assert task.done()
        await asyncio.sleep(0)
    assert calls.started == ["a", "b", "c"]
