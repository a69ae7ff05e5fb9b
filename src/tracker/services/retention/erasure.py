"""Erases what names a person from all records, the log of changes and the audit log."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from tracker.domain.audit import mentions
from tracker.domain.event_locks import EventChange
from tracker.domain.events import EventId
from tracker.domain.persons import eraser, without_person
from tracker.errors import Reason, TrackerError
from tracker.pb import retention_pb
from tracker.stores.changes import MESSAGES
from tracker.stores.documents import parse
from tracker.stores.pages import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.pb import catalog_pb, event_pb, lock_pb
    from tracker.services.audit.service import AuditService
    from tracker.services.context import Call
    from tracker.services.holds import LegalHolds
    from tracker.stores.base import Store
    from tracker.stores.changes import RecordKind

_REPLACEMENT: Final = "erased"
_LISTED: Final = 10
_ENTRIES: Final = 1_000
_AUDITED_SECONDS: Final = 20.0
"""How long to wait until the audit log has the changes of an erasure, so that it is erased there too."""

_LOOK_SECONDS: Final = 0.1


class _ChangedError(Exception):
    """An event has changed since its changelog was read."""


class PersonEraser:
    """Finds what names a person, and replaces it."""

    def __init__(self, store: Store, holds: LegalHolds, audit: AuditService) -> None:
        self._store = store
        self._holds = holds
        self._audit = audit

    async def erase(
        self, request: retention_pb.ErasePersonRequest, call: Call
    ) -> retention_pb.ErasePersonResponse:
        """Erase a person, or only say where it is named; if that is interrupted, it can be repeated.

        Raises:
            TrackerError: FAILED_PRECONDITION (`EVENT_HELD`), before anything is erased.
        """
        rewrite = eraser(request.values, request.replacement or _REPLACEMENT)
        texts = sorted({text for value in request.values for text in mentions(value)})
        found: defaultdict[str, list[str]] = defaultdict(list)
        holds, held = await self._holds.current(), set[str]()
        for of_event in await self._store.events.mentioning(texts):
            event = await self._whole(of_event)
            if event is not None and without_person(event, rewrite) is not event:
                found["event"].append(of_event)
                held |= {*holds.names_for(event)}
        if held and not request.dry_run:
            names = ", ".join(sorted(held))
            message = f"events that name the person are held by the legal hold {names}; nothing is erased"
            raise TrackerError(Reason.EVENT_HELD, message, metadata={"hold": names})
        if not request.dry_run:
            for of_event in found["event"]:
                await self._erase_event(of_event, rewrite)
        await self._erase_others(found, rewrite, dry_run=request.dry_run)
        counts = {record: len(ids) for record, ids in found.items()}
        if not request.dry_run:
            counts["change"] = await self._erase_changes(texts, rewrite)
            await self._audited()
        counts["audit_entry"] = 0
        for value in request.values:
            erase = self._audit.mentioning(value) if request.dry_run else self._audit.erase(value, call)
            counts["audit_entry"] += await erase
        erased = [
            retention_pb.ErasedRecords(record=record, records=number, ids=found.get(record, [])[:_LISTED])
            for record, number in counts.items()
            if number
        ]
        return retention_pb.ErasePersonResponse(erased=erased, holds=sorted(held))

    async def _whole(self, of_event: str) -> event_pb.Event | None:
        """Return an event with its whole changelog."""
        event = await self._store.events.get(EventId(of_event))
        if event is None or not event.changelog_total:
            return event
        entries: list[event_pb.ChangelogEntry] = []
        page = Page(_ENTRIES)
        while found := await self._store.events.changelog(EventId(of_event), page):
            entries += found.records
            if found.next is None:
                break
            page = Page(_ENTRIES, after=found.next)
        event.changelog = entries
        return event

    async def _erase_event(self, of_event: str, rewrite: Callable[[str], str]) -> None:
        while (whole := await self._whole(of_event)) is not None:
            known = whole

            def change(
                stored: event_pb.Event, _: Sequence[lock_pb.Lock], known: event_pb.Event = known
            ) -> EventChange:
                event = stored
                if stored.changelog_total:
                    if stored.changelog_total != known.changelog_total:
                        raise _ChangedError
                    event = type(stored).from_binary(stored.to_binary())
                    event.changelog, event.changelog_total = known.changelog, 0
                return EventChange(without_person(event, rewrite))

            try:
                await self._store.events.modify(EventId(of_event), change)
            except _ChangedError:
                continue
            return

    async def _erase_others(
        self, found: dict[str, list[str]], rewrite: Callable[[str], str], *, dry_run: bool
    ) -> None:
        for entry in (await self._store.catalog.find(Page())).records:
            if _without(entry, rewrite) is not entry:
                found["catalog_entry"].append(entry.name)
                if not dry_run:
                    await self._store.catalog.modify(entry.name, lambda each: _without(each, rewrite))
        for link in await self._store.links.find():
            if without_person(link, rewrite) is not link:
                found["link"].append(link.id)
                if not dry_run:
                    await self._store.links.modify(link.id, lambda each: without_person(each, rewrite))
        for window in await self._store.freezes.find():
            if without_person(window, rewrite) is not window:
                found["freeze_window"].append(window.id)
                if not dry_run:
                    await self._store.freezes.modify(window.id, lambda each: without_person(each, rewrite))

    async def _erase_changes(self, texts: Sequence[str], rewrite: Callable[[str], str]) -> int:
        def rewritten(record: RecordKind | int, record_id: str, document: bytes | str) -> str:
            message = MESSAGES.get(record)
            if message is None:
                text = document if isinstance(document, str) else document.decode(errors="replace")
                return rewrite(text)
            stored = parse(message, record_id, document)
            new = without_person(stored, rewrite)
            if new is stored and isinstance(document, str):
                return document
            return new.to_json()

        return await self._store.changes.rewrite(texts, rewritten)

    async def _audited(self) -> None:
        """Wait until the audit log has all changes so far.

        Raises:
            TrackerError: UNAVAILABLE; it does not follow.
        """
        end = await self._store.changes.end()
        for _ in range(round(_AUDITED_SECONDS / _LOOK_SECONDS)):
            state = await self._store.consumers.get("audit")
            if state is None or state.position.log != end.log or state.position.number >= end.number:
                return
            await asyncio.sleep(_LOOK_SECONDS)
        message = "the audit log is behind; repeat the call, which then erases the rest"
        raise TrackerError(Reason.STORE_UNAVAILABLE, message)


def _without(entry: catalog_pb.Catalog, rewrite: Callable[[str], str]) -> catalog_pb.Catalog:
    """Return a catalog entry whose texts but its name are rewritten."""
    new = without_person(entry, rewrite)
    if new is not entry:
        new.name = entry.name
    return entry if new == entry else new
