"""Plans how the events of a filter are found: by which index, and whether by the index of words.

If few events have the words or values of a query, the index of words provides those candidates, and the other
conditions are checked on them. Otherwise an index is scanned in order, and each event is looked up among the
candidates. If many of the newest events are candidates, reading the documents that fill a page takes less
time than collecting all candidates; for a count, collecting them takes less.

Statements name the index to scan: without statistics, the planner of SQLite takes a filter by status for as
selective as one by service. The most selective column of a filter decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.domain.query.fields import Kind
from tracker.domain.query.tree import EVERYTHING as EVERY_EVENT
from tracker.domain.query.tree import (
    And,
    EventFilter,
    Pattern,
    Term,
    all_of,
    fields_of,
    leading,
    narrowed,
    parts_of,
)
from tracker.stores.events import COUNTED, MOST_COUNTED
from tracker.stores.sqlite.search import queries, word_search
from tracker.stores.sqlite.search.candidates import candidates_of
from tracker.stores.sqlite.search.word_index import progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    import apsw

    from tracker.domain.query.tree import Node
    from tracker.stores.events import Explanation
    from tracker.stores.pages import Cursor
    from tracker.stores.sqlite.search.candidates import Candidates
    from tracker.stores.sqlite.search.queries import Binding, ByWords, Condition

EVERYTHING = "events_by_time"
"""The index of all events."""

BY_ID: Final = "sqlite_autoindex_events_1"
"""The index that SQLite keeps of ids, since these are unique."""

_LONG: Final = 200_000
"""The number of events of a period above which their numbers are not looked up."""

LIKELY: Final = 250_000
"""The number of newest events that a count with a limit reads first."""

_OUTSIDE: Final = 2_000
"""The number of events outside a period up to which they are counted instead of those of the period."""

MOST_UNINDEXED: Final = 20_000
"""The number of events missing from the index of words at which it is not used."""


@dataclass(frozen=True, slots=True)
class IndexScan:
    """The matching events in one range of one index.

    The scans of a filter have no event in common, and all events of a scan are newer than those of the next.
    """

    index: str | None
    """The index to scan; None where the conditions name the events by their numbers."""
    conditions: tuple[str, ...]
    bindings: tuple[Binding, ...]
    counted: bool = False
    """Whether the table `facets` has the number of its events."""
    searches: bool = False
    """Whether it searches documents."""

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

        Events that are found by their numbers are sorted without their documents.
        """
        if self.index is not None:
            return f"{self.clauses} ORDER BY {order} LIMIT ? OFFSET ?"
        numbers = f"SELECT number {self.clauses} ORDER BY {order} LIMIT ? OFFSET ?"
        return f"FROM events NOT INDEXED WHERE number IN ({numbers}) ORDER BY {order}"

    @property
    def from_facets(self) -> str:
        """The FROM and WHERE clauses for the table `facets`, for a scan that is `counted`."""
        return f"FROM facets{self._where}"

    @property
    def _where(self) -> str:
        return f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""

    def after(self, cursor: Cursor, *, oldest_first: bool) -> IndexScan:
        """Return the scan for the events after a cursor, entered there since `+` hides the other bound."""
        implied, beyond = ("time >= ?", ">") if oldest_first else ("time < ?", "<")
        conditions = tuple(f"+{each}" if each == implied else each for each in self.conditions)
        return replace(self, conditions=conditions).also(f"(time, id) {beyond} (?, ?)", *cursor)

    def also(self, condition: str, *bindings: Binding) -> IndexScan:
        """Return the scan for its events that meet a further condition."""
        return replace(
            self,
            conditions=(*self.conditions, condition),
            bindings=(*self.bindings, *bindings),
            counted=False,
        )


class Complement(NamedTuple):
    """The events of a period: those of any time, which the table `facets` has counted, without the others."""

    whole: Sequence[IndexScan]
    outside: Sequence[IndexScan]


