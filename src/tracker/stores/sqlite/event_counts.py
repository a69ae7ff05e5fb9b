"""Counts of events by the values of their fields, and over time."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tracker.domain.query import fields
from tracker.stores.base import Tally
from tracker.stores.sqlite.filters import EVERYTHING
from tracker.stores.sqlite.values import value_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import apsw

    from tracker.domain.query.fields import Field
    from tracker.stores.sqlite.filters import Branch
    from tracker.stores.sqlite.plans import Plan

_INDEXES = {fields.SERVICE: "events_by_service", fields.SOURCE: "events_by_source"}
"""Indexes that begin with a field: all events can be counted by it without sorting them."""


def count_by(db: apsw.Connection, plan: Plan, field: Field, most: int) -> Sequence[Tally]:
    """Count the matching events by their values of a field; see `EventStore.count_by`."""
    branch = facet_branch(plan, field)
    sql = f"{facet_statement(branch, field)} ORDER BY n DESC, 1 LIMIT ?"
    return [Tally(*row) for row in db.execute(sql, (*branch.bindings, most))]


def facet_statement(branch: Branch, field: Field) -> str:
    """Return the statement for the values of a field of a branch, and how many events have each."""
    if branch.counted:
        return f"SELECT {value_of(field)}, sum(events) AS n {branch.from_facets} GROUP BY 1 HAVING n"
    return f"SELECT {value_of(field)}, count(*) AS n {branch.clauses} GROUP BY 1"


def facet_branch(plan: Plan, field: Field) -> Branch:
    """Return the events to count by a field, `counted` where the table `facets` tells their values of it."""
    (branch,) = plan.counted
    if branch.counted and field in fields.COUNTED:
        return branch
    everything = branch.index == EVERYTHING and not branch.conditions
    index = _INDEXES.get(field, EVERYTHING) if everything else branch.index
    return replace(branch, index=index, counted=False)


def count_between(
    db: apsw.Connection, plan: Plan, edges: Sequence[int], by: Field | None
) -> Sequence[Mapping[str | int, int]]:
    """Count the matching events between edges; see `EventStore.count_between`."""
    value = "''" if by is None else value_of(by)
    if plan.candidates:  # which would be looked up anew in each interval
        counts: Sequence[Counter[str | int]] = [Counter() for _ in edges[1:]]
        for place, found in _placed(db, plan, edges, value):
            counts[place][found] += 1
        return counts
    branch = within(plan)
    sql = f"SELECT {value}, count(*) {branch.clauses}{'' if by is None else ' GROUP BY 1'}"
    return [
        {value: number for value, number in db.execute(sql, (*branch.bindings, low, high)) if number}
        for low, high in pairwise(edges)
    ]


def durations_between(db: apsw.Connection, plan: Plan, edges: Sequence[int]) -> Sequence[Sequence[int]]:
    """Return the durations of the matching events between edges; see `EventStore.durations_between`."""
    durations: list[list[int]] = [[] for _ in edges[1:]]
    for place, found in _placed(db, plan, edges, value_of(fields.DURATION)):
        if found is not None:
            durations[place].append(found)
    return [sorted(each) for each in durations]


def _placed(db: apsw.Connection, plan: Plan, edges: Sequence[int], value: str) -> Iterator[tuple[int, Any]]:
    """Give a value of each matching event between edges, and the number of the edge that it is behind."""
    branch = within(plan)
    sql = f"SELECT time, {value} {branch.clauses}"
    for time, found in db.execute(sql, (*branch.bindings, edges[0], edges[-1])):
        yield bisect_right(edges, time) - 1, found


def within(plan: Plan) -> Branch:
    """Return the one branch of a plan, with the bounds of a period to bind."""
    (branch,) = plan.counted
    return replace(branch, conditions=(*branch.conditions, "time >= ?", "time < ?"), counted=False)
