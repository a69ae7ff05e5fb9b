"""Counts of events by the values of their fields, and over time."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from math import gcd
from typing import TYPE_CHECKING

from tracker.domain.events import event_time
from tracker.domain.query.fields import DURATION, Kind
from tracker.stores.base import Tally
from tracker.stores.mongo.event_records import each_matching, to_sift
from tracker.stores.mongo.filters import branches
from tracker.stores.mongo.queries import FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.domain.events import EventFilter
    from tracker.domain.query.fields import Field
    from tracker.stores.base import Explanation
    from tracker.stores.mongo.writes import Collection, Document


async def count_by(
    events: Collection, where: EventFilter, field: Field, most: int, searched: Explanation
) -> Sequence[Tally]:
    """Count the matching events by their values of a field; see `EventStore.count_by`."""
    if is_grouped(where, field):
        (branch,) = branches(where)
        rows = await events.aggregate(
            [
                {"$match": branch.where},
                {"$group": {"_id": _value(field), "events": {"$sum": 1}}},
                {"$sort": {"events": -1, "_id": 1}},
                {"$limit": most},
            ],
            hint=branch.index,
        )
        return [Tally(row["_id"], row["events"]) async for row in rows]
    counts: Counter[str | int] = Counter()
    async for event in each_matching(events, where, searched=searched):
        counts[field.value(event)] += 1
    return [Tally(*each) for each in sorted(counts.items(), key=_most_first)[:most]]


async def count_between(
    events: Collection, where: EventFilter, edges: Sequence[int], by: Field | None, searched: Explanation
) -> Sequence[Mapping[str | int, int]]:
    """Count the matching events between edges; see `EventStore.count_between`.

    The database counts them by slots of a length that all edges are multiples of.
    """
    counts: list[Counter[str | int]] = [Counter() for _ in edges[1:]]
    if is_grouped(where, by):
        (branch,) = branches(where)
        slot = gcd(*edges)
        rest = {"$mod": [{"$add": [{"$mod": ["$time", slot]}, slot]}, slot]}
        group = {"slot": {"$subtract": ["$time", rest]}, "value": "" if by is None else _value(by)}
        rows = await events.aggregate(
            [
                {"$match": {"$and": [branch.where, _within(edges)]}},
                {"$group": {"_id": group, "events": {"$sum": 1}}},
            ],
            hint=branch.index,
        )
        async for row in rows:
            counts[_place(edges, row["_id"]["slot"])][row["_id"]["value"]] += row["events"]
        return counts
    async for event in each_matching(events, where, _within(edges), searched):
        counts[_place(edges, event_time(event))]["" if by is None else by.value(event)] += 1
    return counts


async def durations_between(
    events: Collection, where: EventFilter, edges: Sequence[int], searched: Explanation
) -> Sequence[Sequence[int]]:
    """Return the durations of the matching events between edges; see `EventStore.durations_between`."""
    found: list[list[int]] = [[] for _ in edges[1:]]
    async for event in each_matching(events, where, _within(edges), searched):
        duration = DURATION.number(event)
        if duration is not None:
            found[_place(edges, event_time(event))].append(duration)
    return [sorted(each) for each in found]


def is_grouped(where: EventFilter, by: Field | None) -> bool:
    """Return whether the database counts the matching events by a field, and needs no look at each."""
    return to_sift(where) is None and (by is None or by in FIELDS)


def _within(edges: Sequence[int]) -> Document:
    return {"time": {"$gte": edges[0], "$lt": edges[-1]}}


def _place(edges: Sequence[int], time: int) -> int:
    return bisect_right(edges, time) - 1


def _value(field: Field) -> Document:
    return {"$ifNull": [f"${FIELDS[field]}", "" if field.kind is Kind.KEYWORD else 0]}


def _most_first(counted: tuple[str | int, int]) -> tuple[int, str | int]:
    value, events = counted
    return -events, value
