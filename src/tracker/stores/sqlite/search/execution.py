"""Executes plans: lists of events, how many there are, counts by the values of their fields and over time."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tracker.domain.query import fields
from tracker.pb import event_pb
from tracker.stores.documents import parse
from tracker.stores.events import MonthCount, Tally
from tracker.stores.sqlite.event_records import SELECT
from tracker.stores.sqlite.search.plans import COUNTED, EVERYTHING
from tracker.stores.sqlite.search.values import has_all, value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import apsw

    from tracker.domain.query.fields import Field
    from tracker.stores.pages import Page
    from tracker.stores.sqlite.search.plans import Candidates, IndexScan, Plan

_MONTH = "strftime('%Y-%m', time / 1000000 - (time % 1000000 < 0), 'unixepoch')"


def select_page(db: apsw.Connection, plan: Plan, page: Page, *, oldest_first: bool) -> list[event_pb.Event]:
    """Return the matching events of a page, newest or oldest first, and the one after it."""
    events: list[event_pb.Event] = []
    wanted = page.rows(-1)
    skip = page.offset
    order = "time, id" if oldest_first else "time DESC, id DESC"
    for every in reversed(plan.listed) if oldest_first else plan.listed:
        scan = every if page.after is None else every.after(page.after, oldest_first=oldest_first)
        rows = db.execute(
            f"{SELECT} {scan.ordered(order)}",
            (*scan.bindings, wanted - len(events) if wanted >= 0 else wanted, skip),
        )
        events += [parse(event_pb.Event, *row) for row in rows]
        if len(events) == wanted:
            break
        if skip:
            skip = 0 if events else max(0, skip - _count_scan(db, scan))
    return events


def count(db: apsw.Connection, plan: Plan, up_to: int | None = None) -> int:
    """Count the matching events; more than `up_to` are one more."""
    if plan.only_candidates:
        return _count_candidates(db, plan.candidates[0], up_to)
    if up_to is None:
        return sum(_count_scan(db, scan) for scan in plan.counted)
    first = _count_scans(db, plan.counted_first, up_to)
    return first if first > up_to else _count_scans(db, plan.counted, up_to)


def count_by_month(db: apsw.Connection, plan: Plan, *, by_service: bool) -> Sequence[MonthCount]:
    """Count the matching events by month and, if asked, by service."""
    service = "service" if by_service else "''"
    counts: Counter[tuple[str, str]] = Counter()
    for scan in plan.counted:
        sql = f"SELECT {_MONTH}, {service}, count(*) {scan.clauses} GROUP BY 1, 2"
        for month, name, number in db.execute(sql, scan.bindings):
            counts[month, name] += number
    return [
        MonthCount(int(month[:4]), int(month[5:]), name, number)
        for (month, name), number in sorted(counts.items())
    ]


def count_by(
    db: apsw.Connection, plan: Plan, asked: Sequence[Field], most: int
) -> tuple[int, Sequence[Sequence[Tally]]]:
    """Count the matching events by their values of fields; see `EventStore.count_by`."""
    total: int | None = None
    tallies: dict[Field, Sequence[Tally]] = {}
    for group in facet_groups(plan, asked):
        scan = facet_scan(plan, group)
        sql = facet_statement(scan, group)
        if len(group) == 1:
            rows = db.execute(f"{sql} ORDER BY n DESC, 1 LIMIT ?", (*scan.bindings, most))
            tallies[group[0]] = [Tally(*row) for row in rows]
        else:
            counts = _counts_of_each(db.execute(sql, scan.bindings), group)
            total = counts[0].total()
            tallies |= {field: _most_frequent(each, most) for field, each in zip(group, counts, strict=True)}
    return count(db, plan) if total is None else total, [tallies[field] for field in asked]


def facet_groups(plan: Plan, asked: Sequence[Field]) -> Sequence[Sequence[Field]]:
    """Return fields to count by, those in one group that are counted together, in one walk over the events.

    Of the others, each may have as many values as there are events.
    """
    (scan,) = plan.counted
    together = [] if scan.counted else [field for field in asked if field in COUNTED]
    alone = [[field] for field in asked if field not in together]
    return [together, *alone] if together else alone


def facet_statement(scan: IndexScan, group: Sequence[Field]) -> str:
    """Return the statement for the values of fields in an index scan, and how many events have each."""
    values = ", ".join(map(value_of, group))
    places = ", ".join(str(place) for place, _ in enumerate(group, 1))
    if scan.counted:
        return f"SELECT {values}, sum(events) AS n {scan.from_facets} GROUP BY {places} HAVING n"
    return f"SELECT {values}, count(*) AS n {scan.clauses} GROUP BY {places}"


def facet_scan(plan: Plan, group: Sequence[Field]) -> IndexScan:
    """Return the events to count by fields, `counted` where the table `facets` has the numbers."""
    (scan,) = plan.counted
    if scan.counted and COUNTED.issuperset(group):
        return scan
    field, index = group[0], scan.index
    if index == EVERYTHING and not scan.conditions and field.indexed and has_all(field):
        index = f"events_by_{field.column}"  # in whose order events need no sorting
    return replace(scan, index=index, counted=False)


def count_between(
    db: apsw.Connection, plan: Plan, edges: Sequence[int], by: Field | None
) -> Sequence[Mapping[str | int, int]]:
    """Count the matching events between edges; see `EventStore.count_between`."""
    value = "''" if by is None else value_of(by)
    if plan.candidates:  # which would be looked up again in each interval
        counts: Sequence[Counter[str | int]] = [Counter() for _ in edges[1:]]
        for place, found in _placed(db, plan, edges, value):
            counts[place][found] += 1
        return counts
    scan = within(plan)
    sql = f"SELECT {value}, count(*) {scan.clauses}{'' if by is None else ' GROUP BY 1'}"
    return [
        {value: number for value, number in db.execute(sql, (*scan.bindings, low, high)) if number}
        for low, high in pairwise(edges)
    ]


def durations_between(db: apsw.Connection, plan: Plan, edges: Sequence[int]) -> Sequence[Sequence[int]]:
    """Return the durations of the matching events between edges; see `EventStore.durations_between`."""
    durations: list[list[int]] = [[] for _ in edges[1:]]
    for place, found in _placed(db, plan, edges, value_of(fields.DURATION)):
        if found is not None:
            durations[place].append(found)
    return [sorted(each) for each in durations]


def _counts_of_each(rows: Iterable[tuple[Any, ...]], group: Sequence[Field]) -> Sequence[Counter[str | int]]:
    """Return how many events have each value of each field, of how many have each combination of them."""
    counts: Sequence[Counter[str | int]] = [Counter() for _ in group]
    for *values, number in rows:
        for count, value in zip(counts, values, strict=True):
            count[value] += number
    return counts


def _most_frequent(counts: Counter[str | int], most: int) -> Sequence[Tally]:
    return [Tally(*each) for each in sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:most]]


def _placed(db: apsw.Connection, plan: Plan, edges: Sequence[int], value: str) -> Iterator[tuple[int, Any]]:
    """Give a value of each matching event between edges, and the number of the edge that it comes after."""
    scan = within(plan)
    sql = f"SELECT time, {value} {scan.clauses}"
    for time, found in db.execute(sql, (*scan.bindings, edges[0], edges[-1])):
        yield bisect_right(edges, time) - 1, found


def within(plan: Plan) -> IndexScan:
    """Return the only index scan of a plan, with the bounds of a period to bind."""
    (scan,) = plan.counted
    return replace(scan, conditions=(*scan.conditions, "time >= ?", "time < ?"), counted=False)


def _count_candidates(db: apsw.Connection, candidates: Candidates, up_to: int | None) -> int:
    """Count events that all match, and need not be looked at for that."""
    counted = len(candidates.newest)
    if candidates.few or (up_to is not None and counted > up_to):
        return counted
    sql, bindings = candidates.numbers
    limit = -1 if up_to is None else up_to + 1
    return int(db.execute(f"SELECT count(*) FROM ({sql} LIMIT ?)", (*bindings, limit)).get)  # noqa: S608 - our own statement


def _count_scans(db: apsw.Connection, scans: Sequence[IndexScan], up_to: int) -> int:
    counted = 0
    for scan in scans:
        sql = f"SELECT count(*) FROM (SELECT 1 {scan.clauses} LIMIT ?)"  # noqa: S608 - our own clauses
        counted += int(db.execute(sql, (*scan.bindings, up_to + 1 - counted)).get)
    return counted


def _count_scan(db: apsw.Connection, scan: IndexScan) -> int:
    return int(db.execute(scan.count, scan.bindings).get)
