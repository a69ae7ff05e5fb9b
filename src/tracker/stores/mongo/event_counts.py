"""How many events have which values, counted beside the events.

One document has the counts of all events by their values of `COUNTED`, as of a row of the change log. The log
entry of each change of an event has what is counted of the event before and after it. So the counts follow
the log: whoever adds the next rows replaces the revision of the document that it read. Wherever that is
interrupted, and however many servers do it, no change is counted twice and none is left out.

The counts of now are those of the document, of the changes in later rows of the log, and of those that are
still in outboxes. A change leaves its outbox after it was logged, and outboxes are read before the log: so
every change that was made before is included.

Servers of an earlier version don't log what is counted, and after a restore the document may belong to
another log. Then the counts are unknown, and queries count by the indexes of events, until all events have
been counted again. Every server also counts them again when it starts, unless another one has just done that.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import orjson
import pymongo
from protobuf import message_from_json_value

from tracker.domain.query.fields import Kind
from tracker.domain.query.matching import matches
from tracker.domain.query.tree import EVERYTHING, fields_of, narrowed
from tracker.pb import event_pb
from tracker.stores.mongo import event_records, writes
from tracker.stores.mongo.counted_changes import CountedChanges, Row, UnknownCountsError
from tracker.stores.mongo.database import CHANGE_SECONDS, META
from tracker.stores.mongo.event_records import COUNTED_FIELDS, counted
from tracker.stores.mongo.failures import store_errors
from tracker.stores.mongo.search.index_scans import BY_TIME, EARLIEST, IndexScan
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from structlog.typing import FilteringBoundLogger

    from tracker.domain.query.tree import EventFilter
    from tracker.stores.mongo.counted_changes import CountedChange
    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.event_records import Counted, Counts, Values
    from tracker.stores.mongo.writes import Collection, Document
    from tracker.stores.pages import Cursor
    from tracker.transcoding.json_text import JsonValue

ID: Final = {"_id": "event_counts"}
"""The document, in the collection of metadata."""

RECOUNT_SECONDS = 30.0
"""Time between two attempts to count all events again."""

_TRUSTED_MICROS = 600 * MICROS
"""Age up to which a server that starts trusts the counts of all events."""

_PROGRESS_SECONDS = 10.0

_ROWS = 8
"""Rows of the log that are added at a time."""

EVENTS_AT_ONCE = 2_000
"""Events that are read together when all are counted."""

_LARGEST = 8 * 2**20
"""Characters up to which counts are kept."""

_TOO_MANY = ""
"""Stands for counts that are not kept."""

_FIRST: Final = (EARLIEST, "")
"""The place before all events."""

_NAMES: Final = [each.name for each in COUNTED_FIELDS]


@dataclass(eq=False)
class EventCounts:
    """The counts of all events, which all servers on the database keep together."""

    _database: Database
    _log: FilteringBoundLogger
    _changes: CountedChanges = field(init=False)
    _added: Row = field(default_factory=Row, init=False)
    _wanted: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __post_init__(self) -> None:
        self._changes = CountedChanges(self._database)

    async def open(self) -> None:
        """Have all events counted, unless that has just been done."""
        stored = await self._database.newest(META).find_one(ID, ["counted_at"])
        if stored is None or stored["counted_at"] < self._database.now() - _TRUSTED_MICROS:
            self._wanted.set()

    async def matching(self, where: EventFilter) -> Counts | None:
        """Return the counts of the events that match a filter, or None if they are not known."""
        where = narrowed(where)
        asked = set(fields_of(where.query))
        if where.timed or not asked.issubset(COUNTED_FIELDS):
            return None
        try:
            counts = await self._now()
        except UnknownCountsError:
            return None
        if where.query == EVERYTHING:
            return counts
        places = [place for place, each in enumerate(COUNTED_FIELDS) if each in asked]
        keys = {values: tuple(values[place] for place in places) for values in counts}
        found = {key for key in set(keys.values()) if matches(where.query, _example(places, key))}
        return Counter({values: number for values, number in counts.items() if keys[values] in found})

    async def keep_up(self) -> None:
        """Add what was logged since the last round; if the counts are not known, have all events counted."""
        if await self._changes.end() == self._added:
            return
        try:
            while await self._add_rows():
                pass
        except UnknownCountsError:
            self._wanted.set()

    async def recount(self) -> None:
        """Count all events when that is wanted, while servers change them."""
        await self._wanted.wait()
        with store_errors():
            if await self.count_all():
                self._wanted.clear()
            else:
                await asyncio.sleep(RECOUNT_SECONDS)

    async def count_all(self) -> bool:
        """Count all events, while servers change them; return False if one of an earlier version does."""
        began = time.monotonic()
        try:
            number = await self._store(*await self._count_all())
        except UnknownCountsError:
            return False
        self._log.info("events counted", events=number, seconds=round(time.monotonic() - began, 1))
        return True

    async def _now(self) -> Counts:
        """Return the counts of now, without zeros."""
        async with self._database.asking(META) as meta:
            waiting = await self._changes.waiting()
            counts, row = _counts_in(await meta.find_one(ID))
            logged, row = await self._changes.logged(row)
            _add(counts, logged)
            _add(counts, await self._changes.not_logged(waiting, logged, row))
        return Counter({values: number for values, number in counts.items() if number})

    async def _add_rows(self) -> bool:
        """Add the next rows of the log; return False if no more remain, or another server adds them."""
        meta = self._database.newest(META)
        stored = await meta.find_one(ID)
        if stored is not None and stored["counts"] == _TOO_MANY:
            return False
        counts, row = _counts_in(stored)
        changes, last = await self._changes.logged(row, _ROWS)
        if stored is None or last == row:
            self._added = last
            return False
        _add(counts, changes)
        return await writes.replace(meta, stored, _document(counts, last, stored["counted_at"]))

    async def _count_all(self) -> tuple[Counts, Row]:
        """Count all events; return their counts as of a row of the log.

        Events are read in the order of their times, some at a time. `counts` has those up to `after`, as of
        `row`, and both advance with each step. Events that changed while some were read are counted as the
        log has them, or else as they were before what waits in their outboxes, whatever was read of them.
        """
        primary = await self._database.primary()
        counts: Counts = Counter()
        row, reported = await self._changes.end(), time.monotonic()
        after: Cursor = _FIRST
        end: Cursor | None = after
        while end is not None:
            began = time.monotonic()
            async with self._database.asking(event_records.NAME) as events:
                read = await _read(events, after)
                end = _place(read[-1][1], read[-1][0]) if len(read) == EVENTS_AT_ONCE else None
                waiting = await self._changes.waiting()
                logged, row = await self._changes.logged(row)
                left = await self._changes.not_logged(waiting, logged, row)
            _add(counts, logged, up_to=after)
            found: dict[str, Counted | None] = dict(read)
            found |= {change.event_id: change.before for change in reversed(left)}
            found |= {change.event_id: change.after for change in logged}
            for event_id, values in found.items():
                if values is not None and after < (place := _place(values, event_id)) <= (end or place):
                    counts[tuple(values[:-1])] += 1
            after = end or after
            if began - reported > _PROGRESS_SECONDS:
                self._log.info("counting events", events=counts.total())
                reported = began
            await asyncio.sleep(time.monotonic() - began)  # so that calls are served meanwhile
        if await self._database.primary() != primary:  # which may not have had all that was read
            raise UnknownCountsError
        return counts, row

    async def _store(self, counts: Counts, row: Row) -> int:
        """Store the counts of all events as of a row of the log; return how many there are now."""
        meta = self._database.newest(META)
        while True:
            with pymongo.timeout(CHANGE_SECONDS):
                stored = await meta.find_one(ID)
                changes, row = await self._changes.logged(row)
                _add(counts, changes)
                if await writes.put(meta, stored, _document(counts, row, self._database.now())):
                    return counts.total()


async def _read(events: Collection, after: Cursor) -> Sequence[tuple[str, Counted]]:
    """Return the ids of the next events in the order of their times and ids, with what is counted of each."""
    scan = IndexScan(BY_TIME, {}).after(after, oldest_first=True)
    fields = ["time", *(each.column for each in COUNTED_FIELDS)]
    order = [("time", 1), ("_id", 1)]
    found = events.find(
        scan.where, fields, sort=order, hint=scan.index, limit=EVENTS_AT_ONCE, batch_size=EVENTS_AT_ONCE
    )
    return [(row["_id"], counted(row)) for row in await found.to_list()]


def _place(values: Counted, event_id: str) -> Cursor:
    """Return the place of an event in the order of times and ids."""
    return values[-1], event_id


def _add(counts: Counts, changes: Iterable[CountedChange], up_to: Cursor | None = None) -> None:
    """Add changes to counts, which may be those of the events up to a place."""
    for change in changes:
        for values, number in ((change.before, -1), (change.after, 1)):
            if values is not None and (up_to is None or _place(values, change.event_id) <= up_to):
                counts[tuple(values[:-1])] += number


def _document(counts: Counts, row: Row, counted_at: int) -> Document:
    """Return the document of counts as of a row of the log; `counted_at` is when all events were counted."""
    text = orjson.dumps([[*values, number] for values, number in counts.items() if number]).decode()
    kept = text if len(text) <= _LARGEST else _TOO_MANY
    return ID | {"fields": _NAMES, "row": [*row], "counted_at": counted_at, "counts": kept}


def _counts_in(stored: Document | None) -> tuple[Counts, Row]:
    """Return the counts in the document, and the row of the log as of which they are."""
    if stored is None or stored["fields"] != _NAMES or stored["counts"] == _TOO_MANY:
        raise UnknownCountsError
    counts = Counter({tuple(values): number for *values, number in orjson.loads(stored["counts"])})
    return counts, Row(*stored["row"])


def _example(places: Sequence[int], values: Values) -> event_pb.Event:
    """Return an event with values of those of `COUNTED_FIELDS` that are at some places."""
    fields = [COUNTED_FIELDS[place] for place in places]
    attributes: dict[str, JsonValue] = {
        each.path[-1]: bool(value) if each.kind is Kind.FLAG else value
        for each, value in zip(fields, values, strict=True)
    }
    return message_from_json_value(event_pb.Event, {"attributes": attributes})
