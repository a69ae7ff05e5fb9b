"""Gives the space of deleted records back to the file system, some pages at a time between other changes.

SQLite moves pages from the end of the file to free ones, and cuts the file. A file that an earlier version
created keeps its free pages, for new records, until it is compacted (`backup.compact`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tracker.stores.sqlite.transaction import Bulk

if TYPE_CHECKING:
    import apsw

    from tracker.stores.sqlite.writer import Writer
    from tracker.supervision import Supervisor

INCREMENTAL: Final = 2
"""The value of the pragma `auto_vacuum` for files whose free pages can be given back step by step."""

_TASK: Final = "free_space"
_LOOK_SECONDS: Final = 2.0
_STEP_SECONDS: Final = 0.02
_STEP_PAGES: Final = 128
_LEAST_PAGES: Final = 1_024
"""Free pages that the file keeps, 4 MiB: they are used again soon."""

_KEPT_SHARE: Final = 0.02
"""What share of its pages the file keeps free, where that is more."""


@dataclass(eq=False)
class FreeSpace:
    """Gives free pages back while there are many."""

    _writer: Writer
    _tasks: Supervisor

    def start(self) -> None:
        """Begin."""
        self._tasks.repeat(_TASK, self._give_back)

    async def close(self) -> None:
        """Stop."""
        await self._tasks.stop(_TASK)

    async def _give_back(self) -> None:
        """Give some pages back, or wait until there may be some: one round of a background task."""
        more = await self._writer.change(self._step)
        await asyncio.sleep(_STEP_SECONDS if more else _LOOK_SECONDS)

    def _step(self, db: apsw.Connection) -> Bulk[bool] | bool:
        if db.pragma("auto_vacuum") != INCREMENTAL:
            return False
        free, pages = db.pragma("freelist_count"), db.pragma("page_count")
        if free > max(_LEAST_PAGES, pages * _KEPT_SHARE):
            return Bulk(_vacuum)
        if Path(db.filename).stat().st_size > (pages + _LEAST_PAGES) * db.pragma("page_size"):
            self._writer.checkpoint_soon()  # which cuts the file
        return False


def _vacuum(db: apsw.Connection) -> bool:
    db.execute(f"PRAGMA incremental_vacuum({_STEP_PAGES})").fetchall()
    return True