@dataclass(frozen=True, slots=True)
class Plan:
    """The index scans for a list and for a count, and the candidates of the index of words."""

    listed: Sequence[IndexScan]
    counted: Sequence[IndexScan]
    explanation: Explanation | None
    """Reports how the plan is executed."""
    most_counted: int | None
    """The number of events at which the count for a list stops; None for no limit."""
    counted_first: Sequence[IndexScan] = ()
    """A part of `counted` that may have more than `most_counted` events and is counted first; or none."""
    candidates: Sequence[Candidates] = ()
    """The candidates for each part of the query that the index of words answers."""
    only_candidates: bool = False
    """Whether exactly the candidates of the only part match."""
    unindexed: int = 0
    """The number of events missing from the index of words, counted up to `MOST_UNINDEXED`."""
    complement: Complement | None = None
    """How to count the events of `counted` where few are outside the period."""
    period: tuple[int, int] | None = None
    """The period of which all events match, if it has both ends."""


def index_scans(
    where: EventFilter,
    by_words: ByWords = queries.by_nothing,
    *,
    numbered: bool = False,
    tallied: bool = False,
) -> Sequence[IndexScan]:
    """Return the index scans of a filter.

    With `numbered`, the query selects the events by their numbers, and no index is scanned. With `tallied`,
    each document that is searched is counted (`queries.condition`).
    """
    where = narrowed(where)
    query, lead = where.query, leading(where.query)
    index: str | None = EVERYTHING
    asked: list[Condition] = []
    if lead is not None:
        index = BY_ID if lead.field.column == "id" else f"events_by_{lead.field.column}"
        texts = [test.pieces[0] for test in lead.tests if isinstance(test, Pattern)]
        asked.append((f"{lead.field.column} IN ({', '.join('?' * len(texts))})", tuple(texts)))
        query = _with_parts(tuple(part for part in parts_of(query) if part is not lead))
    if query != EVERY_EVENT:
        asked.append(queries.condition(query, by_words, tallied=tallied))
    if where.until is not None:
        asked.append(("time < ?", (where.until,)))
    conditions = tuple(sql for sql, _ in asked)
    bindings = tuple(binding for _, values in asked for binding in values)
    index = None if numbered else index
    searches = queries.needs_document(query, by_words)
    if where.since is None:
        counted = not where.timed and COUNTED.issuperset(fields_of(where.query))
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


def _with_parts(parts: tuple[Node, ...]) -> Node:
    """Return the query with these parts, of which the one for the index of words stays whole."""
    return parts[0] if len(parts) == 1 else And(parts)


def asks_for_words(where: EventFilter) -> bool:
    """Return whether the index of words may answer a part of a query."""
    return any(field.kind is Kind.PROSE or word_search.is_indexed(field) for field in fields_of(where.query))


