"""Lists of the events of a filter, their counts, and the steps that lead to both, as text.

The database counts and groups the events of exact scans. The others are read one by one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar, cast

from tracker.domain.events import event_id
from tracker.domain.query.fields import SERVICE
from tracker.domain.query.matching import matches
from tracker.domain.query.tree import EventFilter
from tracker.stores.documents import READ, read_event
from tracker.stores.events import MOST_COUNTED, Explanation, MonthCount
from tracker.stores.mongo.event_records import event_of, month_of
from tracker.stores.mongo.pages import IN_A_BATCH, read_rows
from tracker.stores.mongo.search.index_scans import BY_TERM, EARLIEST, index_scans, split
from tracker.stores.mongo.search.queries import LACK_TERMS
from tracker.stores.pages import Reading, Total, counted, size_of
from tracker.supervision import stop_if_cancelled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

    from tracker.domain.query.tree import Node
    from tracker.pb import event_pb
    from tracker.stores.mongo.search.index_scans import IndexScan
    from tracker.stores.mongo.writes import Collection, Document
    from tracker.stores.pages import Page


T = TypeVar("T")


async def select_page(  # noqa: PLR0913 - what is read, and how
    events: Collection,
    where: EventFilter,
    page: Page,
    searched: Explanation,
    read: Callable[[str, str], T],
    *,
    oldest_first: bool = False,
) -> Reading[T]:
    """Read the matching events of a page, newest or oldest first."""
    reading: Reading[T] = Reading(page)
    wanted, skip = page.rows(0), page.offset
    scans = split(where)
    if scans.residual and not (scans.exact and await all_have_terms(events)):
        return await _select_matching(events, where, page, searched, read, oldest_first=oldest_first)
    order = _order(oldest_first=oldest_first)
    for scan in _remaining(scans.exact, page, oldest_first=oldest_first):
        rows = events.find(scan.where, {"document": 1}, sort=order, skip=skip, hint=scan.index)
        rows.limit(wanted - len(reading.records) if wanted else 0)
        await read_rows(reading, rows, read)
        if reading.more:
            break
        if skip:
            skip = 0 if reading.records else max(0, skip - await _count_scan(events, scan))
    return reading


async def all_have_terms(events: Collection) -> bool:
    """Return whether all events are stored with their terms."""
    lacking = LACK_TERMS | {"time": {"$gte": EARLIEST}}
    return await events.find_one(lacking, {"_id": 1}, hint=BY_TERM) is None


async def list_steps(events: Collection, where: EventFilter, *, oldest_first: bool) -> AsyncIterator[str]:
    """Yield the steps of a list of events, with the query plans of the database."""
    scans = index_scans(where)
    order, order_text = _order(oldest_first=oldest_first), "oldest" if oldest_first else "newest"
    found = split(where)
    by_terms = found.exact and await all_have_terms(events)
    searches = ", search each document" if found.residual and not by_terms else ""
    for scan in reversed(scans) if oldest_first else scans:
        query = {"find": events.name, "filter": scan.where, "sort": dict(order), "hint": scan.index}
        explained = await events.database.command("explain", query, verbosity="queryPlanner")
        plan = explained.get("queryPlanner", {}).get("winningPlan", {})
        stages = " > ".join(_stages(plan.get("queryPlan", plan)))  # which not every database reports
        yield f"list: {stages or f'scan {scan.index}'}, {order_text} first{searches}"


def scan_steps(what: str, where: EventFilter, how: str) -> Iterator[str]:
    """Yield the steps for the exact scans of a filter, and for the residual ones."""
    scans = split(where)
    for scan in scans.exact:
        yield f"{what}: scan {scan.index}, {how}"
    for scan in scans.residual:
        lacking = " of events whose terms are not kept" if scans.exact else ""
        yield f"{what}: scan {scan.index}, search each document{lacking}"


async def total(events: Collection, where: EventFilter, searched: Explanation) -> Total:
    """Count the matching events for a list up to `MOST_COUNTED`; estimate the number of all events."""
    if where == EventFilter():
        everything = await events.estimated_document_count()
        if everything > MOST_COUNTED:
            return Total(everything, estimated=True)
    return counted(await count(events, where, MOST_COUNTED, searched), MOST_COUNTED)


async def count(
    events: Collection, where: EventFilter, up_to: int | None = None, searched: Explanation | None = None
) -> int:
    """Count the matching events, at most `up_to` + 1."""
    scans = split(where)
    number = 0
    for scan in scans.exact:
        number += await _count_scan(events, scan, None if up_to is None else up_to + 1 - number)
        if up_to is not None and number > up_to:
            return number
    async for _ in matching_events(events, scans.residual, scans.query, searched or Explanation()):
        number += 1
        if number - 1 == up_to:
            break
    return number


async def count_by_month(events: Collection, where: EventFilter, *, by_service: bool) -> Sequence[MonthCount]:
    """Count the matching events by month and, if asked, by service."""
    group = {"month": "$month", **({"service": "$service"} if by_service else {})}
    counts: Counter[tuple[int, str]] = Counter()
    scans = split(where)
    async for event, _ in matching_events(events, scans.residual, scans.query, Explanation()):
        counts[month_of(event), str(SERVICE.value(event)) if by_service else ""] += 1
    for scan in scans.exact:
        rows = await events.aggregate(
            [{"$match": scan.where}, {"$group": {"_id": group, "events": {"$sum": 1}}}], hint=scan.index
        )
        async for row in rows:
            counts[row["_id"]["month"], row["_id"].get("service", "")] += row["events"]
    return [
        MonthCount(month // 12, month % 12 + 1, service, number)
        for (month, service), number in sorted(counts.items())
    ]


async def matching_events(  # noqa: PLR0913 - what is read, and how
    events: Collection,
    scans: Iterable[IndexScan],
    query: Node | None,
    searched: Explanation,
    *,
    oldest_first: bool = False,
    at_once: int = IN_A_BATCH,
) -> AsyncIterator[tuple[event_pb.Event, str]]:
    """Yield the events of index scans, or those that match a query, newest or oldest first.

    With each comes its document. Those are counted that have to be `searched` for that; the database gives
    some `at_once`.
    """
    order, turn = _order(oldest_first=oldest_first), perf_counter()
    for scan in scans:
        found = events.find(scan.where, {"document": 1}, sort=order, hint=scan.index, batch_size=at_once)
        async with found as rows:
            async for row in rows:
                if perf_counter() - turn > _TURN_SECONDS:
                    await asyncio.sleep(0)
                    stop_if_cancelled()
                    turn = perf_counter()
                event = event_of(row)
                if query is None or (searched.count() and matches(query, event)):
                    yield event, row["document"]


_FEWEST = 100
"""The fewest documents that the database gives at once."""

_TURN_SECONDS = 0.005
"""Seconds of the event loop after which a search lets others be served."""


def searches(where: EventFilter) -> bool:
    """Return whether documents are searched for the events of a filter."""
    return bool(split(where).residual)


def _order(*, oldest_first: bool) -> list[tuple[str, int]]:
    """Return the sort order of a list."""
    direction = 1 if oldest_first else -1
    return [("time", direction), ("_id", direction)]


def _remaining(all_: Sequence[IndexScan], page: Page, *, oldest_first: bool) -> Iterator[IndexScan]:
    """Yield index scans in an order, without what comes before a page."""
    for scan in reversed(all_) if oldest_first else all_:
        yield scan if page.after is None else scan.after(page.after, oldest_first=oldest_first)


async def _select_matching(  # noqa: PLR0913 - what is read, and how
    events: Collection,
    where: EventFilter,
    page: Page,
    searched: Explanation,
    read: Callable[[str, str], T],
    *,
    oldest_first: bool,
) -> Reading[T]:
    reading: Reading[T] = Reading(page)
    skip, report = page.offset, READ.get()
    remaining = _remaining(index_scans(where), page, oldest_first=oldest_first)
    at_once = min(max(page.rows(IN_A_BATCH), _FEWEST), IN_A_BATCH)
    async for event, document in matching_events(
        events, remaining, where.query, searched, oldest_first=oldest_first, at_once=at_once
    ):
        if skip:
            skip -= 1
            continue
        size = size_of(document)
        if not reading.has_room(size):
            break
        report(size)
        # An event was read to be matched, and is not read again.
        record = cast("T", event) if read is read_event else read(event_id(event), document)
        reading.records.append(record)
    return reading


async def _count_scan(events: Collection, scan: IndexScan, up_to: int | None = None) -> int:
    limit: Document = {} if up_to is None else {"limit": up_to}
    return await events.count_documents(scan.where, None, hint=scan.index, **limit)


def _stages(plan: Document) -> Iterator[str]:
    """Yield the stages of a query plan, in the order of execution."""
    for inner in (*filter(None, [plan.get("inputStage")]), *plan.get("inputStages", ())):
        yield from _stages(inner)
    if "stage" in plan:
        yield f"{plan['stage']} {plan.get('indexName', '')}".rstrip()
