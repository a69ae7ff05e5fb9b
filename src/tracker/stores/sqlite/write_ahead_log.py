"""The write-ahead log of the connection that writes: filled with zeros while it is short, then checkpointed.

A commit that lengthens the file is synced in about twice the time of one that overwrites it, since the file
system then syncs records of its own. After a crash, SQLite reads the log up to the zeros, which are no frame.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import apsw

CHECKPOINT_PAGES = 4_000
"""Pages, 4 KiB each, after which the log is checkpointed, to be overwritten from its start.

With 1,000, groups of changes are stored a fifth more slowly; with 8,000, no faster.
"""

_FIRST_PAGES: Final = 250
"""Pages after which the file is filled first: few stores of a test or a demo have more."""

_FRAME_BYTES: Final = 4_096 + 24


@dataclass(slots=True)
class WriteAheadLog:
    """Prepares the log for the next commits; between transactions, and outside the event loop."""

    _connection: apsw.Connection
    _pages: int = 0
    """Pages written since the last checkpoint."""
    _filled: int = _FIRST_PAGES
    """Pages up to which the log may grow before something is done."""

    def __post_init__(self) -> None:
        self._connection.wal_autocheckpoint(0)

    def is_due(self) -> bool:
        """Return whether the log is to be prepared; called after each transaction."""
        self._pages += self._connection.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE, reset=True)[0]
        return self._pages >= self._filled

    def end_soon(self) -> None:
        """Have the log checkpointed after the next transaction, however short it is."""
        self._pages = self._filled = CHECKPOINT_PAGES

    def prepare(self) -> None:
        """Double the file, or checkpoint the log once it is long.

        A checkpoint that a reader or the disk prevents is repeated after a quarter of the pages.
        """
        if self._filled < CHECKPOINT_PAGES:
            self._filled = min(2 * self._filled, CHECKPOINT_PAGES)
            with suppress(apsw.BusyError):  # another program writes its frames where the zeros would be
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    _fill(self._connection.filename_wal, self._filled * _FRAME_BYTES)
                finally:
                    self._connection.execute("ROLLBACK")
            return
        try:
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
            self._pages = 0
        except apsw.Error:
            self._pages = CHECKPOINT_PAGES * 3 // 4


def _fill(path: str, size: int) -> None:
    """Lengthen a file with zeros, unless the disk has no room for all of them."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            end = os.fstat(descriptor).st_size
            if end < size and os.pwrite(descriptor, bytes(size - end), end) < size - end:
                os.ftruncate(descriptor, end)
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
