"""Indexes the words of changed events, soon after each commit."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

import apsw

from tracker.stores.sqlite.search import word_index
from tracker.stores.sqlite.transaction import Bulk

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.stores.sqlite.writer import Writer
    from tracker.supervision import Supervisor

REST_SECONDS: Final = 1.0
"""How long changes gather before they are indexed together; many together take less time than alone."""

_STEP_SECONDS: Final = 0.005
_TASK: Final = "word_index"


class WordIndexer:
    """Indexes what was committed, in steps among the other changes.

    Each step holds up the event loop, and with it the changes that wait, for a few milliseconds; between two
    there is as long a time for others. A file that was never indexed is searched by its documents meanwhile.
    """

    def __init__(self, writer: Writer, tasks: Supervisor) -> None:
        self._writer = writer
        self._tasks = tasks
        self._changed = asyncio.Event()
        self._damaged = False

    def start(self) -> None:
        """Begin to index, first what an earlier run left."""
        self._writer.notify(self._changed.set)
        self._tasks.repeat(_TASK, self._index_changes)

    def rebuild(self) -> None:
        """Index all events again, because the index is damaged."""
        self._damaged = True
        self._changed.set()

    async def close(self) -> None:
        """Stop; the rest is indexed when the file is opened again."""
        await self._tasks.stop(_TASK)

    async def _index_changes(self) -> None:
        """Index some events, then wait until there are more."""
        self._changed.clear()
        more = await self._writer.change_in_bulk(self._step)
        if not more:
            await self._changed.wait()
        await asyncio.sleep(_STEP_SECONDS if more else REST_SECONDS)

    def _step(self, db: apsw.Connection) -> Bulk[bool] | bool:
        """Index some events; return whether more may be left."""
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
