"""Background tasks: starts, names, retries, observes and stops them."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from tracker.errors import SetupError, TrackerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from structlog.typing import FilteringBoundLogger

    Work = Callable[[], Awaitable[object]]

_FIRST_PAUSE: Final = 0.5
_CANCEL_AGAIN: Final = 0.1
"""Seconds after which a task that has not ended is cancelled again: a driver may swallow a cancellation."""


class TaskObserver(Protocol):
    """What is reported of background tasks, for metrics."""

    def task_healthy(self, task: str, healthy: bool) -> None:  # noqa: FBT001 - what is reported
        """A task was started or works again, or has begun to fail."""

    def task_failed(self, task: str) -> None:
        """An attempt of a task failed."""

    def task_stopped(self, task: str) -> None:
        """The last task of a name has ended."""


@dataclass(eq=False, slots=True)
class _Task:
    name: str
    work: Work
    repeats: bool
    max_pause: float
    failures: int = 0
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    running: asyncio.Task[None] = field(init=False)

    async def pause(self) -> None:
        """Wait before the next attempt: twice as long after each consecutive failure."""
        seconds = min(_FIRST_PAUSE * 2 ** min(self.failures - 1, 16), self.max_pause)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stopping.wait()

    async def stop(self) -> None:
        self.stopping.set()
        while not self.running.done():
            if self.repeats:
                self.running.cancel()
            await asyncio.wait((self.running,), timeout=_CANCEL_AGAIN)


class Supervisor:
    """Runs background tasks under names, which are used in log lines and metrics.

    A part that starts a task stops it before it closes what the task uses; `close` stops the remaining ones.
    """

    def __init__(self, log: FilteringBoundLogger | None = None, observer: TaskObserver | None = None) -> None:
        self.log: FilteringBoundLogger = structlog.get_logger() if log is None else log
        self._observer = observer
        self._tasks: dict[_Task, None] = {}  # in the order they were started

    def repeat(self, name: str, work: Work, *, max_pause: float = 5.0) -> None:
        """Repeat `work` until the task is stopped, which cancels it.

        `work` is one round, and waits until the next is due. A round that raises is repeated after a pause,
        which doubles up to `max_pause` seconds until a round succeeds.
        """
        self._start(_Task(name, work, repeats=True, max_pause=max_pause))

    def finish(self, name: str, work: Work, *, max_pause: float = 5.0) -> None:
        """Repeat `work` until it has succeeded once; `stop` waits for the current attempt."""
        self._start(_Task(name, work, repeats=False, max_pause=max_pause))

    async def stop(self, name: str) -> None:
        """End the tasks of a name, and return when they have ended."""
        await asyncio.gather(*(task.stop() for task in list(self._tasks) if task.name == name))

    async def close(self) -> None:
        """End all tasks, the one started last first."""
        while self._tasks:
            await next(reversed(self._tasks)).stop()

    def _start(self, task: _Task) -> None:
        self._tasks[task] = None
        self._healthy(task.name, healthy=True)
        task.running = asyncio.create_task(self._run(task), name=task.name)
        task.running.add_done_callback(lambda _: self._ended(task))

    def _ended(self, task: _Task) -> None:
        del self._tasks[task]
        if self._observer is not None and all(other.name != task.name for other in self._tasks):
            self._observer.task_stopped(task.name)

    async def _run(self, task: _Task) -> None:
        again = True
        while again:
            try:
                await task.work()
            except Exception as error:  # noqa: BLE001 - logged, and tried again: nobody else would do the work
                self._failed(task, error)
                await task.pause()
                again = not task.stopping.is_set()
            else:
                self._succeeded(task)
                again = task.repeats and not task.stopping.is_set()

    def _succeeded(self, task: _Task) -> None:
        if task.failures:
            task.failures = 0
            self.log.info("background task works again", task=task.name)
            self._healthy(task.name, healthy=True)

    def _failed(self, task: _Task, error: Exception) -> None:
        task.failures += 1
        if self._observer is not None:
            self._observer.task_failed(task.name)
        if task.failures > 1:
            self.log.debug("background task failed again", task=task.name, error=str(error))
        elif isinstance(error, (TrackerError, SetupError)):
            self.log.warning("background task failed", task=task.name, error=str(error))
        else:
            self.log.error("background task failed", task=task.name, exc_info=error)
        self._healthy(task.name, healthy=False)

    def _healthy(self, name: str, *, healthy: bool) -> None:
        if self._observer is not None:
            self._observer.task_healthy(name, healthy)


def stop_if_cancelled() -> None:
    """Raise a cancellation that a driver has lost: before Python 3.12, `asyncio.wait_for` may lose one."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
