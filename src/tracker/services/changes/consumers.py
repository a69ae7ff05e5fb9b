"""Consumers of the change log: each is run by one server at a time, and continues where it was."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from tracker.errors import TrackerError
from tracker.stores.changes import Batch, ChangesForgottenError, ConsumerState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tracker.services.context import Clock, Context
    from tracker.stores.base import Store
    from tracker.stores.changes import Change, Position

LEASE_SECONDS: Final = 20.0
"""After which another server takes a consumer over, if its state has not changed meanwhile."""

RENEW_SECONDS: Final = 5.0
"""After which its server confirms that it still runs a consumer."""

HANDLE_SECONDS: Final = 10.0
"""How long a batch may take: with the above, it is handled or given up before another server takes over."""

MAX_PAUSE: Final = 5.0
"""Seconds between two attempts of a consumer that fails, at most."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """What is to be done about changes.

    `handle` is given up to `batch` consecutive changes, and returns within `HANDLE_SECONDS`. Once it has
    returned, they are done with. If it raises, or its server dies, it is given them again: each change at
    least once, in order. A consumer that has never run begins with the next change; the name is for ever.
    """

    name: str
    handle: Callable[[Sequence[Change]], Awaitable[None]]
    batch: int = 100


class ConsumerObserver(Protocol):
    """What is reported of consumers, for metrics."""

    def consumer_lag(self, consumer: str, changes: int) -> None:
        """A consumer that this server runs has still to handle so many changes."""

    def consumer_left(self, consumer: str) -> None:
        """This server no longer runs a consumer."""


class ConsumerRunner:
    """Runs a consumer on one server, or waits until no other server does.

    The lease is decided as those of locks are: whoever waits has seen the state unchanged for the whole of
    it, on a clock of its own machine. So clocks that are set do no harm.
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
        self._confirmed = 0.0
        self._seen: tuple[ConsumerState, float] | None = None
        self._grown = asyncio.Event()
        store.changes.notify(self._grown.set)

    async def work(self) -> None:
        """Handle the next changes, or wait for some, or for the consumer: one round of a background task."""
        self._grown.clear()
        if self._mine is None and not await self._take_over():
            await self._clock.sleep(RENEW_SECONDS)
        elif self._mine is not None and self._clock.elapsed() - self._confirmed > RENEW_SECONDS:
            await self._put(self._mine.position, self._mine)
        if self._mine is not None and not await self._handle_next(self._mine.position):
            await self._wait()

    async def let_go(self) -> None:
        """Let another server run the consumer, once the background task has ended."""
        if self._mine is not None:
            with suppress(TrackerError):  # then its lease ends, as after a crash
                await self._store.put(self._consumer.name, replace(self._mine, server=""), self._mine)
            self._leave()

    async def _take_over(self) -> bool:
        """Run the consumer from now on, unless another server does."""
        stored = await self._store.get(self._consumer.name)
        if stored is not None and stored.server not in ("", self._server) and not self._is_over(stored):
            return False
        position = await self._changes.end() if stored is None else stored.position
        return await self._put(position, stored)

    def _is_over(self, stored: ConsumerState) -> bool:
        """Return whether the lease of another server is over."""
        now = self._clock.elapsed()  # taken after the answer: a state is never counted from before it was
        if self._seen is None or self._seen[0] != stored:
            self._seen = (stored, now)
        return now - self._seen[1] >= LEASE_SECONDS

    async def _handle_next(self, position: Position) -> bool:
        """Handle the next changes; return whether there may be more."""
        changes, after = await self._read(position)
        full = after.number - position.number >= self._consumer.batch
        end = await self._changes.end() if full else after
        self._observer.consumer_lag(self._consumer.name, max(0, end.number - position.number))
        if changes:
            async with asyncio.timeout(HANDLE_SECONDS):
                await self._consumer.handle(changes)
        if after != position and await self._put(after, self._mine):
            self._observer.consumer_lag(self._consumer.name, end.number - after.number)
        return full

    async def _read(self, position: Position) -> Batch:
        try:
            return await self._changes.read(position, self._consumer.batch)
        except ChangesForgottenError:
            # Ahead of a log that was put back to an older copy, all that is in it has been handled.
            end = await self._changes.end()
            is_ahead = position.log == end.log and position.number > end.number
            resumed = end if is_ahead else await self._changes.oldest()
            self._log.error(
                "changes lost to a consumer",
                consumer=self._consumer.name,
                position=position.number,
                resumed=resumed.number,
            )
            return Batch((), resumed)

    async def _put(self, position: Position, before: ConsumerState | None) -> bool:
        """Store how far the consumer has come; return False where another server has taken it over."""
        began = self._clock.elapsed()
        state = ConsumerState(position, self._server, before.beats + 1 if before is not None else 1)
        if await self._store.put(self._consumer.name, state, before):
            self._mine, self._confirmed = state, began
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
