"""Events in SQLite."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import apsw

from tracker.domain.changelog import divided, shown
from tracker.domain.event_briefs import brief_cursor
from tracker.domain.event_locks import decide_event_change
from tracker.domain.events import event_cursor, event_id
from tracker.domain.locks import HeldLock
from tracker.stores.changes import AGED_OUT
from tracker.stores.documents import read_brief, read_event
from tracker.stores.events import DeletedEvent, Explanation
from tracker.stores.pages import counted, found, known_total
from tracker.stores.sqlite import event_records, lock_records
from tracker.stores.sqlite.idempotency import once_only
from tracker.stores.sqlite.search import execution, word_index
from tracker.stores.sqlite.search.plans import asks_for_words, plan
from tracker.stores.sqlite.search.queries import needs_document
from tracker.stores.sqlite.search.slot_counts import SlotCounts
from tracker.stores.sqlite.transaction import Bulk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracker.domain.event_briefs import EventBrief
    from tracker.domain.event_locks import EventChange
    from tracker.domain.events import EventKey
    from tracker.domain.locks import Release
    from tracker.domain.query.fields import Field
    from tracker.domain.query.tree import EventFilter
    from tracker.pb import event_pb, lock_pb
    from tracker.stores.events import Added, MonthCount, Tally
    from tracker.stores.idempotency import Once
    from tracker.stores.pages import Found, Page, Reading, Total
    from tracker.stores.sqlite.reader import Reader
    from tracker.stores.sqlite.search.plans import Plan
    from tracker.stores.sqlite.search.word_index import WordIndexer
    from tracker.stores.sqlite.writer import Writer

T = TypeVar("T")

_ADDED_AT_ONCE = 250
"""The number of events added in one step, during which other changes wait some 5 ms."""


_AGED_OUT_AT_ONCE = 50
"""As above, of events that are deleted."""

_SEARCHED_AT_ONCE = 20_000

_BRIEFS_INLINE = 300
"""Briefs of a page that is read on the event loop, some 3 ms; a longer page would then move to a thread."""


@dataclass(eq=False)
class SqliteEvents:
    """The `EventStore` in SQLite."""

    _writer: Writer
    _reader: Reader
    _words: WordIndexer
    _most_locks: int | None = None
    _slots: SlotCounts = field(default_factory=SlotCounts)

    async def create(
        self, event: event_pb.Event, lock: lock_pb.Lock | None, once: Once[event_pb.Event] | None = None
    ) -> None:
        def step(db: apsw.Connection) -> event_pb.Event:
            if lock is not None:
                lock_records.acquire(db, HeldLock(lock), self._most_locks)
            event_records.insert(db, event)
            return event

        await self._writer.change(once_only(step, once))

    async def add(self, events: Sequence[event_pb.Event]) -> Sequence[Added]:
        parts = [events[start : start + _ADDED_AT_ONCE] for start in range(0, len(events), _ADDED_AT_ONCE)]
        added = await asyncio.gather(*map(self._add, parts))
        return [each for part in added for each in part]

    async def get(self, key: EventKey) -> event_pb.Event | None:
        return await self._reader.read(lambda db: event_records.select(db, key, read_event))

    async def ids_that_begin(self, beginning: str) -> Sequence[str]:
        def read(db: apsw.Connection) -> list[str]:
            sql = "SELECT id FROM events WHERE id BETWEEN ? AND ?"
            return [row[0] for row in db.execute(sql, (beginning, f"{beginning}~"))]

        return await self._reader.read(read)

    async def changelog(self, key: EventKey, page: Page) -> Found[event_pb.ChangelogEntry] | None:
        return await self._reader.read(lambda db: event_records.select_changelog(db, key, page))

    async def modify(
        self,
        key: EventKey,
        change: Callable[[event_pb.Event, Sequence[lock_pb.Lock]], EventChange],
        once: Once[event_pb.Event] | None = None,
    ) -> event_pb.Event | None:
        def step(db: apsw.Connection) -> event_pb.Event | None:
            stored = event_records.select(db, key)
            if stored is None:
                return None
            held = lock_records.select_of_event(db, event_id(stored))
            outcome = decide_event_change(change(stored, [each.lock for each in held]), held)
            event = event_records.update(db, stored, outcome.event)
            for each, release in outcome.ends:
                lock_records.end(db, each, release)
            for each, lock in outcome.renewed:
                lock_records.update(db, each.lock, lock)
            if outcome.claim is not None:
                lock_records.acquire(db, outcome.claim, self._most_locks)
            return event

        return await self._writer.change(once_only(step, once))

    async def delete(
        self,
        key: EventKey,
        release: Release,
        once: Once[DeletedEvent] | None = None,
        check: Callable[[event_pb.Event], None] | None = None,
    ) -> DeletedEvent | None:
        def step(db: apsw.Connection) -> DeletedEvent | None:
            stored = event_records.select(db, key)
            if stored is None:
                return None
            if check is not None:
                check(stored)
            event_records.delete(db, stored)
            ended = lock_records.select_of_event(db, event_id(stored))
            for held in ended:
                lock_records.end(db, held, release)
            return DeletedEvent(shown(stored), [held.lock for held in ended])

        return await self._writer.change(once_only(step, once))

    async def age_out(self, events: Sequence[event_pb.Event], reason: str) -> Sequence[str]:
        parts = [events[at : at + _AGED_OUT_AT_ONCE] for at in range(0, len(events), _AGED_OUT_AT_ONCE)]
        deleted = [await self._age_out(part, reason) for part in parts]
        return [each for part in deleted for each in part]

    async def mentioning(self, texts: Sequence[str]) -> Sequence[str]:
        found: dict[str, None] = {}
        for table, column in (("events", "id"), ("changelog", "event")):
            last = await self._reader.read(event_records.last_row(table))
            for first in range(0, last, _SEARCHED_AT_ONCE):
                rows = (first, first + _SEARCHED_AT_ONCE)
                query = partial(event_records.mentioning, table=table, column=column, rows=rows, texts=texts)
                found |= dict.fromkeys(await self._reader.read(query, inline=False, may_be_long=True))
        return [*found]

    async def find(
        self,
        where: EventFilter,
        page: Page,
        explanation: Explanation | None = None,
        *,
        oldest_first: bool = False,
    ) -> Found[event_pb.Event]:
        def query(db: apsw.Connection, plan: Plan) -> Found[event_pb.Event]:
            reading = execution.select_page(db, plan, page, read_event, oldest_first=oldest_first)
            return found(reading, event_cursor, self._total(db, plan, reading))

        return await self._planned(where, query, explanation)

    async def find_briefs(self, where: EventFilter, page: Page) -> Found[EventBrief]:
        def query(db: apsw.Connection, plan: Plan) -> Found[EventBrief]:
            reading = execution.select_page(db, plan, page, read_brief)
            return found(reading, brief_cursor, self._total(db, plan, reading))

        inline = page.limit is not None and page.limit <= _BRIEFS_INLINE
        return await self._planned(where, query, inline=inline)

    async def count(self, where: EventFilter) -> int:
        return await self._planned(where, partial(execution.count, slots=self._slots))

    async def count_by_month(self, where: EventFilter, *, by_service: bool) -> Sequence[MonthCount]:
        return await self._planned(where, partial(execution.count_by_month, by_service=by_service))

    async def count_by(
        self, where: EventFilter, fields: Sequence[Field], most: int, explanation: Explanation | None = None
    ) -> tuple[int, Sequence[Sequence[Tally]]]:
        query = partial(execution.count_by, asked=fields, most=most, slots=self._slots)
        return await self._planned(where, query, explanation)

    async def count_between(
        self,
        where: EventFilter,
        edges: Sequence[int],
        by: Field | None,
        explanation: Explanation | None = None,
    ) -> Sequence[Mapping[str | int, int]]:
        query = partial(execution.count_between, edges=edges, by=by, slots=self._slots)
        return await self._planned(where, query, explanation)

    async def durations_between(
        self, where: EventFilter, edges: Sequence[int], explanation: Explanation | None = None
    ) -> Sequence[Sequence[int]]:
        query = partial(execution.durations_between, edges=edges)
        return await self._planned(where, query, explanation)

    async def _add(self, events: Sequence[event_pb.Event]) -> Sequence[Added]:
        """Store events that are new in one step."""
        new = [divided(None, event) for event in events]
        rows = [event_records.row(each.event) for each in new]
        insert = Bulk(partial(event_records.insert_new, new=new, rows=rows))
        return await self._writer.change(lambda _db: insert)

    async def _age_out(self, events: Sequence[event_pb.Event], reason: str) -> Sequence[str]:
        step = Bulk(partial(event_records.age_out, given=events, ending=AGED_OUT, reason=reason))
        return await self._writer.change(lambda _db: step)

    def _total(self, db: apsw.Connection, plan: Plan, reading: Reading[T]) -> Total:
        """Return how many events match, counted unless that is known."""
        up_to = plan.most_counted
        return known_total(reading) or counted(execution.count(db, plan, self._slots, up_to), up_to)

    async def _planned(
        self,
        where: EventFilter,
        query: Callable[[apsw.Connection, Plan], T],
        explanation: Explanation | None = None,
        *,
        inline: bool = True,
    ) -> T:
        """Run a query by a plan, without the index of words if that is damaged."""

        def planned(db: apsw.Connection, *, by_words: bool) -> tuple[T, Explanation | None]:
            explained = None if explanation is None else Explanation()  # a query may run twice
            try:
                return query(db, plan(db, where, explained, by_words=by_words)), explained
            except apsw.CorruptError as error:
                if by_words:
                    raise word_index.DamagedError from error
                raise

        read = partial(self._reader.read, may_be_long=True, searches=needs_document(where.query))
        by_words = asks_for_words(where)
        try:
            run = partial(planned, by_words=by_words)
            answer, explained = await read(run, inline=inline and not by_words)
        except word_index.DamagedError:
            run = partial(planned, by_words=False)
            answer, explained = await read(run, inline=False)
            self._words.rebuild()
        if explanation is not None and explained is not None:
            explanation.add(explained)
        return answer
