"""What a database does for a list of events, in words for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.stores.mongo.event_records import order_of, to_sift
from tracker.stores.mongo.filters import branches

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tracker.domain.events import EventFilter
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
