"""What a plan does, in words for people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracker.domain.query import to_text
from tracker.stores.base import MOST_COUNTED
from tracker.stores.sqlite.plans import FEW, LIKELY, MOST_BEHIND

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import apsw

    from tracker.stores.sqlite.filters import Branch
    from tracker.stores.sqlite.plans import Plan

_WALK = re.compile(r"(?:SEARCH|SCAN) events USING (?:COVERING )?INDEX (.*)")


def list_steps(db: apsw.Connection, plan: Plan, *, oldest_first: bool) -> Iterator[str]:
    """Give the steps that lead to a list of events."""
    for text in plan.texts:
        events = f"{len(text.newest):,}" if text.few else f"more than {FEW:,}"
        noun = "candidate" if len(text.newest) == 1 else "candidates"
        yield f"words: {to_text(text.node)} has {events} {noun}"
    if plan.behind >= MOST_BEHIND:
        yield "words: their index is being made, and not used until it is complete"
    elif plan.behind:
        yield f"words: the documents of {plan.behind:,} events are searched, which are not in the index yet"
    order = "oldest" if oldest_first else "newest"
    for branch in reversed(plan.listed) if oldest_first else plan.listed:
        sql = f"SELECT id, document {branch.clauses} ORDER BY time, id"
        yield f"list: {_way(db, branch, sql)}, {order} first{_checks(branch)}"


def count_steps(db: apsw.Connection, plan: Plan) -> Iterator[str]:
    """Give the steps that lead to a total."""
    if plan.only_text:
        yield "count: the events that have the words"
        return
    if plan.counted_first:
        yield f"count: the newest {LIKELY:,} events first, and others unless more than {MOST_COUNTED:,} match"
    for branch in plan.counted:
        way = "sum up the table facets" if branch.counted else _way(db, branch, branch.count)
        yield f"count: {way}{_checks(branch)}"


def _way(db: apsw.Connection, branch: Branch, sql: str) -> str:
    if branch.index is None:
        return "fetch the events that have the words"
    steps: Sequence[str] = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", branch.bindings)]
    return f"walk {next((match[1] for step in steps if (match := _WALK.fullmatch(step))), branch.index)}"


def _checks(branch: Branch) -> str:
    """Return what each event is asked, beyond what the way to it says."""
    looks_up = branch.index is not None and any("number IN" in condition for condition in branch.conditions)
    looked_up = ", look each up among those that have the words" if looks_up else ""
    return f"{looked_up}{', search its document' if branch.searches else ''}"
