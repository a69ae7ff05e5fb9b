"""Which events a filter takes, as SQL that names the index to scan.

The indexes are named because the planner, which has no statistics here, takes a filter by status for as
selective as one by service. The most selective column that a filter asks for decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tracker.domain.query.fields import BY_NAME
from tracker.domain.query.tree import EVERYTHING as EVERY_EVENT
from tracker.domain.query.tree import Pattern, all_of, leading, narrowed, parts_of
from tracker.stores.sqlite.search import queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.query.tree import EventFilter
    from tracker.stores.pages import Cursor
    from tracker.stores.sqlite.search.queries import Binding, ByWords, Condition

EVERYTHING = "events_by_time"
"""The index of all events."""

COUNTED: Final = frozenset(
    BY_NAME[name] for name in ("service", "type", "priority", "status", "environment", "impact")
)
"""Fields whose columns the table `facets` has too: their values have few combinations."""


@dataclass(frozen=True, slots=True)
class IndexScan:
    """Some of the events that match: those of one range of one index.

    The scans of a filter have no event in common, and all events of one are newer than all of the next.
    """

    index: str | None
    """The index to scan; None where the conditions name the events by their numbers."""
    conditions: tuple[str, ...]
    bindings: tuple[Binding, ...]
    counted: bool = False
    """Whether it asks for nothing but what the table `facets` counts."""
    searches: bool = False
    """Whether documents are searched for it."""

    @property
    def count(self) -> str:
        """The statement that counts its events."""
        if self.counted:
            return f"SELECT ifnull(sum(events), 0) {self.from_facets}"
        return f"SELECT count(*) {self.clauses}"

    @property
    def clauses(self) -> str:
        """The FROM and WHERE clauses."""
        source = "NOT INDEXED" if self.index is None else f"INDEXED BY {self.index}"
        return f"FROM events {source}{self._where}"

    def ordered(self, order: str) -> str:
        """Return the clauses for its events in an order, with a limit and an offset to bind.

        Events that are named by their numbers are sorted without their documents.
        """
        if self.index is not None:
            return f"{self.clauses} ORDER BY {order} LIMIT ? OFFSET ?"
        numbers = f"SELECT number {self.clauses} ORDER BY {order} LIMIT ? OFFSET ?"
        return f"FROM events NOT INDEXED WHERE number IN ({numbers}) ORDER BY {order}"

    @property
    def from_facets(self) -> str:
        """The FROM and WHERE clauses of what the table `facets` counts, where it is `counted`."""
        return f"FROM facets{self._where}"

    @property
    def _where(self) -> str:
        return f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""

    def after(self, cursor: Cursor, *, oldest_first: bool) -> IndexScan:
        """Return the scan for those of its events that come after the one that the cursor names."""
        return self.also(f"(time, id) {'>' if oldest_first else '<'} (?, ?)", *cursor)

    def also(self, condition: str, *bindings: Binding) -> IndexScan:
        """Return the scan for those of its events that fulfil a further condition."""
        return replace(
            self,
            conditions=(*self.conditions, condition),
            bindings=(*self.bindings, *bindings),
            counted=False,
        )


def index_scans(
    where: EventFilter,
    by_words: ByWords = queries.by_nothing,
    *,
    numbered: bool = False,
    tallied: bool = False,
) -> Sequence[IndexScan]:
    """Return the index scans of a filter.

    With `numbered`, its query names the events by their numbers, and no index is scanned. With `tallied`,
    each document that it searches is counted, as `queries.condition` says.
    """
    where = narrowed(where)
    query, lead = where.query, leading(where.query)
    index: str | None = EVERYTHING
    asked: list[Condition] = []
    if lead is not None:
        index = f"events_by_{lead.field.column}"
        texts = [test.pieces[0] for test in lead.tests if isinstance(test, Pattern)]
        asked.append((f"{lead.field.column} IN ({', '.join('?' * len(texts))})", tuple(texts)))
        query = all_of(tuple(part for part in parts_of(query) if part is not lead))
    if query != EVERY_EVENT:
        asked.append(queries.condition(query, by_words, tallied=tallied))
    if where.until is not None:
        asked.append(("time < ?", (where.until,)))
    conditions = tuple(sql for sql, _ in asked)
    bindings = tuple(binding for _, values in asked for binding in values)
    index = None if numbered else index
    searches = queries.needs_document(query, by_words)
    if where.since is None:
        counted = not where.timed and COUNTED.issuperset(queries.fields_of(where.query))
        return [IndexScan(index, conditions, bindings, counted, searches)]
    began = IndexScan(index, (*conditions, "time >= ?"), (*bindings, where.since), searches=searches)
    if not where.overlapping:
        return [began]
    lasted = IndexScan(
        None if numbered else "events_by_end",
        (*conditions, "time < ?", "end_time >= ?"),
        (*bindings, where.since, where.since),
        searches=searches,
    )
    return [began, lasted]
