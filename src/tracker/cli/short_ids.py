"""Ids that are shortened as in tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracker.cli.exits import USAGE, CommandError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.cli.calls import Api

_SHORT = re.compile(r"[0-9a-f][0-9a-f-]{5,34}", re.IGNORECASE)


def whole_event_id(api: Api, text: str) -> str:
    """Return the id of the only event whose id begins with a text; any other text as it is.

    An event that has the text as its Slack id comes first.
    """
    if not _SHORT.fullmatch(text):
        return text
    from protobuf.wkt import UInt32Value

    from tracker.client.connection import ApiError
    from tracker.client.rpcs import GET_EVENT, SEARCH_EVENTS
    from tracker.errors import Code

    with api.connected() as connection:
        try:
            connection.call(GET_EVENT, GET_EVENT.request(id=text))
        except ApiError as error:
            if error.code is not Code.NOT_FOUND:
                raise
        else:
            return text
        asked = SEARCH_EVENTS.request(query=f"id:{text.lower()}*", per_page=UInt32Value(value=2))
        found = connection.call(SEARCH_EVENTS, asked).events
    return _only(text, [event.metadata.id for event in found if event.metadata is not None])


def whole_lock_id(api: Api, text: str) -> str:
    """Return the id of the only lock whose id begins with a text; any other text as it is."""
    if not _SHORT.fullmatch(text):
        return text
    from tracker.client.rpcs import LIST_LOCKS

    locks = api.call(LIST_LOCKS, LIST_LOCKS.request()).locks
    return _only(text, [lock.id for lock in locks if lock.id.startswith(text.lower())])


def _only(text: str, ids: Sequence[str]) -> str:
    if len(ids) > 1:
        raise CommandError(f"several ids begin with {text}, such as {ids[0]} and {ids[1]}", USAGE)
    return ids[0] if ids else text
