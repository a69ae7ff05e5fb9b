"""Chains: events that link to each other, and the time between them."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.domain.events import event_time
from tracker.domain.lifecycle import attributes_of, metadata_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.pb import event_pb


@dataclass(frozen=True, slots=True)
class Link:
    """An event of a chain, the event that it links to (none for the root), and its distance from the root."""

    event: event_pb.Event
    parent: event_pb.Event | None
    depth: int

    @property
    def since_parent(self) -> int | None:
        """Microseconds since the parent, never below zero, or None for the root."""
        return None if self.parent is None else max(0, event_time(self.event) - event_time(self.parent))


def root_of(path: Sequence[event_pb.Event]) -> event_pb.Event:
    """Return the root of a chain, given the path from an event to the one that it links to, and so on.

    That is the last event of the path; where links form a cycle, it is the earliest event of the cycle.
    """
    ids = [metadata_of(event).id for event in path]
    above = attributes_of(path[-1]).related_id
    return min(path[ids.index(above) :], key=_by_time) if above in ids else path[-1]


def chain(root: event_pb.Event, events: Iterable[event_pb.Event]) -> Sequence[Link]:
    """Return the root and the events that link to it, directly or indirectly, in the order of time."""
    linking: defaultdict[str, list[event_pb.Event]] = defaultdict(list)
    for event in events:
        linking[attributes_of(event).related_id].append(event)
    links = {metadata_of(root).id: Link(root, None, 0)}
    waiting = deque(links.values())
    while waiting:
        parent = waiting.popleft()
        for event in linking[metadata_of(parent.event).id]:
            if metadata_of(event).id not in links:
                link = links[metadata_of(event).id] = Link(event, parent.event, parent.depth + 1)
                waiting.append(link)
    return sorted(links.values(), key=lambda link: _by_time(link.event))


def _by_time(event: event_pb.Event) -> tuple[int, str]:
    return event_time(event), metadata_of(event).id
