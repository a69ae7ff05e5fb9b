"""Consumers of the change log: each is run by one server at a time, and resumes where it stopped."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from tracker.errors import TrackerError
from tracker.stores.changes import Batch, ChangesForgottenError, ConsumerState, Position

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AsyncExitStack

    from tracker.services.context import Clock, Context
    from tracker.stores.base import Store
    from tracker.stores.changes import Change, RecordKind
    from tracker.supervision import Supervisor

LEASE_SECONDS: Final = 20.0
"""After which another server takes over a consumer whose state has not changed."""

RENEW_SECONDS: Final = 5.0
"""After which its server confirms that it still runs a consumer."""

HANDLE_SECONDS: Final = 10.0
"""How long a batch may take: it ends before another server takes over."""


FAR_BEHIND: Final = 10_000
"""Changes left to handle from which on a consumer makes no pause."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """Handles changes, each at least once, in order.

    `handle` is called with up to `batch` consecutive changes, and returns within `HANDLE_SECONDS`. If it
    raises, or its server dies, it is called with them again. A new consumer begins with the next change, or
    `from_oldest` with the oldest one that is kept; its name must not change. After a change it waits
    `gather_seconds` for others, and after a full batch `pause_seconds`, unless it lags far behind.

    `kinds` returns the kinds of records whose changes are of use, or None for all; the others are skipped. If
    it returns something else after `handle`, the consumer is given what follows the first of these changes.
    `begin` is called where the next changes do not follow those before: others may have been missed.
    """

    name: str
    handle: Callable[[Sequence[Change]], Awaitable[None]]
    batch: int = 100
    from_oldest: bool = False
    gather_seconds: float = 0.0
    pause_seconds: float = 0.0
    kinds: Callable[[], Sequence[RecordKind] | None] = lambda: None
    begin: Callable[[], None] = lambda: None


class ConsumerObserver(Protocol):
    """What is reported of consumers, for metrics."""

    def consumer_lag(self, consumer: str, changes: int) -> None:
        """A consumer that this server runs has this many changes left to handle."""

    def consumer_left(self, consumer: str) -> None:
        """This server no longer runs a consumer."""


class ConsumerRunner:
    """Runs a consumer on one server, or waits until no other server does.

    Its lease ends as those of locks do: another server has seen its state unchanged for the whole lease, on
    the monotonic clock of its own machine. Wall clocks do not matter.
    """

    def __init__(
        self, consumer: Consumer, store: Store, context: Context, observer: ConsumerObserver, clock: Clock
    ) -> None:
        self.task = f"consumer_{consumer.name}"
        self._consumer = consumer
        self._changes = store.changes
        self._store = store.consumers
        self._log = context.log
        self._server = context.new_id()
        self._observer = observer
        self._clock = clock
        self._mine: ConsumerState | None = None
        self._position = Position("")
        """How far it has come: where changes are of no use, the stored state is behind."""
        self._confirmed = 0.0
        self._seen: tuple[ConsumerState, float] | None = None
        self._grown = asyncio.Event()
        store.changes.notify(self._grown.set)

    async def start(self, tasks: Supervisor, opened: AsyncExitStack) -> None:
        """Run the consumer in a background task, until what was opened is closed.

        A new consumer begins before this returns: it is given each change that is made after that.
        """
        with suppress(TrackerError):  # then the task begins
            await self._stored()
        tasks.repeat(self.task, self.work)
        opened.push_async_callback(self.let_go)
        opened.push_async_callback(tasks.stop, self.task)

    async def work(self) -> None:
        """Handle or await the next changes, or the end of another server's lease: one round of a task."""
        self._grown.clear()
        if self._mine is None and not await self._take_over():
            await self._clock.sleep(RENEW_SECONDS)
        elif self._mine is not None and self._clock.elapsed() - self._confirmed > RENEW_SECONDS:
            await self._put(self._position, self._mine)
        if self._mine is not None and not await self._handle_next(self._mine):
            await self._wait()

    async def let_go(self) -> None:
        """Let another server run the consumer, once the background task has ended."""
        # Not from `_mine`: what the task was storing when it was stopped may be stored since.
        with suppress(TrackerError):  # then its lease ends, as after a crash
            while (stored := await self._store.get(self._consumer.name)) and stored.server == self._server:
                await self._store.put(self._consumer.name, replace(stored, server=""), stored)
        if self._mine is not None:
            self._leave()

    async def _take_over(self) -> bool:
        """Run the consumer from now on, unless another server does."""
        stored = await self._stored()
        if stored.server not in ("", self._server) and not self._is_over(stored):
            return False
        self._consumer.begin()
        return await self._put(stored.position, stored)

    async def _stored(self) -> ConsumerState:
        """Return the state of the consumer; a new one begins."""
        begin = self._changes.oldest if self._consumer.from_oldest else self._changes.end
        while (stored := await self._store.get(self._consumer.name)) is None:
            await self._store.put(self._consumer.name, ConsumerState(await begin(), "", 0), None)
        return stored

    def _is_over(self, stored: ConsumerState) -> bool:
        now = self._clock.elapsed()  # after the answer: a state is never counted from before it existed
        if self._seen is None or self._seen[0] != stored:
            self._seen = (stored, now)
        return now - self._seen[1] >= LEASE_SECONDS

    async def _handle_next(self, mine: ConsumerState) -> bool:
        """Handle the next changes; return whether there may be more."""
        position, kinds = self._position, self._consumer.kinds()
        changes, after = await self._read(position, kinds)
        full = after.number - position.number >= self._consumer.batch
        end = await self._changes.end() if full else after
        self._observer.consumer_lag(self._consumer.name, max(0, end.number - position.number))
        if changes:
            async with asyncio.timeout(HANDLE_SECONDS):
                await self._consumer.handle(changes)
            if self._consumer.kinds() != kinds:
                after, full = changes[0].position, True
            if not await self._put(after, mine):
                return False
        self._position = after
        self._observer.consumer_lag(self._consumer.name, end.number - after.number)
        if full and end.number - after.number < FAR_BEHIND:
            await asyncio.sleep(self._consumer.pause_seconds)
        return full

    async def _read(self, position: Position, kinds: Sequence[RecordKind] | None) -> Batch:
        try:
            return await self._changes.read(position, self._consumer.batch, kinds)
        except ChangesForgottenError:
            # A position ahead of the log: an older copy was restored, all of which has been handled.
            end = await self._changes.end()
            is_ahead = position.log == end.log and position.number > end.number
            resumed = end if is_ahead else await self._changes.oldest()
            fields = {"position": position.number, "resumed": resumed.number}
            self._log.error("changes lost to a consumer", consumer=self._consumer.name, **fields)
            self._consumer.begin()
            return Batch((), resumed)

    async def _put(self, position: Position, before: ConsumerState) -> bool:
        """Store how far the consumer has come; return False where another server has taken it over."""
        began = self._clock.elapsed()
        state = ConsumerState(position, self._server, before.beats + 1)
        if await self._store.put(self._consumer.name, state, before):
            self._mine, self._position, self._confirmed = state, position, began
            return True
        self._leave()
        return False

    def _leave(self) -> None:
        self._mine = None
        self._observer.consumer_left(self._consumer.name)

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(min(RENEW_SECONDS, self._changes.poll_seconds or RENEW_SECONDS)):
                await self._grown.wait()
        await asyncio.sleep(self._consumer.gather_seconds)
