"""Keeps the index of words close behind the changes."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

import apsw

from tracker.errors import TrackerError
from tracker.stores.sqlite.bulk import Bulk
from tracker.stores.sqlite.search import word_index

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.stores.sqlite.writer import Writer

REST_SECONDS: Final = 1.0
"""How long changes gather before they are indexed together; many together take less time than alone."""

_STEP_SECONDS: Final = 0.005
_RETRY_SECONDS: Final = 5.0


class WordIndexer:
    """Indexes what was committed, in steps among the other changes.

    Each step holds up the event loop, and with it the changes that wait, for a few milliseconds; between two
    there is as long a time for others. A file that was never indexed is searched by its documents meanwhile.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._changed = asyncio.Event()
        self._damaged = False
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to index, what is left from before first."""
        self._writer.notify(self._changed.set)
        self._running = asyncio.create_task(self._run())

    def rebuild(self) -> None:
        """Index everything anew, because the index is damaged."""
        self._damaged = True
        self._changed.set()

    async def close(self) -> None:
        """Stop; what isn't indexed yet is when the file is opened again."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            try:
                more = await self._writer.change_in_bulk(self._step)
            except TrackerError:  # the disk is full, say: whoever makes a change is told
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            if not more:
                await self._changed.wait()
            await asyncio.sleep(_STEP_SECONDS if more else REST_SECONDS)

    def _step(self, db: apsw.Connection) -> Bulk[bool] | bool:
        """Index some events; say whether more may be left."""
        if self._damaged:
            word_index.reset(db)
            self._damaged = False
        try:
            step = word_index.prepared(db)
        except apsw.CorruptError:
            self._damaged = True
            return True
        return False if step is None else Bulk(partial(self._index, step))

    def _index(self, step: Callable[[apsw.Connection], None], db: apsw.Connection) -> bool:
        try:
            step(db)
        except apsw.CorruptError:
            self._damaged = True
        return True
