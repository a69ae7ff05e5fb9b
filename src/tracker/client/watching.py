"""A watch that survives lost connections."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tracker.errors import Code

from .connection import pauses
from .errors import ApiError, UnreachableError
from .events import WATCH_EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracker.pb import event_pb

    from .connection import Connection


def watch(
    connection: Connection, query: str, resume_token: str, lost: Callable[[str], None]
) -> Iterator[event_pb.WatchEventsResponse]:
    """Yield the changes of events that a query matches, without end; the first message comes at once.

    When the connection breaks or the server stops, the watch resumes after the last message as soon as a
    server answers. `lost` is called with the cause, once per interruption.

    Raises:
        ApiError: The server refused the watch.
        UnreachableError: The first attempt had no answer.
    """
    began = reported = False
    tries = pauses()
    while True:
        try:
            request = WATCH_EVENTS.request(query=query, resume_token=resume_token)
            for message in connection.stream(WATCH_EVENTS, request):
                yield message
                resume_token = message.resume_token
                if not began or reported:
                    began, reported, tries = True, False, pauses()
            why = "the server ended the watch"
        except (ApiError, UnreachableError) as error:
            refused = isinstance(error, ApiError) and error.code is not Code.UNAVAILABLE
            if refused or not began:
                raise
            why = str(error)
        if not reported:
            lost(why)
            reported = True
        time.sleep(next(tries))
