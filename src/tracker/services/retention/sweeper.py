"""Deletes events that are due, some at a time, after they were exported where a policy asks for it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from tracker.domain.events import event_time
from tracker.domain.query.tree import EventFilter
from tracker.domain.retention import due_before, due_filter
from tracker.errors import Reason, TrackerError
from tracker.services.events.filters import with_query
from tracker.stores.pages import Page, Total
from tracker.time_text import MINUTE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.query.tree import Node
    from tracker.pb import event_pb, retention_pb
    from tracker.services.context import Context
    from tracker.services.holds import LegalHolds
    from tracker.services.retention.exports import EventExports
    from tracker.services.retention.run_note import RunNote
    from tracker.stores.events import EventStore
    from tracker.stores.pages import Cursor

_READ_AT_ONCE: Final = 500
_EXPORTED_AT_ONCE: Final = 5_000
"""Events of a file: many files are a burden, and its events are kept in memory while it is written."""

_READ_BYTES: Final = 16 * 2**20
_DELETED_AT_ONCE: Final = 50
_SHORTEST: Final = MINUTE
"""The shortest period that is divided: a query that takes too long for it is wrong."""

_AFTER_ALL_IDS: Final = "~"


class RetentionObserver(Protocol):
    """What is reported of retention, for metrics."""

    def events_aged_out(self, policy: str, events: int) -> None:
        """A policy has deleted events."""


class Swept(NamedTuple):
    """What was deleted, how many due events stay, the files that have the deleted, and where to go on."""

    deleted: int = 0
    skipped: int = 0
    files: tuple[str, ...] = ()
    next: Cursor | None = None


class RetentionSweeper:
    """Deletes events that are due by policies, at most `rate` a second."""

    def __init__(  # noqa: PLR0913, PLR0917 - its dependencies
        self,
        store: EventStore,
        holds: LegalHolds,
        exports: EventExports | None,
        context: Context,
        observer: RetentionObserver,
        rate: float,
    ) -> None:
        self._store = store
        self._holds = holds
        self._exports = exports
        self._context = context
        self._observer = observer
        self._rate = rate

    def require_export(self, export: bool) -> None:  # noqa: FBT001 - a field of a policy
        """Check that events can be exported where a policy asks for it.

        Raises:
            TrackerError: FAILED_PRECONDITION (`EXPORT_UNAVAILABLE`).
        """
        if export and self._exports is None:
            message = "export: the server has no folder to write to; set RETENTION_EXPORT_DIR"
            raise TrackerError(Reason.EXPORT_UNAVAILABLE, message)

    def query_of(self, text: str) -> Node:
        """Return a query as of now.

        Raises:
            TrackerError: INVALID_ARGUMENT (`INVALID_QUERY`).
        """
        return with_query(EventFilter(), text, self._context.query_clock()).query

    async def sweep(
        self, policy: retention_pb.RetentionPolicy, after: Cursor | None, most: int, note: RunNote
    ) -> Swept:
        """Delete up to `most` events that are due, the oldest first, from a place on.

        What is held when they are deleted stays, also if the hold came after they were read.
        """
        self.require_export(policy.export)
        most = min(most, _EXPORTED_AT_ONCE if policy.export else _READ_AT_ONCE)
        while True:
            holds = await self._holds.current()
            where = due_filter(self.query_of(policy.query), due_before(policy, self._context.now()), holds)
            if where is None:
                return Swept()
            events, end = await self._read(where, after, most)
            if not events:
                return Swept(next=end)
            files: tuple[str, ...] = ()
            if policy.export and self._exports is not None:
                files = (await self._exports.write(policy, events),)
                if await self._holds.current() != holds:
                    continue
            deleted = await self._delete(policy, events, note)
            return Swept(deleted, len(events) - deleted, files, end)

    async def _read(
        self, where: EventFilter, after: Cursor | None, most: int
    ) -> tuple[Sequence[event_pb.Event], Cursor | None]:
        """Return events that match, the oldest first, from a place on, and where to go on, if anywhere.

        Where a query would search too many documents for them, only a part of the period is searched.
        """
        events: list[event_pb.Event] = []
        part = where
        while len(events) < most:
            limit = min(_READ_AT_ONCE, most - len(events))
            page = Page(limit, after=after, total=Total(0), bytes=_READ_BYTES)
            try:
                found = await self._store.find(part, page, oldest_first=True)
            except TrackerError as error:
                if error.reason is not Reason.QUERY_TOO_LONG:
                    raise
                part = replace(part, until=await self._middle(after, part, error))
                continue
            events += found.records
            after = found.next
            if after is None:
                if part.until is not None and part != where:
                    after = (part.until - 1, _AFTER_ALL_IDS)
                break
        return events, after

    async def _middle(self, after: Cursor | None, where: EventFilter, error: TrackerError) -> int:
        """Return the middle of what is left of a period; raise the error where that is short."""
        until = where.until or self._context.now()
        if after is not None:
            first = int(after[0])
        else:
            oldest = await self._store.find(EventFilter(), Page(1, total=Total(0)), oldest_first=True)
            first = event_time(oldest.records[0]) if oldest.records else until
        if until - first < _SHORTEST:
            raise error
        return first + (until - first) // 2

    async def _delete(
        self, policy: retention_pb.RetentionPolicy, events: Sequence[event_pb.Event], note: RunNote
    ) -> int:
        """Delete events, some at a time, so that others are served in between."""
        deleted, reason = 0, f"retention policy {policy.name}"
        for start in range(0, len(events), _DELETED_AT_ONCE):
            part = events[start : start + _DELETED_AT_ONCE]
            began = perf_counter()
            done = len(await self._store.age_out(part, reason))
            self._observer.events_aged_out(policy.name, done)
            deleted += done
            await note.add(done)
            took = perf_counter() - began
            await asyncio.sleep(max(len(part) / self._rate - took, took))
        return deleted