def plan(
    db: apsw.Connection, where: EventFilter, explanation: Explanation | None = None, *, by_words: bool = True
) -> Plan:
    """Choose how to find the events of a filter.

    `by_words` says whether the index of words may be used. The explanation gets the number of documents
    searched and, when the plan is executed, its steps.
    """
    if explanation is not None:
        db.create_scalar_function("query_searched", explanation.count, 0)
    scans = partial(index_scans, tallied=explanation is not None)
    where = narrowed(where)
    lead = leading(where.query)
    most_counted = MOST_COUNTED if queries.needs_document(where.query) else None

    def without_words(unindexed: int = 0) -> Plan:
        found, complement = scans(where), _complement(db, where)
        period = None
        if complement is None and where.query == EVERY_EVENT and not where.overlapping:
            period = None if where.since is None or where.until is None else (where.since, where.until)
        return Plan(
            found,
            found,
            explanation,
            most_counted,
            unindexed=unindexed,
            complement=complement,
            period=period,
        )

    if not by_words or (lead is not None and lead.field.selective) or not asks_for_words(where):
        return without_words()
    indexed, others = word_search.gathered(where.query)
    parts = others if indexed is None else (*others, indexed)
    expressions = {
        node: word_search.narrowed(match, others)
        for part in parts
        for node, match in word_search.indexed_parts(part)
    }
    if not expressions:
        return without_words()
    done = progress(db, MOST_UNINDEXED)
    if done.unindexed >= MOST_UNINDEXED:
        return without_words(done.unindexed)
    interval = _interval(db, where)
    where = replace(where, query=_with_parts(parts))

    def numbers_in(interval: tuple[int, int]) -> dict[Node, Condition]:
        tallied = explanation is not None
        return {
            node: word_search.numbers(node, match, done, interval, tallied=tallied)
            for node, match in expressions.items()
        }

    candidates = {node: candidates_of(db, node, numbers) for node, numbers in numbers_in(interval).items()}
    conditions = {node: each.condition for node, each in candidates.items()}
    few = indexed is not None and candidates[indexed].few
    counted = scans(where, conditions.get, numbered=few)
    dense = not few and any(each.is_dense(interval[1]) for each in candidates.values())
    only_candidates = (
        indexed is not None
        and not where.timed
        and (not others or (not done.unindexed and all(word_search.words_of_column(part) for part in others)))
    )
    low = 0 if few or only_candidates else _likely_from(db, where, interval[1])
    newest: Sequence[IndexScan] = ()
    if low:
        numbers_near = numbers_in((low, interval[1])).items()
        near = {node: replace(candidates[node], numbers=each).condition for node, each in numbers_near}
        # Some of the events after the first of these may be older.
        since = db.execute("SELECT time FROM events WHERE number >= ? ORDER BY number LIMIT 1", (low,)).get
        newest = [scan.also("number >= ?", low) for scan in scans(replace(where, since=since), near.get)]
    return Plan(
        scans(where) if dense else counted,
        counted,
        explanation,
        most_counted,
        counted_first=newest,
        candidates=list(candidates.values()),
        only_candidates=only_candidates,
        unindexed=done.unindexed,
    )


def _complement(db: apsw.Connection, where: EventFilter) -> Complement | None:
    """Return how to count the events of a period by those outside, if these are few."""
    if not where.timed or where.overlapping:
        return None
    if where.since is not None and where.until is not None and where.until <= where.since:
        return None
    (whole,) = index_scans(replace(where, since=None, until=None))
    if not whole.counted:
        return None
    sides = (EventFilter(until=where.since), EventFilter(since=where.until))
    outside = [scan for side in sides if side.timed for scan in index_scans(side)]
    few = _OUTSIDE
    for scan in outside:
        sql = f"SELECT count(*) FROM (SELECT 1 {scan.clauses} LIMIT ?)"
        few -= int(db.execute(sql, (*scan.bindings, few + 1)).get)
        if few < 0:
            return None
    sides_asked = (replace(side, query=where.query) for side in sides if side.timed)
    return Complement([whole], [scan for side in sides_asked for scan in index_scans(side)])


def _interval(db: apsw.Connection, where: EventFilter) -> tuple[int, int]:
    """Return the lowest and the highest number of the events of a period.

    Events are stored roughly in the order of their times: those of a period are also close in the index.
    """
    if where.timed and not where.overlapping:
        (scan,) = index_scans(EventFilter(since=where.since, until=where.until))
        period = f"SELECT number {scan.clauses} LIMIT ?"
        sql = f"SELECT count(*), ifnull(min(number), 1), ifnull(max(number), 0) FROM ({period})"
        events, lowest, highest = db.execute(sql, (*scan.bindings, _LONG + 1)).get
        if events <= _LONG:
            return lowest, highest
    return 1, db.execute("SELECT ifnull(max(number), 0) FROM events").get


def _likely_from(db: apsw.Connection, where: EventFilter, highest: int) -> int:
    """Return the number after which there may be more matching events than are counted, or 0.

    Choices and flags in `facets` are assumed to be evenly distributed.
    """
    if highest <= LIKELY or where.timed:
        return 0
    even = tuple(
        part
        for part in parts_of(where.query)
        if isinstance(part, Term) and part.field in COUNTED and part.field.kind is not Kind.KEYWORD
    )
    (scan,) = index_scans(EventFilter(all_of(even)))
    likely = int(db.execute(scan.count, scan.bindings).get) * LIKELY / highest
    return highest - LIKELY if likely > MOST_COUNTED else 0
