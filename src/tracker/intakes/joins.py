"""Deployments of one commit to one place that several senders report: they are one event."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final

from tracker.domain.events import FINISHED, attributes_of
from tracker.domain.overlaps import ended_at
from tracker.domain.query.fields import SOURCE, label
from tracker.domain.query.tree import one_of
from tracker.intakes import tags
from tracker.intakes.mapping import latest_time
from tracker.intakes.requests import LONGEST_LABEL, bounded
from tracker.pb import event_pb
from tracker.time_text import HOUR

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tracker.domain.query.tree import Node

_KEY: Final = "joined"
"""The label with the service, the place and the commit."""
_COMMIT: Final = "sha"
_SHORT: Final = 7
_APART: Final = HOUR
"""How long after the end of a deployment another sender may still report it; later, it is a new one."""


async def joined(
    request: event_pb.CreateEventRequest,
    sender: str,
    source: str,
    find: Callable[[Sequence[Node]], Awaitable[event_pb.SearchEventsResponse]],
) -> event_pb.CreateEventRequest:
    """Return a request for the event that a sender has together with others.

    That is the one in which it has reported this deployment, or else the latest in which it has reported
    none and that has not ended long ago, or else a new one. A request that lacks the commit, the service or
    the environment is returned as it is.
    """
    attributes = attributes_of(event_pb.Event(attributes=request.attributes))
    place = tags.said(attributes, "environment")
    commit = attributes.labels.get(_COMMIT, "")
    if attributes.type is not event_pb.Type.deployment or len(commit) < _SHORT or not place:
        return request
    key = bounded(f"{attributes.service}:{place}:{commit.lower()[:_SHORT]}")
    own_name, own = f"{sender}_id", attributes.external_id[:LONGEST_LABEL]
    found = await find((one_of(SOURCE, (source,)), one_of(label(_KEY), (key,))))
    request, attributes = copy.copy(request), copy.copy(attributes)
    request.attributes = attributes
    event = _event(found.events, own_name, own, latest_time(request))
    attributes.labels = attributes.labels | {_KEY: key, own_name: own}
    attributes.source = source
    if event is None:
        attributes.external_id = bounded(f"{key}#{found.total_count + 1}" if found.total_count else key)
        return request
    stored = attributes_of(event)
    attributes.external_id, request.title = stored.external_id, event.title
    attributes.message = attributes.message if stored.labels.get(own_name) == own else ""
    if stored.start_date is not None:
        attributes.start_date = None
    return request


def has_reported(event: event_pb.Event, own: event_pb.EventAttributes, sender: str) -> bool:
    """Return whether an event has what a sender reports of it: not, if only others have reported it."""
    name = f"{sender}_id"
    return attributes_of(event).labels.get(name) == own.labels.get(name)


def _event(events: Sequence[event_pb.Event], own_name: str, own: str, at: int) -> event_pb.Event | None:
    """Return the event that a message belongs to, of those with its key, the latest first, or None."""
    mine = next((each for each in events if attributes_of(each).labels.get(own_name) == own), None)
    if mine is not None or not events:
        return mine
    latest = events[0]
    if attributes_of(latest).labels.get(own_name):
        return None
    end = ended_at(latest)
    is_over = attributes_of(latest).status in FINISHED and end is not None and at - end > _APART
    return None if is_over else latest
