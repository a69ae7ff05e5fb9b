"""Query plans as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.stores.mongo.search.counts import passes
from tracker.stores.mongo.search.index_scans import index_scans, split
from tracker.stores.mongo.search.lists import order_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from tracker.domain.query.fields import Field
    from tracker.domain.query.tree import EventFilter
    from tracker.stores.mongo.search.index_scans import IndexScan
    from tracker.stores.mongo.writes import Collection, Document


async def list_steps(events: Collection, where: EventFilter, *, oldest_first: bool) -> AsyncIterator[str]:
    """Yield the steps of a list of events, with the query plans of the database."""
    scans = index_scans(where)
    order = "oldest" if oldest_first else "newest"
    searches = ", search each document" if split(where).residual else ""
    for scan in reversed(scans) if oldest_first else scans:
        asked = {
            "find": events.name,
            "filter": scan.where,
            "sort": dict(order_of(oldest_first=oldest_first)),
            "hint": scan.index,
        }
        said = await events.database.command("explain", asked, verbosity="queryPlanner")
        yield f"list: {_way(said, scan)}, {order} first{searches}"


def count_steps(where: EventFilter) -> Iterator[str]:
    """Yield the steps of a total."""
    yield from _steps("count", where, "count in the database")


def facet_steps(where: EventFilter, asked: Sequence[Field]) -> Iterator[str]:
    """Yield the steps of counts by the values of fields."""
    together, alone, read = passes(asked)
    for fields in (together, *([field] for field in alone)):
        if fields:
            yield from _steps(_names(fields), where, "count in the database")
    if read:
        yield from _steps(_names(read), where, "read each document")


def interval_steps(where: EventFilter, edges: Sequence[int], by: Field | None) -> Iterator[str]:
    """Yield the steps of counts between edges."""
    is_read = by is not None and passes([by]).read
    how = "read each document" if is_read else "count in the database"
    for step in _steps("intervals", where, how):
        yield f"{step}, once for all of {len(edges) - 1:,}"


def duration_steps(where: EventFilter) -> Iterator[str]:
    """Yield the steps of durations between edges."""
    yield from _steps("durations", where, "read each document")


def _steps(what: str, where: EventFilter, how: str) -> Iterator[str]:
    """Yield the steps for the exact scans of a filter, and for the residual ones."""
    scans = split(where)
    for scan in scans.exact:
        yield f"{what}: walk {scan.index}, {how}"
    for scan in scans.residual:
        lacking = " of events whose terms are not kept" if scans.exact else ""
        yield f"{what}: walk {scan.index}, search each document{lacking}"


def _names(fields: Sequence[Field]) -> str:
    return ", ".join(field.name for field in fields)


def _way(said: Document, scan: IndexScan) -> str:
    """Return the stages of the winning plan, in order; not every database reports them."""
    plan = said.get("queryPlanner", {}).get("winningPlan", {})
    stages = list(_stages(plan.get("queryPlan", plan)))
    return " > ".join(stages) or f"walk {scan.index}"


def _stages(plan: Document) -> Iterator[str]:
    for inner in (*filter(None, [plan.get("inputStage")]), *plan.get("inputStages", ())):
        yield from _stages(inner)
    if "stage" in plan:
        yield f"{plan['stage']} {plan.get('indexName', '')}".rstrip()
