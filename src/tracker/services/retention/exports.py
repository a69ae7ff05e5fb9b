"""Files of events that are to be deleted, as `tracker export` writes them."""

from __future__ import annotations

import asyncio
import gzip
import os
import re
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Final

from tracker.domain.archive import lines
from tracker.domain.events import EventId, event_id, event_time
from tracker.domain.times import timestamp
from tracker.errors import Reason, TrackerError
from tracker.stores.pages import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tracker.pb import event_pb, retention_pb
    from tracker.stores.events import EventStore

_ENTRIES: Final = 1_000
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_UNFINISHED: Final = ".unfinished"
_NO_NAME = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class EventExports:
    """Writes events to a folder, each time to a file of its own."""

    folder: Path
    _store: EventStore
    _new_id: Callable[[], str]

    async def write(self, policy: retention_pb.RetentionPolicy, events: Sequence[event_pb.Event]) -> str:
        """Write events, the oldest first, to a file; return its name within the folder once it is on disk.

        Raises:
            TrackerError: UNAVAILABLE; the file can't be written.
        """
        changelogs = {
            event_id(event): await self._changelog(event_id(event))
            for event in events
            if event.changelog_total
        }
        first = timestamp(event_time(events[0])).to_datetime().astimezone(UTC)
        name = _NO_NAME.sub("-", policy.name).strip("-.") or policy.id
        path = self.folder / name / f"{first:%Y-%m-%dT%H%M%SZ}-{self._new_id()}.ndjson.gz"
        try:
            await asyncio.to_thread(_write, path, events, changelogs)
        except OSError as error:
            why = f"{path} can't be written: {error.strerror or error}"
            raise TrackerError(Reason.EXPORT_FAILED, why) from error
        return str(path.relative_to(self.folder))

    async def _changelog(self, of_event: str) -> Sequence[event_pb.ChangelogEntry]:
        """Return all entries of a long changelog."""
        entries: list[event_pb.ChangelogEntry] = []
        page = Page(_ENTRIES)
        while found := await self._store.changelog(EventId(of_event), page):
            entries += found.records
            if found.next is None:
                break
            page = Page(_ENTRIES, after=found.next)
        return entries


def _write(
    path: Path,
    events: Sequence[event_pb.Event],
    changelogs: dict[str, Sequence[event_pb.ChangelogEntry]],
) -> None:
    """Write a file durably: it gets its name once it is complete."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + _UNFINISHED)
    try:
        with os.fdopen(os.open(unfinished, _NEW, 0o600), "wb") as file:
            with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
                for event in events:
                    packed.writelines(lines(event, changelogs.get(event_id(event), ())))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    for folder in (path.parent, path.parent.parent):
        _sync(folder)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
