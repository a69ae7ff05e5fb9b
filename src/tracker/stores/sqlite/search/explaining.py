"""What a plan does, in words for people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracker.domain.query import to_text
from tracker.stores.events import MOST_COUNTED
from tracker.stores.sqlite.search.execution import facet_groups, facet_scan, facet_statement, within
from tracker.stores.sqlite.search.plans import FEW, LIKELY, MOST_BEHIND
from tracker.stores.sqlite.search.values import reads_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import apsw

    from tracker.domain.query.fields import Field
    from tracker.stores.sqlite.search.plans import IndexScan, Plan

_WALK = re.compile(r"(?:SEARCH|SCAN) events USING (?:COVERING )?INDEX (.*)")


def list_steps(db: apsw.Connection, plan: Plan, *, oldest_first: bool) -> Iterator[str]:
    """Give the steps that lead to a list of events."""
    yield from _word_steps(plan)
    order = "oldest" if oldest_first else "newest"
    for scan in reversed(plan.listed) if oldest_first else plan.listed:
        sql = f"SELECT id, document {scan.clauses} ORDER BY time, id"
        yield f"list: {_way(db, scan, sql)}, {order} first{_checks(scan)}"


def count_steps(db: apsw.Connection, plan: Plan) -> Iterator[str]:
    """Give the steps that lead to a total."""
    if plan.only_candidates:
        yield "count: the candidates"
        return
    if plan.counted_first:
        yield f"count: the newest {LIKELY:,} events first, and others unless more than {MOST_COUNTED:,} match"
    for scan in plan.counted:
        yield f"count: {_count_way(db, scan, scan.count)}{_checks(scan)}"


def facet_steps(db: apsw.Connection, plan: Plan, asked: Sequence[Field]) -> Iterator[str]:
    """Give the steps that lead to the values of fields, and to a total."""
    yield from _word_steps(plan)
    groups = facet_groups(plan, asked)
    for group in groups:
        scan = facet_scan(plan, group)
        way = _count_way(db, scan, facet_statement(scan, group))
        names = ", ".join(field.name for field in group)
        yield f"{names}: {way}{_checks(scan)}{_reads(group)}"
    if all(len(group) == 1 for group in groups):
        yield from count_steps(db, plan)


def interval_steps(db: apsw.Connection, plan: Plan, edges: Sequence[int], by: Field | None) -> Iterator[str]:
    """Give the steps that lead to the numbers of events between edges."""
    yield from _word_steps(plan)
    scan = within(plan)
    sql = f"SELECT count(*) {scan.clauses}"
    way = f"{_way(db, scan, sql, edges[0], edges[-1])}{_checks(scan)}{'' if by is None else _reads([by])}"
    yield f"intervals: {way}, {'once for all' if plan.candidates else 'for each'} of {len(edges) - 1:,}"


def duration_steps(db: apsw.Connection, plan: Plan, edges: Sequence[int]) -> Iterator[str]:
    """Give the steps that lead to durations of events between edges."""
    scan = within(plan)
    sql = f"SELECT count(*) {scan.clauses}"
    yield f"durations: {_way(db, scan, sql, edges[0], edges[-1])}{_checks(scan)}"


def _word_steps(plan: Plan) -> Iterator[str]:
    for part in plan.candidates:
        number = _number(len(part.newest), "candidate") if part.few else f"more than {FEW:,} candidates"
        yield f"index: {to_text(part.node)} has {number}"
    if plan.behind >= MOST_BEHIND:
        yield "behind: the index is being made, and not used until it is complete"
    elif plan.behind:
        yield f"behind: {_number(plan.behind, 'document')} searched that the index has not got yet"


def _number(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _count_way(db: apsw.Connection, scan: IndexScan, sql: str) -> str:
    return "sum up the table facets" if scan.counted else _way(db, scan, sql)


def _way(db: apsw.Connection, scan: IndexScan, sql: str, *more: int) -> str:
    """Return how SQLite finds the events of an index scan for a statement, with `more` to bind."""
    if scan.index is None:
        return "fetch the candidates"
    steps: Sequence[str] = [
        row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", (*scan.bindings, *more))
    ]
    return f"walk {next((match[1] for step in steps if (match := _WALK.fullmatch(step))), scan.index)}"


def _checks(scan: IndexScan) -> str:
    """Return what each event is asked, beyond what the way to it says."""
    looks_up = scan.index is not None and any("number IN" in condition for condition in scan.conditions)
    looked_up = ", look each up among the candidates" if looks_up else ""
    return f"{looked_up}{', search its document' if scan.searches else ''}"


def _reads(group: Sequence[Field]) -> str:
    return ", read the value from its document" if any(map(reads_document, group)) else ""
