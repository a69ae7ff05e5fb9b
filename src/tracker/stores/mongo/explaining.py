"""What a database does for a list of events, in words for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.stores.mongo.event_counts import is_grouped
from tracker.stores.mongo.event_records import order_of, to_sift
from tracker.stores.mongo.filters import branches

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from tracker.domain.events import EventFilter
    from tracker.domain.query.fields import Field
    from tracker.stores.mongo.filters import Branch
    from tracker.stores.mongo.writes import Collection, Document


async def list_steps(events: Collection, where: EventFilter, *, oldest_first: bool) -> AsyncIterator[str]:
    """Give the steps that lead to a list of events; the ways to them are what the database says."""
    parts = branches(where)
    order = "oldest" if oldest_first else "newest"
    for branch in reversed(parts) if oldest_first else parts:
        asked = {
            "find": events.name,
            "filter": branch.where,
            "sort": dict(order_of(oldest_first=oldest_first)),
            "hint": branch.index,
        }
        said = await events.database.command("explain", asked, verbosity="queryPlanner")
        yield f"list: {_way(said, branch)}, {order} first{_checks(where)}"


def count_steps(where: EventFilter) -> Iterator[str]:
    """Give the steps that lead to a total."""
    for branch in branches(where):
        yield f"count: walk {branch.index}{_checks(where)}"


def facet_steps(where: EventFilter, asked: Sequence[Field]) -> Iterator[str]:
    """Give the steps that lead to the values of fields."""
    for field in asked:
        yield f"{field.name}: {_grouped(where, field)}"


def interval_steps(where: EventFilter, edges: Sequence[int], by: Field | None) -> Iterator[str]:
    """Give the steps that lead to the numbers of events between edges."""
    yield f"intervals: {_grouped(where, by)}, once for all of {len(edges) - 1:,}"


def duration_steps(where: EventFilter) -> Iterator[str]:
    """Give the steps that lead to durations of events between edges."""
    for branch in branches(where):
        yield f"durations: walk {branch.index}, read each document"


def _grouped(where: EventFilter, by: Field | None) -> str:
    (branch,) = branches(where)
    how = "count in the database" if is_grouped(where, by) else "read each document"
    return f"walk {branch.index}, {how}"


def _checks(where: EventFilter) -> str:
    return "" if to_sift(where) is None else ", search each document"


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
