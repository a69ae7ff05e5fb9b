"""The RPC of the event service that reports changes of events as they happen."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tracker.domain.paging import page_token, parse_page_token
from tracker.domain.query import Clock, matches
from tracker.domain.times import timestamp
from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.pb import event_pb
from tracker.services.events.filters import read_query
from tracker.stores.changes import Batch, ChangeKind, ChangesForgottenError, Position

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from zoneinfo import ZoneInfo

    from tracker.services.call import Call
    from tracker.services.context import Context
    from tracker.services.events.feed import EventFeed
    from tracker.stores.changes import Change

_QUIET_SECONDS = 15.0
"""After which a watch without changes sends an empty message."""

_LIST = "events watched"


class EventWatches:
    """Answers the RPC of `tracker.event.v1alpha1.EventService` that watches events."""

    def __init__(self, feed: EventFeed, context: Context, *, zone: ZoneInfo) -> None:
        self._feed = feed
        self._context = context
        self._zone = zone

    async def watch_events(
        self, request: event_pb.WatchEventsRequest, _: Call
    ) -> AsyncIterator[event_pb.WatchEventsResponse]:
        query = read_query(request.query, Clock(self._context.now(), self._zone))
        try:
            async with self._feed.watching():
                after = await self._beginning(request.resume_token)
                yield _nothing(after)
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
                        if isinstance(event, event_pb.Event) and matches(query, event):
                            yield _changed(change, event)
                            sent = clock()
                    after = batch.end
                    if clock() - sent >= _QUIET_SECONDS:
                        yield _nothing(self._feed.quiet_until(after))
                        sent = clock()
        except ChangesForgottenError:
            raise TrackerError(
                Reason.CHANGES_FORGOTTEN,
                "resume_token: what followed it is no longer kept, or was never in this store;"
                " read the events again, and watch from now",
            ) from None

    async def _beginning(self, resume_token: str) -> Position:
        """Return the position after which a watch begins.

        Raises:
            ChangesForgottenError: What followed the token is no longer known.
            TrackerError: INVALID_ARGUMENT for what is no token.
        """
        log = self._feed.log
        try:
            place = parse_page_token(resume_token, _LIST)
        except TrackerError:
            text = "not a token of a watch; pass that of the last message heard"
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


def _changed(change: Change, event: event_pb.Event) -> event_pb.WatchEventsResponse:
    return event_pb.WatchEventsResponse(
        kind=event_pb.WatchEventsResponse.Kind(change.kind),
        event=event,
        changed_at=timestamp(change.position.at),
        resume_token=page_token(change.position, _LIST),
    )


def _nothing(after: Position) -> event_pb.WatchEventsResponse:
    return event_pb.WatchEventsResponse(resume_token=page_token(after, _LIST))
