"""What a database does for a list of events, in words for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.stores.mongo.event_records import order_of
from tracker.stores.mongo.search.counts import passes
from tracker.stores.mongo.search.filters import branches, halves

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from tracker.domain.events import EventFilter
    from tracker.domain.query.fields import Field
    from tracker.stores.mongo.search.filters import Branch
    from tracker.stores.mongo.writes import Collection, Document


async def list_steps(events: Collection, where: EventFilter, *, oldest_first: bool) -> AsyncIterator[str]:
    """Give the steps that lead to a list of events; the ways to them are what the database says."""
    parts = branches(where)
    order = "oldest" if oldest_first else "newest"
    searches = "" if halves(where).query is None else ", search each document"
    for branch in reversed(parts) if oldest_first else parts:
        asked = {
            "find": events.name,
            "filter": branch.where,
            "sort": dict(order_of(oldest_first=oldest_first)),
            "hint": branch.index,
        }
        said = await events.database.command("explain", asked, verbosity="queryPlanner")
        yield f"list: {_way(said, branch)}, {order} first{searches}"


def count_steps(where: EventFilter) -> Iterator[str]:
    """Give the steps that lead to a total."""
    yield from _steps("count", where, "count in the database")


def facet_steps(where: EventFilter, asked: Sequence[Field]) -> Iterator[str]:
    """Give the steps that lead to the values of fields."""
    together, alone, read = passes(asked)
    for fields in (together, *([field] for field in alone)):
        if fields:
            yield from _steps(_names(fields), where, "count in the database")
    if read:
        yield from _steps(_names(read), where, "read each document")


def interval_steps(where: EventFilter, edges: Sequence[int], by: Field | None) -> Iterator[str]:
    """Give the steps that lead to the numbers of events between edges."""
    is_read = by is not None and passes([by]).read
    how = "read each document" if is_read else "count in the database"
    for step in _steps("intervals", where, how):
        yield f"{step}, once for all of {len(edges) - 1:,}"


def duration_steps(where: EventFilter) -> Iterator[str]:
    """Give the steps that lead to durations of events between edges."""
    yield from _steps("durations", where, "read each document")


def _steps(what: str, where: EventFilter, how: str) -> Iterator[str]:
    """Give the steps for the events that the database tells, and for those that have to be searched."""
    parts = halves(where)
    for branch in parts.told:
        yield f"{what}: walk {branch.index}, {how}"
    for branch in parts.sifted:
        lacking = " of events whose terms are not kept" if parts.told else ""
        yield f"{what}: walk {branch.index}, search each document{lacking}"


def _names(fields: Sequence[Field]) -> str:
    return ", ".join(field.name for field in fields)


def _way(said: Document, branch: Branch) -> str:
    """Return the stages of the plan that won, the first one first; not every database tells of them."""
    plan = said.get("queryPlanner", {}).get("winningPlan", {})
    stages = list(_stages(plan.get("queryPlan", plan)))
    return " > ".join(stages) or f"walk {branch.index}"


def _stages(plan: Document) -> Iterator[str]:
    for inner in (*filter(None, [plan.get("inputStage")]), *plan.get("inputStages", ())):
        yield from _stages(inner)
    if "stage" in plan:
        yield f"{plan['stage']} {plan.get('indexName', '')}".rstrip()
