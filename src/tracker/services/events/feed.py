"""What the watches of one server share: one reader of the log, and the changes that came last."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tracker.errors import Reason, TrackerError
from tracker.stores.changes import ChangesForgottenError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tracker.services.context import Context
    from tracker.stores.changes import EventLog, LoggedChange

MOST_WATCHES = 5_000
"""How many watches a server bears at a time."""

RECENT = 500
"""How many changes are kept in memory, for the watches that are up to date."""

_PAGE = 100
_RETRY_SECONDS = 0.5


class EventFeed:
    """Gives every watch the changes behind the place that it has come to.

    However slow whoever listens is, nothing is kept for one watch: it is a number, and what is behind it is
    taken from the changes that came last, or from the log.
    """

    def __init__(self, log: EventLog, context: Context) -> None:
        self.log = log
        self._context = context
        self._recent: list[LoggedChange] = []
        self._end = 0
        self._grown = asyncio.Event()
        self._news: asyncio.Future[None] | None = None
        self._watches = 0
        self._following: asyncio.Task[None] | None = None
        self._draining = False
        log.notify(self._grown.set)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Follow the log while anybody watches.

        Raises:
            TrackerError: RESOURCE_EXHAUSTED for one watch too many; UNAVAILABLE while the server stops.
        """
        if self._watches >= MOST_WATCHES:
            raise TrackerError(Reason.TOO_MANY_WATCHES, f"{MOST_WATCHES} watches are under way")
        self._require_open()
        self._watches += 1
        try:
            if self._following is None:
                self._recent, self._end = [], await self.log.end()
                self._following = self._following or asyncio.create_task(self._follow())
            yield
        finally:
            self._watches -= 1
            if not self._watches and self._following is not None:
                self._following.cancel()
                self._following = None

    async def changes(self, after: int) -> Sequence[LoggedChange]:
        """Return the next changes behind a number, as soon as there are any.

        Raises:
            ChangesForgottenError: They are no longer kept.
            TrackerError: UNAVAILABLE while the server stops, or where the store can't be read.
        """
        while after >= self._end:
            self._require_open()
            if self._news is None:
                self._news = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._news)
        self._require_open()
        if self._recent and self._recent[0].number <= after + 1:
            first = after + 1 - self._recent[0].number
            return self._recent[first : first + _PAGE]
        return await self.log.read(after, _PAGE)

    def drain(self) -> None:
        """End all watches: who watched goes on elsewhere."""
        self._draining = True
        self._tell()

    async def _follow(self) -> None:
        """Read what is new, as long as this is the task that follows.

        A database may swallow the cancellation of a read: two tasks would then tell everything twice.
        """
        failing = False
        while self._is_following():
            self._grown.clear()
            try:
                more = await self._read()
                failing = False
            except TrackerError as error:
                if not failing:
                    self._context.log.warning("events can't be followed", error=error.message)
                failing = True
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            except Exception:  # a defect must not end the watches: they would hear nothing more
                self._context.log.exception("defect", method="event feed")
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            if not more:
                await self._wait()

    async def _read(self) -> bool:
        """Take the next changes in; return whether there may be more."""
        try:
            changes = await self.log.read(self._end, RECENT)
        except ChangesForgottenError:  # the server was away for long; the watches find out for themselves
            end = await self.log.end()
            if self._is_following():
                self._recent, self._end = [], end
                self._tell()
            return True
        if changes and self._is_following():
            self._recent = [*self._recent, *changes][-RECENT:]
            self._end = changes[-1].number
            self._tell()
        return len(changes) == RECENT

    def _is_following(self) -> bool:
        return self._following is asyncio.current_task()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self.log.poll_seconds):
                await self._grown.wait()
        except TimeoutError:
            return

    def _tell(self) -> None:
        news, self._news = self._news, None
        if news is not None:
            news.set_result(None)

    def _require_open(self) -> None:
        if self._draining:
            raise TrackerError(
                Reason.DRAINING,
                "the server is stopping; watch on from the last resume_token at another one",
            )
