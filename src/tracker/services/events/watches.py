"""The event service, as far as it tells of events while they happen."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tracker.domain.paging import page_token, parse_page_token
from tracker.domain.query import Clock, matches
from tracker.domain.times import timestamp
from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.pb import event_pb
from tracker.services.events.filters import read_query
from tracker.stores.changes import ChangesForgottenError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from zoneinfo import ZoneInfo

    from tracker.services.call import Call
    from tracker.services.context import Context
    from tracker.services.events.feed import EventFeed
    from tracker.stores.changes import LoggedChange

_QUIET_SECONDS = 15.0
"""After which a watch that had nothing to tell says so."""

_LIST = "events watched"


class EventWatches:
    """Answers the calls of `tracker.event.v1alpha1.EventService` that last as long as anybody listens."""

    def __init__(self, feed: EventFeed, context: Context, *, zone: ZoneInfo) -> None:
        self._feed = feed
        self._context = context
        self._zone = zone

    async def watch_events(
        self, request: event_pb.WatchEventsRequest, _: Call
    ) -> AsyncIterator[event_pb.WatchEventsResponse]:
        """Tell of changes of the events that a query matches."""
        query = read_query(request.query, Clock(self._context.now(), self._zone))
        try:
            async with self._feed.watching():
                after = await self._beginning(request.resume_token)
                yield self._nothing(after)
                clock = asyncio.get_running_loop().time
                told = clock()
                while True:
                    try:
                        async with asyncio.timeout_at(told + _QUIET_SECONDS):
                            changes = await self._feed.changes(after)
                    except TimeoutError:
                        changes = ()
                    for change in changes:
                        after = change.number
                        if change.event is not None and matches(query, change.event):
                            yield self._told(change, change.event)
                            told = clock()
                    if clock() - told >= _QUIET_SECONDS:
                        yield self._nothing(after)
                        told = clock()
        except ChangesForgottenError:
            raise _forgotten() from None

    async def _beginning(self, resume_token: str) -> int:
        """Return the number of the change behind which a watch begins.

        Raises:
            TrackerError: INVALID_ARGUMENT for what is no token, OUT_OF_RANGE for one that came too late.
        """
        log = self._feed.log
        try:
            place = parse_page_token(resume_token, _LIST)
        except TrackerError:
            raise invalid(
                FieldViolation("resume_token", "not a token of a watch; pass that of the last message heard")
            ) from None
        if place is None:
            return await log.end()
        name, number = place
        if name != log.name:
            raise ChangesForgottenError
        await log.read(int(number), 1)
        return int(number)

    def _told(self, change: LoggedChange, event: event_pb.Event) -> event_pb.WatchEventsResponse:
        return event_pb.WatchEventsResponse(
            kind=event_pb.WatchEventsResponse.Kind(change.kind),
            event=event,
            changed_at=timestamp(change.at),
            resume_token=self._token(change.number),
        )

    def _nothing(self, after: int) -> event_pb.WatchEventsResponse:
        return event_pb.WatchEventsResponse(resume_token=self._token(after))

    def _token(self, number: int) -> str:
        return page_token((self._feed.log.name, number), _LIST)


def _forgotten() -> TrackerError:
    return TrackerError(
        Reason.CHANGES_FORGOTTEN,
        "resume_token: what followed it is no longer kept, or was never in this store; read the events again,"
        " and watch from now",
    )
