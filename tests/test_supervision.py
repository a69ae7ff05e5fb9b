from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import structlog
from structlog.testing import capture_logs

from tracker import supervision
from tracker.errors import Reason, SetupError, TrackerError
from tracker.supervision import Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BOUND = 60.0


@dataclass
class Observed:
    healthy: dict[str, bool] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def task_healthy(self, task: str, healthy: bool) -> None:
        self.healthy[task] = healthy

    def task_failed(self, task: str) -> None:
        self.failures.append(task)

    def task_stopped(self, task: str) -> None:
        del self.healthy[task]


@pytest.fixture
def observed() -> Observed:
    return Observed()


@pytest.fixture
async def tasks(observed: Observed, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Supervisor]:
    monkeypatch.setattr(supervision, "_FIRST_PAUSE", 0.01)
    tasks = Supervisor(structlog.get_logger(), observed)
    yield tasks
    await tasks.close()


@pytest.mark.parametrize(
    "error", [TrackerError(Reason.STORE_UNAVAILABLE, "the disk is full"), SetupError("the disk is full")]
)
async def test_a_task_that_fails_is_repeated_after_pauses_that_grow(
    tasks: Supervisor, observed: Observed, error: Exception
) -> None:
    clock = asyncio.get_running_loop().time
    attempts: list[float] = []
    works = asyncio.Event()

    async def work() -> None:
        attempts.append(clock())
        if len(attempts) <= 5:
            raise error
        works.set()
        await asyncio.Event().wait()

    with capture_logs() as lines:
        tasks.repeat("work", work)
        async with asyncio.timeout(BOUND):
            await works.wait()
    pauses = [later - earlier for earlier, later in itertools.pairwise(attempts)]
    assert all(pause >= 0.01 * 2**n * 0.9 for n, pause in enumerate(pauses))
    assert observed.failures == ["work"] * 5
    assert observed.healthy == {"work": False}
    warnings = [line for line in lines if line["log_level"] != "debug"]
    assert warnings == [
        {
            "event": "background task failed",
            "log_level": "warning",
            "task": "work",
            "error": "the disk is full",
        }
    ]


async def test_a_pause_is_bounded(tasks: Supervisor) -> None:
    attempts = 0
    many = asyncio.Event()

    async def work() -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 100:
            many.set()
        raise TrackerError(Reason.STORE_UNAVAILABLE, "the disk is full")

    tasks.repeat("work", work, max_pause=0.01)
    async with asyncio.timeout(BOUND):
        await many.wait()


async def test_a_task_that_works_again_is_healthy_and_its_pauses_begin_anew(
    tasks: Supervisor, observed: Observed
) -> None:
    rounds = 0
    works = asyncio.Event()

    async def work() -> None:
        nonlocal rounds
        rounds += 1
        if rounds in {1, 3}:
            raise ValueError(rounds)
        if rounds == 5:
            works.set()
            await asyncio.Event().wait()

    with capture_logs() as lines:
        tasks.repeat("work", work)
        async with asyncio.timeout(BOUND):
            await works.wait()
    assert observed.healthy == {"work": True}
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("background task failed", "error"),
        ("background task works again", "info"),
    ] * 2


async def test_a_task_that_stops_has_ended_when_stop_returns(tasks: Supervisor, observed: Observed) -> None:
    ended = False

    async def work() -> None:
        nonlocal ended
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            ended = True

    tasks.repeat("work", work)
    await asyncio.sleep(0)
    await tasks.stop("work")
    assert ended
    assert observed.healthy == {}


async def test_a_task_that_swallows_a_cancellation_ends_all_the_same(tasks: Supervisor) -> None:
    swallowed = 0

    async def work() -> None:
        nonlocal swallowed
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            swallowed += 1
            if swallowed > 1:
                raise
            await asyncio.Event().wait()

    tasks.repeat("work", work)
    await asyncio.sleep(0)
    async with asyncio.timeout(BOUND):
        await tasks.stop("work")


async def test_what_is_to_be_finished_is_tried_until_it_succeeds(
    tasks: Supervisor, observed: Observed
) -> None:
    attempts = 0
    done = asyncio.Event()

    async def work() -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise TrackerError(Reason.STORE_UNAVAILABLE, "the disk is full")
        done.set()

    tasks.finish("work", work)
    async with asyncio.timeout(BOUND):
        await done.wait()
    await tasks.stop("work")
    assert attempts == 3
    assert observed.failures == ["work"] * 2


async def test_an_attempt_under_way_is_finished_and_the_last_when_its_task_is_stopped(
    tasks: Supervisor,
) -> None:
    attempts = 0

    async def work() -> None:
        nonlocal attempts
        await asyncio.sleep(0.05)
        attempts += 1
        raise TrackerError(Reason.STORE_UNAVAILABLE, "the disk is full")

    tasks.finish("work", work)
    async with asyncio.timeout(BOUND):
        await tasks.stop("work")
    assert attempts == 1


async def test_the_task_started_last_ends_first(tasks: Supervisor) -> None:
    ended: list[str] = []

    def named(name: str) -> None:
        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(name)

        tasks.repeat(name, work)

    for name in ("a", "b", "c"):
        named(name)
    await asyncio.sleep(0)
    await tasks.close()
    assert ended == ["c", "b", "a"]
