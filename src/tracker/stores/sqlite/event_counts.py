"""Counts of events by the values of their fields, and over time."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from tracker.domain.query import fields
from tracker.stores.base import Tally
from tracker.stores.sqlite.filters import EVERYTHING, branches
from tracker.stores.sqlite.queries import value_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import apsw

    from tracker.domain.events import EventFilter
    from tracker.domain.query.fields import Field
    from tracker.stores.sqlite.filters import Branch

_INDEXES = {fields.SERVICE: "events_by_service", fields.SOURCE: "events_by_source"}
"""Indexes that begin with a field: all events can be counted by it without sorting them."""


def count_by(db: apsw.Connection, where: EventFilter, field: Field, most: int) -> Sequence[Tally]:
    """Count the matching events by their values of a field; see `EventStore.count_by`."""
    (branch,) = branches(where)
    value = value_of(field)
    if branch.counted and field in fields.COUNTED:
        sql = f"SELECT {value}, sum(events) AS n {branch.from_facets} GROUP BY 1 HAVING n"
    else:
        if branch.index == EVERYTHING and not branch.conditions:
            branch = replace(branch, index=_INDEXES.get(field, EVERYTHING))
        sql = f"SELECT {value}, count(*) AS n {branch.clauses} GROUP BY 1"
    rows = db.execute(f"{sql} ORDER BY n DESC, 1 LIMIT ?", (*branch.bindings, most))
    return [Tally(*row) for row in rows]


def count_between(
    db: apsw.Connection, where: EventFilter, edges: Sequence[int], by: Field | None
) -> Sequence[Mapping[str | int, int]]:
    """Count the matching events between edges; see `EventStore.count_between`."""
    value = "''" if by is None else value_of(by)
    group = "" if by is None else "GROUP BY 1"
    return [
        {value: number for value, number in db.execute(f"{sql} {group}", bindings) if number}
        for sql, bindings in _between(where, edges, f"{value}, count(*)")
    ]


def durations_between(
    db: apsw.Connection, where: EventFilter, edges: Sequence[int]
) -> Sequence[Sequence[int]]:
    """Return the durations of the matching events between edges; see `EventStore.durations_between`."""
    return [
        sorted(_micros(text) for (text,) in db.execute(sql, bindings) if text)
        for sql, bindings in _between(where, edges, "document ->> '$.metadata.duration'")
    ]


def _between(
    where: EventFilter, edges: Sequence[int], columns: str
) -> Iterator[tuple[str, tuple[int | str, ...]]]:
    """Give a statement for the events between each two neighbours of the edges."""
    (branch,) = branches(where)
    branch = _within(branch)
    for low, high in pairwise(edges):
        yield f"SELECT {columns} {branch.clauses}", (*branch.bindings, low, high)


def _within(branch: Branch) -> Branch:
    return replace(branch, conditions=(*branch.conditions, "time >= ?", "time < ?"), counted=False)


def _micros(text: str) -> int:
    """Return a duration, as the JSON of a document has it, in microseconds."""
    whole, _, fraction = text.removesuffix("s").partition(".")
    return int(whole) * 1_000_000 + int(fraction[:6].ljust(6, "0"))
