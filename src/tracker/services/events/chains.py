"""The event service, as far as it follows links from event to event."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from tracker.domain.chains import chain, root_of
from tracker.domain.events import EventId, event_key, event_time
from tracker.domain.lifecycle import attributes_of, metadata_of
from tracker.domain.query.fields import RELATED
from tracker.domain.query.filters import EventFilter
from tracker.domain.query.tree import one_of
from tracker.domain.times import duration
from tracker.pb import event_pb
from tracker.services.events.errors import event_not_found
from tracker.stores.pages import Page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracker.domain.chains import Link
    from tracker.services.call import Call
    from tracker.stores.events import EventStore

_MOST = 1_000
"""Events of a chain that are listed."""


class EventChains:
    """Answers the call of `tracker.event.v1alpha1.EventService` for the events that are linked to one."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    async def list_related_events(
        self, request: event_pb.ListRelatedEventsRequest, _: Call
    ) -> event_pb.ListRelatedEventsResponse:
        """List the chain that an event belongs to."""
        key = event_key(request.id)
        event = await self._store.get(key)
        if event is None:
            raise event_not_found(key)
        path, whole = await self._path(event)
        root = root_of([*path.values()])
        found = dict(path)
        # What follows from the event asked for comes before what else there is, should there be too much.
        whole = await self._follow([metadata_of(event).id], found) and whole
        whole = await self._follow(path, found) and whole
        links = chain(root, found.values())
        times = [event_time(link.event) for link in links]
        return event_pb.ListRelatedEventsResponse(
            events=[
                _related(link, None if before is None else time - before)
                for link, time, before in zip(links, times, [None, *times], strict=False)
            ],
            root_id=metadata_of(root).id,
            duration=duration(times[-1] - times[0]),
            incomplete=not whole,
        )

    async def _path(self, event: event_pb.Event) -> tuple[dict[str, event_pb.Event], bool]:
        """Return an event, the one that it links to, and so on, by id; and whether that is all."""
        path = {metadata_of(event).id: event}
        while (above := attributes_of(event).related_id) and above not in path:
            if len(path) == _MOST:
                return path, False
            linked = await self._store.get(EventId(above))
            if linked is None:
                break
            event = path[above] = linked
        return path, True

    async def _follow(self, ids: Iterable[str], found: dict[str, event_pb.Event]) -> bool:
        """Find what links to events, directly or by way of others; return whether there was room for all."""
        level = tuple(ids)
        while level:
            linking = await self._store.find(
                EventFilter(one_of(RELATED, level)), Page(limit=_MOST), oldest_first=True
            )
            new = {metadata_of(event).id: event for event in linking.records}
            new = {event_id: event for event_id, event in new.items() if event_id not in found}
            room = _MOST - len(found)
            found.update(islice(new.items(), room))
            if linking.next is not None or len(new) > room:
                return False
            level = tuple(new)
        return True


def _related(link: Link, since_previous: int | None) -> event_pb.RelatedEvent:
    return event_pb.RelatedEvent(
        event=link.event,
        parent_id="" if link.parent is None else metadata_of(link.parent).id,
        depth=link.depth,
        since_parent=None if link.since_parent is None else duration(link.since_parent),
        since_previous=None if since_previous is None else duration(since_previous),
    )
