"""Records in the audit log: every change of the change log, settings, and what happens to the log itself."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from itertools import groupby
from typing import TYPE_CHECKING, Final

from tracker.audit.chain import (
    AUDIT,
    CHECKPOINT,
    CUT,
    LOST,
    PRUNED,
    SALT_BYTES,
    Draft,
    chained,
    fields_in,
)
from tracker.domain.audit import changed, content_of, differences, whole
from tracker.errors import TrackerError
from tracker.services.consumers import Consumer
from tracker.stores.audit import AuditFilter
from tracker.stores.changes import AGED_OUT
from tracker.time_text import DAY, MICROS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tracker.audit.chain import Entry
    from tracker.services.audit.signing import SigningKey
    from tracker.services.clock_guard import ClockGuard
    from tracker.services.context import Context
    from tracker.stores.audit import AuditStore
    from tracker.stores.changes import Change

SETTINGS: Final = "settings"
"""The `record` of changes of settings."""

_BATCH: Final = 250
_GATHER_SECONDS: Final = 0.5
"""How long changes are gathered: each batch takes two commits."""

_PAUSE_SECONDS: Final = 0.3
"""Time between full batches: while a server is busy with changes, recording takes few percent of its time."""

_SIGNED_ENTRIES: Final = 1_000
"""After every so many entries there is a checkpoint."""

_SIGNED_SECONDS: Final = 600
"""How old an entry may get without a checkpoint after it."""

_KEEP_SECONDS: Final = 60.0
"""Time between two looks for old entries."""


class AuditRecorder:
    """Appends to the audit log; checkpoints are signed with a key.

    Entries older than `kept_days` are pruned, up to a checkpoint; 0 keeps all.
    """

    def __init__(
        self, store: AuditStore, context: Context, key: SigningKey, kept_days: float, guard: ClockGuard
    ) -> None:
        self._store = store
        self._context = context
        self._key = key
        self._kept = round(kept_days * DAY)
        self._guard = guard
        self._last: Entry | None = None

    @property
    def public_key(self) -> str:
        """The public key of the key that signs checkpoints."""
        return self._key.public

    def consumer(self) -> Consumer:
        """Return the consumer of changes that records them."""
        return Consumer(
            "audit",
            self.record_changes,
            _BATCH,
            from_oldest=True,
            gather_seconds=_GATHER_SECONDS,
            pause_seconds=_PAUSE_SECONDS,
        )

    async def record_changes(self, changes: Sequence[Change]) -> None:
        """Record changes, except those that are recorded already."""
        salts = secrets.token_bytes(SALT_BYTES * len(changes))
        drafts = [
            _draft_of(change, salts[n * SALT_BYTES : (n + 1) * SALT_BYTES])
            for n, change in enumerate(changes)
        ]

        def new(last: Entry | None) -> Sequence[Draft]:
            log, position = ("", 0) if last is None else (last.log, last.position)
            left = [each for each in drafts if each.log != log or each.position > position]
            return [*self._lost(log, position, left[0]), *_grouped(left)] if left else ()

        await self._append(new)

    async def record(self, record: str, action: str, content: Mapping[str, object]) -> None:
        """Record something that is not in the change log."""
        await self._append(lambda _: [self._draft(record, action, content)])

    async def record_settings(self, settings: Mapping[str, str]) -> None:
        """Record which settings differ from those recorded last, at a start of the server.

        Values of secrets are masked by the caller.
        """
        last = await self._store.last(SETTINGS)
        before = _settings_in(last)
        olds, news = differences(before, dict(settings))
        if olds or news:
            await self.record(SETTINGS, "changed", {"before": olds, "after": news, "all": dict(settings)})

    async def checkpoint(self, *, older_than: int = 0) -> Entry | None:
        """Sign the last entry, unless it is a checkpoint or not older than some microseconds.

        Returns the checkpoint, or else the entry that was the last; None if there was none.
        """
        found: Entry | None = None

        def new(last: Entry | None) -> Sequence[Draft]:
            nonlocal found
            found = last
            return self._checkpoint_after(last, older_than)

        entries = await self._append(new, signs=False)
        return entries[-1] if entries else found

    async def keep(self) -> None:
        """Sign entries that have no checkpoint yet, and prune old ones: one round of a background task.

        Raises:
            SetupError: The clock was set far ahead, so that nothing is pruned.
        """
        await asyncio.sleep(_KEEP_SECONDS)
        last = await self._store.last()
        if last is not None and not last.is_checkpoint:
            await self.checkpoint(older_than=_SIGNED_SECONDS * MICROS)
        if self._kept:
            self._guard.require_steady()
            await self._prune(self._context.now() - self._kept)

    async def close(self) -> None:
        """Sign the last entry."""
        with suppress(TrackerError):  # it is signed after the next start
            await self.checkpoint()

    async def _prune(self, until: int) -> None:
        """Delete entries from before a moment, up to a checkpoint of it; say so before."""
        first = await self._store.read(AuditFilter(), 1)
        if not first.entries or first.entries[0].at >= until:
            return
        wanted = AuditFilter(record=AUDIT, until=until)
        old = await self._store.read(wanted, 100, newest_first=True)
        before = next((each.number for each in old.entries if each.is_checkpoint), 0)
        if before > first.entries[0].number:
            await self.record(AUDIT, PRUNED, {"before": before})
            await self._store.forget(before)

    async def _append(
        self, new: Callable[[Entry | None], Sequence[Draft]], *, signs: bool = True
    ) -> Sequence[Entry]:
        """Append what `new` returns for the last entry; return all that was appended."""

        def make(last: Entry | None) -> Sequence[Entry]:
            cut = chained(last, self._cut(last))
            before = cut[-1] if cut else last
            entries = [*cut, *chained(before, new(before))]
            if signs and any(each.number % _SIGNED_ENTRIES == 0 for each in entries):
                entries = [*entries, *chained(entries[-1], self._checkpoint_after(entries[-1], 0))]
            return entries

        entries = await self._store.append(make)
        if entries:
            self._last = entries[-1]
            for each in entries:
                if each.is_checkpoint:  # which whoever keeps the lines of the log can compare
                    signed = self._key.public
                    self._context.log.info("audit checkpoint", entry=each.number, hash=each.hash, key=signed)
        return entries

    def _checkpoint_after(self, last: Entry | None, older_than: int) -> Sequence[Draft]:
        if last is None or last.is_checkpoint or last.at > self._context.now() - older_than:
            return ()
        return [self._draft(AUDIT, CHECKPOINT, self._key.sign(last)._asdict())]

    def _cut(self, last: Entry | None) -> Sequence[Draft]:
        """Return an entry that says so if the last one that this server wrote is missing or another one."""
        mine, number = self._last, 0 if last is None else last.number
        if mine is None or number > mine.number or (last is not None and last.hash == mine.hash):
            return ()
        self._last = None
        self._context.log.error("the end of the audit log is missing", written=mine.number, found=number)
        return [self._draft(AUDIT, CUT, {"written": mine.number, "hash": mine.hash, "found": number})]

    def _lost(self, log: str, position: int, first: Draft) -> Sequence[Draft]:
        """Return an entry that says so if changes before the first one to record are no longer known."""
        if log == first.log and position == first.position - 1:
            return ()
        if not log and first.position == 1:
            return ()
        same = log == first.log
        missing = {
            "log": log or first.log,
            "after": position,
            "before": first.position if same or not log else 0,
        }
        self._context.log.error("changes lost to the audit log", **missing)
        return [self._draft(AUDIT, LOST, missing)]

    def _draft(self, record: str, action: str, content: Mapping[str, object]) -> Draft:
        salt = secrets.token_bytes(SALT_BYTES)
        return Draft(self._context.now(), record, action, "", content_of(content), salt)


def _grouped(drafts: Iterable[Draft]) -> Iterator[Draft]:
    """Yield drafts, with one for the events that a retention policy deleted one after the other."""
    for (action, _), group in groupby(drafts, key=lambda each: (each.action, each.content)):
        if action != AGED_OUT:
            yield from group
            continue
        deleted = [*group]
        content = content_of(
            {**(fields_in(deleted[-1].content) or {}), "events": [each.record_id for each in deleted]}
        )
        yield deleted[-1]._replace(record_id="", content=content)


def _draft_of(change: Change, salt: bytes) -> Draft:
    """Return the entry of a change; the end of a lock is its action."""
    old, new = change.document_before, change.document_after
    if change.ending == AGED_OUT:  # the log would keep what was to go
        before, after = None, None
    elif old is not None and new is not None:
        before, after = changed(old, new)
    else:
        before, after = None if old is None else whole(old), None if new is None else whole(new)
    address, request_id, user_agent = change.origin
    content = content_of(
        {
            "principal": change.principal,
            "address": address,
            "request_id": request_id,
            "user_agent": user_agent,
            "reason": change.reason,
            "before": before,
            "after": after,
        }
    )
    log, number, at = change.position
    return Draft(at, change.record_name, change.action, change.id, content, salt, log, number)


def _settings_in(entry: Entry | None) -> Mapping[str, object]:
    """Return all settings as an entry about settings has them."""
    found = None if entry is None else (fields_in(entry.content) or {}).get("all")
    return found if isinstance(found, dict) else {}
