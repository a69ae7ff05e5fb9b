"""Filters of events as index scans: queries that name the index to use.

As in SQLite, the most selective field of a filter decides which index that is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tracker.domain.query.tree import leading, narrowed
from tracker.stores.mongo.pages import beyond_cursor
from tracker.stores.mongo.search.queries import HAVE_TERMS, LACK_TERMS, names_a_term, pushdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.query.fields import Field
    from tracker.domain.query.tree import EventFilter, Node
    from tracker.stores.mongo.writes import Document
    from tracker.stores.pages import Cursor

BY_TIME, BY_TERM, BY_END = "events_by_time", "events_by_term", "events_by_end"

EARLIEST = -(2**63)


@dataclass(frozen=True, slots=True)
class IndexScan:
    """Some of the events that match: those of one range of one index.

    The scans of a filter have no event in common, and all events of one are newer than all of the next.
    """

    index: str
    where: Document

    def after(self, cursor: Cursor, *, oldest_first: bool) -> IndexScan:
        """Return the scan for those of its events that come after the one that the cursor names."""
        # The bound of the time, which the alternatives imply, is what the index can be entered at.
        bound = {"time": {"$gte" if oldest_first else "$lte": cursor[0]}}
        rest = beyond_cursor(["time", "_id"], cursor, newest_first=not oldest_first)
        return self.also(bound | rest)

    def also(self, condition: Document) -> IndexScan:
        """Return the scan for those of its events that fulfil a further condition."""
        return IndexScan(self.index, {"$and": [self.where, condition]})


@dataclass(frozen=True, slots=True)
class Scans:
    """The index scans of a filter, of two sorts that have no event in common.

    All events of `exact` match. Those of `residual` may: `query` is their residual filter.
    """

    exact: Sequence[IndexScan]
    residual: Sequence[IndexScan]
    query: Node


def index_of(field: Field) -> str:
    """Return the name of the index that begins with a field."""
    return "_id_" if field.name == "id" else f"events_by_{field.column}"


def index_scans(where: EventFilter) -> Sequence[IndexScan]:
    """Return the index scans of a filter; they may have more events than match its query."""
    where = narrowed(where)
    return _scans(where, pushdown(where.query).where)


def split(where: EventFilter) -> Scans:
    """Return the index scans of a filter, divided by whether they need a residual filter."""
    where = narrowed(where)
    asked = pushdown(where.query)
    if asked.exact:
        return Scans(_scans(where, asked.where), (), where.query)
    with_terms = pushdown(where.query, terms_known=True)
    if not with_terms.exact:
        return Scans((), _scans(where, asked.where), where.query)
    known = [with_terms.where] if names_a_term(where.query) else [with_terms.where, HAVE_TERMS]
    others = [replace(each, index=BY_TERM) for each in _scans(where, asked.where, LACK_TERMS)]
    return Scans(_scans(where, *known), others, where.query)


def _scans(where: EventFilter, *conditions: Document) -> Sequence[IndexScan]:
    narrow = [condition for condition in conditions if condition]
    asked: Document = {"$and": narrow} if narrow else {}
    lead = leading(where.query)
    index = BY_TERM if names_a_term(where.query) else BY_TIME
    index = index if lead is None else index_of(lead.field)
    until = {} if where.until is None else {"$lt": where.until}
    # A document without a time is a tombstone.
    began = IndexScan(
        index, asked | {"time": {"$gte": EARLIEST if where.since is None else where.since} | until}
    )
    if where.since is None or not where.overlapping:
        return [began]
    before = {"$lt": where.since if where.until is None else min(where.since, where.until)}
    return [began, IndexScan(BY_END, asked | {"time": before, "end_time": {"$gte": where.since}})]
