"""Which events a filter takes, as SQL that names the index to walk.

The indexes are named because the planner, which has no statistics here, takes a filter by status for as
selective as one by service. The most selective column that a filter asks for decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tracker.domain.query import fields
from tracker.domain.query.narrowing import narrowed
from tracker.stores.sqlite.search import queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.events import EventFilter
    from tracker.domain.paging import Cursor
    from tracker.stores.sqlite.search.queries import ByWords

EVERYTHING = "events_by_time"
"""The index of all events."""

COUNTED: Final = frozenset({*fields.COUNTED, fields.SERVICE})
"""Fields whose columns the table `facets` has too: their values have few combinations."""

Binding = int | str


@dataclass(frozen=True, slots=True)
class Branch:
    """A part of the events that match: those of one range of one index.

    The branches of a filter don't meet, and all events of one are newer than all of the next.
    """

    index: str | None
    """The index to walk; None where the conditions name the events by their numbers."""
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
        walked = "NOT INDEXED" if self.index is None else f"INDEXED BY {self.index}"
        return f"FROM events {walked}{self._where}"

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

    def behind(self, cursor: Cursor, *, oldest_first: bool) -> Branch:
        """Return the branch without the events up to and with the one that the cursor names."""
        return self.also(f"(time, id) {'>' if oldest_first else '<'} (?, ?)", *cursor)

    def also(self, condition: str, *bindings: Binding) -> Branch:
        """Return the branch for those of its events that fulfil a further condition."""
        return replace(
            self,
            conditions=(*self.conditions, condition),
            bindings=(*self.bindings, *bindings),
            counted=False,
        )


def branches(
    where: EventFilter,
    by_words: ByWords = queries.by_nothing,
    *,
    numbered: bool = False,
    tallied: bool = False,
) -> Sequence[Branch]:
    """Return the branches of a filter.

    With `numbered`, its query names the events by their numbers, and no index is walked. With `tallied`, it
    tells of each document that it searches, as `queries.condition` says.
    """
    where = narrowed(where)
    conditions: list[str] = []
    bindings: list[Binding] = []

    def ask(condition: str, *values: Binding) -> None:
        conditions.append(condition)
        bindings.extend(values)

    index: str | None = EVERYTHING
    for column, texts in (
        ("source", (where.source,)),
        ("service", (where.service,)),
        ("related_id", where.related_ids),
        ("slack_id", (where.slack_id,)),
        ("external_id", (where.external_id,)),
    ):
        if any(texts):
            index = f"events_by_{column}"
            ask(f"{column} IN ({', '.join('?' * len(texts))})", *texts)
    for column, numbers in (
        ("type", where.types),
        ("priority", where.priorities),
        ("status", where.statuses),
        ("environment", where.environments),
        ("impact", () if where.impact is None else (where.impact,)),
    ):
        if numbers:
            ask(f"{column} IN ({', '.join('?' * len(numbers))})", *map(int, numbers))
    if where.query is not None:
        sql, values = queries.condition(where.query, by_words, tallied=tallied)
        ask(sql, *values)
    if where.until is not None:
        ask("time < ?", where.until)
    index = None if numbered else index
    searches = where.query is not None and queries.needs_document(where.query, by_words)
    if where.since is None:
        return [Branch(index, tuple(conditions), tuple(bindings), _is_counted(where), searches)]
    began = Branch(index, (*conditions, "time >= ?"), (*bindings, where.since), searches=searches)
    if not where.overlapping:
        return [began]
    lasted = Branch(
        None if numbered else "events_by_end",
        (*conditions, "time < ?", "end_time >= ?"),
        (*bindings, where.since, where.since),
        searches=searches,
    )
    return [began, lasted]


def _is_counted(where: EventFilter) -> bool:
    """Say whether a filter asks for nothing but what the table `facets` counts."""
    named = where.source or where.related_ids or where.slack_id or where.external_id
    timed = where.since is not None or where.until is not None
    asked = () if where.query is None else queries.fields_of(where.query)
    return not named and not timed and COUNTED.issuperset(asked)
