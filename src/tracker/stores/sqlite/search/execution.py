"""Executes plans: lists of events, how many there are, counts by the values of their fields and over time."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from tracker.domain.query import fields
from tracker.domain.query.text import to_text
from tracker.domain.query.tree import EventFilter
from tracker.number_text import number_of
from tracker.stores.documents import read_list
from tracker.stores.events import COUNTED, MOST_COUNTED, MonthCount, Tally, most_frequent
from tracker.stores.pages import Reading
from tracker.stores.sqlite.event_records import SELECT
from tracker.stores.sqlite.search.candidates import FEW
from tracker.stores.sqlite.search.plans import EVERYTHING, LIKELY, MOST_UNINDEXED, index_scans
from tracker.stores.sqlite.search.queries import has_all, reads_document, value_of
from tracker.stores.sqlite.search.slot_counts import counting, counts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import apsw

    from tracker.domain.query.fields import Field
    from tracker.stores.pages import Page
    from tracker.stores.sqlite.search.candidates import Candidates
    from tracker.stores.sqlite.search.plans import IndexScan, Plan
    from tracker.stores.sqlite.search.slot_counts import Counts, SlotCounts

T = TypeVar("T")

_INDEX = re.compile(r"(?:SEARCH|SCAN) events USING (?:COVERING )?INDEX (.*)")
_MONTH = "strftime('%Y-%m', time / 1000000 - (time % 1000000 < 0), 'unixepoch')"


def select_page(
    db: apsw.Connection,
    plan: Plan,
    page: Page,
    read: Callable[[str, str], T],
    *,
    oldest_first: bool = False,
) -> Reading[T]:
    """Read the matching events of a page, newest or oldest first."""
    reading: Reading[T] = Reading(page)
    wanted = page.rows(-1)
    skip = page.offset
    order = "time, id" if oldest_first else "time DESC, id DESC"
    scans = plan.listed[::-1] if oldest_first else plan.listed
    for every in scans:
        scan = every if page.after is None else every.after(page.after, oldest_first=oldest_first)
        rows = db.execute(
            f"{SELECT} {scan.ordered(order)}",
            (*scan.bindings, wanted - len(reading.records) if wanted >= 0 else wanted, skip),
        )
        reading.records += read_list(read, reading.within(rows))
        if reading.more:
            break
        if skip:
            skip = 0 if reading.records else max(0, skip - _count_scan(db, scan))
    if plan.explanation is not None:
        plan.explanation.steps += _word_steps(plan)
        first = "oldest first" if oldest_first else "newest first"
        for scan in scans:
            sql = f"SELECT id, document {scan.clauses} ORDER BY time, id"
            plan.explanation.steps.append(
                f"list: {_way(db, replace(scan, counted=False), sql)}, {first}{_checks(scan)}"
            )
    return reading


def count(db: apsw.Connection, plan: Plan, slots: SlotCounts, up_to: int | None = None) -> int:
    """Count the matching events, at most `up_to` + 1."""
    if plan.explanation is not None:
        plan.explanation.steps += _count_steps(db, plan)
    if plan.only_candidates:
        return _count_candidates(db, plan.candidates[0], up_to)
    if plan.period is not None:
        return slots.total(db, *plan.period)
    if plan.complement is not None:
        whole, outside = plan.complement
        return sum(_count_scan(db, scan) for scan in whole) - sum(_count_scan(db, scan) for scan in outside)
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
    db: apsw.Connection, plan: Plan, asked: Sequence[Field], most: int, slots: SlotCounts
) -> tuple[int, Sequence[Sequence[Tally]]]:
    """Count the matching events by their values of fields; see `EventStore.count_by`."""
    total: int | None = None
    tallies: dict[Field, Sequence[Tally]] = {}
    if plan.explanation is not None:
        plan.explanation.steps += _word_steps(plan)
    for group in _facet_groups(plan, asked):
        if len(group) > 1 or (group[0] in COUNTED and (plan.complement or plan.period)):
            counts = _count_together(db, plan, group, slots)
            total = counts[group[0].name].total()
            tallies |= {field: most_frequent([counts[field.name]], most) for field in group}
            continue
        (field,), scan = group, _facet_scan(plan, group)
        number, source = ("sum(events)", scan.from_facets) if scan.counted else ("count(*)", scan.clauses)
        sql = f"SELECT {value_of(field)}, {number} AS n {source} GROUP BY 1 HAVING n"
        _report_facets(db, plan, scan, sql, group)
        rows = db.execute(f"{sql} ORDER BY n DESC, 1 LIMIT ?", (*scan.bindings, most))
        tallies[field] = [Tally(*row) for row in rows]
    return count(db, plan, slots) if total is None else total, [tallies[field] for field in asked]


def _count_together(
    db: apsw.Connection, plan: Plan, group: Sequence[Field], slots: SlotCounts
) -> Mapping[str, Counter[str | int]]:
    """Count the matching events by the values of several fields of `COUNTED`, by their names."""
    counts: Counts = {field.name: Counter() for field in group}
    added, taken = plan.complement or (plan.counted, ())
    if plan.period is not None:
        if plan.explanation is not None:
            names = ", ".join(counts)
            plan.explanation.steps.append(f"{names}: sum up what is remembered of the middle of the period")
        remembered, rest = slots.of_period(db, *plan.period)
        for field in group:
            counts[field.name].update(remembered.get(field.name, {}))
        added = [scan for since, until in rest for scan in index_scans(EventFilter(since=since, until=until))]
    for scans, sign in ((added, 1), (taken, -1)):
        for scan in scans:
            sql = counting(group, "count(*)", scan.clauses)
            _report_facets(db, plan, scan, sql, group)
            if scan.counted:
                found = _summed(db, scan, group)
            else:
                found = counts_of(group, db.execute(sql, scan.bindings), sign)
            for name, values in found.items():
                counts[name].update(values)
    return {name: +values for name, values in counts.items()}


def _summed(db: apsw.Connection, scan: IndexScan, group: Sequence[Field]) -> Counts:
    """Sum up the table `facets` by each field; SQL would take twice as long to group its rows."""
    counts: Counts = {field.name: Counter() for field in group}
    sql = f"SELECT events, {', '.join(map(value_of, group))} {scan.from_facets}"
    for number, *values in db.execute(sql, scan.bindings):
        for of_field, value in zip(counts.values(), values, strict=True):
            of_field[value] += number
    return counts


def _report_facets(
    db: apsw.Connection, plan: Plan, scan: IndexScan, sql: str, group: Sequence[Field]
) -> None:
    if plan.explanation is not None:
        names = ", ".join(field.name for field in group)
        plan.explanation.steps.append(f"{names}: {_way(db, scan, sql)}{_checks(scan, *group)}")


def count_between(
    db: apsw.Connection, plan: Plan, edges: Sequence[int], by: Field | None, slots: SlotCounts
) -> Sequence[Mapping[str | int, int]]:
    """Count the matching events between edges; see `EventStore.count_between`."""
    scan = _within(plan)
    if plan.explanation is not None:
        plan.explanation.steps += _word_steps(plan)
        way = _way(db, scan, f"SELECT count(*) {scan.clauses}", edges[0], edges[-1])
        checks = _checks(scan) if by is None else _checks(scan, by)
        times = "once for all" if plan.candidates else "for each"
        plan.explanation.steps.append(f"intervals: {way}{checks}, {times} of {len(edges) - 1:,}")
    value = "''" if by is None else value_of(by)
    if plan.candidates:  # a statement for each interval would look them up each time
        counts: Sequence[Counter[str | int]] = [Counter() for _ in edges[1:]]
        for place, found in _placed(db, plan, edges, value):
            counts[place][found] += 1
        return counts
    sql = f"SELECT {value}, count(*) {scan.clauses}{'' if by is None else ' GROUP BY 1'}"
    whole = by if by in COUNTED and not plan.counted[0].conditions else None

    def count_within(low: int, high: int) -> Counter[str | int]:
        middle, rest = slots.of_period(db, low, high) if whole else ({}, [(low, high)])
        found = Counter(middle.get(whole.name, {}) if whole else {})
        for part in rest:
            found.update(dict(db.execute(sql, (*scan.bindings, *part))))
        return +found

    if not plan.counted[0].counted or (by is not None and by not in COUNTED):
        return [count_within(*interval) for interval in pairwise(edges)]
    return [
        slots.of_interval(db, interval, (sql, scan.bindings), partial(count_within, *interval))
        for interval in pairwise(edges)
    ]


def durations_between(db: apsw.Connection, plan: Plan, edges: Sequence[int]) -> Sequence[Sequence[int]]:
    """Return the durations of the matching events between edges; see `EventStore.durations_between`."""
    scan = _within(plan)
    if plan.explanation is not None:
        way = _way(db, scan, f"SELECT count(*) {scan.clauses}", edges[0], edges[-1])
        plan.explanation.steps.append(f"durations: {way}{_checks(scan)}")
    durations: list[list[int]] = [[] for _ in edges[1:]]
    for place, found in _placed(db, plan, edges, value_of(fields.DURATION)):
        if found is not None:
            durations[place].append(found)
    return [sorted(each) for each in durations]


def _facet_groups(plan: Plan, asked: Sequence[Field]) -> Sequence[Sequence[Field]]:
    """Return groups of fields; those of a group are counted together, in one scan of the events.

    A field that may have as many values as there are events is a group of its own.
    """
    (scan,) = plan.counted
    together = [] if scan.counted else list(dict.fromkeys(field for field in asked if field in COUNTED))
    alone = [[field] for field in asked if field not in together]
    return [together, *alone] if together else alone


def _facet_scan(plan: Plan, group: Sequence[Field]) -> IndexScan:
    """Return the scan to count by fields, `counted` if the table `facets` has the numbers."""
    (scan,) = plan.counted
    if scan.counted and COUNTED.issuperset(group):
        return scan
    field, index = group[0], scan.index
    if index == EVERYTHING and not scan.conditions and field.indexed and has_all(field):
        index = f"events_by_{field.column}"  # in whose order events need no sorting
    return replace(scan, index=index, counted=False)


def _placed(db: apsw.Connection, plan: Plan, edges: Sequence[int], value: str) -> Iterator[tuple[int, Any]]:
    """Yield the interval of each matching event between edges, and a value of it."""
    scan = _within(plan)
    sql = f"SELECT time, {value} {scan.clauses}"
    for time, found in db.execute(sql, (*scan.bindings, edges[0], edges[-1])):
        yield bisect_right(edges, time) - 1, found


def _within(plan: Plan) -> IndexScan:
    """Return the only index scan of a plan, for a period whose bounds are to be bound."""
    (scan,) = plan.counted
    return replace(scan, conditions=(*scan.conditions, "time >= ?", "time < ?"), counted=False)


def _count_candidates(db: apsw.Connection, candidates: Candidates, up_to: int | None) -> int:
    """Count candidates that all match, without reading their events."""
    counted = len(candidates.newest)
    if candidates.few or (up_to is not None and counted > up_to):
        return counted
    sql, bindings = candidates.numbers
    limit = -1 if up_to is None else up_to + 1
    return int(db.execute(f"SELECT count(*) FROM ({sql} LIMIT ?)", (*bindings, limit)).get)


def _count_scans(db: apsw.Connection, scans: Sequence[IndexScan], up_to: int) -> int:
    counted = 0
    for scan in scans:
        sql = f"SELECT count(*) FROM (SELECT 1 {scan.clauses} LIMIT ?)"
        counted += int(db.execute(sql, (*scan.bindings, up_to + 1 - counted)).get)
    return counted


def _count_scan(db: apsw.Connection, scan: IndexScan) -> int:
    return int(db.execute(scan.count, scan.bindings).get)


def _word_steps(plan: Plan) -> Iterator[str]:
    """Yield how the index of words is used."""
    for part in plan.candidates:
        number = number_of(len(part.newest), "candidate") if part.few else f"more than {FEW:,} candidates"
        yield f"index: {to_text(part.node)} has {number}"
    if plan.unindexed >= MOST_UNINDEXED:
        yield "index: not used until it is complete"
    elif plan.unindexed:
        yield f"index: lacks {number_of(plan.unindexed, 'document')}, which are searched"


def _count_steps(db: apsw.Connection, plan: Plan) -> Iterator[str]:
    """Yield the steps of a total."""
    if plan.only_candidates:
        yield "count: the candidates"
        return
    if plan.counted_first:
        yield f"count: the newest {LIKELY:,} events first, and others unless more than {MOST_COUNTED:,} match"
    if plan.period is not None:
        yield "count: sum up what is remembered of the middle of the period"
        return
    if plan.complement is not None:
        yield f"count: {_way(db, plan.complement.whole[0], '')}, without those outside the period"
        return
    for scan in plan.counted:
        yield f"count: {_way(db, scan, scan.count)}{_checks(scan)}"


def _way(db: apsw.Connection, scan: IndexScan, sql: str, *bound: int) -> str:
    """Return how SQLite finds the events of an index scan for a statement with further values bound."""
    if scan.counted:
        return "sum up the table facets"
    if scan.index is None:
        return "fetch the candidates"
    rows = db.execute(f"EXPLAIN QUERY PLAN {sql}", (*scan.bindings, *bound))
    return f"scan {next((match[1] for row in rows if (match := _INDEX.fullmatch(row[3]))), scan.index)}"


def _checks(scan: IndexScan, *read: Field) -> str:
    """Return what is done for each event of an index scan, and to read the values of fields."""
    looks_up = scan.index is not None and any("number IN" in condition for condition in scan.conditions)
    looked_up = ", look each up among the candidates" if looks_up else ""
    searched = ", search its document" if scan.searches else ""
    return (
        looked_up
        + searched
        + (", read the value from its document" if any(map(reads_document, read)) else "")
    )
