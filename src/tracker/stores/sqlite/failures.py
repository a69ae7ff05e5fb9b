"""Maps failures of SQLite to errors of the API."""

from __future__ import annotations

import errno

import apsw

from tracker.errors import Reason, TrackerError
from tracker.stores.base import unavailable

_FULL = {errno.ENOSPC, errno.EDQUOT}
_UNAVAILABLE = (
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.IOError,
    apsw.LockedError,
    apsw.NoMemError,
    apsw.ProtocolError,
    apsw.ReadOnlyError,
)


def store_error(failure: Exception, system_errno: int = 0) -> Exception:
    """Return the error for a failure of SQLite; one that only a defect explains is returned as it is.

    `system_errno` is the operating system's reason for an I/O error (`Connection.system_errno`).

    SQLite undoes a commit that it could not write. One that it could not sync is complete in the write-ahead
    log until the next commit overwrites it: a crash before that restores it.
    """
    if isinstance(failure, (apsw.CorruptError, apsw.NotADBError, UnicodeDecodeError)):
        return TrackerError(Reason.STORE_CORRUPT, "the database file is damaged; restore it from a backup")
    if getattr(failure, "extendedresult", None) == apsw.SQLITE_IOERR_FSYNC:
        why = "the database could not be synced to disk; the change may or may not last"
        return TrackerError(Reason.STORE_OUTCOME_UNKNOWN, why)
    if isinstance(failure, apsw.FullError) or (isinstance(failure, apsw.IOError) and system_errno in _FULL):
        return TrackerError(Reason.STORE_FULL, "the disk of the database is full")
    if not isinstance(failure, _UNAVAILABLE):
        return failure
    if isinstance(failure, apsw.ReadOnlyError) or system_errno == errno.EROFS:
        return TrackerError(Reason.STORE_READ_ONLY, "the database can only be read")
    return unavailable(f"the database can't be used: {failure}")
