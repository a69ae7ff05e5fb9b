"""The RPC of the event service that reports changes as they happen, and the feed that all watches share."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from tracker.domain.query.matching import matches
from tracker.domain.query.tree import EventFilter
from tracker.domain.times import timestamp
from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.pb import event_pb
from tracker.services.events.filters import with_query
from tracker.services.narrowing import visible
from tracker.services.paging import own, page_token, parse_page_token
from tracker.stores.changes import Batch, ChangeKind, ChangesForgottenError, Position, RecordKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tracker.services.context import Call, Context
    from tracker.stores.changes import Change, ChangeLog

RECENT = 500
"""Changes that are kept in memory, for the watches that are up to date."""

_PAGE = 100
_EVENTS = (RecordKind.EVENT,)


class EventFeed:
    """Provides watches with the changes of events after their positions.

    Nothing is kept per watch, however slow its client: what follows its position is read from the latest
    changes in memory, or from the log.
    """

    def __init__(self, log: ChangeLog) -> None:
        self.log = log
        self._recent: list[Change] = []
        self._start = self._end = Position("")
        self._grown = asyncio.Event()
        self._news: asyncio.Future[None] | None = None
        self._watches = 0
        self._watched = asyncio.Event()
        log.notify(self._grown.set)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Follow the log while any client watches."""
        self._watches += 1
        self._watched.set()
        try:
            yield
        finally:
            self._watches -= 1
            if not self._watches:
                self._watched.clear()

    async def follow(self) -> None:
        """Read new changes, or wait for some: one round of a background task."""
        if not self._watched.is_set():
            await self._watched.wait()
            self._begin(await self.log.end())
        self._grown.clear()
        if not await self._read():
            with suppress(TimeoutError):
                async with asyncio.timeout(self.log.poll_seconds):
                    await self._grown.wait()

    async def changes(self, after: Position) -> Batch:
        """Return the next changes of events after a position, as soon as there are any.

        The batch is empty where many changes of other records were skipped.

        Raises:
            ChangesForgottenError: They are no longer kept.
            TrackerError: UNAVAILABLE; the store can't be read.
        """
        while True:
            self._news = news = self._news or asyncio.get_running_loop().create_future()
            batch = self._recent_after(after) or await self.log.read(after, _PAGE, _EVENTS)
            if batch.end != after:
                return batch
            await asyncio.shield(news)

    def quiet_until(self, after: Position) -> Position:
        """Return the latest position known to have no change of an event between `after` and itself."""
        batch = self._recent_after(after)
        return after if batch is None or batch.changes else self._end

    def _recent_after(self, after: Position) -> Batch | None:
        """Return the next changes, or None where the position is not one of those in memory."""
        index = bisect_right(self._recent, after.number, key=lambda change: change.position.number)
        if after not in (self._end, self._recent[index - 1].position if index else self._start):
            return None
        changes = self._recent[index : index + _PAGE]
        return Batch(changes, changes[-1].position if changes else after)

    async def _read(self) -> bool:
        """Read the next changes; return whether there may be more."""
        try:
            changes, end = await self.log.read(self._end, RECENT, _EVENTS)
        except ChangesForgottenError:  # an older copy was restored, or the server was suspended
            self._begin(await self.log.end())
            return True
        more = end.number - self._end.number == RECENT
        self._end = end
        if changes:
            recent = [*self._recent, *changes]
            if len(recent) > RECENT:
                self._start = recent[-RECENT - 1].position
            self._recent = recent[-RECENT:]
            self._report_news()
        return more

    def _begin(self, end: Position) -> None:
        """Keep no changes up to a position: watches before it read the log."""
        self._recent, self._start, self._end = [], end, end
        self._report_news()

    def _report_news(self) -> None:
        news, self._news = self._news, None
        if news is not None:
            news.set_result(None)


_QUIET_SECONDS = 15.0
"""After which a watch without changes sends an empty message."""

_LIST = "events watched"


class EventWatches:
    """Answers the RPC of `tracker.event.v1alpha1.EventService` that watches events."""

    def __init__(self, feed: EventFeed, context: Context) -> None:
        self._feed = feed
        self._context = context

    async def watch_events(
        self, request: event_pb.WatchEventsRequest, call: Call
    ) -> AsyncIterator[event_pb.WatchEventsResponse]:
        where = with_query(EventFilter(), request.query, self._context.query_clock(request.time_zone))
        query, watched = visible(where, call).query, own(_LIST, call)
        try:
            async with self._feed.watching():
                after = await self._beginning(request.resume_token, watched)
                yield _nothing(after, watched)
                clock = asyncio.get_running_loop().time
                sent = clock()
                while True:
                    try:
                        async with asyncio.timeout_at(sent + _QUIET_SECONDS):
                            batch = await self._feed.changes(after)
                    except TimeoutError:
                        batch = Batch((), after)
                    for change in batch.changes:
                        event = change.before if change.kind is ChangeKind.DELETED else change.after
                        is_known = isinstance(change.kind, ChangeKind)
                        if is_known and isinstance(event, event_pb.Event) and matches(query, event):
                            yield _changed(change, event, watched)
                            sent = clock()
                    after = batch.end
                    if clock() - sent >= _QUIET_SECONDS:
                        yield _nothing(self._feed.quiet_until(after), watched)
                        sent = clock()
        except ChangesForgottenError:
            raise TrackerError(
                Reason.CHANGES_FORGOTTEN,
                "resume_token: what followed it is no longer kept, or was never in this store;"
                " read the events again, and watch from now",
            ) from None

    async def _beginning(self, resume_token: str, watched: str) -> Position:
        """Return the position after which a watch begins.

        Raises:
            ChangesForgottenError: What followed the token is no longer known.
            TrackerError: INVALID_ARGUMENT; it is not a token.
        """
        log = self._feed.log
        try:
            place = parse_page_token(resume_token, watched)
        except TrackerError:
            text = "not a token of a watch of this caller; pass that of the last message heard"
            raise invalid(FieldViolation("resume_token", text)) from None
        match place:
            case None:
                return await log.end()
            case (str(name), int(number), int(at)):
                position = Position(name, number, at)
                await log.read(position, 1)
                return position
            case _:  # of a version whose tokens named no moment
                raise ChangesForgottenError


def _changed(change: Change, event: event_pb.Event, watched: str) -> event_pb.WatchEventsResponse:
    return event_pb.WatchEventsResponse(
        kind=event_pb.WatchEventsResponse.Kind(change.kind),
        event=event,
        changed_at=timestamp(change.position.at),
        resume_token=page_token(change.position, watched),
    )


def _nothing(after: Position, watched: str) -> event_pb.WatchEventsResponse:
    return event_pb.WatchEventsResponse(resume_token=page_token(after, watched))
