"""Deployments of one thing that follow each other: the next one ends the last, whose end may not be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.domain.events import RUNNING, attributes_of, event_id, event_time
from tracker.domain.query.fields import SOURCE, STATUS, label
from tracker.domain.query.tree import one_of
from tracker.domain.times import micros
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tracker.domain.query.tree import Node

MOST = 20
"""Events under way that are looked at."""


def under_way(attributes: event_pb.EventAttributes, name: str) -> Sequence[Node]:
    """Return the conditions for what is under way of the thing that a label of a deployment names."""
    same = one_of(label(name), (attributes.labels.get(name, ""),))
    return one_of(SOURCE, (attributes.source,)), same, one_of(STATUS, sorted(RUNNING))


def superseded(
    found: Iterable[event_pb.Event], attributes: event_pb.EventAttributes
) -> Iterator[event_pb.UpdateEventRequest]:
    """Yield the changes that close what began before a deployment, of the things found with its label.

    External ids of one thing are the same up to the first `@`.
    """
    at = attributes.start_date or attributes.end_date
    for each in found:
        own, other = attributes.external_id, attributes_of(each).external_id
        is_same = own != other and own.partition("@")[0] == other.partition("@")[0]
        if is_same and at is not None and event_time(each) < micros(at):
            closed = event_pb.EventAttributes(status=event_pb.Status.close, end_date=at)
            yield event_pb.UpdateEventRequest(id=event_id(each), attributes=closed, merge=True)
