"""Counts of the events of a filter by the values of their fields and over time, and their steps.

The database counts and groups the events of exact scans. The others are read one by one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from math import gcd
from typing import TYPE_CHECKING

from tracker.domain.events import event_time
from tracker.domain.query.fields import DURATION, Kind
from tracker.stores.events import COUNTED, Explanation, most_frequent
from tracker.stores.mongo.event_records import COUNTED_FIELDS
from tracker.stores.mongo.pages import IN_A_BATCH
from tracker.stores.mongo.search.execution import all_have_terms, matching_events, scan_steps
from tracker.stores.mongo.search.index_scans import split
from tracker.stores.mongo.search.queries import column

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from pymongo.asynchronous.command_cursor import AsyncCommandCursor

    from tracker.domain.query.fields import Field
    from tracker.domain.query.tree import EventFilter, Node
    from tracker.stores.events import Tally
    from tracker.stores.mongo.event_records import Counts
    from tracker.stores.mongo.search.index_scans import IndexScan, Scans
    from tracker.stores.mongo.writes import Collection, Document


async def count_by(  # noqa: PLR0913, PLR0917 - what is asked, and what helps to answer it
    events: Collection,
    where: EventFilter,
    fields: Sequence[Field],
    most: int,
    searched: Explanation,
    known: Counts | None,
) -> tuple[int, Sequence[Sequence[Tally]]]:
    """Count the matching events by their values of fields; see `EventStore.count_by`.

    Their counts by the values of `COUNTED_FIELDS` may be known.
    """
    counts: dict[Field, Counter[str | int]] = {field: Counter() for field in fields}
    left = [*counts] if known is None else [field for field in counts if field not in COUNTED]
    total = 0
    if known is not None:
        total = known.total()
        for values, number in known.items():
            for field, value in zip(COUNTED_FIELDS, values, strict=True):
                if field in counts:
                    counts[field][value] += number
        names = ", ".join(field.name for field in counts if field in COUNTED)
        searched.steps.append(f"{names or 'count'}: sum up the counts of all events")
    if left:
        scanned = await _count_scans(events, where, {field: counts[field] for field in left}, most, searched)
        total = scanned if known is None else total
    return total, [most_frequent([counts[field]], most) for field in fields]


async def _count_scans(
    events: Collection,
    where: EventFilter,
    counts: Mapping[Field, Counter[str | int]],
    most: int,
    searched: Explanation,
) -> int:
    """Count the matching events, and those of the `most` most frequent values of each field at least."""
    scans = split(where)
    total = 0
    async for event, _ in matching_events(events, scans.residual, scans.query, searched):
        total += 1
        for field, values in counts.items():
            values[field.value(event)] += 1
    enough = 0 if total else most  # a value that is rare in some scans may be frequent in all
    for scan in scans.exact:
        total += await _count_exact(events, scan, counts, enough)
    searched.steps += _facet_steps(where, [*counts])
    return total


async def count_between(
    events: Collection, where: EventFilter, edges: Sequence[int], by: Field | None, searched: Explanation
) -> Sequence[Mapping[str | int, int]]:
    """Count the matching events between edges; see `EventStore.count_between`.

    The database counts them by slots of a length that all edges are multiples of.
    """
    counts: list[Counter[str | int]] = [Counter() for _ in edges[1:]]
    scans, within = split(where), _within(edges)
    looked_at: list[tuple[Sequence[IndexScan], Node | None]] = [(scans.residual, scans.query)]
    in_database = by is None or column(by) is not None
    how = "count in the database" if in_database else "read each document"
    once = f"once for all of {len(edges) - 1:,}"
    searched.steps += (f"{step}, {once}" for step in scan_steps("intervals", where, how))
    if in_database:
        slot = gcd(*edges)
        rest = {"$mod": [{"$add": [{"$mod": ["$time", slot]}, slot]}, slot]}
        key = {"slot": {"$subtract": ["$time", rest]}, "value": "" if by is None else _value(by)}
        for scan in scans.exact:
            async for row in await _grouped(events, scan.also(within), key):
                counts[_place(edges, row["_id"]["slot"])][row["_id"]["value"]] += row["events"]
    else:
        looked_at.append((scans.exact, None))
    for candidates, query in looked_at:
        async for event, _ in matching_events(
            events, [each.also(within) for each in candidates], query, searched
        ):
            counts[_place(edges, event_time(event))]["" if by is None else by.value(event)] += 1
    return counts


async def durations_between(
    events: Collection, where: EventFilter, edges: Sequence[int], searched: Explanation
) -> Sequence[Sequence[int]]:
    """Return the durations of the matching events between edges; see `EventStore.durations_between`."""
    found: list[list[int]] = [[] for _ in edges[1:]]
    scans, within = split(where), _within(edges)
    searched.steps += scan_steps("durations", where, "read each document")
    async for time, duration in _durations(events, scans, within, searched):
        found[_place(edges, time)].append(duration)
    return [sorted(each) for each in found]


async def _durations(
    events: Collection, scans: Scans, within: Document, searched: Explanation
) -> AsyncIterator[tuple[int, int]]:
    """Yield the time and the duration of the matching events that have one.

    Unless some events lack terms, the events of exact scans have durations as columns.
    """
    parsed: list[tuple[Sequence[IndexScan], Node | None]] = [(scans.residual, scans.query)]
    if not await all_have_terms(events):
        parsed.append((scans.exact, None))
    else:
        name = DURATION.column
        for scan in scans.exact:
            asked = scan.also(within | {name: {"$ne": None}}).where
            async with events.find(asked, ["time", name], hint=scan.index, batch_size=IN_A_BATCH) as rows:
                async for row in rows:
                    yield row["time"], row[name]
    for candidates, query in parsed:
        narrowed = [each.also(within) for each in candidates]
        async for event, _ in matching_events(events, narrowed, query, searched):
            if (duration := DURATION.number(event)) is not None:
                yield event_time(event), duration


async def _count_exact(
    events: Collection, scan: IndexScan, counts: Mapping[Field, Counter[str | int]], most: int
) -> int:
    """Count the events of a scan, and by their values of fields; `most` is as for `_grouped`."""
    together, alone, read = _passes([*counts])
    total: int | None = None
    if together:
        total = 0
        async for row in await _grouped(events, scan, {each.name: _value(each) for each in together}):
            total += row["events"]
            for field in together:
                counts[field][row["_id"][field.name]] += row["events"]
    for field in alone:
        async for row in await _grouped(events, scan, _value(field), most):
            counts[field][row["_id"]] += row["events"]
    if read:
        total = 0
        async for event, _ in matching_events(events, [scan], None, Explanation()):
            total += 1
            for field in read:
                counts[field][field.value(event)] += 1
    return await events.count_documents(scan.where, hint=scan.index) if total is None else total


async def _grouped(
    events: Collection, scan: IndexScan, key: Document, most: int = 0
) -> AsyncCommandCursor[Document]:
    """Return how many events of a scan have which key; of the `most` frequent keys, 0 for all."""
    first: list[Document] = [{"$sort": {"events": -1, "_id": 1}}, {"$limit": most}] if most else []
    return await events.aggregate(
        [{"$match": scan.where}, {"$group": {"_id": key, "events": {"$sum": 1}}}, *first], hint=scan.index
    )


def _passes(fields: Sequence[Field]) -> tuple[Sequence[Field], Sequence[Field], Sequence[Field]]:
    """Divide fields by how the events of exact scans are counted by them.

    One pass counts by all fields whose values have few combinations. Others take a pass each, or only the
    event itself has them.
    """
    with_column = [field for field in fields if column(field) is not None]
    return (
        [field for field in with_column if field in COUNTED or field.kind is not Kind.KEYWORD],
        [field for field in with_column if field not in COUNTED and field.kind is Kind.KEYWORD],
        [field for field in fields if column(field) is None],
    )


def _facet_steps(where: EventFilter, fields: Sequence[Field]) -> Iterator[str]:
    """Yield the steps of counts by the values of fields."""
    together, alone, read = _passes(fields)
    for group in (together, *([field] for field in alone), read):
        if group:
            how = "read each document" if group is read else "count in the database"
            yield from scan_steps(", ".join(field.name for field in group), where, how)


def _within(edges: Sequence[int]) -> Document:
    return {"time": {"$gte": edges[0], "$lt": edges[-1]}}


def _place(edges: Sequence[int], time: int) -> int:
    return bisect_right(edges, time) - 1


def _value(field: Field) -> Document:
    return {"$ifNull": [f"${column(field)}", "" if field.kind is Kind.KEYWORD else 0]}
