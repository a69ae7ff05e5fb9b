"""Lists of the events that a plan finds, and how many there are."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tracker.pb import event_pb
from tracker.stores.documents import parse
from tracker.stores.events import MonthCount
from tracker.stores.sqlite.event_records import SELECT

if TYPE_CHECKING:
    from collections.abc import Sequence

    import apsw

    from tracker.stores.pages import Page
    from tracker.stores.sqlite.search.index_scans import IndexScan
    from tracker.stores.sqlite.search.plans import Candidates, Plan

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
