"""Connections to the database file, and what each is set to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import apsw

from tracker.stores.sqlite.search.queries import add_functions

if TYPE_CHECKING:
    from pathlib import Path

SYNCHRONOUS: Final = "FULL"
"""A commit has reached the disk when it returns; NORMAL would lose the last ones in a power cut."""

_READ_BUSY_MS: Final = 100
_JOURNAL_LIMIT: Final = 32 * 2**20
_WRITE_CACHE_KIB: Final = 8 * 1024
_READ_CACHE_KIB: Final = 4 * 1024


def connect(path: Path) -> apsw.Connection:
    """Open a file that exists, without changing anything in it."""
    return apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)


def open_for_writing(path: Path) -> apsw.Connection:
    """Open the one connection that writes and checkpoints."""
    connection = connect(path)
    set_for_writing(connection)
    return connection


def set_for_writing(connection: apsw.Connection) -> None:
    """Make a connection the one that writes and checkpoints.

    A log that a long read let grow is cut back to 32 MiB. The file isn't mapped into memory: an I/O error
    would then kill the process, and every page read would count as memory of the server.
    """
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", SYNCHRONOUS)
    connection.pragma("journal_size_limit", _JOURNAL_LIMIT)
    connection.pragma("cache_size", -_WRITE_CACHE_KIB)
    connection.pragma("temp_store", "memory")


def open_for_reading(path: Path) -> apsw.Connection:
    """Open a connection that only reads.

    It is opened for writing all the same and then forbidden to: SQLite lets only such a connection
    share the write-ahead log's index whatever the file's permissions.
    """
    connection = connect(path)
    connection.set_busy_timeout(_READ_BUSY_MS)
    connection.pragma("query_only", value=True)
    connection.pragma("cache_size", -_READ_CACHE_KIB)
    connection.pragma("temp_store", "memory")
    add_functions(connection)
    return connection
