"""The groups of events that overlap, as they are answered, in pages that may end within a group."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from tracker.domain.events import attributes_of, metadata_of
from tracker.domain.overlaps import count_overlaps
from tracker.domain.times import nearest_timestamp
from tracker.pb import event_pb
from tracker.services.paging import fitting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.domain.overlaps import Overlap, TimedEvent
    from tracker.stores.pages import Cursor


def overlap_group(
    values: tuple[str, ...], group: Sequence[TimedEvent], pairs: Sequence[Overlap]
) -> event_pb.OverlapGroup:
    """Return a group of events that have the same values, with some of its pairs."""
    return event_pb.OverlapGroup(
        values=[*values],
        start=nearest_timestamp(group[0].start),
        end=nearest_timestamp(max(span.end for span in group)),
        events=[_event(span) for span in group],
        pairs=[
            event_pb.OverlapPair(
                first_id=metadata_of(pair.first.event).id,
                second_id=metadata_of(pair.second.event).id,
                start=nearest_timestamp(pair.start),
                end=nearest_timestamp(pair.end),
            )
            for pair in pairs
        ],
        pair_count=count_overlaps(group),
    )


def fitting_groups(
    groups: Iterable[event_pb.OverlapGroup], cursor: Cursor | None
) -> tuple[list[event_pb.OverlapGroup], Cursor | None]:
    """Return the groups that fit an answer, as `fitting` does, the first and the last perhaps in part."""
    parts: list[event_pb.OverlapGroup | event_pb.OverlappingEvent | event_pb.OverlapPair] = []
    for group in groups:
        head = copy.copy(group)
        head.events, head.pairs = [], []
        parts += [head, *group.events, *group.pairs]
    fit, rest = fitting(parts, cursor)
    begun = [] if cursor is None or not fit else parts[: int(cursor[0]) + 1]
    answered = [part for part in begun if isinstance(part, event_pb.OverlapGroup) and part is not fit[0]][-1:]
    for part in fit:
        match part:
            case event_pb.OverlapGroup():
                answered.append(part)
            case event_pb.OverlappingEvent():
                answered[-1].events.append(part)
            case event_pb.OverlapPair():
                answered[-1].pairs.append(part)
    return answered, rest


def _event(span: TimedEvent) -> event_pb.OverlappingEvent:
    attributes = attributes_of(span.event)
    return event_pb.OverlappingEvent(
        id=metadata_of(span.event).id,
        title=span.event.title,
        type=attributes.type,
        status=attributes.status,
        service=attributes.service,
        environment=attributes.environment,
        start=nearest_timestamp(span.start),
        end=nearest_timestamp(span.end),
        goes_on=span.goes_on,
    )
