"""Rules of events: what identifies one, when it happened, and the chains that their links form."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from tracker.domain.times import micros
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_Status = event_pb.Status

RUNNING = frozenset({_Status.start, _Status.in_progress})
"""Statuses of work that is under way."""

ENDED_WELL = frozenset({_Status.success, _Status.done})
"""Statuses of work that has succeeded: after a deployment, its version counts as deployed."""

ENDED_BADLY = frozenset({_Status.failure, _Status.error})
"""Statuses of work that has failed."""

FINISHED = ENDED_WELL | ENDED_BADLY | {_Status.close}
"""Statuses that end an event."""

_UUID = re.compile(
    r"(?:urn:uuid:)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class EventId:
    """Identifies an event by its id, a UUID in canonical lower-case text."""

    value: str


@dataclass(frozen=True, slots=True)
class SlackId:
    """Identifies an event by its Slack id, any text that is not a UUID."""

    value: str


@dataclass(frozen=True, slots=True)
class ExternalId:
    """Identifies an event by its id at its source."""

    source: str
    value: str


EventKey: TypeAlias = EventId | SlackId | ExternalId


def attributes_of(event: event_pb.Event) -> event_pb.EventAttributes:
    """Return an event's attributes, empty ones where it has none."""
    return event.attributes or event_pb.EventAttributes()


def metadata_of(event: event_pb.Event) -> event_pb.EventMetadata:
    """Return an event's metadata, empty where it has none."""
    return event.metadata or event_pb.EventMetadata()


def event_id(event: event_pb.Event) -> str:
    """Return an event's id."""
    return metadata_of(event).id


def external_id(event: event_pb.Event) -> ExternalId | None:
    """Return the external id of an event, or None."""
    attributes = attributes_of(event)
    return ExternalId(attributes.source, attributes.external_id) if attributes.external_id else None


def event_key(text: str) -> EventId | SlackId:
    """Return the key for the `{id}` of a client: a UUID is an id, anything else a Slack id."""
    if _UUID.fullmatch(text):
        return EventId(text.lower().removeprefix("urn:uuid:"))
    return SlackId(text)


def event_time(event: event_pb.Event) -> int:
    """Return when an event happened, its start date or else its creation, in microseconds since the epoch."""
    moment = attributes_of(event).start_date or metadata_of(event).created_at
    return 0 if moment is None else micros(moment)


def event_cursor(event: event_pb.Event) -> tuple[int, str]:
    """Return where an event stands in a list of events."""
    return (event_time(event), event_id(event))


def event_end(event: event_pb.Event) -> int | None:
    """Return an event's end date in microseconds since the epoch, or None."""
    end = attributes_of(event).end_date
    return None if end is None else micros(end)


def parent_id(event: event_pb.Event) -> str:
    """Return the id of the event that an event links to, or of the one that caused it; "" without one."""
    return attributes_of(event).related_id or next(iter(metadata_of(event).caused_by), "")


def remedies_of(event: event_pb.Event) -> Sequence[str]:
    """Return the ids of the events that ended an event."""
    metadata = metadata_of(event)
    return [*metadata.remediated_by, *metadata.rolled_back_by]


@dataclass(frozen=True, slots=True)
class Link:
    """An event of a chain, the event that it links to (none for the root), and its distance from the root."""

    event: event_pb.Event
    parent: event_pb.Event | None
    depth: int

    @property
    def name(self) -> str:
        """How it is linked to the parent, as the list of ids is named that says so; "" for the root."""
        if self.parent is None:
            return ""
        above, below, kinds = event_id(self.parent), event_id(self.event), metadata_of(self.parent)
        if attributes_of(self.event).related_id == above:
            return "related_id"
        if above in metadata_of(self.event).caused_by:
            return "caused_by"
        return "rolled_back_by" if below in kinds.rolled_back_by else "remediated_by"

    @property
    def since_parent(self) -> int | None:
        """Microseconds since the parent, never below zero, or None for the root."""
        return None if self.parent is None else max(0, event_time(self.event) - event_time(self.parent))


def root_of(path: Sequence[event_pb.Event]) -> event_pb.Event:
    """Return the root of a chain, given the path from an event to the one that it links to, and so on.

    That is the last event of the path; where links form a cycle, it is the earliest event of the cycle.
    """
    ids = [metadata_of(event).id for event in path]
    above = parent_id(path[-1])
    return min(path[ids.index(above) :], key=event_cursor) if above in ids else path[-1]


def chain(root: event_pb.Event, events: Iterable[event_pb.Event]) -> Sequence[Link]:
    """Return the root and the events that link to it, directly or indirectly, in the order of time.

    An event that ended another one, and links to none, links to that.
    """
    linking: defaultdict[str, list[event_pb.Event]] = defaultdict(list)
    known = {event_id(event): event for event in events}
    for event in known.values():
        linking[parent_id(event)].append(event)
    for event in known.values():
        ended = [known[each] for each in remedies_of(event) if each in known]
        linking[event_id(event)] += [each for each in ended if not parent_id(each)]
    links = {metadata_of(root).id: Link(root, None, 0)}
    waiting = deque(links.values())
    while waiting:
        parent = waiting.popleft()
        for event in linking[metadata_of(parent.event).id]:
            if metadata_of(event).id not in links:
                link = links[metadata_of(event).id] = Link(event, parent.event, parent.depth + 1)
                waiting.append(link)
    return sorted(links.values(), key=lambda link: event_cursor(link.event))
