"""The deployments before incidents."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from tracker.domain.events import attributes_of, event_id
from tracker.pb import event_pb
from tracker.time_text import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracker.domain.overlaps import TimedEvent

_NEAR: Final = DAY
"""How long before an incident a deployment may have begun that it does not link to."""


class Deployments:
    """Finds, among events in the order of their beginning, the deployment before an incident."""

    def __init__(self, events: Iterable[TimedEvent]) -> None:
        self._by_id: dict[str, TimedEvent] = {}
        self._by_place: defaultdict[tuple[str, int], list[TimedEvent]] = defaultdict(list)
        for each in events:
            self._by_id[event_id(each.event)] = each
            attributes = attributes_of(each.event)
            if attributes.type is event_pb.Type.deployment:
                self._by_place[attributes.service, attributes.environment].append(each)

    def before(self, incident: TimedEvent) -> TimedEvent | None:
        """Return the event that an incident links to, else the last deployment of its service there."""
        attributes = attributes_of(incident.event)
        linked = self._by_id.get(attributes.related_id)
        if linked is not None:
            return linked
        there = self._by_place.get((attributes.service, attributes.environment), [])
        place = bisect_right(there, incident.start, key=lambda each: each.start)
        return there[place - 1] if place and incident.start - there[place - 1].start <= _NEAR else None
